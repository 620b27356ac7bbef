"""Tests of order beside SciPy, counted-out splits, and numbers worked out by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from reproduce.analysis import intervals, order_tests
from reproduce.analysis.intervals import Sample


@pytest.mark.parametrize(("n", "m"), [(5, 5), (10, 10), (4, 7)])
def test_without_ties_the_counted_splits_are_scipys_exact_test(n, m):
    """Both ways, where the code takes SciPy's: the same ranks, once more with a tie that is none of rank."""
    rng = np.random.default_rng(n)
    for _ in range(5):
        x, y = rng.normal(0.8, size=n), rng.normal(size=m)
        expected = stats.mannwhitneyu(x, y, method="exact").pvalue
        assert order_tests.mann_whitney(x, y) == expected
        doubled = np.round(2 * stats.rankdata(np.r_[x, y])).astype(int)
        splits, found = order_tests._splits(doubled, n), doubled[:n].sum()
        p = 2 * min(splits[: found + 1].sum(), splits[found:].sum()) / splits.sum()
        assert min(1.0, p) == pytest.approx(expected, rel=1e-12)


def test_with_ties_it_is_every_split_counted_out():
    rng = np.random.default_rng(1)
    for _ in range(10):
        x, y = rng.integers(0, 3, 4).astype(float), rng.integers(0, 4, 5).astype(float)
        ranks = stats.rankdata(np.r_[x, y])
        sums = [ranks[list(split)].sum() for split in itertools.combinations(range(9), 4)]
        mine = ranks[:4].sum()
        tails = np.mean([s <= mine for s in sums]), np.mean([s >= mine for s in sums])
        assert order_tests.mann_whitney(x, y) == pytest.approx(min(1.0, 2 * min(tails)), rel=1e-12)


def test_with_ties_it_is_scipys_permutation_test():
    x, y = np.array([1.0, 1, 2, 5]), np.array([1.0, 0, 0, 2])
    ranks = stats.rankdata(np.r_[x, y])
    asked = {"permutation_type": "independent", "n_resamples": np.inf}
    found = stats.permutation_test((ranks[:4], ranks[4:]), lambda a, b: a.sum(), vectorized=False, **asked)
    assert order_tests.mann_whitney(x, y) == pytest.approx(found.pvalue, rel=1e-12)


def test_the_power_that_the_plan_states():
    """Complete separation: 2 of C(10, 5) = 252 splits, 2 of C(12, 6) = 924; all equal: nothing."""
    assert order_tests.mann_whitney(range(5), range(5, 10)) == pytest.approx(2 / 252)
    assert order_tests.mann_whitney(range(6), range(6, 12)) == pytest.approx(2 / 924)
    assert order_tests.mann_whitney([-200.0] * 10, [-200.0] * 10) == 1.0


def test_wrong_scores_are_refused(outcome):
    assert "scores of both" in outcome(order_tests.mann_whitney, [], [1.0])
    assert "finite scores" in outcome(order_tests.mann_whitney, [1.0], [np.nan])
    assert "probabilities" in outcome(order_tests.holm, [0.1, np.nan])
    assert "1 to 101" in outcome(order_tests.rank_p, 102, 100)


def test_holms_correction():
    """Four statements, by hand: 4 x 0.005, 3 x 0.01, then 2 x 0.03; the last, 0.04, is raised to the one before."""
    assert order_tests.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert order_tests.holm([0.9, 0.8]) == [1.0, 1.0] and order_tests.holm([]) == []
    five_of_eight = order_tests.holm([2 / 252] * 5 + [1.0] * 3)
    assert min(five_of_eight) == pytest.approx(8 * 2 / 252) and min(five_of_eight) > 0.05, "as the plan says"
    assert order_tests.holm([0.02]) == [0.02], "a single statement is not corrected"


def test_ranks():
    others = np.arange(100.0)
    assert order_tests.rank_among(-1.0, others) == 1 and order_tests.rank_among(1000.0, others) == 101
    assert order_tests.rank_among(49.5, others) == 51
    assert order_tests.rank_p(101, 100) == order_tests.rank_p(1, 100) == pytest.approx(2 / 101)
    assert order_tests.rank_p(2, 100) == pytest.approx(4 / 101)
    assert sum(order_tests.rank_p(r, 100) <= 0.05 for r in range(1, 102)) == 4


def test_ranks_of_equal_scores_lie_nearest_the_middle():
    assert order_tests.rank_among(0.0, [0.0] * 60 + [1.0] * 40) == 51
    assert order_tests.rank_among(0.0, [0.0] * 10 + [1.0] * 90) == 11
    assert order_tests.rank_among(1.0, [0.0] * 90 + [1.0] * 10) == 91


def test_the_pooled_interval_is_scipys():
    rng = np.random.default_rng(3)
    x, y = rng.normal(2.0, 3.0, 10), rng.normal(1.0, 1.0, 3)
    expected = stats.ttest_ind(x, y, equal_var=True).confidence_interval(0.95)
    samples = [Sample(float(v.mean()), float(v.std(ddof=1)), len(v)) for v in (x, y)]
    assert intervals.pooled_interval(*samples) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_the_pooled_interval_of_one_run(outcome):
    """One of ours beside three: 2 degrees of freedom, t 4.303; 4.303 x 6 x sqrt(1 + 1/3) = 29.81."""
    low, high = intervals.pooled_interval(Sample(10.0, float("nan"), 1), Sample(0.0, 6.0, 3))
    assert (low, high) == pytest.approx((10 - 29.81, 10 + 29.81), abs=0.01)
    assert "3 values" in outcome(intervals.pooled_interval, Sample(0, 0, 1), Sample(0, 0, 1))
