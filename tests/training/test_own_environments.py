"""Runs of environments that are not what the promise of determinism needs: they say so, and are never lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf import determinism, envs
from dqn_tf.checks import ConfigError, EnvironmentFault, RunError
from dqn_tf.config import Concurrent, RunConfig
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform
from dqn_tf.training.callbacks import CallbackError
from dqn_tf.training.run import Options, train
from dqn_tf.training.run_dir import read_json, read_table
from dqn_tf.types import ObservationSpec, StepType, TimeStep

QUIET = Options(progress=False)
Run = Callable[..., RunConfig]
CONCURRENT = Concurrent(xla="none", threads=1, environments=2, workers=0)


@pytest.fixture(autouse=True)
def _switches_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(determinism, "enable", lambda threads: None)


@pytest.fixture
def run(cartpole: Run, misbehaving: Callable[[str], str]) -> Run:
    """A function (name, execution=, ...) -> 100 steps of the small agent on an environment of misbehaving.py."""

    def build(name: str, **changes: Any) -> RunConfig:
        config = cartpole(environment=f"gym:{misbehaving(name)}")
        agent = dataclasses.replace(config.agent, n_step=3, **changes)
        return dataclasses.replace(config, agent=agent)

    return build


def stopped(config: RunConfig, path: Path, episode: int) -> None:
    """Train until so many episodes are over, and stop with a checkpoint."""

    def stop(record: Any) -> None:
        if record.episode == episode:
            raise KeyError("enough")

    with pytest.raises(CallbackError, match="enough"):
        train(config, path, QUIET, on_episode=stop)


@pytest.mark.parametrize("execution", [None, CONCURRENT], ids=["interleaved", "concurrent"])
def test_a_run_that_cannot_be_exact_says_so_and_goes_on_when_asked_to(execution: Any, run: Run, tmp_path: Path) -> None:
    config = run("Quick", **({"execution": execution} if execution else {}))
    stopped(config, tmp_path, episode=6)
    log, manifest = (tmp_path / "log.txt").read_text(), read_json(tmp_path / "manifest.json")
    assert "THIS RUN WILL NOT BE EXACT. An object of misbehaving:Quick-v0 that had not played the earlier" in log
    assert manifest["promise"].startswith("The promise does not hold for this run: An object of misbehaving:Quick")
    assert manifest["environment_trial"]["broken"]
    before = read_json(tmp_path / "manifest.json")
    with pytest.raises(
        RunError, match=r"Expected the replay of episode .* continue nevertheless, .*: --resume inexact"
    ):
        train(config, tmp_path, QUIET)
    assert "inexact_resumes" not in read_json(tmp_path / "manifest.json")
    rows = len(read_table(tmp_path / "episodes.csv"))
    summary = train(config, tmp_path, dataclasses.replace(QUIET, resume="inexact"))
    assert summary["frames"] == 100
    manifest = read_json(tmp_path / "manifest.json")
    begun = manifest["inexact_resumes"]
    assert begun[0]["frames"] < 100
    assert begun[0].keys() == {"frames", "environment_index", "episode", "steps"}
    assert (
        f"At {begun[0]['frames']} frames episode {begun[0]['episode']} of environment"
        in (tmp_path / "log.txt").read_text()
    )
    assert manifest["environment_trial"] == before["environment_trial"]
    episodes = read_table(tmp_path / "episodes.csv")
    assert len(episodes) == summary["episodes"] > rows
    numbers = [int(row["episode"]) for row in episodes]
    assert numbers == list(range(len(numbers)))


def test_an_exact_run_is_continued_exactly_whatever_was_allowed(run: Run, tmp_path: Path) -> None:
    config = run("Walk")
    train(config, tmp_path / "whole", QUIET)
    stopped(config, tmp_path / "stopped", episode=2)
    train(config, tmp_path / "stopped", dataclasses.replace(QUIET, resume="inexact"))
    for name in ("episodes.csv", "iterations.csv", "summary.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()
    manifest = read_json(tmp_path / "stopped" / "manifest.json")
    assert "inexact_resumes" not in manifest
    assert "every byte" in manifest["promise"]
    assert manifest["environment_trial"]["broken"] is None


@pytest.mark.parametrize(
    ("name", "execution"),
    [
        ("Once", None),
        ("Twice", None),
        ("Once", dataclasses.replace(CONCURRENT, environments=1)),
    ],
)
def test_evaluations_use_the_environments_that_can_be_had(name: str, execution: Any, run: Run, tmp_path: Path) -> None:
    """One exists once, of the other there are two at a time; the bytes are those of one that can be had at will."""
    changes = {"execution": execution} if execution else {}
    train(run("Walk", **changes), tmp_path / "walk", QUIET)
    train(run(name, **changes), tmp_path / "own", QUIET)
    for table in ("episodes.csv", "iterations.csv"):
        ours, theirs = (read_table(tmp_path / folder / table) for folder in ("own", "walk"))
        for row, other in zip(ours, theirs, strict=True):
            assert {k: v for k, v in row.items() if k != "state_digest"} == {
                k: v for k, v in other.items() if k != "state_digest"
            }
    scores = [read_json(tmp_path / folder / "summary.json")["final_evaluation"] for folder in ("own", "walk")]
    assert scores[0] == scores[1]
    lent = (
        "gym:misbehaving:Once-v0 exists once: it is lent to the evaluation."
        in (tmp_path / "own" / "log.txt").read_text()
    )
    assert lent == (name == "Once")


@pytest.mark.parametrize("execution", [CONCURRENT, dataclasses.replace(CONCURRENT, environments=1, workers=1)])
def test_one_simulator_is_not_enough_for_several_environments(execution: Any, run: Run, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"Expected more than one object of misbehaving:Once-v0 .* port 4711 is taken"
    ):
        train(run("Once", execution=execution), tmp_path / "run", QUIET)
    assert not (tmp_path / "run").exists()


def test_an_environment_that_changes_the_present_folder_takes_no_run_with_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its trial, nor the first look at its spaces; and a run stays where it was begun."""
    monkeypatch.chdir(tmp_path)
    config = run("Elsewhere")
    assert envs.observation_spec(config.environment, None).shape == (2,) and Path.cwd() == tmp_path
    train(config, "run", QUIET)
    assert (tmp_path / "run" / "summary.json").exists() and Path.cwd() != tmp_path, "it did change it"


@pytest.mark.parametrize("name", ["NanReward", "ShapeLater", "Crash"])
def test_faults_are_found_before_anything_is_touched(name: str, run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"misbehaving:{name}-v0, episode 2, step 7 .* before training"):
        train(run(name), tmp_path / "run", QUIET)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["NanReward", "HugeObservation", "NoneReward", "Crash", "MoreActions"])
def test_faults_in_mid_run_are_named_and_what_was_trained_is_kept(name: str, run: Run, tmp_path: Path) -> None:
    options = dataclasses.replace(QUIET, try_environment=False)
    with pytest.raises(
        EnvironmentFault, match=rf"misbehaving:{name}-v0, .*episode 2, step 7 \(action [01]\): "
    ) as caught:
        train(run(name), tmp_path, options)
    assert "The last checkpoint is " in caught.value.__notes__[0]


def test_an_episode_that_is_cut_is_a_truncation_for_the_replay() -> None:
    def step(x: float, kind: StepType) -> TimeStep:
        shown = np.array([x], np.float32)
        return TimeStep(shown, shown, 0.0, 1.0, kind, False, False, 1, 1)

    replay = Replay(Uniform(), Storage(capacity=20), ObservationSpec((1,), "float32"), 3, 0.5, seed=0)
    replay.cut()  # of nothing
    replay.add_first(step(0, StepType.FIRST))
    for k in (1, 2, 3, 4):
        replay.add(k, float(k), step(k, StepType.MID))
    replay.cut()
    replay.cut()
    columns = replay.ring.columns
    assert columns["ahead"][:6].tolist() == [3, 3, 2, 1, 0, 0]
    assert columns["reward"][:4].tolist() == [1 + 1 + 0.75, 2 + 1.5 + 1, 3 + 2, 4]
    assert columns["discount"][:4].tolist() == [0.125, 0.125, 0.25, 0.5]
    replay.add_first(step(9, StepType.FIRST))
    replay.add(5, 5.0, step(10, StepType.MID))
    assert replay.ring.columns["ahead"][4] == 0  # nothing leads over the cut
