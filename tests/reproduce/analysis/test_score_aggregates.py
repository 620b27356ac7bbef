"""Scores per game, over games and over frames, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from reproduce.analysis.collecting import collect
from reproduce.analysis.score_aggregates import over_frames, over_games, per_game


def test_per_game_by_hand(write, tmp_path):
    for seed, score in enumerate((10.0, 20.0, 60.0)):
        write(seed=seed, final=(score,))
    write("pong", seed=7, final=(14.6,))
    table = per_game(collect([tmp_path]).scores).query("convention == 'final_evaluation'").set_index("game")
    breakout, pong = table.loc["breakout"], table.loc["pong"]
    assert (breakout["n_seeds"], breakout["seeds"], breakout["mean"]) == (3, "0 1 2", 30.0)
    assert breakout["std"] == pytest.approx(math.sqrt((400 + 100 + 900) / 2))
    half = 4.302653 * breakout["std"] / math.sqrt(3)  # Student's t for two degrees of freedom
    assert [breakout["low"], breakout["high"]] == pytest.approx([30 - half, 30 + half], rel=1e-6)
    assert breakout["hns_percent"] == pytest.approx(100 * (30 - 1.7) / (30.5 - 1.7))
    assert pong["hns_percent"] == pytest.approx(100.0) and math.isnan(pong["std"]) and math.isnan(pong["low"])


def test_missing_seeds_and_runs_under_way_show_in_n(write, tmp_path):
    write(seed=0), write(seed=1), write(seed=2, complete=False)
    found = collect([tmp_path])
    table = per_game(found.scores)
    assert table["n_seeds"].unique().tolist() == [2] and table["seeds"].unique().tolist() == ["0 1"]
    assert found.problems == [] and set(found.scores["seed"]) == {0, 1, 2}


def test_over_games_by_hand(write, tmp_path):
    """Breakout: 0 and 100 percent, Pong: 200 and 400.  (-20.7 random, 14.6 human.)"""
    for seed, (breakout, pong) in enumerate(((1.7, 14.6 + 35.3), (30.5, 14.6 + 3 * 35.3))):
        write("breakout", seed, (breakout,)), write("pong", seed, (pong,))
    write("carnival", 0, (5.0,))  # no published human
    table = over_games(collect([tmp_path]).scores, resamples=200)
    table = table[table["convention"] == "final_evaluation"].set_index("metric")
    assert table["value_percent"].to_dict() == pytest.approx(
        {"median": 175.0, "mean": 175.0, "iqm": 150.0, "optimality_gap": 25.0}
    )
    assert set(table["n_games"]) == {2} and set(table["n_seeds_min"]) == set(table["n_seeds_max"]) == {2}
    assert (table["low"] <= table["value_percent"]).all() and (table["value_percent"] <= table["high"]).all()


def test_intervals_depend_on_the_seed_and_on_nothing_else(write, tmp_path):
    for seed in range(6):
        write(seed=seed, final=(seed**2.7,))
    alone = over_games(collect([tmp_path]).scores)
    for seed in range(6):
        write(seed=seed, final=(5.0 * seed,), collection="another")
    together = over_games(collect([tmp_path]).scores)
    mine = together[together["collection"] == "set"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, mine)
    again, other = over_games(collect([tmp_path]).scores), over_games(collect([tmp_path]).scores, seed=1)
    pd.testing.assert_frame_equal(together, again)
    assert not np.allclose(other["low"], again["low"]) and np.allclose(other["value_percent"], again["value_percent"])


def test_over_frames_by_hand(write, tmp_path, edit_csv):
    """Pong stands at 100 percent; the first run has no evaluation at the second iteration, so nobody is shown there."""
    first = write("pong", 0, evaluations=(14.6, 0.0, 14.6))
    edit_csv(first / "iterations.csv", 1, "eval_return_mean", "")
    edit_csv(first / "iterations.csv", 1, "eval_episodes", "0")
    write("pong", 1, evaluations=(-20.7, 1.0, 14.6))
    write("pong", 2, evaluations=(5.0,), complete=False)  # under way
    table = over_frames(collect([tmp_path]).curves, resamples=100)
    table = table[(table["kind"] == "eval_return") & (table["metric"] == "median")]
    assert table["iteration"].tolist() == [0, 2] and table["frames"].tolist() == [666_666, 2_000_000]
    assert table["value_percent"].tolist() == pytest.approx([50.0, 100.0]) and set(table["n_seeds_max"]) == {2}


def test_means_are_refused_with_video_pinballs_random_score(write, tmp_path, outcome):
    write()
    found = collect([tmp_path])
    for table in (over_games, over_frames):
        rows = found.scores if table is over_games else found.curves
        assert "lets that game outweigh the others" in outcome(table, rows, "dqn_zoo57")
    assert "Did you mean 'nature49'" in outcome(over_games, found.scores, "nature4")
