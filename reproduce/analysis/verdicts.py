"""Whether what was published is reproduced: the rules of docs/evidence/plan.md, worked out from the runs.

reproduced        the rule is met, and the 95 % interval of the difference is no wider than the margin; of an order:
                  significant after Holm's correction, with the published sign
not reproduced    the rule is not met; of an order: significant with the other sign; of a rank: p at most the error
cannot tell       anything else, and fewer runs than the protocol asks for
not run           no run of it
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from dqn_tf.rng import Stream
from reproduce.analysis import claims, intervals, order_tests, statistics
from reproduce.analysis.claims import Needed
from reproduce.analysis.collecting import Collected
from reproduce.analysis.intervals import Interval, Sample
from reproduce.formatting import number
from reproduce.places import folder_name
from reproduce.planning.protocol import Claim, Order, Protocol, Rank, Tried, environments
from reproduce.records import published

REPRODUCED, NOT_REPRODUCED, CANNOT_TELL, NOT_RUN = "reproduced", "not reproduced", "cannot tell", "not run"
NOT_JUDGED = "not judged"
STATUSES = (REPRODUCED, NOT_REPRODUCED, CANNOT_TELL, NOT_JUDGED, NOT_RUN)
ERROR = 0.05  # of a family of orders
RANKED_TOGETHER = 4  # so many runs are tested together against the published ones
STEP_FRAMES = 4  # frames of an agent step on Atari
NOTHING = Interval(math.nan, math.nan)


class Verdict(NamedTuple):
    """A verdict with its numbers; nan where there is none.

    Attributes:
        status: one of ``STATUSES``.
        ours: the number beside the published one; of an order the probability of improvement, of a rank the rank.
        interval: the 95 % interval of the difference ours - published; of an order that of the probability.
        p: the p-value, corrected for the family.
        runs: complete runs of the environment that has fewest.
        asked: runs of it that the protocol asks for.
        sentence: the verdict in words, with the numbers.
    """

    status: str
    ours: float
    interval: Interval
    p: float
    runs: int
    asked: int
    sentence: str


def of_protocol(protocol: Protocol, found: Collected) -> dict[str, Verdict]:
    """The verdict of every claim, order and rank of a protocol.

    Args:
        protocol: what was published, and which runs are asked for.
        found: scores and curves of all runs; those of the collection ``protocol.id`` count.

    Returns:
        id -> verdict.
    """
    found = without_tuned(protocol, found)
    numbers = {claim.id: of_claim(protocol, claim, found) for claim in protocol.claims}
    families = [_family(protocol, name, found) for name in dict.fromkeys(order.family for order in protocol.orders)]
    orders = {name: verdict for family in families for name, verdict in family.items()}
    return numbers | orders | {rank.id: of_rank(protocol, rank, found) for rank in protocol.ranks}


def _family(protocol: Protocol, name: str, found: Collected) -> dict[str, Verdict]:
    """The verdicts of the statements of one family, by id."""
    same = [order for order in protocol.orders if order.family == name]
    return dict(zip((o.id for o in same), of_orders(protocol, same, found), strict=True))


def without_tuned(protocol: Protocol, found: Collected) -> Collected:
    """Leave out the runs by which a setting was chosen.

    Args:
        protocol: the protocol; ``tried`` says which runs these are.
        found: scores and curves of all runs.

    Returns:
        The rest.
    """
    scores, curves = found.scores, found.curves
    for tried in protocol.tried:
        if tried.tuned:
            scores, curves = (table[~_is_of(table, protocol, tried)] for table in (scores, curves))
    return Collected(scores, curves, found.problems)


def _is_of(table: pd.DataFrame, protocol: Protocol, tried: Tried) -> pd.Series:
    """Which rows are of runs that were tried."""
    names = [folder_name(environment) for environment in tried.environments]
    mine = (table["collection"] == protocol.id) & table["agent"].isin(tried.agents)
    return mine & table["environment"].isin(names) & table["seed"].isin(tried.seeds)


# -- a number ----------------------------------------------------------------------------------------------------------
def of_claim(protocol: Protocol, claim: Claim, found: Collected) -> Verdict:
    """The verdict of a claim about a number.  A published one of low confidence is shown, and nothing is said of it.

    Args:
        protocol: the protocol that makes the claim.
        claim: one of its claims.
        found: scores and curves of all runs.

    Returns:
        The verdict; ``CANNOT_TELL`` or ``NOT_RUN`` where runs are missing.
    """
    need = claims.needed(protocol, claim)
    usable, _ = claims.usable_runs(protocol, claim.agent, need, found)
    runs = [int((usable["environment"] == name).sum()) for name in need.environments]
    if not sum(runs):
        return Verdict(NOT_RUN, math.nan, NOTHING, math.nan, 0, need.seeds, "No complete run.")
    if lacking := _missing(need, runs) if not min(runs) else "":
        return Verdict(CANNOT_TELL, math.nan, NOTHING, math.nan, 0, need.seeds, lacking)
    ours, low, high = claims.estimate(protocol, claim, usable)
    spread = float(usable["score"].std()) if claim.metric == "score" and len(usable) > 1 else math.nan
    interval = difference(claim, Sample(ours, spread, len(usable)), Interval(low, high))
    status, why = _by_rule(claim, ours, interval)
    if min(runs) < need.seeds:
        status, why = CANNOT_TELL, f"{_missing(need, runs)} So far: {why}"
    if claim.low_confidence:
        status, why = NOT_JUDGED, f"{number(ours)} beside {number(claim.published)}, a number of low confidence."
    return Verdict(status, ours, interval, math.nan, min(runs), need.seeds, why)


def difference(claim: Claim, ours: Sample, own: Interval) -> Interval:
    """The 95 % interval of ours - published.

    With a published spread it is Student's with the variance of both, taken to be no less than the published one, so
    that runs of ours which happen to agree do not make it narrow; without one the interval of ours alone, as if the
    published number were exact; of a single run, the spread of single runs from elsewhere (``claim.run_std``).

    Args:
        claim: the published number, and its spread if there is one.
        ours: mean, sample standard deviation and number of our runs.
        own: the 95 % interval of our number alone.

    Returns:
        The interval, in the claim's unit; nan to nan where nothing is known of a spread.
    """
    if claim.std is not None and claim.std_runs is not None:
        n = claim.std_runs
        sample = claim.std * math.sqrt(n / (n - 1)) if claim.std_divisor == "n" else claim.std
        return intervals.pooled_interval(ours, Sample(claim.published, sample, n), least_std=sample)
    if math.isnan(own.low) and claim.run_std is not None:
        half = float(stats.norm.ppf(0.5 + 0.5 * intervals.CONFIDENCE)) * claim.run_std
        own = Interval(ours.mean - half, ours.mean + half)
    return Interval(own.low - claim.published, own.high - claim.published)


def _by_rule(claim: Claim, ours: float, interval: Interval) -> tuple[str, str]:
    """By the rule and the width of the interval: status, and why."""
    held, half = claims.holds(claim, ours), (interval.high - interval.low) / 2
    rule = f"{number(ours)} beside {number(claim.published)}: the rule, {claims.rule_in_words(claim)}, is "
    if not held:
        return NOT_REPRODUCED, f"{rule}not met."
    if math.isnan(half):
        return CANNOT_TELL, f"{rule}met, but the spread of one run is not known."
    reach = f"the 95 % interval of the difference, {number(interval.low)} to {number(interval.high)},"
    margin = claim.allowed if claim.margin is None else claim.margin
    if not margin:  # at_least a threshold
        narrow, bound = interval.low >= 0, f"{reach} lies {'above' if interval.low >= 0 else 'on both sides of'} 0"
    else:
        narrow = half <= margin
        bound = f"{reach} reaches {number(half)} to either side, and {number(margin)} is what it may"
    return (REPRODUCED if narrow else CANNOT_TELL), f"{rule}met; {bound}."


def _missing(need: Needed, runs: Sequence[int]) -> str:
    """Which runs there are, in words; every environment without any by name."""
    if len(runs) == 1:
        return f"{runs[0]} of {need.seeds} runs."
    if none := [name for name, n in zip(need.environments, runs, strict=True) if not n]:
        return f"{len(runs) - len(none)} of {len(runs)} environments. Missing: {', '.join(none)}."
    return _few(need, runs)


def _few(need: Needed, runs: Sequence[int]) -> str:
    few = [f"{name} {n}" for name, n in zip(need.environments, runs, strict=True) if n < need.seeds]
    return f"Fewer than {need.seeds} runs of {', '.join(few)}."


# -- an order ----------------------------------------------------------------------------------------------------------
def of_orders(protocol: Protocol, family: Sequence[Order], found: Collected) -> list[Verdict]:
    """The verdicts of statements that share an error of ``ERROR``.

    Mann and Whitney's exact two-sided test between the runs of the two agents, Holm's correction over all statements of
    the family: one whose runs are not all there counts as p = 1.

    Args:
        protocol: the protocol that makes the statements.
        family: statements that are corrected together.
        found: scores and curves of all runs.

    Returns:
        A verdict per statement, in the same order.
    """
    pairs = [[_scores(protocol, agent, o.environment, found) for agent in (o.better, o.worse)] for o in family]
    needs = [[need_of(protocol, agent, o.environment).seeds for agent in (o.better, o.worse)] for o in family]
    whole = [all(len(s) >= n for s, n in zip(both, need, strict=True)) for both, need in zip(pairs, needs, strict=True)]
    p = [order_tests.mann_whitney(*both) if all_there else 1.0 for both, all_there in zip(pairs, whole, strict=True)]
    corrected = order_tests.holm(p)
    return [
        _of_order(protocol, order, both, p_of_it if all_there else math.nan, min(need))
        for order, both, p_of_it, all_there, need in zip(family, pairs, corrected, whole, needs, strict=True)
    ]


def _of_order(protocol: Protocol, order: Order, both: Sequence[np.ndarray], p: float, seeds: int) -> Verdict:
    """p: corrected; nan where runs are missing."""
    runs = min(map(len, both))
    if not runs:
        none = " and ".join(a for a, s in zip((order.better, order.worse), both, strict=True) if not len(s))
        status = CANNOT_TELL if any(map(len, both)) else NOT_RUN
        return Verdict(status, math.nan, NOTHING, math.nan, 0, seeds, f"No complete run of {none}.")
    generator = Stream(0, f"statistics/orders/{protocol.id}/{order.id}").at(0)
    better = statistics.probability_of_improvement([both[0]], [both[1]], generator=generator)
    ours, interval = better.value.item(), Interval(better.low.item(), better.high.item())
    means = f"{order.better} {number(both[0].mean())}, {order.worse} {number(both[1].mean())}"
    chance = f"a run of the first is better with probability {number(ours, 2)} ({_words(interval)})"
    if math.isnan(p):
        sentence = f"{means}; {chance}; {runs} of {seeds} runs, so not tested."
        return Verdict(CANNOT_TELL, ours, interval, p, runs, seeds, sentence)
    significant = p <= ERROR
    status = CANNOT_TELL if not significant else REPRODUCED if ours > 0.5 else NOT_REPRODUCED
    sentence = f"{means}; {chance}; p = {number(p, 2)} after Holm's correction."
    return Verdict(status, ours, interval, p, runs, seeds, sentence)


def _words(interval: Interval) -> str:
    low, high = (number(x, 2) for x in interval)
    return "no interval" if math.isnan(interval.low) else f"95 % interval {low} to {high}"


def need_of(protocol: Protocol, agent: str, environment: str) -> Needed:
    """As ``claims.needed``, of one agent on one environment.

    Args:
        protocol: what was published, and which runs are asked for.
        agent: one of its agents.
        environment: one that the agent plays there.

    Returns:
        The environment, the fewest seeds, and the budget.
    """
    name = folder_name(environment)
    grids = [g for g in protocol.grids_of(agent) if name in environments(g)]
    budget = max(g.budget_frames for g in grids)
    return Needed((name,), min(len(g.seeds) for g in grids), budget, budget)


def _scores(protocol: Protocol, agent: str, environment: str, found: Collected) -> np.ndarray:
    """The scores of the complete runs of one agent on one environment, by seed: float64 [runs]."""
    usable, _ = claims.usable_runs(protocol, agent, need_of(protocol, agent, environment), found)
    return usable.sort_values("seed")["score"].to_numpy(np.float64)


# -- a rank ------------------------------------------------------------------------------------------------------------
def of_rank(protocol: Protocol, rank: Rank, found: Collected) -> Verdict:
    """The verdict of a place among published runs, at the last of ``rank.steps``.

    Up to ``RANKED_TOGETHER`` - 1 runs: the mean rank is shown, and the first seed is judged by ``order_tests.rank_p``;
    more: Mann and Whitney's test against the published runs. A rank can show that runs are unlike the published ones,
    never that they are like them.

    Args:
        protocol: what was published, and which runs are asked for.
        rank: one of its ranks.
        found: scores and curves of all runs.

    Returns:
        The verdict; never ``REPRODUCED``.
    """
    table = checkpoints(protocol, rank, found)
    need = need_of(protocol, rank.agent, rank.environment)
    last = table[table["steps"] == rank.steps[-1]].sort_values("seed")
    if last.empty:
        return Verdict(NOT_RUN, math.nan, NOTHING, math.nan, 0, need.seeds, "No complete run.")
    theirs = published_runs(rank, rank.steps[-1])
    runs, mean = len(last), float(last["rank"].mean())
    if runs >= RANKED_TOGETHER:
        p, how = order_tests.mann_whitney(last["score"], theirs), "Mann and Whitney's test of all"
    else:
        p, how = order_tests.rank_p(int(last["rank"].iloc[0]), len(theirs)), "the first seed"
    status = NOT_REPRODUCED if p <= rank.error and runs >= need.seeds else CANNOT_TELL
    along = table.groupby("steps")["rank"].mean()
    sentence = (
        f"Rank {number(mean)} of {len(theirs) + 1} after {rank.steps[-1]:,} steps; p = {number(p, 2)} ({how}), and "
        f"{number(rank.error)} is where runs would be unlike the published ones. "
        f"Along training: {', '.join(number(r) for r in along)}."
    )
    return Verdict(status, mean, NOTHING, p, runs, need.seeds, sentence)


def checkpoints(protocol: Protocol, rank: Rank, found: Collected) -> pd.DataFrame:
    """Our evaluations among the published ones, of complete runs of the right length.

    Args:
        protocol: what was published, and which runs are asked for.
        rank: one of its ranks.
        found: scores and curves of all runs.

    Returns:
        Columns seed, steps (agent steps, int64), score (float64), rank (from 1).
    """
    need, rows = need_of(protocol, rank.agent, rank.environment), []
    scores = found.scores
    mine = (scores["collection"] == protocol.id) & (scores["agent"] == rank.agent) & scores["complete"].astype(bool)
    mine &= scores["environment"].isin(need.environments) & (scores["budget_frames"] == need.budget_frames)
    keys = ["collection", "agent", "environment", "seed"]
    curves = found.curves.merge(scores.loc[mine, keys].drop_duplicates(), on=keys)
    for steps in rank.steps:
        there, theirs = curves[curves["frames"] == steps * STEP_FRAMES], published_runs(rank, steps)
        for seed, score in there[["seed", "eval_return"]].dropna().itertuples(index=False):
            rows.append((int(seed), steps, float(score), order_tests.rank_among(float(score), theirs)))
    return pd.DataFrame(rows, columns=["seed", "steps", "score", "rank"])


def published_runs(rank: Rank, steps: int) -> np.ndarray:
    """The published scores that a rank is among.

    Args:
        rank: whose runs, and on which game.
        steps: agent steps trained.

    Returns:
        float64 [runs].
    """
    runs = published.runs_100k(rank.published, steps)
    return runs.loc[runs["game"] == folder_name(rank.environment), "eval_average_return"].to_numpy(np.float64)
