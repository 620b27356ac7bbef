"""Runs that learn from recorded data, and runs that are recorded: every promise of bytes."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dqn_tf import cli, determinism
from dqn_tf.agent.conservative import Conservative
from dqn_tf.agent.spr import SPR
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.agent.values.cloning import Cloning
from dqn_tf.agent.values.quantile import Quantile
from dqn_tf.agent.values.random_ensemble import RandomEnsemble
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.config import AgentConfig, Evaluation, RunConfig
from dqn_tf.modes import Concurrent, Fused
from dqn_tf.offline import recording
from dqn_tf.replay.importance import Importance
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.training import training_data
from dqn_tf.training.rescore import digest_of
from dqn_tf.training.run import Options, train
from dqn_tf.training.run_dir import read_json, read_summary

QUIET = Options(progress=False)
FILES = ("episodes.csv", "iterations.csv", "summary.json", "config.json")
Make = Callable[..., RunConfig]


@pytest.fixture(autouse=True)
def _switches_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(determinism, "enable", lambda threads, required=True: None)


def left(path: Path) -> dict[str, Any]:
    return {**{name: (path / name).read_bytes() for name in FILES}, "digest": digest_of(path)}


@pytest.fixture(scope="module")
def recorded(cartpole_of_module: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, "run", and what it saw while it was trained, "training"."""
    folder = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(determinism, "enable", lambda threads, required=True: None)
        train(cartpole_of_module, folder / "run", dataclasses.replace(QUIET, record=folder / "training"))
    return folder


def learning(config: RunConfig, data: Path) -> tuple[RunConfig, Options]:
    return training_data.learning_from(config, [data]), dataclasses.replace(QUIET, offline=(data,))


class Killed(Exception):
    pass


def killed_at(step: int, monkeypatch: pytest.MonkeyPatch, of: str) -> None:
    """The process ends before this step, when a checkpoint has been written three steps before."""
    from dqn_tf.training.run import _Session

    each_step = _Session._each_step

    def at_step(self: Any, loop: Any, stop: Any) -> None:
        each_step(self, loop, stop)
        steps = loop.run.counters.steps
        if steps == step - 3 and self.loop is loop and not self.store.found():
            self._save(loop, stop)
        if steps == step:
            raise Killed(of)

    monkeypatch.setattr(_Session, "_each_step", at_step)


# -- learning ----------------------------------------------------------------------------------------------------------
AGENTS: dict[str, dict[str, Any]] = {
    "dqn": {},
    "fused": {"execution": Fused(xla="none")},
    "qr_dqn": {"value": Quantile(quantiles=4)},
    "c51": {"value": Categorical(atoms=5, v_min=0, v_max=10)},
    "cql": {"auxiliary": Conservative()},
    "rem": {"value": RandomEnsemble(heads=3)},
    "cloning": {"value": Cloning()},
    "prioritized": {"replay": Prioritized(importance=Importance(clock="updates", end=60, divided_by="replay_max"))},
}


@pytest.mark.parametrize("agent", AGENTS)
def test_both_formats_and_any_memory_are_the_same_bytes(
    agent: str, recorded: Path, cartpole: Make, tiny_agent: Callable[..., AgentConfig], tmp_path: Path
) -> None:
    config = cartpole(agent=tiny_agent(**AGENTS[agent]), frames=60)
    minari, options = learning(config, recorded / "training" / "minari")
    train(minari, tmp_path / "one", options)
    dopamine, options = learning(config, recorded / "training" / "dopamine")
    train(dopamine, tmp_path / "two", dataclasses.replace(options, offline_memory=0))
    assert left(tmp_path / "one") == left(tmp_path / "two")
    summary = read_summary(tmp_path / "one" / "summary.json")
    assert (summary["updates"], summary["steps"], summary["episodes"]) == (15, 60, 0)
    assert read_json(tmp_path / "one" / "config.json")["data"]["transitions"] == 100


@pytest.mark.parametrize("agent", ["dqn", "fused", "rem", "prioritized"])
def test_a_killed_run_goes_on_with_the_same_bytes(
    agent: str,
    recorded: Path,
    cartpole: Make,
    tiny_agent: Callable[..., AgentConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    best = Evaluation(epsilon=0.0, episodes=2, final_episodes=2, final_network="best")
    config = cartpole(agent=tiny_agent(**AGENTS[agent]), frames=80, evaluation=best)
    config, options = learning(config, recorded / "training")
    train(config, tmp_path / "whole", options)
    with monkeypatch.context() as patch:
        killed_at(53, patch, agent)
        with pytest.raises(Killed):
            train(config, tmp_path / "killed", options)
    moved = tmp_path / "elsewhere"
    shutil.copytree(recorded / "training" / "dopamine", moved)  # the place of the data makes no difference
    train(config, tmp_path / "killed", dataclasses.replace(options, offline=(moved,), offline_memory=0))
    assert left(tmp_path / "killed") == left(tmp_path / "whole")


def test_other_data_are_refused_when_a_run_goes_on(
    recorded: Path, cartpole: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, options = learning(cartpole(frames=80), recorded / "training")
    with monkeypatch.context() as patch:
        killed_at(53, patch, "")
        with pytest.raises(Killed):
            train(config, tmp_path / "run", options)
    recording.record(recorded / "run", tmp_path / "other", episodes=2, say=lambda text: None)
    before = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    with pytest.raises(ConfigError, match=r"Expected the data of this run, 100 transitions .* Give it the data"):
        train(config, tmp_path / "run", dataclasses.replace(options, offline=(tmp_path / "other",)))
    assert sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir()) == before
    with pytest.raises(ConfigError, match=r"got none\. Say where they lie: --offline DATA"):
        train(config, tmp_path / "run", QUIET)
    train(config, tmp_path / "run", options)


def test_a_run_that_cannot_begin_leaves_nothing(recorded: Path, cartpole: Make, tmp_path: Path) -> None:
    config, options = learning(cartpole(), recorded / "training")
    recording.record(recorded / "run", tmp_path / "other", episodes=1, say=lambda text: None)
    with pytest.raises(ConfigError, match="Expected the data of this run"):
        train(config, tmp_path / "new", dataclasses.replace(options, offline=(tmp_path / "other",)))
    assert not (tmp_path / "new").exists()
    with pytest.raises(ConfigError, match="Expected a run with data=recorded"):
        train(cartpole(), tmp_path / "new", options)
    assert not (tmp_path / "new").exists()


def test_an_extended_run_is_the_long_run(recorded: Path, cartpole: Make, tmp_path: Path) -> None:
    short, options = learning(cartpole(frames=50), recorded / "training")
    long = dataclasses.replace(short, frames=90)
    train(short, tmp_path / "short", options)
    train(long, tmp_path / "long", options)
    train(long, tmp_path / "extended", dataclasses.replace(options, extend=tmp_path / "short"))
    assert left(tmp_path / "extended") == left(tmp_path / "long")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"execution": Concurrent(environments=2, workers=0)}, "execution=interleaved or fused with recorded data"),
        ({"auxiliary": SPR(steps=0)}, "auxiliary=no_auxiliary with recorded data, got spr"),
    ],
)
def test_agents_that_need_steps_of_their_own_are_refused(
    changes: dict[str, Any], message: str, recorded: Path, cartpole: Make, tiny_agent: Callable[..., AgentConfig]
) -> None:
    config = cartpole(agent=tiny_agent(target_update_steps=20, **changes))
    with pytest.raises(ConfigError, match=message):
        training_data.learning_from(config, [recorded / "training"])


# -- recording training ------------------------------------------------------------------------------------------------
def test_recording_changes_no_byte_of_a_run(recorded: Path, cartpole: Make, tmp_path: Path) -> None:
    train(cartpole(), tmp_path / "plain", QUIET)
    assert left(tmp_path / "plain") == left(recorded / "run")
    about = read_json(recorded / "training" / recording.ABOUT)
    assert about["formats"]["minari"] == about["formats"]["dopamine"]
    assert about["formats"]["minari"]["transitions"] == 100
    assert not list(recorded.glob(".*"))


@pytest.mark.parametrize("mode", [{}, {"execution": Fused(xla="none")}], ids=["interleaved", "fused"])
def test_a_recording_goes_on_with_its_run(
    mode: dict[str, Any],
    cartpole: Make,
    tiny_agent: Callable[..., AgentConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = cartpole(agent=tiny_agent(**mode))
    train(config, tmp_path / "whole", dataclasses.replace(QUIET, record=tmp_path / "data"))
    options = dataclasses.replace(QUIET, record=tmp_path / "again")
    with monkeypatch.context() as patch:
        killed_at(58, patch, "")
        with pytest.raises(Killed):
            train(config, tmp_path / "killed", options)
    assert not (tmp_path / "again").exists()
    train(config, tmp_path / "killed", options)
    for path in (tmp_path / "data").rglob("*"):
        if path.is_file():
            assert (tmp_path / "again" / path.relative_to(tmp_path / "data")).read_bytes() == path.read_bytes()
    assert left(tmp_path / "killed") == left(tmp_path / "whole")
    train(config, tmp_path / "killed", options)  # complete, and recorded: nothing is left to do


def test_a_recording_must_begin_with_its_run(
    recorded: Path, cartpole: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        killed_at(58, patch, "")
        with pytest.raises(Killed):
            train(cartpole(), tmp_path / "run", QUIET)
    with pytest.raises(RunError, match="A recording begins with its run"):
        train(cartpole(), tmp_path / "run", dataclasses.replace(QUIET, record=tmp_path / "data"))
    with pytest.raises(RunError, match="complete, and was not recorded"):
        train(cartpole(), recorded / "run", dataclasses.replace(QUIET, record=tmp_path / "data"))
    assert not (tmp_path / "data").exists()


def test_what_cannot_be_recorded_is_refused(
    recorded: Path, cartpole: Make, tiny_agent: Callable[..., AgentConfig], tmp_path: Path
) -> None:
    side_by_side = cartpole(agent=tiny_agent(execution=Concurrent(environments=2, workers=0)))
    offline, options = learning(cartpole(), recorded / "training")
    for config, how, message in (
        (side_by_side, QUIET, "for --record, got concurrent"),
        (offline, options, "for --record, got recorded data"),
    ):
        with pytest.raises(ConfigError, match=message):
            train(config, tmp_path / "run", dataclasses.replace(how, record=tmp_path / "data"))
    with pytest.raises(ConfigError, match="Expected a new directory for the data set"):
        train(cartpole(), tmp_path / "run", dataclasses.replace(QUIET, record=recorded / "training"))
    with pytest.raises(ConfigError, match="outside of the run's directory"):
        train(cartpole(), tmp_path / "run", dataclasses.replace(QUIET, record=tmp_path / "run" / "data"))
    assert not (tmp_path / "run").exists()


# -- recording play ----------------------------------------------------------------------------------------------------
def test_what_a_trained_agent_saw(recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command, twice: the same bytes, and what it says."""
    words = ["record", str(recorded / "run"), "--episodes", "3", "--epsilon", "0.5", "--seed", "4", "--out"]
    assert cli.main([*words, str(tmp_path / "one")]) == 0
    said = capsys.readouterr().out
    assert cli.main([*words, str(tmp_path / "two")]) == 0
    about = read_json(tmp_path / "one" / recording.ABOUT)
    assert f"{about['formats']['minari']['transitions']} transitions in 3 episodes" in said
    assert (about["epsilon"], about["seed"], about["network"]) == (0.5, 4, "last")
    for path in (tmp_path / "one").rglob("*"):
        if path.is_file():
            assert (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes() == path.read_bytes()


def test_whole_games_until_the_frames_are_over(recorded: Path, tmp_path: Path) -> None:
    about = recording.record(recorded / "run", tmp_path / "data", frames=60, formats=["minari"], say=lambda text: None)
    found = about["formats"]["minari"]
    assert list(about["formats"]) == ["minari"] and not (tmp_path / "data" / "dopamine").exists()
    assert found["transitions"] >= 60 and found["episodes"] > 1


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({}, "Expected exactly one of --episodes and --frames, got None and None"),
        ({"episodes": 1, "frames": 9}, "Expected exactly one of --episodes and --frames"),
        ({"episodes": 1, "epsilon": 2.0}, "a probability in"),
        ({"episodes": 1, "formats": ["minary"]}, "Unknown format 'minary'. Did you mean 'minari'"),
    ],
)
def test_wrong_words_write_nothing(how: dict[str, Any], message: str, recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        recording.record(recorded / "run", tmp_path / "data", say=lambda text: None, **how)
    assert not list(tmp_path.iterdir())


def test_nothing_half_written_is_left(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dqn_tf.offline.dopamine_files.write", full)
    with pytest.raises(OSError, match="No space left"):
        recording.record(recorded / "run", tmp_path / "data", episodes=1, say=lambda text: None)
    assert not list(tmp_path.iterdir())


def test_the_command_trains_offline(recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And several data sets are one."""
    words = ["train", "dqn_classic", "CartPole-v1", "--frames", "40", "--run-dir", str(tmp_path / "run")]
    for text in ("network.hidden=8", "batch_size=4", "iteration_frames=20", "execution.xla=none", "heldout_states=5"):
        words += ["--set", text]
    for text in ("evaluation.episodes=1", "evaluation.final_episodes=1"):
        words += ["--set", text]
    data = [word for name in ("minari", "dopamine") for word in ("--offline", str(recorded / "training" / name))]
    assert cli.main([*words, *data, "--offline-memory", "1"]) == 0
    said = capsys.readouterr()
    assert "Data: 200 transitions, content" in said.err and "10 updates, 0 episodes" in said.out
    assert cli.main([*words, "--offline", str(tmp_path / "nothing")]) == 2
    assert "there is nothing of this name" in capsys.readouterr().err
    together = [*words, "--seeds", "1-2", *data]
    together[together.index(str(tmp_path / "run"))] = str(tmp_path / "{seed}")
    assert cli.main(together) == 2
    assert "Expected a single run for `offline`" in capsys.readouterr().err
