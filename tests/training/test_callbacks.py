"""Callbacks of ``train``: told of everything once, unable to change a byte, and their failures lose nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf import determinism
from dqn_tf import lazy_tf as tf
from dqn_tf.checks import RunError
from dqn_tf.config import AgentConfig, RunConfig
from dqn_tf.modes import Concurrent
from dqn_tf.training.records import EpisodeRecord, IterationRecord
from dqn_tf.training.rescore import digest_of
from dqn_tf.training.run import Options, train
from dqn_tf.training.run_dir import read_json, read_table

QUIET = Options(checkpoint_frames=30, progress=False)
FILES = ("episodes.csv", "iterations.csv", "summary.json", "config.json")


@pytest.fixture(autouse=True)
def _switches_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(determinism, "enable", lambda threads, required=True: None)


@pytest.fixture(params=["interleaved", "concurrent"])
def config(
    request: pytest.FixtureRequest, cartpole: Callable[..., RunConfig], tiny_agent: Callable[..., AgentConfig]
) -> RunConfig:
    """Short episodes, and in the second case a learner that works while callbacks are told."""
    if request.param == "interleaved":
        return cartpole()
    return cartpole(agent=tiny_agent(execution=Concurrent(xla="none", threads=1, environments=2, workers=0)))


class Meddler:
    """Draws from every global generator, and tries to write to whatever it is told."""

    def __init__(self) -> None:
        self.told: list[EpisodeRecord | IterationRecord] = []
        self.refused = 0

    def __call__(self, record: EpisodeRecord | IterationRecord) -> None:
        np.random.seed(3)  # noqa: NPY002  the global generator is meant
        random.seed(3)
        tf.random.set_seed(3)
        tf.random.uniform([])
        self.told.append(record)
        targets = [(setattr, record, "frames", 7), (setattr, record, "row", {})]
        if isinstance(record, IterationRecord):
            targets += [(_put, record.row, "loss", 7.0), (_put, record.seconds, "act", 7.0)]
            targets += [(_put, record.histograms, "q", None)]
            targets += [(_put, counts, 0, 7) for counts in record.histograms.values()]
        for write, target, name, value in targets:
            with pytest.raises((AttributeError, TypeError, ValueError)):
                write(target, name, value)
            self.refused += 1


def _put(target: Any, name: Any, value: Any) -> None:
    target[name] = value


def test_a_run_with_callbacks_has_the_bytes_of_one_without(tmp_path: Path, config: RunConfig) -> None:
    meddler = Meddler()
    train(config, tmp_path / "with", QUIET, on_episode=meddler, on_iteration=meddler)
    train(config, tmp_path / "without", QUIET)
    for name in FILES:
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes(), name
    assert digest_of(tmp_path / "with") == digest_of(tmp_path / "without")
    assert meddler.refused > 20
    episodes = [record for record in meddler.told if isinstance(record, EpisodeRecord)]
    rows = read_table(tmp_path / "with" / "episodes.csv")
    assert [{k: str(v) for k, v in e._asdict().items()} for e in episodes] == rows and len(rows) >= 3
    iterations = [record for record in meddler.told if isinstance(record, IterationRecord)]
    assert [i.row["state_digest"] for i in iterations] == [
        row["state_digest"] for row in read_table(tmp_path / "with" / "iterations.csv")
    ]


@pytest.mark.parametrize("role", ["on_episode", "on_iteration"])
def test_an_exception_stops_the_run_with_a_checkpoint_and_the_callbacks_name(
    tmp_path: Path, config: RunConfig, role: str
) -> None:
    """What was told is saved and not told again; the run ends in the bytes of one that was never stopped."""
    told: list[Any] = []

    def give_up(record: EpisodeRecord | IterationRecord) -> None:
        told.append(record)
        if len(told) == 2:
            raise ValueError("enough")

    callback: dict[str, Any] = {role: give_up}
    with pytest.raises(RunError) as caught:
        train(config, tmp_path / "run", QUIET, **callback)
    assert str(caught.value).endswith("The run was saved after that record, and stopped; the same call continues it.")
    assert f"give_up ({role}) raised ValueError: enough." in str(caught.value)
    assert isinstance(caught.value.__cause__, ValueError)
    assert read_json(tmp_path / "run" / "manifest.json")["status"] == "failed"
    train(config, tmp_path / "run", QUIET, **callback)
    table = "episodes.csv" if role == "on_episode" else "iterations.csv"
    assert len(told) == len(read_table(tmp_path / "run" / table))
    train(config, tmp_path / "whole", QUIET)
    for name in FILES:
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_complete_run_tells_nothing(tmp_path: Path, cartpole: Callable[..., RunConfig]) -> None:
    train(cartpole(), tmp_path / "run", QUIET)
    train(cartpole(), tmp_path / "run", QUIET, on_episode=pytest.fail, on_iteration=pytest.fail)
