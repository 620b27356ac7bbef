"""Against printed tables and worked by hand."""

from __future__ import annotations

import json
import math
import statistics as pystatistics
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from dqn_tf.rng import Stream
from reproduce.analysis import statistics
from reproduce.analysis.statistics import (
    aggregate,
    human_normalized,
    probability_of_improvement,
    profile,
)

RLIABLE = json.loads((Path(__file__).parent / "data" / "rliable.json").read_text())


def generator(counter: int = 0) -> np.random.Generator:
    return Stream(1, "tests/statistics").fresh(counter)


def naive(groups, target=100.0):
    """The definitions, one loop at a time, from values that are simply there."""
    means = [sum(g) / len(g) for g in groups]
    runs = sorted(v for g in groups for v in g)
    cut = len(runs) // 4
    middle = runs[cut : len(runs) - cut]
    gaps = [sum(max(target - v, 0.0) for v in g) / len(g) for g in groups]
    return {
        "median": pystatistics.median(means),
        "mean": sum(means) / len(means),
        "iqm": sum(middle) / len(middle),
        "optimality_gap": sum(gaps) / len(gaps),
    }


def test_aggregates_by_hand():
    """Three games: means 10, 40, 300.  Of nine runs two are dropped on each side: 10, 20, 30, 40, 50 are left."""
    found = aggregate([[0.0, 10.0, 20.0], [30.0, 40.0, 50.0], [100.0, 200.0, 600.0]])
    assert {k: e.value.item() for k, e in found.items()} == pytest.approx(
        {"median": 40.0, "mean": 350 / 3, "iqm": (20 + 30 + 40 + 50 + 100) / 5, "optimality_gap": (90 + 60 + 0) / 3},
        rel=1e-12,  # sums in another order
    )
    assert all(math.isnan(e.low) and math.isnan(e.high) for e in found.values())  # no generator, no interval


def test_a_mean_beyond_the_target_does_not_hide_a_gap():
    assert aggregate([[0.0], [1000.0]])["optimality_gap"].value == 50.0
    assert aggregate([[0.0], [1000.0]], target=500.0)["optimality_gap"].value == 250.0


@pytest.mark.parametrize("sizes", [(1,), (3,), (2, 5, 1), (4, 4, 4, 4), (5, 3, 2, 7, 1, 6, 2)])
def test_aggregates_are_those_of_a_naive_twin(sizes):
    rng = generator(sum(sizes))
    groups = [rng.normal(100, 80, n).round(1) for n in sizes]
    found = {k: e.value.item() for k, e in aggregate(groups).items()}
    assert found == pytest.approx(naive(groups), rel=1e-12, abs=1e-9)  # sums in another order


def test_resamples_are_those_of_a_naive_twin():
    """Each row of counts, written out as the runs it stands for, gives the metric of exactly these runs."""
    rng = generator()
    groups = [rng.normal(100, 80, n) for n in (5, 3, 4, 2)]
    strata = statistics.stratify(groups)
    counts = statistics.draw(strata.sizes, 50, generator(1))
    for name, metric in statistics.METRICS.items():
        found = metric(strata.values[:, 0], strata.sizes, counts)
        for row, value in zip(counts.astype(int), found, strict=True):
            drawn = np.split(row, np.cumsum(strata.sizes)[:-1])
            written = [np.repeat(g, n) for g, n in zip(groups, drawn, strict=True)]
            assert value == pytest.approx(naive(written)[name], rel=1e-12)


def test_draws_are_stratified_and_uniform():
    sizes = np.array([5, 1, 3])
    counts = statistics.draw(sizes, 20_000, generator())
    assert counts.shape == (20_000, 9)
    assert all((part.sum(axis=1) == n).all() for part, n in zip(np.split(counts, [5, 6], axis=1), sizes, strict=True))
    # A count is binomial: its mean over 20,000 resamples is 1, with a standard error of at most 0.0064; five of them.
    assert np.abs(counts.mean(axis=0) - 1.0).max() < 0.032
    assert (counts[:, 5] == 1.0).all()


def test_aggregates_agree_with_rliable():
    """Values to the last digits; bounds as two bootstraps of 20,000 and 5,000 resamples agree, to 3 % of the width."""
    found = aggregate(RLIABLE["ours"], generator=generator(), resamples=20_000)
    assert set(found) == set(RLIABLE["aggregates"])
    for name, theirs in RLIABLE["aggregates"].items():
        ours, width = found[name], theirs["high"] - theirs["low"]
        assert ours.value.item() == pytest.approx(theirs["value"], rel=1e-12)
        assert ours.low.item() == pytest.approx(theirs["low"], abs=0.03 * width)
        assert ours.high.item() == pytest.approx(theirs["high"], abs=0.03 * width)


def test_profile_agrees_with_rliable():
    found = profile(RLIABLE["ours"], RLIABLE["thresholds"], generator=generator(), resamples=5_000)
    theirs = RLIABLE["profile"]
    assert found.value.tolist() == pytest.approx(theirs["value"], rel=1e-12)
    for ours, bound in ((found.low, theirs["low"]), (found.high, theirs["high"])):
        assert ours.tolist() == pytest.approx(bound, abs=0.0071)  # two runs of 285


def test_probability_of_improvement_agrees_with_rliable():
    """Different numbers of seeds, and ties in one game."""
    found = probability_of_improvement(RLIABLE["ours"], RLIABLE["theirs"], generator=generator(), resamples=5_000)
    theirs = RLIABLE["probability_of_improvement"]
    assert found.value.item() == pytest.approx(theirs["value"], rel=1e-12)
    for ours, bound in ((found.low, theirs["low"]), (found.high, theirs["high"])):
        assert ours.item() == pytest.approx(bound, abs=0.05 * (theirs["high"] - theirs["low"]))


def test_probability_of_improvement_by_hand():
    """Game 1: of 4 pairs 3 and a tie are ours, 3.5 / 4; game 2: none of 2."""
    found = probability_of_improvement([[3.0, 2.0], [0.0]], [[2.0, 1.0], [4.0, 5.0]])
    assert found.value == (3.5 / 4 + 0.0) / 2
    swapped = probability_of_improvement([[2.0, 1.0], [4.0, 5.0]], [[3.0, 2.0], [0.0]])
    assert swapped.value == 1.0 - found.value


def test_profile_by_hand():
    """A score equal to a threshold is not above it."""
    found = profile([[1.0, 2.0], [3.0], [3.0, 3.0, 5.0]], [0.0, 1.0, 3.0, 5.0])
    assert found.value.tolist() == pytest.approx([1.0, 5 / 6, 1 / 6, 0.0])
    assert np.isnan(found.low).all()  # one game has a single run


def test_curves_are_their_points():
    """Each point of a curve is what it would be alone, interval included: the resamples are the same."""
    rng = generator()
    groups = [rng.normal(100, 50, (n, 7)) for n in (3, 5, 4)]
    curve = aggregate(groups, generator=generator(3), resamples=300)
    for p in (0, 6):
        alone = aggregate([g[:, p] for g in groups], generator=generator(3), resamples=300)
        for name in alone:
            assert [a.item() for a in alone[name]] == [a[p] for a in curve[name]]
    assert curve["iqm"].value.shape == (7,) and alone["iqm"].value.shape == ()


def test_blocks_of_points_and_chunks_of_resamples_change_nothing(monkeypatch):
    """Blocks bound the memory.  Chunks are drawn one after the other, which a generator does not notice."""
    rng = generator()
    groups = [rng.normal(100, 50, (4, 9)) for _ in range(3)]
    whole = aggregate(groups, generator=generator(3), resamples=100)
    monkeypatch.setattr(statistics, "SAMPLE_NUMBERS", 4 * 100 * 2)  # two points at a time
    monkeypatch.setattr(statistics, "CHUNK_NUMBERS", 12 * 30)  # thirty resamples at a time
    source = generator(3)
    pieces = aggregate(groups, generator=source, resamples=100)
    for name in whole:
        np.testing.assert_array_equal(whole[name], pieces[name])
    after = generator(3)
    statistics.draw(np.array([4, 4, 4]), 100, after)
    assert source.random() == after.random()  # the generator has moved on by one set of resamples, not by five


def test_the_same_generator_gives_the_same_bounds():
    groups = [[1.0, 4.0, 9.0], [2.0, 3.0, 5.0]]
    first, again, other = (aggregate(groups, generator=generator(c), resamples=200)["mean"] for c in (0, 0, 1))
    assert first == again and first.value == other.value and first.low != other.low
    assert first.low < first.value < first.high


def test_constant_scores_have_no_width():
    found = aggregate([[50.0] * 3, [50.0] * 4], generator=generator(), resamples=50)
    for name, estimate in found.items():
        assert [a.item() for a in estimate] == pytest.approx([50.0] * 3, rel=1e-12), name


def test_a_single_run_of_a_game_leaves_no_interval():
    assert all(math.isnan(e.low) for e in aggregate([[1.0, 2.0], [3.0]], generator=generator()).values())
    assert math.isnan(probability_of_improvement([[1.0, 2.0]], [[3.0]], generator=generator()).low)


def test_human_normalized():
    assert human_normalized([10.0, 60.0, -40.0], 10.0, 60.0).tolist() == [0.0, 100.0, -100.0]
    assert human_normalized([30.0], random=20.0, human=10.0).tolist() == [100.0]  # random play beats the human


def test_groups_are_checked(outcome):
    assert "at least one game" in outcome(aggregate, [])
    assert "at least one run of each game" in outcome(aggregate, [[1.0], []])
    assert "curves of one length" in outcome(aggregate, [np.zeros((2, 3)), np.zeros((2, 4))])
    assert "no score that is nan or infinite for `groups`, got 2." in outcome(aggregate, [[1.0, math.nan], [math.inf]])
    assert "Expected 1 games, as ours for `theirs`, got 2" in outcome(
        probability_of_improvement, [[1.0]], [[1.0], [2.0]]
    )
    assert "a human score that is not the random one" in outcome(human_normalized, [1.0], 3.0, 3.0)
    assert "between 0 and 1" in outcome(lambda: aggregate([[1.0, 2.0]], generator=generator(), confidence=1.0))


# -- against SciPy -----------------------------------------------------------------------------------------------------
def test_iqm_is_a_trimmed_mean():
    """Of any number of runs, whatever game they are of; SciPy drops floor(N / 4) on each side too."""
    random = np.random.default_rng(3)
    for sizes in ((1,), (2, 3), (5, 5, 5), (4, 1, 7, 9)):
        groups = [random.normal(size=n) * 100 for n in sizes]
        expected = stats.trim_mean(np.concatenate(groups), 0.25)
        assert aggregate(groups)["iqm"].value.item() == pytest.approx(expected, rel=1e-12)


def test_probability_of_improvement_is_mann_whitneys_statistic():
    random = np.random.default_rng(4)
    pairs = [(random.integers(0, 5, n) * 1.0, random.integers(0, 5, m) * 1.0) for n, m in ((3, 4), (5, 5), (1, 2))]
    expected = np.mean([stats.mannwhitneyu(x, y).statistic / (len(x) * len(y)) for x, y in pairs])
    found = probability_of_improvement([x for x, _ in pairs], [y for _, y in pairs]).value.item()
    assert found == pytest.approx(expected, rel=1e-12)


def test_bootstrap_intervals_agree_with_scipys():
    """Of the mean over one game's runs, where SciPy's resampling is the same idea: within the noise of 20,000 draws."""
    values = np.random.default_rng(5).normal(50.0, 10.0, 12)
    ours = aggregate([values], generator=generator(), resamples=20_000)["mean"]
    theirs = stats.bootstrap([values], np.mean, n_resamples=20_000, method="percentile", rng=6).confidence_interval
    assert ours.low.item() == pytest.approx(theirs.low, abs=0.2)
    assert ours.high.item() == pytest.approx(theirs.high, abs=0.2)
