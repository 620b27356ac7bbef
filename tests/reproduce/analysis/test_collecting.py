"""Runs that cannot be counted are left out and named, and never move another number."""

from __future__ import annotations

import json
import math
import shutil

import pandas as pd

from dqn_tf.training.run_dir import write_json
from reproduce.analysis import run_scores
from reproduce.analysis.collecting import collect
from reproduce.analysis.run_scores import score_rows
from reproduce.analysis.score_aggregates import over_frames, over_games, per_game
from reproduce.records import runs

SHORT = ("iteration_frames=100_000",)  # as in conftest.py: 2,000,000 frames are twenty iterations


def finals(tmp_path):
    found = collect([tmp_path])
    table = found.scores[found.scores["convention"] == "final_evaluation"]
    return dict(zip(zip(table["environment"], table["seed"], strict=True), table["score"], strict=True)), found.problems


def test_a_damaged_run_does_not_stop_the_others(write, tmp_path):
    write(seed=0)
    cut = write(seed=1) / "episodes.csv"
    cut.write_text(cut.read_text()[:-4])
    missing = write(seed=2) / "iterations.csv"
    lines = missing.read_text().splitlines(keepends=True)
    missing.write_text("".join([*lines[:2], *lines[3:]]))
    twice = write(seed=3) / "episodes.csv"
    lines = twice.read_text().splitlines(keepends=True)
    twice.write_text("".join([*lines, lines[-1]]))
    found, problems = finals(tmp_path)
    assert found == {("breakout", 0): 2.0} and len(problems) == 3
    assert "half a row" in problems[0]
    assert "iterations.csv, line 3: expected number 1, got 2. A row is missing or stands twice" in problems[1]
    assert "episodes.csv, line 5: expected number 3, got 2. A row is missing or stands twice" in problems[2]


def test_scores_that_are_not_numbers(write, tmp_path, edit_csv):
    write(seed=0)
    edit_csv(write(seed=1) / "episodes.csv", 0, "return_raw", "nan")
    edit_csv(write(seed=2) / "iterations.csv", 2, "eval_return_mean", "inf")
    summary = write(seed=3) / "summary.json"
    data = json.loads(summary.read_text())
    data["final_evaluation"]["return_mean"] = math.nan
    write_json(summary, data)
    edit_csv(write(seed=4) / "iterations.csv", 2, "eval_return_mean", "")  # though seven episodes were played
    found, problems = finals(tmp_path)
    assert found == {("breakout", 0): 2.0} and len(problems) == 4
    assert "expected finite numbers in return_raw, got 1 that are nan or infinite" in problems[0]
    assert "eval_return_mean, got 1" in problems[1] and "eval_return_mean, got 1" in problems[3]
    assert "the score by final_evaluation is nan" in problems[2]


def test_files_of_another_kind(write, tmp_path, edit_csv):
    write(seed=0)
    renamed = write(seed=1) / "episodes.csv"
    renamed.write_text(renamed.read_text().replace("return_raw", "reward"))
    edit_csv(write(seed=2) / "episodes.csv", 1, "episode", "1.5")
    edit_csv(write(seed=3) / "iterations.csv", 1, "eval_episodes", "")
    summary = write(seed=4) / "summary.json"
    write_json(summary, {**json.loads(summary.read_text()), "final_evaluation": None})
    found, problems = finals(tmp_path)
    assert found == {("breakout", 0): 2.0} and len(problems) == 4
    assert "expected files as training writes them, got KeyError('return_raw')" in problems[0]
    assert "line 3: expected a whole number for episode, got '1.5'" in problems[1]
    assert "line 3: expected a whole number for eval_episodes, got ''" in problems[2]
    assert "Expected an object with named fields in " in problems[3] and "got NoneType" in problems[3]


def test_different_configurations_are_not_mixed(write, tmp_path):
    write("breakout", 0), write("pong", 0), write("pong", 1, settings=(*SHORT, "discount=0.9"))
    write("breakout", 0, preset="dqn_nature")
    write("breakout", 0, collection="other", settings=(*SHORT, "discount=0.9"))
    write("breakout", 5, collection="other", frames=1_000_000, settings=(*SHORT, "discount=0.9"))
    found, problems = finals(tmp_path)
    assert found == {("breakout", 0): 2.0}  # of dqn_nature, which is another agent
    assert len(problems) == 2
    other, mine = problems
    assert other.startswith("Left out: other/dqn_dopamine, Atari: 2 different configurations")
    assert "frames: " in other and "1000000" in other and "breakout seed 5" in other
    assert "discount: " in mine and "0.9" in mine and "pong seed 1" in mine and "breakout seed 0, pong seed 0" in mine
    assert collect([tmp_path]).curves["agent"].unique().tolist() == ["dqn_nature"]


def test_of_a_field_that_came_later_both_values_are_named(write, tmp_path):
    """Where it has its default it is not in config.json."""
    write("breakout", 0), write("pong", 0, settings=(*SHORT, "updates_at_once=2"))
    (problem,) = finals(tmp_path)[1]
    assert "updates_at_once: 1 or 2" in problem or "updates_at_once: 2 or 1" in problem


def test_other_environments_may_differ_from_each_other_but_not_within(write, tmp_path):
    common = {"preset": "dqn_classic", "settings": (), "evaluations": (1.0,)}
    write("CartPole-v1", 0, frames=100, **common), write("Acrobot-v1", 0, frames=200, **common)
    assert len(finals(tmp_path)[0]) == 2 and finals(tmp_path)[1] == []
    write("Acrobot-v1", 1, frames=300, **common)
    found, problems = finals(tmp_path)
    assert list(found) == [("CartPole-v1", 0)] and "set/dqn_classic, Acrobot-v1: 2 different" in problems[0]


def test_a_run_in_two_places_counts_once(write, tmp_path):
    path = write(seed=0)
    write(seed=1)
    copy = tmp_path / "copy" / "set" / "dqn_dopamine" / "breakout" / "seed_0"
    shutil.copytree(path, copy)
    found, problems = finals(tmp_path)
    assert found == {("breakout", 0): 2.0, ("breakout", 1): 2.0}
    assert len(problems) == 1 and "the same run of set/dqn_dopamine/breakout/0" in problems[0]
    data = json.loads((copy / "summary.json").read_text())
    data["final_evaluation"]["return_mean"] = 99.0
    write_json(copy / "summary.json", data)
    found, problems = finals(tmp_path)
    assert found == {("breakout", 1): 2.0} and "are different runs of set/dqn_dopamine/breakout/0" in problems[0]


def test_nothing_at_all(tmp_path):
    found = collect([tmp_path])
    assert found.scores.empty and found.curves.empty and found.problems == []
    for table in (per_game(found.scores), over_games(found.scores), over_frames(found.curves)):
        assert table.empty


def test_monitors_move_no_number(write):
    """Runs with columns of their own ideas beside runs without: empty cells are read, and every table is the same."""
    episodes = ((400_000, 100.0), (1_600_000, 3.0), (2_000_000, 8.0))
    plain = [runs.load(write(seed=seed, episodes=episodes)) for seed in (0, 1)]
    monitored = ["heldout_return_std_mean", "priority_q50", "sigma_w_abs_mean_value_output"]
    other = runs.load(write(seed=1, collection="watched", episodes=episodes, monitored=monitored))
    assert math.isnan(other.iterations[monitored[0]].iloc[0]) and other.iterations[monitored[0]].iloc[1] == 0
    keep = [c for c in run_scores.CURVE_COLUMNS if c != "collection"]
    pd.testing.assert_frame_equal(run_scores.curve_rows(other)[keep], run_scores.curve_rows(plain[1])[keep])
    without = [{k: v for k, v in row.items() if k not in ("collection", "run")} for row in score_rows(plain[1], 5)]
    assert [{k: v for k, v in row.items() if k not in ("collection", "run")} for row in score_rows(other, 5)] == without
