"""Tests of order: whether runs of one agent score more than those of another, many such statements at once, and the
place of one run among published ones.

Formulas: docs/statistics.md, "Verdicts".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from dqn_tf.checks import expect


def mann_whitney(one: ArrayLike, other: ArrayLike) -> float:
    """The exact two-sided p of Mann and Whitney's test: how often would a random split of all these scores into two
    groups of these sizes be as far apart in rank?

    Twice the smaller tail of the rank sum, at most 1.  SciPy's exact test knows no ties; where scores are equal, equal
    ranks are shared (midranks) and the same distribution is computed over all splits.

    >>> mann_whitney([4.0, 5.0, 6.0], [1.0, 2.0, 3.0])      # 2 of the 20 splits are as far apart
    0.1
    >>> mann_whitney([1.0, 1.0], [1.0, 2.0])      # ranks 2, 2 and 2, 4: 3 of 6 splits have a sum of at most 4
    1.0

    Args:
        one: scores [n], at least one.
        other: scores [m], at least one.

    Returns:
        A probability.

    Raises:
        ConfigError: one of them is empty, or a score is not finite.
    """
    x, y = np.asarray(one, np.float64), np.asarray(other, np.float64)
    expect(min(len(x), len(y)) > 0, "scores of both", "scores", (len(x), len(y)))
    both = np.concatenate([x, y])
    expect(bool(np.isfinite(both).all()), "finite scores", "scores", both.tolist())
    if len(np.unique(both)) == len(both):
        return float(stats.mannwhitneyu(x, y, method="exact").pvalue)
    doubled = np.round(2 * stats.rankdata(both)).astype(np.int64)  # midranks, as whole numbers
    splits = _splits(doubled, len(x))
    found = int(doubled[: len(x)].sum())
    tails = splits[: found + 1].sum(), splits[found:].sum()
    return float(min(1.0, 2.0 * min(tails) / splits.sum()))


def _splits(ranks: np.ndarray, size: int) -> np.ndarray:
    """How many choices of ``size`` of the ``ranks`` have each sum: float64 [sum of all + 1], whole numbers."""
    counts = np.zeros((size + 1, int(ranks.sum()) + 1))
    counts[0, 0] = 1.0
    for rank in ranks:
        counts[1:, rank:] += counts[:-1, : counts.shape[1] - rank].copy()
    return counts[size]


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several statements, corrected for their number (Holm 1979).

    With these, the probability that any of the statements is called significant by chance is at most the level. The
    i-th smallest of m is multiplied by m - i + 1, and is not below the one before it.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]      # 3 x 0.01; 2 x 0.03; 0.04, but not below 0.06
    [0.03, 0.06, 0.06]

    Args:
        p_values: one per statement; 1 for one that could not be tested.

    Returns:
        The corrected ones, in the same order.

    Raises:
        ConfigError: a p outside [0, 1].
    """
    for p in p_values:
        expect(0.0 <= p <= 1.0, "probabilities", "p_values", p)
    corrected, before = [1.0] * len(p_values), 0.0
    for i, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        before = max(before, min(1.0, (len(p_values) - i) * p_values[place]))
        corrected[place] = before
    return corrected


def rank_among(score: float, published: ArrayLike) -> int:
    """The rank of one score among published ones and itself, 1 the lowest; of equal ones the rank nearest the middle.

    >>> rank_among(2.5, [1.0, 2.0, 3.0, 4.0]), rank_among(9.0, [1.0, 2.0]), rank_among(1.0, [1.0, 1.0, 1.0])
    (3, 3, 2)

    Args:
        score: ours.
        published: [n] scores.

    Returns:
        1 to n + 1.
    """
    others = np.asarray(published, np.float64)
    low, high = 1 + int((others < score).sum()), 1 + int((others <= score).sum())
    return int(np.clip((len(others) + 2) // 2, low, high))


def rank_p(rank: int, published_runs: int) -> float:
    """The two-sided p of a rank r of n + 1 if all n + 1 runs are alike: 2 min(r, n + 2 - r) / (n + 1), at most 1.

    >>> round(rank_p(1, 100), 4), round(rank_p(100, 100), 4), rank_p(51, 100)
    (0.0198, 0.0396, 1.0)

    Args:
        rank: r, from 1.
        published_runs: n.

    Returns:
        A probability.

    Raises:
        ConfigError: a rank that is none of 1 to n + 1.
    """
    expect(1 <= rank <= published_runs + 1, f"1 to {published_runs + 1}", "rank", rank)
    return min(1.0, 2.0 * min(rank, published_runs + 2 - rank) / (published_runs + 1))
