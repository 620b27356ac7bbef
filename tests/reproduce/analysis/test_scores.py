"""Scores of written-down runs, worked by hand; what is wrong is left out and named, and never moves another number."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dqn_tf.checks import RunError
from dqn_tf.training.run_dir import write_json
from reproduce.analysis import scores
from reproduce.analysis.collecting import collect
from reproduce.analysis.score_aggregates import over_frames, over_games, per_game
from reproduce.analysis.scores import score_rows
from reproduce.records import export, runs

SHORT = ("iteration_frames=100_000",)  # 2,000,000 frames are twenty iterations, of which five are the window


def edit_csv(path: Path, row: int, column: str, value: str) -> None:
    """Overwrite one cell of a table; ``row`` from 0, without the header."""
    lines = [line.split(",") for line in path.read_text().splitlines()]
    lines[row + 1][lines[0].index(column)] = value
    path.write_text("".join(",".join(line) + "\n" for line in lines))


@pytest.fixture
def write(run_dir):
    """write(game, seed, final) -> a run in its proper place: set/<agent>/<game>/seed_<k>."""

    def make(environment="breakout", seed=0, final=(1.0, 3.0), collection="set", **fields):
        preset = fields.get("preset", "dqn_dopamine")
        name = f"{collection}/{preset}/{environment}/seed_{seed}"
        fields = {"settings": SHORT, "evaluations": (1, 9, 2, 3, 4, 5, 6), **fields}
        return run_dir(name, environment=environment, seed=seed, final=final, **fields)

    return make


def by_convention(run, window=5):
    return {row["convention"]: row for row in score_rows(run, window)}


def test_conventions_by_hand(write):
    """The window begins after frame 1,500,000: an episode that ended with that very frame is not in it."""
    episodes = ((400_000, 100.0), (1_500_000, 50.0), (1_500_004, 1.0), (1_800_000, 3.0), (2_000_000, 8.0))
    run = runs.load(write(episodes=episodes, evaluations=(1, 99, 2, 3, 4, 5, 6), final=(10.0, 30.0)))
    found = by_convention(run)
    assert set(found) == set(scores.CONVENTIONS) - {"best_checkpoint"}  # no best network played after training
    assert {k: (r["score"], r["episodes"], r["window"], r["window_frames"]) for k, r in found.items()} == {
        "training_return": (4.0, 3, 5, 500_000),
        "best_phase": (99.0, 10, 0, 0),
        "final_window": (4.0, 50, 5, 500_000),
        "final_evaluation": (20.0, 2, 0, 0),
    }
    row = found["training_return"]
    assert list(row) == list(scores.SCORE_COLUMNS)
    assert (row["collection"], row["agent"], row["game"], row["seed"]) == ("set", "dqn_dopamine", "breakout", 0)
    assert (row["frames"], row["complete"], row["start"], row["sticky_actions"]) == (2_000_000, True, "none", 0.25)


def test_a_best_network_that_played_again_is_scored_by_its_new_episodes(write):
    path = write(evaluations=(1, 99, 2, 3, 4, 5, 6), final=(10.0, 30.0))
    data = json.loads((path / "summary.json").read_text())
    last = {**data["final_evaluation"], "return_mean": 7.0, "episodes": 3}
    best = {**data["final_evaluation"], "network": "best", "network_frames": 400_000}
    write_json(path / "summary.json", {**data, "final_evaluation": best, "last_network_evaluation": last})
    found = {k: (r["score"], r["episodes"]) for k, r in by_convention(runs.load(path)).items()}
    assert (found["best_checkpoint"], found["final_evaluation"]) == ((20.0, 2), (7.0, 3))
    assert found["best_phase"] == (99.0, 10)  # never under one name with the new episodes
    write_json(path / "summary.json", {**data, "final_evaluation": best})
    with pytest.raises(RunError, match="last_network_evaluation"):
        runs.load(path)


def test_a_convention_without_its_numbers_has_no_row(write):
    few = runs.load(write(evaluations=(1.0, 2.0, 3.0, 4.0)))
    assert "final_window" not in by_convention(few) and "final_window" in by_convention(few, window=4)
    none = runs.load(write(seed=1, episodes=((40, 1.0),), evaluations=()))
    assert set(by_convention(none)) == {"final_evaluation"}
    early = runs.load(write(seed=2, episodes=((499_996, 1.0),), evaluations=(), complete=False))
    assert by_convention(early) == {}  # not yet five iterations long


def test_an_evaluation_that_did_not_take_place_is_not_a_zero(write):
    path = write(evaluations=(5.0, 0.0, 7.0))
    edit_csv(path / "iterations.csv", 1, "eval_return_mean", "")
    edit_csv(path / "iterations.csv", 1, "eval_episodes", "0")
    found = by_convention(runs.load(path), window=2)
    assert found["final_window"]["score"] == 6.0 and "final_window" not in by_convention(runs.load(path), window=3)


def test_start_and_stickiness(write):
    nature = by_convention(runs.load(write(preset="dqn_nature")))["final_evaluation"]
    assert (nature["start"], nature["sticky_actions"]) == ("noop", 0.0)
    quiet = runs.load(write(preset="dqn_nature", seed=1, settings=(*SHORT, "evaluation.noops_max=0")))
    assert scores.start_of(quiet) == "none"
    vector = runs.load(write(preset="dqn_classic", environment="CartPole-v1"))
    assert (scores.start_of(vector), scores.sticky_of(vector), vector.game) == ("none", 0.0, None)


def test_runs_elsewhere_have_no_collection(run_dir):
    run = runs.load(run_dir("anywhere"))
    assert (run.collection, run.name) == ("", "dqn_dopamine")


def test_agents_of_one_preset_are_kept_apart_by_name(run_dir, tmp_path):
    """A protocol's agents, as an ablation has them: one preset, other settings, folders of their own."""
    for name, more in (("whole", ()), ("no_discount", ("discount=1.0",))):
        run_dir(f"set/{name}/breakout/seed_0", settings=(*SHORT, *more))
    found = collect([tmp_path])
    assert found.problems == [] and set(found.scores["agent"]) == {"whole", "no_discount"}
    paths = [export.export(path, "kept", tmp_path / "results") for path in runs.find(tmp_path / "runs")]
    assert sorted(p.parent.parent.name for p in paths) == ["no_discount", "whole"]
    assert len(runs.find(tmp_path / "results")) == 2


# -- tables ------------------------------------------------------------------------------------------------------------
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


def test_over_frames_by_hand(write, tmp_path):
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


# -- bad input ---------------------------------------------------------------------------------------------------------
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


def test_scores_that_are_not_numbers(write, tmp_path):
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


def test_files_of_another_kind(write, tmp_path):
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
    keep = [c for c in scores.CURVE_COLUMNS if c != "collection"]
    pd.testing.assert_frame_equal(scores.curve_rows(other)[keep], scores.curve_rows(plain[1])[keep])
    without = [{k: v for k, v in row.items() if k not in ("collection", "run")} for row in score_rows(plain[1], 5)]
    assert [{k: v for k, v in row.items() if k not in ("collection", "run")} for row in score_rows(other, 5)] == without
