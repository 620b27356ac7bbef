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
from reproduce.planning.protocol import AFTER_TRAINING, Claim, Protocol, environments
from reproduce.records import published

HELD, NOT_HELD, NOT_RUN = "held", "not held", "not run"
STATUSES = (HELD, NOT_HELD, NOT_RUN)


class Needed(NamedTuple):
    """What a claim is judged on.

    Attributes:
        environments: as folders are called; those with random and human scores, where the claim needs them.
        seeds: the fewest complete runs of each environment.
        budget_frames: budget that these runs must have, in frames.
        frames: place in training that the number is of, in frames.
    """

    environments: tuple[str, ...]
    seeds: int
    budget_frames: int
    frames: int


class Judgment(NamedTuple):
    """A claim's status with its numbers.

    Attributes:
        status: one of ``STATUSES``.
        ours: our number, in the claim's unit; nan where there is none.
        low: lower end of its 95 % interval; nan where there is none.
        high: upper end.
        n_environments: environments with enough runs.
        n_seeds_min: runs of the environment that has fewest.
        explanation: a sentence with the numbers, or what is missing.
    """

    status: str
    ours: float
    low: float
    high: float
    n_environments: int
    n_seeds_min: int
    explanation: str


def needed(protocol: Protocol, claim: Claim) -> Needed:
    """What a claim is judged on: the grids that have its agent, and its environment if it names one.

    Args:
        protocol: the protocol that makes the claim.
        claim: one of its claims.

    Returns:
        Environments, fewest seeds for each, budget of the runs (frames), and the place in training (frames).
    """
    only = folder_name(claim.environment)
    grids = [g for g in protocol.grids_of(claim.agent) if only in ("", *environments(g))]
    names = (only,) if only else tuple(e for g in grids for e in environments(g))
    if claim.normalization:
        known = published.references(claim.normalization)
        names = tuple(name for name in names if name in known)
    budget = max(g.budget_frames for g in grids)
    return Needed(names, min(len(g.seeds) for g in grids), budget, claim.frames or budget)


def judge(protocol: Protocol, claim: Claim, found: Collected) -> Judgment:
    """The claim's status by the complete runs of the collection ``protocol.id`` in ``found``.

    The interval is Student's t for the metric "score" and a stratified bootstrap for the others; it does not decide.

    Args:
        protocol: the protocol that makes the claim.
        claim: one of its claims.
        found: scores and curves of all runs; those of other collections are ignored.

    Returns:
        The status with our number and its 95 % interval, in the claim's unit; ``NOT_RUN`` with nan where runs are
            missing.
    """
    need = needed(protocol, claim)
    usable, begun = usable_runs(protocol, claim.agent, need, found)
    seeds = {name: int((usable["environment"] == name).sum()) for name in need.environments}
    enough, fewest = sum(n >= need.seeds for n in seeds.values()), min(seeds.values())
    if enough < len(seeds):
        nothing = (math.nan, math.nan, math.nan)
        return Judgment(NOT_RUN, *nothing, enough, fewest, _lacking(protocol, need, seeds, begun))
    ours, low, high = estimate(protocol, claim, usable)
    held = holds(claim, ours)
    interval = "" if math.isnan(low) else f" (95 % interval {formatting.number(low)} to {formatting.number(high)})"
    explanation = (
        f"Ours {formatting.number(ours)}{interval}, published {formatting.number(claim.published)}; the rule, "
        f"{rule_in_words(claim)}, is {'met' if held else 'not met'}."
    )
    return Judgment(HELD if held else NOT_HELD, ours, low, high, enough, fewest, explanation)


def holds(claim: Claim, ours: float) -> bool:
    """Whether the claim's rule is met; a value exactly at the bound is within it.

    Args:
        claim: the rule, the published value and the tolerance (a share of that value).
        ours: our number, in the claim's unit.

    Returns:
        "within": ``|ours - published| <= tolerance * |published|``; "at_least": ``ours >= published - tolerance *
            |published|``.
    """
    if claim.rule == "within":
        return abs(ours - claim.published) <= claim.allowed
    return ours >= claim.published - claim.allowed


def rule_in_words(claim: Claim) -> str:
    share = f"{formatting.number(100 * claim.tolerance)} % of it"
    if claim.rule == "within":
        return f"ours is at most {share} away from the published value"
    return "ours is at least the published value" + (f" less {share}" if claim.tolerance else "")


def usable_runs(protocol: Protocol, agent: str, need: Needed, found: Collected) -> tuple[pd.DataFrame, int]:
    """The runs of an agent that count for a claim.

    Args:
        protocol: the protocol that makes the claim.
        agent: its agent.
        need: environments, budget and place in training.
        found: scores and curves of all runs.

    Returns:
        A row with a ``score``, by the protocol's convention, per complete run that counts; and how many runs have
            begun.
    """
    runs = _of(found.scores, protocol, agent, need)
    whole = runs[runs["complete"].astype(bool) & (runs["budget_frames"] == need.budget_frames)]
    begun = len(runs.drop_duplicates(["environment", "seed"]))
    convention = protocol.score.convention
    if convention in AFTER_TRAINING:
        return whole[whole["convention"] == convention], begun
    keys = ["environment", "seed"]
    curves = _of(found.curves, protocol, agent, need).merge(whole[keys].drop_duplicates(), on=keys)
    return score_aggregates.at_frames(curves, convention, need.frames, protocol.score.window_frames or 0), begun


def _of(table: pd.DataFrame, protocol: Protocol, agent: str, need: Needed) -> pd.DataFrame:
    mine = table[(table["collection"] == protocol.id) & (table["agent"] == agent)]
    return mine[mine["environment"].isin(need.environments)]


def estimate(protocol: Protocol, claim: Claim, usable: pd.DataFrame) -> tuple[float, float, float]:
    """Our number for a claim, with its 95 % interval: Student's t for a score, a stratified bootstrap over games.

    Args:
        protocol: the protocol that makes the claim.
        claim: one of its claims.
        usable: the runs that count, as ``usable_runs`` gives them.

    Returns:
        The number and the bounds, in the claim's unit; nan bounds for one run.
    """
    if claim.metric == "score":
        values = usable["score"].to_numpy(np.float64)
        std = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        return (float(values.mean()), *intervals.mean_interval(float(values.mean()), std, len(values)))
    groups = score_aggregates.normalized_groups(usable, claim.normalization)
    generator = Stream(0, f"statistics/claims/{protocol.id}/{claim.id}").at(0)
    metric = claim.metric.removesuffix("_normalized")
    found = statistics.aggregate(list(groups.values()), generator=generator)[metric]
    percent = 0.01 if claim.unit == "fraction" else 1.0
    return percent * found.value.item(), percent * found.low.item(), percent * found.high.item()


def _lacking(protocol: Protocol, need: Needed, seeds: dict[str, int], begun: int) -> str:
    """Which runs are missing, in words."""
    few = [f"{name} {n} of {need.seeds}" for name, n in seeds.items() if n < need.seeds]
    more = f" and {len(few) - 3} more" if len(few) > 3 else ""
    elsewhere = begun - sum(seeds.values())
    other = f" {elsewhere} more are under way, of another length, or without such a score." if elsewhere else ""
    return (
        f"Complete runs of {need.budget_frames:,} frames with a score by {protocol.score.convention} are missing for "
        f"{len(few)} of {len(seeds)} environments (seeds there are: {', '.join(few[:3])}{more}).{other}"
    )


def row(protocol: Protocol, claim: Claim, found: Collected) -> dict[str, Any]:
    """A claim as a row of the report.

    Args:
        protocol: the protocol that makes the claim.
        claim: one of its claims.
        found: scores and curves of all runs.

    Returns:
        Plain values by column: name, status, agent, metric, published, ours (None where it is not run), unit, rule,
            explanation, place.
    """
    judgment = judge(protocol, claim, found)
    at = f"at {claim.frames:,} frames" if claim.frames else ""
    tolerance = f"The tolerance: {claim.why_tolerance}." if claim.tolerance else ""
    sentences = (judgment.explanation, at and f"Judged {at}.", tolerance, claim.note)
    return {
        "name": claim.id,
        "status": judgment.status,
        "agent": claim.agent,
        "metric": " ".join(filter(None, (claim.metric.replace("_", " "), claim.environment, at))),
        "published": claim.published,
        "ours": None if judgment.status == NOT_RUN else judgment.ours,
        "unit": claim.unit,
        "rule": rule_in_words(claim),
        "explanation": " ".join(filter(None, sentences)),
        "place": claim.place,
    }
