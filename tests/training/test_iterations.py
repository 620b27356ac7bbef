"""``evaluation.final_network=best``: kept, saved, played anew, and the learner never notices."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf import determinism
from dqn_tf.checks import ConfigError
from dqn_tf.config import Evaluation, RunConfig
from dqn_tf.training import evaluation, iterations
from dqn_tf.training.interleaved_loop import InterleavedLoop
from dqn_tf.training.records import IterationRecord
from dqn_tf.training.rescore import digest_of, evaluate
from dqn_tf.training.run import Options, train
from dqn_tf.training.run_dir import read_json, read_table
from dqn_tf.training.stop import Interrupted

QUIET = Options(checkpoint_frames=30, progress=False)
BEST = Evaluation(epsilon=0.0, episodes=3, final_episodes=4, final_network="best")


@pytest.fixture(autouse=True)
def _switches_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(determinism, "enable", lambda threads, required=True: None)


@pytest.fixture
def config(cartpole: Callable[..., RunConfig]) -> RunConfig:
    return cartpole(evaluation=BEST, frames=300, iteration_frames=30)


def test_the_highest_evaluation_is_kept_and_of_equals_the_latest(config: RunConfig) -> None:
    """The naive twin: theta is copied at every iteration, and the best is looked up afterwards."""
    trainer = InterleavedLoop(config)
    seen: list[tuple[float, int, dict[str, np.ndarray]]] = []
    for record in trainer.records(lambda: None):
        if isinstance(record, IterationRecord):
            seen.append((record.row["eval_return_mean"], record.row["frames"], trainer.run.learner.parameters.theta()))
    highest = max(mean for mean, _, _ in seen)
    assert len(seen) == 10 and highest > seen[-1][0], "the last network is the best: this shows nothing"
    mean, frames, theta = [row for row in seen if row[0] == highest][-1]
    assert trainer.run.best is not None and (trainer.run.best.return_mean, trainer.run.best.frames) == (mean, frames)
    for name, array in theta.items():
        np.testing.assert_array_equal(trainer.run.best.theta[name], array)

    before = trainer.digest()
    scores = iterations.best_scores(trainer.run, lambda: None)
    assert trainer.digest() == before, "scoring the best network changed the state"
    trainer.run.learner.parameters.set_theta(theta)
    again = evaluation.play(
        config, trainer.run.learner.scorer("evaluation/best"), "evaluation/best", episodes=BEST.final_episodes
    )
    assert scores == again


def test_of_equal_evaluations_the_latest_is_kept(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = InterleavedLoop(config)
    monkeypatch.setattr(evaluation, "play", lambda *_, **__: [evaluation.Score(9.0, 9, 9, False)])
    for _ in trainer.records(lambda: None):
        pass
    assert trainer.run.best is not None and trainer.run.best.frames == config.frames


def test_a_score_that_is_no_number_is_not_the_best(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nor does it keep a run from being saved."""
    real, calls = evaluation.play, []

    def play(*args: Any, **kwargs: Any) -> list[evaluation.Score]:
        calls.append(kwargs)
        return [evaluation.Score(float("nan"), 9, 9, False)] if len(calls) == 1 else real(*args, **kwargs)

    monkeypatch.setattr(evaluation, "play", play)
    summary = train(config, tmp_path / "run", QUIET)
    assert len(calls) == 12 and summary["final_evaluation"]["network_frames"] > config.iteration_frames


def test_the_summary_has_both_and_the_run_is_otherwise_the_same(tmp_path: Path, config: RunConfig) -> None:
    summary = train(config, tmp_path / "best", QUIET)
    last = dataclasses.replace(config, evaluation=dataclasses.replace(BEST, final_network="last"))
    plain = train(last, tmp_path / "last", QUIET)
    assert "last_network_evaluation" not in plain and "network" not in plain["final_evaluation"]
    assert summary["last_network_evaluation"] == plain["final_evaluation"]
    final = summary["final_evaluation"]
    table = read_table(tmp_path / "best" / "iterations.csv")
    means = [float(row["eval_return_mean"]) for row in table]
    best = max(i for i, mean in enumerate(means) if mean == max(means))
    assert (final["network"], final["network_frames"]) == ("best", int(table[best]["frames"]))
    assert len(final["returns_raw"]) == BEST.final_episodes
    assert (tmp_path / "best/episodes.csv").read_bytes() == (tmp_path / "last/episodes.csv").read_bytes()
    assert digest_of(tmp_path / "best") == summary["state_digest"] != plain["state_digest"]

    scored = evaluate(tmp_path / "best", 4, network="last"), evaluate(tmp_path / "last", 4)
    assert scored[0] == scored[1] and scored[0]["frames"] == config.frames
    chosen = evaluate(tmp_path / "best", 4)
    assert (chosen["network"], chosen["frames"]) == ("best", final["network_frames"])
    with pytest.raises(ConfigError, match=r"keeps no best network.*--network last"):
        evaluate(tmp_path / "last", 4, network="best")


@pytest.mark.parametrize("phase", ["evaluation/4", "evaluation/best"])
def test_stopped_anywhere_it_is_the_same_network(
    tmp_path: Path, config: RunConfig, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(config, tmp_path / "whole", QUIET)
    play: Any = evaluation.play

    def interrupted(*arguments: Any, **options: Any) -> Any:
        if arguments[2] == phase:
            raise Interrupted(15)
        return play(*arguments, **options)

    monkeypatch.setattr(evaluation, "play", interrupted)
    with pytest.raises(Interrupted):
        train(config, tmp_path / "stopped", QUIET)
    monkeypatch.setattr(evaluation, "play", play)
    assert not (tmp_path / "stopped" / "summary.json").exists()
    assert train(config, tmp_path / "stopped", QUIET) == whole
    assert read_json(tmp_path / "stopped" / "summary.json") == whole


def test_without_an_evaluation_in_training_the_last_network_is_scored(tmp_path: Path, config: RunConfig) -> None:
    never = dataclasses.replace(config, evaluation=dataclasses.replace(BEST, period_iterations=0))
    summary = train(never, tmp_path / "run", QUIET)
    assert "network" not in summary["final_evaluation"] and "last_network_evaluation" not in summary
    assert evaluate(tmp_path / "run", 2)["network"] == "last"
