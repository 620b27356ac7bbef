"""Scores of written-down runs, worked by hand; what is wrong is left out and named, and never moves another number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dqn_tf.api import make_config
from dqn_tf.checks import RunError
from dqn_tf.training.run_dir import write_json
from reproduce.analysis import run_scores
from reproduce.analysis.collecting import collect
from reproduce.analysis.run_scores import score_rows
from reproduce.records import run_export, runs

SHORT = ("iteration_frames=100_000",)  # as in conftest.py: 2,000,000 frames are twenty iterations


def by_convention(run, window=5):
    return {row["convention"]: row for row in score_rows(run, window)}


def test_conventions_by_hand(write):
    """The window begins after frame 1,500,000: an episode that ended with that very frame is not in it."""
    episodes = ((400_000, 100.0), (1_500_000, 50.0), (1_500_004, 1.0), (1_800_000, 3.0), (2_000_000, 8.0))
    run = runs.load(write(episodes=episodes, evaluations=(1, 99, 2, 3, 4, 5, 6), final=(10.0, 30.0)))
    found = by_convention(run)
    assert set(found) == set(run_scores.CONVENTIONS) - {"best_checkpoint"}  # no best network played after training
    assert {k: (r["score"], r["episodes"], r["window"], r["window_frames"]) for k, r in found.items()} == {
        "training_return": (4.0, 3, 5, 500_000),
        "best_phase": (99.0, 10, 0, 0),
        "final_window": (4.0, 50, 5, 500_000),
        "final_evaluation": (20.0, 2, 0, 0),
    }
    row = found["training_return"]
    assert list(row) == list(run_scores.SCORE_COLUMNS)
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


def test_an_evaluation_that_did_not_take_place_is_not_a_zero(write, edit_csv):
    path = write(evaluations=(5.0, 0.0, 7.0))
    edit_csv(path / "iterations.csv", 1, "eval_return_mean", "")
    edit_csv(path / "iterations.csv", 1, "eval_episodes", "0")
    found = by_convention(runs.load(path), window=2)
    assert found["final_window"]["score"] == 6.0 and "final_window" not in by_convention(runs.load(path), window=3)


def test_start_and_stickiness(write):
    nature = by_convention(runs.load(write(preset="dqn_nature")))["final_evaluation"]
    assert (nature["start"], nature["sticky_actions"]) == ("noop", 0.0)
    quiet = runs.load(write(preset="dqn_nature", seed=1, settings=(*SHORT, "evaluation.noops_max=0")))
    assert run_scores.start_of(quiet) == "none"
    vector = runs.load(write(preset="dqn_classic", environment="CartPole-v1"))
    assert (run_scores.start_of(vector), run_scores.sticky_of(vector), vector.game) == ("none", 0.0, None)


@pytest.mark.parametrize(
    ("preset", "environment", "sticky"), [("dqn_minatar", "minatar:breakout", 0.1), ("rr_dqn", "MountainCar-v0", 0.0)]
)
def test_protocols_of_other_environments_have_no_no_ops(preset, environment, sticky):
    """MinAtar's has sticky actions; that of a Gymnasium environment has neither."""
    settings = make_config(preset, environment, frames=1_000).to_json()
    run = runs.Run(Path(), settings, {}, None, None, None)
    assert settings["protocol"] and (run_scores.start_of(run), run_scores.sticky_of(run)) == ("none", sticky)


def test_runs_elsewhere_have_no_collection(run_dir):
    run = runs.load(run_dir("anywhere"))
    assert (run.collection, run.name) == ("", "dqn_dopamine")


def test_agents_of_one_preset_are_kept_apart_by_name(run_dir, tmp_path):
    """A protocol's agents, as an ablation has them: one preset, other settings, folders of their own."""
    for name, more in (("whole", ()), ("no_discount", ("discount=1.0",))):
        run_dir(f"set/{name}/breakout/seed_0", settings=(*SHORT, *more))
    found = collect([tmp_path])
    assert found.problems == [] and set(found.scores["agent"]) == {"whole", "no_discount"}
    paths = [run_export.export(path, "kept", tmp_path / "results") for path in runs.find(tmp_path / "runs")]
    assert sorted(p.parent.parent.name for p in paths) == ["no_discount", "whole"]
    assert len(runs.find(tmp_path / "results")) == 2
