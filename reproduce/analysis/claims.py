"""Whether a published number held: a protocol's claims, judged by code against the runs in its folder.

The status is always computed.  "not run": some environments, seeds or frames that the claim is about have no complete
runs; a claim about 57 games is not judged on three.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dqn_tf.rng import Stream
from reproduce import formatting
from reproduce.analysis import intervals, score_aggregates, statistics
from reproduce.analysis.collecting import Collected
from reproduce.places import folder_name
from reproduce.planning import protocol
from reproduce.planning.protocol import Claim, Protocol
from reproduce.records import published

HELD, NOT_HELD, NOT_RUN = "held", "not held", "not run"
STATUSES = (HELD, NOT_HELD, NOT_RUN)


class Needed(NamedTuple):
    """What a claim is judged on: environments (with random and human scores, where it needs them), the fewest seeds for
    each, the budget that runs must have, and the frames of training that the number is of."""

    environments: tuple[str, ...]
    seeds: int
    budget_frames: int
    frames: int


class Outcome(NamedTuple):
    """A claim's status with its numbers, in the claim's unit; ours, low, high: nan where there is none."""

    status: str
    ours: float
    low: float
    high: float
    n_environments: int
    n_seeds_min: int
    explanation: str


def needed(asked: Protocol, claim: Claim) -> Needed:
    """From the grids that have the claim's agent, and its environment if it names one."""
    only = folder_name(claim.environment)
    grids = [g for g in asked.grids_of(claim.agent) if only in ("", *protocol.environments(g))]
    names = (only,) if only else tuple(e for g in grids for e in protocol.environments(g))
    if claim.normalization:
        known = published.references(claim.normalization)
        names = tuple(name for name in names if name in known)
    budget = max(g.budget_frames for g in grids)
    return Needed(names, min(len(g.seeds) for g in grids), budget, claim.frames or budget)


def judge(asked: Protocol, claim: Claim, found: Collected) -> Outcome:
    """The claim's status by the complete runs of the collection ``asked.id`` in ``found``.

    The interval is Student's for the metric "score", a stratified bootstrap's for the others; it decides nothing.
    """
    need = needed(asked, claim)
    usable, begun = usable_runs(asked, claim.agent, need, found)
    seeds = {name: int((usable["environment"] == name).sum()) for name in need.environments}
    enough, fewest = sum(n >= need.seeds for n in seeds.values()), min(seeds.values())
    if enough < len(seeds):
        nothing = (math.nan, math.nan, math.nan)
        return Outcome(NOT_RUN, *nothing, enough, fewest, _lacking(asked, need, seeds, begun))
    ours, low, high = estimate(asked, claim, usable)
    held = holds(claim, ours)
    interval = "" if math.isnan(low) else f" (95 % interval {formatting.number(low)} to {formatting.number(high)})"
    explanation = (
        f"Ours {formatting.number(ours)}{interval}, published {formatting.number(claim.published)}; the rule, "
        f"{rule_in_words(claim)}, is {'met' if held else 'not met'}."
    )
    return Outcome(HELD if held else NOT_HELD, ours, low, high, enough, fewest, explanation)


def holds(claim: Claim, ours: float) -> bool:
    """Whether the rule is met; a value exactly at the bound is within it."""
    if claim.rule == "within":
        return abs(ours - claim.published) <= claim.allowed
    return ours >= claim.published - claim.allowed


def rule_in_words(claim: Claim) -> str:
    share = f"{formatting.number(100 * claim.tolerance)} % of it"
    if claim.rule == "within":
        return f"ours is at most {share} away from the published value"
    return "ours is at least the published value" + (f" less {share}" if claim.tolerance else "")


def usable_runs(asked: Protocol, agent: str, need: Needed, found: Collected) -> tuple[pd.DataFrame, int]:
    """A score per complete run of an agent that counts, by the protocol's convention; and how many runs have begun."""
    runs = _of(found.scores, asked, agent, need)
    whole = runs[runs["complete"].astype(bool) & (runs["budget_frames"] == need.budget_frames)]
    begun = len(runs.drop_duplicates(["environment", "seed"]))
    convention = asked.score.convention
    if convention in protocol.AFTER_TRAINING:
        return whole[whole["convention"] == convention], begun
    keys = ["environment", "seed"]
    curves = _of(found.curves, asked, agent, need).merge(whole[keys].drop_duplicates(), on=keys)
    return score_aggregates.at_frames(curves, convention, need.frames, asked.score.window_frames or 0), begun


def _of(table: pd.DataFrame, asked: Protocol, agent: str, need: Needed) -> pd.DataFrame:
    mine = table[(table["collection"] == asked.id) & (table["agent"] == agent)]
    return mine[mine["environment"].isin(need.environments)]


def estimate(asked: Protocol, claim: Claim, usable: pd.DataFrame) -> tuple[float, float, float]:
    """Ours and its 95 % interval, in the claim's unit: Student's for a score, a stratified bootstrap's over games."""
    if claim.metric == "score":
        values = usable["score"].to_numpy(np.float64)
        std = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        return (float(values.mean()), *intervals.mean_interval(float(values.mean()), std, len(values)))
    groups = score_aggregates.normalized_groups(usable, claim.normalization)
    generator = Stream(0, f"statistics/claims/{asked.id}/{claim.id}").at(0)
    metric = claim.metric.removesuffix("_normalized")
    found = statistics.aggregate(list(groups.values()), generator=generator)[metric]
    percent = 0.01 if claim.unit == "fraction" else 1.0
    return percent * found.value.item(), percent * found.low.item(), percent * found.high.item()


def _lacking(asked: Protocol, need: Needed, seeds: dict[str, int], begun: int) -> str:
    """Which runs are missing, in words."""
    few = [f"{name} {n} of {need.seeds}" for name, n in seeds.items() if n < need.seeds]
    more = f" and {len(few) - 3} more" if len(few) > 3 else ""
    elsewhere = begun - sum(seeds.values())
    other = f" {elsewhere} more are under way, of another length, or without such a score." if elsewhere else ""
    return (
        f"Complete runs of {need.budget_frames:,} frames with a score by {asked.score.convention} are missing for "
        f"{len(few)} of {len(seeds)} environments (seeds there are: {', '.join(few[:3])}{more}).{other}"
    )


def row(asked: Protocol, claim: Claim, found: Collected) -> dict[str, Any]:
    """A claim as a row of a report; ``ours`` is None where the claim is not run."""
    outcome = judge(asked, claim, found)
    at = f"at {claim.frames:,} frames" if claim.frames else ""
    tolerance = f"The tolerance: {claim.why_tolerance}." if claim.tolerance else ""
    said = (outcome.explanation, at and f"Judged {at}.", tolerance, claim.note)
    return {
        "name": claim.id,
        "status": outcome.status,
        "agent": claim.agent,
        "metric": " ".join(filter(None, (claim.metric.replace("_", " "), claim.environment, at))),
        "published": claim.published,
        "ours": None if outcome.status == NOT_RUN else outcome.ours,
        "unit": claim.unit,
        "rule": rule_in_words(claim),
        "explanation": " ".join(filter(None, said)),
        "place": claim.place,
    }
