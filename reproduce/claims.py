"""Claims: a published number, where it stands, and the rule by which code says whether our runs reproduce it.

A status is never typed.  "not run" means that what the claim needs (every environment, enough seeds, the frames) is not
there; a claim about 57 games is not judged on three.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dqn_tf.checks import expect, unknown
from dqn_tf.rng import Stream
from reproduce import published, statistics, tables
from reproduce.scores import CONVENTIONS, normalized_groups

HELD, NOT_HELD, NOT_RUN = "held", "not held", "not run"
STATUSES = (HELD, NOT_HELD, NOT_RUN)

# score: mean raw score over seeds on one environment.  The others: over games, of human-normalized scores in percent.
METRICS = ("score", *statistics.METRICS)
RULES = {
    "within_absolute": "ours is at most {tolerance} from the published value",
    "within_relative": "ours is at most {percent} % of the published value away from it",
    "at_least": "ours is at least the published value less {tolerance}",
    "interval": "the published value lies in our 95 % interval, widened by {tolerance} on each side",
}
CLAIM_COLUMNS = (
    "collection", "name", "status", "agent", "metric", "convention", "published", "place", "rule", "tolerance", "ours",
    "low", "high", "n_environments", "n_environments_needed", "n_seeds_min", "n_seeds_needed", "frames",
    "normalization", "explanation",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a paper says, and when we say that it held.

    agent: the preset.  environments: as in the score table, all of them needed; exactly one for the metric "score".
    published: in the metric's unit (raw score, or percent).  place: paper, and table or figure.  tolerance: in the
    metric's unit, for "within_relative" a fraction of the published value.  seeds: the fewest for each environment.
    frames: the training budget that runs must have; none: any.  normalization: for metrics over games.
    """

    name: str
    agent: str
    metric: str
    convention: str
    environments: tuple[str, ...]
    published: float
    place: str
    rule: str
    tolerance: float = 0.0
    seeds: int = 1
    frames: int | None = None
    normalization: str = ""

    def __post_init__(self) -> None:
        """Raises ConfigError: an unknown word (naming the nearest), or values that do not go together."""
        words = {"metric": METRICS, "convention": CONVENTIONS, "rule": tuple(RULES)}
        for kind, choices in words.items():
            if getattr(self, kind) not in choices:
                raise unknown(f"{kind} in claim {self.name!r}", getattr(self, kind), choices)
        said = f"claim {self.name!r}: "
        expect(math.isfinite(self.published), "a finite number", f"{said}published", self.published)
        expect(math.isfinite(self.tolerance) and self.tolerance >= 0, "a finite number >= 0", f"{said}tolerance",
               self.tolerance)  # fmt: skip
        expect(bool(self.place.strip()), "where the value is published", f"{said}place", self.place)
        expect(self.seeds >= 1, "at least 1 seed", f"{said}seeds", self.seeds)
        expect(self.rule != "interval" or self.seeds >= 2, "at least 2 seeds for the rule 'interval'", f"{said}seeds",
               self.seeds)  # fmt: skip
        expect(self.rule != "within_relative" or self.published != 0, "a value that is not 0 for 'within_relative'",
               f"{said}published", self.published, "Use 'within_absolute'.")  # fmt: skip
        expect(len(set(self.environments)) == len(self.environments) > 0, "one environment or more, each once",
               f"{said}environments", self.environments)  # fmt: skip
        if self.metric == "score":
            expect(len(self.environments) == 1, "exactly one for the metric 'score'", f"{said}environments",
                   self.environments)  # fmt: skip
            expect(not self.normalization, "none for the metric 'score'", f"{said}normalization", self.normalization)
            return
        known = published.references(self.normalization)
        missing = [name for name in self.environments if name not in known]
        expect(not missing, f"games that {self.normalization} has random and human scores of", f"{said}environments",
               missing)  # fmt: skip
        if self.metric == "mean":
            published.check_means(self.normalization)

    @property
    def rule_in_words(self) -> str:
        return RULES[self.rule].format(
            tolerance=tables.number(self.tolerance), percent=tables.number(100 * self.tolerance)
        )


class Outcome(NamedTuple):
    """A claim's status with its numbers; ours, low, high: nan where there is none."""

    status: str
    ours: float
    low: float
    high: float
    n_environments: int
    n_seeds_min: int
    explanation: str


def judge(claim: Claim, scores: pd.DataFrame, collection: str) -> Outcome:
    """The claim's status by the complete runs of ``collection`` in ``scores`` (scores.SCORE_COLUMNS).

    An interval is Student's for the metric "score", a stratified bootstrap's for the others.
    """
    mine = scores[(scores["collection"] == collection) & (scores["agent"] == claim.agent)]
    mine = mine[(mine["convention"] == claim.convention) & mine["environment"].isin(claim.environments)]
    usable = mine[mine["complete"].astype(bool)]
    if claim.frames is not None:
        usable = usable[usable["budget_frames"] == claim.frames]
    seeds = {name: int((usable["environment"] == name).sum()) for name in claim.environments}
    enough = [name for name, n in seeds.items() if n >= claim.seeds]
    fewest = min(seeds.values())
    if len(enough) < len(claim.environments):
        return Outcome(NOT_RUN, math.nan, math.nan, math.nan, len(enough), fewest, _lacking(claim, seeds, mine))
    ours, low, high = _estimate(claim, usable, collection)
    held = holds(claim, ours, low, high)
    interval = "" if math.isnan(low) else f" (95 % interval {tables.number(low)} to {tables.number(high)})"
    explanation = (
        f"Ours {tables.number(ours)}{interval}, published {tables.number(claim.published)}; the rule, "
        f"{claim.rule_in_words}, is {'met' if held else 'not met'}."
    )
    return Outcome(HELD if held else NOT_HELD, ours, low, high, len(enough), fewest, explanation)


def holds(claim: Claim, ours: float, low: float, high: float) -> bool:
    """The rule alone; bounds belong to what is allowed."""
    distance = abs(ours - claim.published)
    if claim.rule == "within_absolute":
        return distance <= claim.tolerance
    if claim.rule == "within_relative":
        return distance <= claim.tolerance * abs(claim.published)
    if claim.rule == "at_least":
        return ours >= claim.published - claim.tolerance
    return low - claim.tolerance <= claim.published <= high + claim.tolerance


def _estimate(claim: Claim, usable: pd.DataFrame, collection: str) -> tuple[float, float, float]:
    if claim.metric == "score":
        values = usable["score"].to_numpy(np.float64)
        std = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        return (float(values.mean()), *statistics.mean_interval(float(values.mean()), std, len(values)))
    groups = normalized_groups(usable, claim.normalization)
    generator = Stream(0, f"statistics/claims/{collection}/{claim.name}").at(0)
    estimate = statistics.aggregate(list(groups.values()), generator=generator)[claim.metric]
    return estimate.value.item(), estimate.low.item(), estimate.high.item()


def _lacking(claim: Claim, seeds: dict[str, int], mine: pd.DataFrame) -> str:
    """What would have to be run."""
    few = [f"{name} {n} of {claim.seeds}" for name, n in seeds.items() if n < claim.seeds]
    more = f" and {len(few) - 3} more" if len(few) > 3 else ""
    at = "" if claim.frames is None else f" of {claim.frames:,} frames"
    elsewhere = len(mine) - sum(seeds.values())
    other = f" {elsewhere} runs are under way or of another length." if elsewhere else ""
    return (
        f"Complete runs{at} with a score by {claim.convention} are missing for {len(few)} of "
        f"{len(claim.environments)} environments (seeds there are: {', '.join(few[:3])}{more}).{other}"
    )


def table(claims: Iterable[Claim], scores: pd.DataFrame, collection: str) -> pd.DataFrame:
    """One row per claim, CLAIM_COLUMNS."""
    rows = []
    for claim in claims:
        found = judge(claim, scores, collection)._asdict()
        rows.append({
            "collection": collection, "name": claim.name, "agent": claim.agent, "metric": claim.metric,
            "convention": claim.convention, "published": claim.published, "place": claim.place, "rule": claim.rule,
            "tolerance": claim.tolerance, "n_environments_needed": len(claim.environments),
            "n_seeds_needed": claim.seeds, "frames": claim.frames, "normalization": claim.normalization, **found,
        })  # fmt: skip
    return pd.DataFrame(rows, columns=list(CLAIM_COLUMNS))


def markdown(outcomes: pd.DataFrame) -> str:
    """The table for people, with a sentence per claim under it."""
    headings = {"name": "claim", "status": "status", "metric": "metric", "convention": "convention",
                "published": "published", "ours": "ours", "interval": "95 % interval", "runs": "environments, seeds",
                "place": "place"}  # fmt: skip
    rows: Sequence[dict[str, Any]] = [
        {**row, "interval": tables.interval(row["low"], row["high"]),
         "runs": f"{row['n_environments']} of {row['n_environments_needed']}, at least {row['n_seeds_min']}"}
        for row in tables.records(outcomes)
    ]  # fmt: skip
    sentences = [f"- {row['name']}: {row['explanation']}\n" for row in rows]
    return tables.markdown(rows, headings) + "\n" + "".join(sentences)
