"""Statistics of many runs, as pure arithmetic: aggregates over games with stratified bootstrap intervals.

Scores are grouped by game: a sequence with one array per game, [seeds] or, for curves, [seeds, points].  Games may have
different numbers of seeds.  A resample is a row of counts, how often each run was drawn, and every statistic is a
function of (scores, counts): the estimate itself is the one where every count is 1.  Formulas: docs/statistics.md;
why this is not SciPy's bootstrap: docs/kept_by_hand.md.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dqn_tf.checks import expect
from reproduce.analysis.intervals import CONFIDENCE

RESAMPLES = 2_000
HUMAN = 100.0  # percent: the human's own normalized score


Floats = NDArray[np.float64]
Groups = Sequence[ArrayLike]
Metric = Callable[[Floats, NDArray[np.int64], Floats], Floats]  # (values [K], runs per game [G], counts [R, K]) -> [R]

CHUNK_NUMBERS = 2**16  # of one array of counts: 512 KiB, which stays in the cache
SAMPLE_NUMBERS = 2**22  # of the resampled statistics held at a time: 32 MiB


class Estimate(NamedTuple):
    """A statistic and its percentile bootstrap interval.

    Attributes:
        value: the statistic, float64 () or [points].
        low: lower end, of the same shape; nan where a game has a single run, whose spread is unknown, or where no
            resamples were asked for.
        high: upper end, likewise.
    """

    value: Floats
    low: Floats
    high: Floats


class Strata(NamedTuple):
    """Runs of all games, one below the other.  values: [K, P], K runs, P points.  sizes: [G] runs of each game."""

    values: Floats
    sizes: NDArray[np.int64]


def human_normalized(scores: ArrayLike, random: float, human: float) -> Floats:
    """Human-normalized scores in percent, 100 * (score - random) / |human - random|: 0 is random play, 100 the human.

    The absolute value matters for one game from human starts by one paper's numbers, where random play beats the human.

    Args:
        scores: raw scores, any shape.
        random: raw score of random play.
        human: raw score of the human.

    Returns:
        float64 of the shape of ``scores``.

    Raises:
        ConfigError: random and human are equal.

    >>> human_normalized([10.0, 35.0, 60.0], random=10.0, human=60.0).tolist()
    [0.0, 50.0, 100.0]
    """
    expect(human != random, "a human score that is not the random one", "human", human)
    return 100.0 * (np.asarray(scores, np.float64) - random) / abs(human - random)


def stratify(groups: Groups) -> Strata:
    """The scores of all games in one array.

    Args:
        groups: one array per game, [seeds] or [seeds, points].

    Returns:
        Runs one below the other, and how many each game has.

    Raises:
        ConfigError: no game, a game without a run, curves of different lengths, a score that is not finite.
    """
    arrays = [np.asarray(group, np.float64) for group in groups]
    expect(len(arrays) > 0, "at least one game", "groups", 0)
    columns = [a.reshape(len(a), -1) for a in arrays if a.ndim and len(a)]
    expect(len(columns) == len(arrays), "at least one run of each game", "groups", [a.shape for a in arrays])
    expect(
        len({c.shape[1] for c in columns}) == 1,
        "curves of one length",
        "groups",
        [a.shape for a in arrays],
        "Cut them to the iterations that all runs have.",
    )
    values = np.concatenate(columns)
    wrong = int(np.sum(~np.isfinite(values)))
    expect(wrong == 0, "no score that is nan or infinite", "groups", wrong, "Leave those runs out, and say so.")
    return Strata(values, np.array([len(c) for c in columns], np.int64))


def aggregate(
    groups: Groups,
    *,
    generator: np.random.Generator | None = None,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    target: float = HUMAN,
) -> dict[str, Estimate]:
    """Median, mean, IQM and optimality gap over games, with stratified bootstrap intervals.

    Seeds are drawn with replacement within each game (Agarwal et al. 2021, arXiv 2108.13264, section 4). All points of
    curves share their resamples, so the interval of a curve is of the same hypothetical runs everywhere.

    Args:
        groups: one array per game, [seeds] or [seeds, points].
        generator: draws the resamples; None: no intervals.
        resamples: how many; 0: no intervals.
        confidence: of the percentile intervals, in (0, 1).
        target: of the optimality gap, in the unit of the scores.

    Returns:
        Metric -> estimate, float64 () or [points].

    Raises:
        ConfigError: as ``stratify``, or a confidence outside (0, 1).

    >>> {k: round(e.value.item(), 2) for k, e in aggregate([[0.0, 2.0], [10.0, 30.0], [150.0, 250.0]]).items()}
    {'median': 20.0, 'mean': 73.67, 'iqm': 48.0, 'optimality_gap': 59.67}
    """
    strata = stratify(groups)
    metrics: dict[str, Metric] = {**METRICS, "optimality_gap": partial(_optimality_gap, target=target)}
    found = _estimates(strata, metrics, generator, resamples, confidence)
    shape = np.asarray(groups[0]).shape[1:]
    return {name: Estimate(*(a.reshape(shape) for a in estimate)) for name, estimate in found.items()}


def profile(
    groups: Groups,
    thresholds: ArrayLike,
    *,
    generator: np.random.Generator | None = None,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Performance profile: the share of all runs that score more than each threshold.

    Agarwal et al. 2021, section 4 (score distribution).

    Args:
        groups: one array [seeds] per game.
        thresholds: [thresholds], in the unit of the scores.
        generator: draws the resamples; None: no intervals.
        resamples: how many; 0: no intervals.
        confidence: of the percentile intervals, in (0, 1).

    Returns:
        Shares in [0, 1], float64 [thresholds].

    Raises:
        ConfigError: as ``aggregate``.

    >>> profile([[1.0, 2.0], [2.0, 3.0]], [0.0, 2.0, 3.0]).value.tolist()
    [1.0, 0.25, 0.0]
    """
    strata = stratify(groups)
    above = (strata.values[:, :1] > np.asarray(thresholds, np.float64)).astype(np.float64)
    return _estimates(Strata(above, strata.sizes), {"share": _share}, generator, resamples, confidence)["share"]


def probability_of_improvement(
    ours: Groups,
    theirs: Groups,
    *,
    generator: np.random.Generator | None = None,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """How likely a run of ours is better than one of theirs on the same game, averaged over games; a tie counts half.

    Agarwal et al. 2021, section 4: per game the Mann-Whitney statistic over the product of the numbers of runs. Both
    sides are resampled.

    Args:
        ours: one array [seeds] per game.
        theirs: the same games in the same order, [seeds] each; numbers of seeds may differ.
        generator: draws the resamples; None: no interval.
        resamples: how many; 0: no interval.
        confidence: of the percentile interval, in (0, 1).

    Returns:
        A probability, float64 ().

    Raises:
        ConfigError: as ``aggregate``, or different numbers of games.

    >>> probability_of_improvement([[3.0, 1.0], [5.0]], [[1.0, 2.0], [5.0]]).value.item()    # (2.5 / 4 + 0.5 / 1) / 2
    0.5625
    """
    x, y = stratify(ours), stratify(theirs)
    expect(len(x.sizes) == len(y.sizes), f"{len(x.sizes)} games, as ours", "theirs", len(y.sizes))
    better = [
        np.where(a[:, None] > b, 1.0, np.where(a[:, None] == b, 0.5, 0.0))
        for a, b in zip(_split(x.values[:, 0], x), _split(y.values[:, 0], y), strict=True)
    ]

    def share(x_counts: Floats, y_counts: Floats) -> Floats:
        pairs = zip(_split(x_counts, x), better, _split(y_counts, y), strict=True)
        return np.mean([((a @ won) * b).sum(axis=1) / won.size for a, won, b in pairs], axis=0)

    value = share(np.ones((1, len(x.values))), np.ones((1, len(y.values))))
    if generator is None or not resamples or min(x.sizes.min(), y.sizes.min()) < 2:
        return Estimate(value[0], *np.full(2, math.nan))
    samples = [
        share(draw(x.sizes, rows, generator), draw(y.sizes, rows, generator))
        for rows in _chunks(resamples, len(x.values) + len(y.values))
    ]
    return Estimate(value[0], *_percentiles(np.concatenate(samples), confidence))


def draw(sizes: NDArray[np.int64], resamples: int, generator: np.random.Generator) -> Floats:
    """Stratified resamples as counts: within a game of n runs, n are drawn with replacement.

    Args:
        sizes: int64 [games], runs of each game; they sum to K.
        resamples: R, how many.
        generator: one draw of R * K whole numbers is taken from it.

    Returns:
        float64 [R, K]: how often each run was drawn.
    """
    of_game = np.repeat(sizes, sizes)
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    drawn = first + generator.integers(0, of_game, size=(resamples, len(first)))
    drawn += len(first) * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape).astype(np.float64)


# -- statistics of one point: (values [K], runs per game [G], counts [R, K]) -> [R] ------------------------------------
def _median(values: Floats, sizes: NDArray[np.int64], counts: Floats) -> Floats:
    """Median over games of the mean over seeds."""
    per_game = np.add.reduceat(counts * values, np.cumsum(sizes) - sizes, axis=1)
    per_game /= sizes
    low, high = (len(sizes) - 1) // 2, len(sizes) // 2
    per_game.partition((low, high), axis=1)  # five times as fast as np.median here
    return 0.5 * (per_game[:, low] + per_game[:, high])


def _mean(values: Floats, sizes: NDArray[np.int64], counts: Floats) -> Floats:
    """Mean over games of the mean over seeds."""
    return _times(counts, values / np.repeat(sizes * len(sizes), sizes))


def _optimality_gap(values: Floats, sizes: NDArray[np.int64], counts: Floats, target: float = HUMAN) -> Floats:
    """Mean over games of max(target - score, 0)."""
    return _mean(np.maximum(target - values, 0.0), sizes, counts)


def _iqm(values: Floats, sizes: NDArray[np.int64], counts: Floats) -> Floats:
    """Mean of the middle half of all runs of all games: of N sorted values, floor(N / 4) are dropped on each side.

    Of the i-th smallest value, E_i - E_(i-1) copies are kept, E_i the number of drawn values up to it, clipped to what
    the cuts leave.  The sum over i of (E_i - E_(i-1)) v_i is summed by parts: fewer passes over large arrays.
    """
    order = np.argsort(values, kind="stable")
    ordered, total, cut = values[order], len(values), len(values) // 4
    ends = counts[:, order]
    np.cumsum(ends, axis=1, out=ends)
    np.clip(ends, cut, total - cut, out=ends)
    inner = _times(ends[:, :-1], np.diff(ordered))
    return ((total - cut) * ordered[-1] - cut * ordered[0] - inner) / (total - 2 * cut)


def _share(values: Floats, sizes: NDArray[np.int64], counts: Floats) -> Floats:
    """Mean over all runs."""
    return _times(counts, values / len(values))


def _times(counts: Floats, values: Floats) -> Floats:
    """counts [R, K] times values [K]; not by BLAS, whose last bits depend on the processor and its threads."""
    return np.einsum("rk,k->r", counts, values)


METRICS: Mapping[str, Metric] = {"median": _median, "mean": _mean, "iqm": _iqm, "optimality_gap": _optimality_gap}


# -- resampling --------------------------------------------------------------------------------------------------------
def _estimates(
    strata: Strata,
    metrics: Mapping[str, Metric],
    generator: np.random.Generator | None,
    resamples: int,
    confidence: float,
) -> dict[str, Estimate]:
    """Each metric at each point, with intervals.  Points are taken in blocks that share the draws, to bound memory."""
    values, sizes = strata
    runs, points = values.shape
    once = np.ones((1, runs))
    found = {
        name: np.array([metric(values[:, p], sizes, once)[0] for p in range(points)])
        for name, metric in metrics.items()
    }
    bounds = {name: np.full((2, points), math.nan) for name in metrics}
    block = max(1, SAMPLE_NUMBERS // max(1, resamples * len(metrics)))
    if generator is not None and resamples and sizes.min() >= 2:
        for begin in range(0, points, block):
            some = range(begin, min(begin + block, points))
            source = generator if some.stop == points else copy.deepcopy(generator)
            samples = _samples(values[:, some.start : some.stop], sizes, metrics, source, resamples)
            for name, drawn in samples.items():
                bounds[name][:, some.start : some.stop] = _percentiles(drawn, confidence)
    return {name: Estimate(found[name], *bounds[name]) for name in metrics}


def _samples(
    values: Floats,
    sizes: NDArray[np.int64],
    metrics: Mapping[str, Metric],
    generator: np.random.Generator,
    resamples: int,
) -> dict[str, Floats]:
    """The resampled metrics: name -> [resamples, points]."""
    runs, points = values.shape
    samples = {name: np.empty((resamples, points)) for name in metrics}
    done = 0
    for rows in _chunks(resamples, runs):
        counts = draw(sizes, rows, generator)
        for name, metric in metrics.items():
            for p in range(points):
                samples[name][done : done + rows, p] = metric(values[:, p], sizes, counts)
        done += rows
    return samples


def _chunks(resamples: int, runs: int) -> list[int]:
    """``resamples`` in parts whose counts fit in CHUNK_NUMBERS."""
    most = max(1, CHUNK_NUMBERS // runs)
    return [min(most, resamples - begin) for begin in range(0, resamples, most)]


def _percentiles(samples: Floats, confidence: float) -> Floats:
    """Lower and upper percentile over resamples (the first axis), linear between order statistics."""
    expect(0 < confidence < 1, "a probability between 0 and 1", "confidence", confidence)
    return np.quantile(samples, [0.5 - 0.5 * confidence, 0.5 + 0.5 * confidence], axis=0)


def _split(array: Floats, strata: Strata) -> list[Floats]:
    """The parts of the last axis that belong to each game."""
    return np.split(array, np.cumsum(strata.sizes)[:-1], axis=-1)
