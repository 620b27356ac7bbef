from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from dqn_tf.checks import RunError
from dqn_tf.envs.protocols import PROTOCOLS
from reproduce import places
from reproduce.analysis import curve_comparison
from reproduce.analysis.intervals import OUTSIDE, WITHIN_PREDICTION, WITHIN_RUNS
from reproduce.records import published, run_export, runs


def episodes(*rows):
    return pd.DataFrame(rows, columns=["frames", "return_raw"])


def test_an_episode_belongs_to_the_iteration_of_its_last_frame():
    """Frames 0 to 999,999 are iteration 0: an episode that ends when exactly 1,000,000 are over is its last one."""
    table = curve_comparison.by_iteration(episodes((4, 1.0), (1_000_000, 3.0), (1_000_004, 9.0), (3_000_000, 5.0)))
    assert table["iteration"].tolist() == [0, 1, 2] and table["episodes"].tolist() == [2, 1, 1]
    assert table["return_mean"].tolist() == [2.0, 9.0, 5.0]
    assert table["return_std"][0] == pytest.approx(math.sqrt(2.0)) and math.isnan(table["return_std"][1])
    assert curve_comparison.by_iteration(episodes()).empty


def test_by_iteration_against_a_slow_twin():
    random = np.random.default_rng(0)
    rows = sorted((int(end) * 4, float(value)) for end, value in random.integers(1, 1_000_000, (300, 2)))
    slow: dict[int, list[float]] = {}
    for end, value in rows:
        last_frame = end - 1
        slow.setdefault(last_frame // 1_000_000, []).append(value)
    table = curve_comparison.by_iteration(episodes(*rows))
    assert table["iteration"].tolist() == list(slow)
    np.testing.assert_allclose(table["return_mean"], [np.mean(v) for v in slow.values()])


def test_compare(run_dir):
    """Breakout's published points: 1.64087 (1.57108 to 1.69933), then 3.05906 +- 0.174242 (2.82683 to 3.26998)."""
    table = curve_comparison.compare(runs.load(run_dir("a", ((400_000, 1.6), (1_000_000, 1.7), (1_500_000, 3.5)))))
    assert table["return_mean"].tolist() == [pytest.approx(1.65), 3.5]
    assert table["published_mean"].tolist() == [1.64087, 3.05906] and table["published_n_runs"].tolist() == [5, 5]
    assert table["verdict"].tolist() == [WITHIN_RUNS, WITHIN_PREDICTION]
    assert table["prediction_high"][1] == pytest.approx(3.05906 + 2.776445 * 0.174242 * math.sqrt(1.2), abs=1e-5)
    assert table["begin_frames"].tolist() == [0, 1_000_000] and table["end_frames"].tolist() == [1_000_000, 2_000_000]


def test_seeds_and_budgets_share_their_settings(run_dir):
    """A run that goes on is of the same sample; one with another setting is not."""

    def settings(name, **fields):
        return curve_comparison.compare(runs.load(run_dir(name, **fields)))["settings_hash"].unique().tolist()

    assert settings("a", seed=1) == settings("b", seed=2, frames=3_000_000)
    assert settings("a2") != settings("c", settings=["discount=0.9"])


def test_outside(run_dir):
    assert curve_comparison.compare(runs.load(run_dir("a")))["verdict"].tolist() == [OUTSIDE, OUTSIDE]


def test_seeds_together():
    """Welch's interval by hand: 2 +- 4.3027 sqrt(9/3 + 1/5), 2.2 degrees of freedom rounded down to 2."""
    names = ["environment", "seed", "iteration", "return_mean", "published_std", "verdict"]
    rows = [
        *(("breakout", seed, 0, value, 1.0, WITHIN_RUNS) for seed, value in ((0, 9.0), (1, 12.0), (2, 15.0))),
        ("breakout", 2, 0, 15.0, 1.0, WITHIN_RUNS),  # exported twice
        ("breakout", 0, 1, 20.0, 1.0, OUTSIDE),  # one seed alone is not a sample
        ("breakout", 1, 1, 21.0, 1.0, curve_comparison.TOO_SHORT),
        *(("pong", seed, 0, value, 0.1, OUTSIDE) for seed, value in ((0, 19.9), (1, 20.1))),
        *(("qbert", seed, 0, 11.0, 0.0, OUTSIDE) for seed in (0, 1)),  # no spread: no interval, nothing claimed
    ]
    table = pd.DataFrame(rows, columns=names).assign(published_mean=10.0, published_n_runs=5, settings_hash="a")
    other = table.iloc[[0, 1]].assign(settings_hash="b", return_mean=[90.0, 91.0])  # a sample of its own
    assert "2 seeds of ours have mean 90.5" in curve_comparison.pooled_seeds(pd.concat([table, other]))[1]
    with pytest.raises(RunError, match="one result of breakout, seed 1, iteration 0"):
        curve_comparison.pooled_seeds(pd.concat([table, other.assign(settings_hash="a").iloc[[1]]]))
    breakout, pong, qbert = curve_comparison.pooled_seeds(table)
    assert breakout.startswith(
        "- Breakout, iteration 0: 3 seeds of ours have mean 12 and standard deviation 3, 5 published"
    )
    assert breakout.endswith(
        "Their difference may be chance: ours - published is 2, 95 % interval -5.697 to 9.697 (Welch)."
    )
    assert pong.startswith("- Pong, iteration 0: 2 seeds of ours") and "They differ by more than chance" in pong
    assert "Their difference may be chance" in qbert


def test_an_unfinished_iteration_is_shown_but_not_judged(run_dir):
    """Also where its mean would fall within the published runs."""
    path = run_dir("a", ((100_000, 1.6), (1_000_000, 1.7), (1_200_000, 3.0)), frames=1_300_000)
    table = curve_comparison.compare(runs.load(path))
    assert (
        table["verdict"].tolist() == [WITHIN_RUNS, curve_comparison.TOO_SHORT] and table["published_mean"][1] == 3.05906
    )
    assert table["end_frames"][1] == 1_300_000
    assert table["explanation"][1].startswith("3 is the mean of the first 300,000 frames of this iteration only;")
    assert "average over all of its 1,000,000" in table["explanation"][1]


def test_beyond_the_published_curve(run_dir):
    table = curve_comparison.compare(runs.load(run_dir("a", ((199_500_000, 3.0),), frames=200_000_000)))
    assert table["explanation"].tolist() == ["Nothing is published for iteration 199."]
    assert table["published_n_runs"][0] == 0 and table["verdict"][0] == curve_comparison.TOO_SHORT


def test_a_game_without_a_published_curve(run_dir, outcome):
    path = run_dir("a", environment="surround")
    assert "Unknown published game 'surround'" in outcome(curve_comparison.compare, runs.load(path))
    assert not curve_comparison.is_comparable(runs.load(path))


def test_deviations(run_dir):
    assert curve_comparison.deviations(runs.load(run_dir("a"))) == []
    settings = ["execution.threads=1", "protocol.sticky_probability=0", "evaluation.period_iterations=0"]
    assert curve_comparison.deviations(runs.load(run_dir("b", settings=settings))) == [
        "execution.threads: 1 (preset: 2)",
        "evaluation.period_iterations: 0 (preset: 1)",
        "protocol.sticky_probability: 0.0 (preset: 0.25)",
    ]
    assert dataclasses.asdict(PROTOCOLS["dopamine"])["sticky_probability"] == 0.25


def test_a_deviation_in_a_field_that_came_later_has_both_values(run_dir):
    """Such a field is left out of config.json where it has its default."""
    assert curve_comparison.deviations(runs.load(run_dir("a", settings=["replay.compression=delta"]))) == [
        "replay.compression: delta (preset: none)"
    ]


# -- what is committed -------------------------------------------------------------------------------------------------
def test_committed_runs_are_whole():
    found = runs.find(places.RESULTS / "runs")
    for folder in {path if path.exists() else path.parent for path in found}:  # packed runs are files of one folder
        assert run_export.verify_export(folder) == [], folder
    for path in found:
        assert runs.load(path).complete, path


def test_every_counterpart_exists():
    for agent, variant in curve_comparison.COUNTERPARTS.values():
        assert published.has_dopamine_curve("breakout", agent, variant)
