from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from reproduce.analysis import learning_curves, run_scores, score_aggregates
from reproduce.records import published

ROW = {"collection": "c", "agent": "a", "environment": "breakout", "game": "breakout"}


def rows(*values, **fields):
    """Rows of run_scores.CURVE_COLUMNS.  values: (seed, iteration, frames, train_return)."""
    names = ("seed", "iteration", "frames", "train_return")
    table = pd.DataFrame([{**ROW, **dict(zip(names, v, strict=True)), **fields} for v in values])
    return table.reindex(columns=list(run_scores.CURVE_COLUMNS))


def test_a_point_is_the_middle_of_an_iteration_with_the_spread_of_its_seeds():
    table = learning_curves.of_runs(rows((0, 0, 100, 1.0), (0, 1, 200, 5.0), (1, 0, 100, 3.0)))
    assert table["frames"].tolist() == [50.0, 150.0]
    assert table[["mean", "low", "high", "n"]].to_numpy().tolist() == [[2.0, 1.0, 3.0, 2], [5.0, 5.0, 5.0, 1]]
    assert table["label"].tolist() == ["a", "a"] and not table["published"].any()


def test_iterations_without_an_episode_are_left_out():
    table = learning_curves.of_runs(rows((0, 0, 100, 1.0), (0, 1, 200, float("nan")), (0, 2, 300, 4.0)))
    assert table["mean"].tolist() == [1.0, 4.0]


def test_one_agent_in_two_folders_is_two_curves():
    table = pd.concat([rows((0, 0, 100, 1.0)), rows((0, 0, 100, 2.0), collection="d")])
    assert learning_curves.of_runs(table)["label"].tolist() == ["c/a", "d/a"]
    assert learning_curves.of_runs(rows()).empty


def test_dopamines_curves():
    table = learning_curves.of_dopamine(["breakout", "surround"], ["DQN"])  # surround is not in that data
    assert len(table) == 199 and table["frames"].iloc[0] == 500_000 and table["published"].all()
    assert table["mean"].iloc[0] == 1.64087 and table["game"].unique().tolist() == ["breakout"]


def test_over_frames_against_a_slow_twin():
    games = ["breakout", "pong", "qbert", "seaquest", "boxing"]
    table = learning_curves.of_dopamine(games, ["C51"])
    found = learning_curves.over_frames(table, games)
    references = published.references(score_aggregates.NORMALIZATION)
    normalized = []
    for game in games:
        random, human = references[game]
        means = published.dopamine_curve(game, "C51")["mean_return"]
        normalized.append([100 * (m - random) / (human - random) for m in means])
    by_point = np.sort(np.array(normalized), axis=0)
    np.testing.assert_allclose(found["median"], by_point[2])
    np.testing.assert_allclose(found["iqm"], by_point[1:4].mean(axis=0))  # of five, one is cut at each end
    assert found["median_low"].isna().all()


def test_a_point_that_one_game_lacks_is_left_out():
    table = learning_curves.of_dopamine(["breakout", "pong"], ["DQN"])
    table = table[(table["game"] != "pong") | (table["frames"] < 3e6)]
    assert learning_curves.over_frames(table, ["breakout", "pong"])["frames"].tolist() == [
        500_000,
        1_500_000,
        2_500_000,
    ]


def test_our_runs_over_frames_have_intervals():
    table = pd.concat(
        [
            rows((seed, i, 100 * (i + 1), 10.0 * i + seed), environment=game, game=game, complete=True)
            for game in ("breakout", "pong")
            for seed in (0, 1)
            for i in (0, 1)
        ]
    )
    found = learning_curves.own_over_frames(score_aggregates.over_frames(table, resamples=50))
    assert found["label"].tolist() == ["a", "a"] and found["frames"].tolist() == [100, 200]
    assert (found["iqm_low"] <= found["iqm"]).all() and (found["iqm"] <= found["iqm_high"]).all()
    pairs = [published.human_random(g).normalized(s) for g in ("breakout", "pong") for s in (0, 1)]
    assert found["iqm"].iloc[0] == pytest.approx(np.mean(sorted(pairs)[1:3]))  # of four runs, one is cut at each end
    assert tuple(found.columns) == learning_curves.OVER_FRAMES_COLUMNS
