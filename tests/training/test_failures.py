"""A simulator that fails in the middle of a run: what was trained is saved, its words are passed on, and the run goes
on to the bytes of one that was never disturbed."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dqn_tf import cli, determinism
from dqn_tf.checks import ConfigError, Diverged, EnvironmentFault, RunError
from dqn_tf.config import Evaluation, RunConfig
from dqn_tf.envs import vector
from dqn_tf.envs.classic import GymnasiumEnvironment
from dqn_tf.execution.sequential import SequentialUpdater
from dqn_tf.modes import Concurrent
from dqn_tf.training import evaluation
from dqn_tf.training.checkpoint import Store
from dqn_tf.training.interleaved_loop import InterleavedLoop
from dqn_tf.training.loop import make_loop
from dqn_tf.training.rescore import digest_of
from dqn_tf.training.run import Options, train
from dqn_tf.training.run_dir import read_json, write_json
from dqn_tf.training.run_state import RunState
from dqn_tf.training.stop import Interrupted

# A period that no run here reaches; calls of the simulator are counted, so there is no trial before.
QUIET = Options(progress=False, try_environment=False)
ERRORS = [
    RuntimeError("solver"),
    ConnectionResetError(104, "Connection reset by peer"),
    KeyError("joint"),
    SystemExit(0),
]


@pytest.fixture(autouse=True)
def _switches_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(determinism, "enable", lambda threads: None)


@pytest.fixture
def line(cartpole: Callable[..., RunConfig], simulators: ModuleType) -> Callable[..., RunConfig]:
    """A function (field=value, ...) -> the small agent on the simulator; its best network is scored at the end."""
    scored = Evaluation(epsilon=0.0, episodes=2, final_episodes=2, final_network="best")
    return lambda **changes: cartpole(**{"environment": "gym:simulators:Line-v0", "evaluation": scored, **changes})


def left(path: Path) -> dict[str, Any]:
    """What must be equal of equal runs."""
    tables = {name: (path / name).read_bytes() for name in ("episodes.csv", "iterations.csv", "summary.json")}
    return {**tables, "digest": digest_of(path)}


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    return {}


@pytest.fixture
def whole(
    undisturbed: dict[str, Any], line: Callable[..., RunConfig], tmp_path: Path, simulators: ModuleType
) -> dict[str, Any]:
    """What the run leaves that nothing disturbed; made once."""
    if not undisturbed:
        train(line(), tmp_path / "whole", QUIET)
        undisturbed.update(left(tmp_path / "whole"))
        simulators.CALLS.clear()
    return undisturbed


def kept(path: Path, config: RunConfig) -> list[int]:
    """Frames of the checkpoints, newest first."""
    return [int(p.name.partition(".")[0]) for p in Store(path / "checkpoints", config.hash).found()]


# (the call that fails, frames of the checkpoint that is written then).  Episodes of 20 steps, iterations of 40: the
# evaluation after the first has its two lanes' resets after those of training.
CALLS = {
    "in mid-episode": ("step", 34, 33),
    "at the first step of an episode": ("step", 21, 20),
    "at a reset": ("reset", 2, 20),
    "at the first reset of an evaluation": ("reset", 3, 40),
    "in an evaluation": ("step", 50, 40),
    "in the final evaluation": ("step", 100 + 3 * 40 + 5, 100),
    "in that of the best network": ("step", 100 + 4 * 40 + 5, 100),
}


@pytest.mark.parametrize("where", CALLS)
def test_what_was_trained_is_saved_and_goes_on(
    where: str, tmp_path: Path, whole: dict[str, Any], line: Callable[..., RunConfig], simulators: ModuleType
) -> None:
    kind, number, frames = CALLS[where]

    def trouble(called: str, count: int) -> None:
        if (called, count) == (kind, number):
            raise RuntimeError("the solver did not converge")

    simulators.TROUBLE = trouble
    with pytest.raises(EnvironmentFault, match="the solver did not converge") as caught:
        train(line(), tmp_path / "run", dataclasses.replace(QUIET, command="dqn-tf train ..."))
    (note,) = caught.value.__notes__
    assert f"The last checkpoint is {frames:012d} ({frames} frames). To continue: dqn-tf train ..." in note
    assert kept(tmp_path / "run", line())[0] == frames  # before it, perhaps that of extension.py
    assert "solver did not converge" in (tmp_path / "run" / "log.txt").read_text()
    assert read_json(tmp_path / "run" / "manifest.json")["status"] == "failed"
    simulators.TROUBLE = simulators.from_environment
    train(line(), tmp_path / "run", QUIET)
    assert left(tmp_path / "run") == whole


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_it_raises_is_passed_on(
    error: BaseException, tmp_path: Path, line: Callable[..., RunConfig], simulators: ModuleType
) -> None:
    def trouble(called: str, count: int) -> None:
        if count == 30:
            raise error

    simulators.TROUBLE = trouble
    with pytest.raises(EnvironmentFault) as caught:
        train(line(), tmp_path, QUIET)
    assert type(error).__name__ in str(caught.value) and str(error) in str(caught.value)
    assert "To continue: train() with the same configuration and directory" in caught.value.__notes__[0]


def test_before_the_first_step_there_is_nothing_to_save(
    tmp_path: Path, line: Callable[..., RunConfig], simulators: ModuleType
) -> None:
    def trouble(called: str, count: int) -> None:
        raise RuntimeError("no licence")

    simulators.TROUBLE = trouble
    with pytest.raises((EnvironmentFault, ConfigError), match="no licence"):
        train(line(), tmp_path, QUIET)
    assert kept(tmp_path, line()) == []


def test_an_evaluation_that_cannot_have_its_environments_is_no_wrong_request(
    tmp_path: Path, whole: dict[str, Any], line: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ConfigError comes when the run has begun: a RunError by then, which the command line exits with 1 for."""

    def refused(*arguments: Any, **more: Any) -> None:
        raise ConfigError("the port is taken")

    with monkeypatch.context() as patched:
        patched.setattr(vector, "make", refused)
        patched.setattr(vector, "InProcess", refused)  # fewer of them
        patched.delattr(GymnasiumEnvironment, "with_streams")  # or that of training
        with pytest.raises(EnvironmentFault, match="the port is taken"):
            train(line(), tmp_path / "run", QUIET)
    assert kept(tmp_path / "run", line()) == [40]
    train(line(), tmp_path / "run", QUIET)
    assert left(tmp_path / "run") == whole


def test_any_other_wrong_request_in_mid_run_is_none(
    tmp_path: Path, line: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: SequentialUpdater, *arguments: Any, **named: Any) -> None:
        raise ConfigError("not now")

    monkeypatch.setattr(SequentialUpdater, "update", refused)
    with pytest.raises(RunError, match="not now") as caught:
        train(line(), tmp_path, QUIET)
    assert "There is no checkpoint yet: it will start from its first step. To continue: " in caught.value.__notes__[0]


def test_an_error_of_ours_keeps_its_type_and_says_what_is_kept(
    tmp_path: Path, line: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state may be that of half a step: nothing is saved, the last checkpoint counts."""
    update, calls = SequentialUpdater.update, []

    def broken(self: SequentialUpdater, *arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 12:
            raise ZeroDivisionError("ours")
        return update(self, *arguments, **named)

    monkeypatch.setattr(SequentialUpdater, "update", broken)
    with pytest.raises(ZeroDivisionError) as caught:
        train(line(), tmp_path, Options(checkpoint_frames=30, progress=False))
    assert kept(tmp_path, line()) == [30] and "checkpoint is 000000000030" in caught.value.__notes__[0]
    assert "ZeroDivisionError: ours" in (tmp_path / "log.txt").read_text()


def test_who_has_diverged_is_not_told_to_continue(
    tmp_path: Path, line: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    note = RunState.note_update
    monkeypatch.setattr(
        RunState, "note_update", lambda self, out, *at: note(self, out._replace(loss=float("inf")), *at)
    )
    with pytest.raises(Diverged) as caught:
        train(line(), tmp_path, QUIET)
    assert "To continue" not in caught.value.__notes__[0]


def test_a_run_that_could_not_begin_leaves_nothing(
    tmp_path: Path, line: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that does not grant the memory, say: the directory is free for another request."""

    def refused(config: RunConfig) -> InterleavedLoop:
        raise ConfigError("no memory there")

    monkeypatch.setattr("dqn_tf.training.run.make_loop", refused)
    (tmp_path / "made").mkdir()
    for name in ("made", "new"):
        with pytest.raises(ConfigError, match="no memory there"):
            train(line(), tmp_path / name, QUIET)
    assert list(tmp_path.iterdir()) == [tmp_path / "made"] and not any((tmp_path / "made").iterdir())
    with monkeypatch.context() as able:
        able.setattr("dqn_tf.training.run.make_loop", make_loop)
        train(line(seed=3), tmp_path / "made", QUIET)
    assert train(line(seed=3), tmp_path / "made", QUIET)["status"] == "complete"


@pytest.mark.parametrize("disk", ["full", "large"])
def test_the_first_error_is_the_one_that_is_told(
    disk: str, tmp_path: Path, line: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk also fails to hold the run's status in manifest.json, which nobody needs to hear of first."""

    def full(path: Path, data: Any) -> None:
        if path.name == "manifest.json" and disk == "full":
            raise OSError(28, "No space left on device: manifest")
        write_json(path, data)

    def save(self: Store, *arguments: Any) -> Path:
        monkeypatch.setattr("dqn_tf.training.sessions.write_json", full)
        raise OSError(28, "No space left on device: checkpoint")

    monkeypatch.setattr(Store, "save", save)
    with pytest.raises(OSError, match="checkpoint"):
        train(line(), tmp_path, dataclasses.replace(QUIET, checkpoint_frames=30))
    assert read_json(tmp_path / "manifest.json")["status"] == ("running" if disk == "full" else "failed")


# -- episodes that do not end ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["Continuing", "Stay"])
def test_tasks_and_policies_without_end_complete(name: str, tmp_path: Path, line: Callable[..., RunConfig]) -> None:
    """Also stopped and continued in the one episode of a task that goes on forever."""
    scored = Evaluation(epsilon=0.0, episodes=2, final_episodes=2, max_steps_per_episode=30)
    config = line(environment=f"gym:simulators:{name}-v0", evaluation=scored)
    summary = train(config, tmp_path / "whole", QUIET)
    evaluated = summary["final_evaluation"]
    assert evaluated["episodes"] == 2 and (name == "Stay" or evaluated["cut_off"] == 2)
    assert (summary["episodes"] == 0) is (name == "Continuing")
    step, calls = InterleavedLoop._step, []

    def stopping(self: InterleavedLoop) -> Any:
        calls.append(1)
        if len(calls) == 57:
            raise Interrupted(15)
        return step(self)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(InterleavedLoop, "_step", stopping)
        with pytest.raises(Interrupted):
            train(config, tmp_path / "stopped", QUIET)
    train(config, tmp_path / "stopped", QUIET)
    assert left(tmp_path / "stopped") == left(tmp_path / "whole")


# -- by the clock ------------------------------------------------------------------------------------------------------
def side_by_side(config: RunConfig) -> RunConfig:
    execution = Concurrent(environments=2, workers=0, threads=1, xla="none")
    return dataclasses.replace(config, agent=dataclasses.replace(config.agent, execution=execution))


def test_side_by_side_the_traceback_is_kept_too(
    tmp_path: Path, line: Callable[..., RunConfig], simulators: ModuleType
) -> None:
    def trouble(called: str, count: int) -> None:
        if count == 30:
            raise RuntimeError("the solver did not converge")

    simulators.TROUBLE = trouble
    with pytest.raises(RunError, match="the solver did not converge"):
        train(side_by_side(line()), tmp_path, QUIET)
    said = (tmp_path / "log.txt").read_text()
    assert "Traceback" in said and "RuntimeError: the solver did not converge" in said


@pytest.mark.parametrize("way", [lambda config: config, side_by_side], ids=["interleaved", "concurrent"])
def test_a_checkpoint_at_every_step_changes_no_byte(
    way: Callable[[RunConfig], RunConfig],
    tmp_path: Path,
    line: Callable[..., RunConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also in evaluations, and, in concurrent execution, while acting waits for learning."""
    config, frames, save = way(line()), [], Store.save

    def saved(self: Store, at: int, *arguments: Any) -> Path:
        frames.append(at)
        return save(self, at, *arguments)

    train(config, tmp_path / "never", QUIET)
    monkeypatch.setattr(Store, "save", saved)
    train(config, tmp_path / "always", dataclasses.replace(QUIET, checkpoint_minutes=1e-9))
    assert len(frames) >= 100 // 2 and frames == sorted(frames)
    assert left(tmp_path / "never") == left(tmp_path / "always")


def test_what_is_saved_in_an_evaluation_goes_on(
    tmp_path: Path, whole: dict[str, Any], line: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock strikes in the first evaluation only, and the process dies there."""
    play, clock = evaluation.play, [0.0]

    def late(*arguments: Any, each_step: Callable[[], None], **more: Any) -> Any:
        def then() -> None:
            clock[0] += 3600
            each_step()
            if kept(tmp_path / "run", line()):
                raise MemoryError("killed")

        return play(*arguments, each_step=then, **more)

    with monkeypatch.context() as patched:
        patched.setattr(evaluation, "play", late)
        patched.setattr("dqn_tf.training.run.time.monotonic", lambda: clock[0])
        with pytest.raises(MemoryError):
            train(line(), tmp_path / "run", QUIET)
    assert kept(tmp_path / "run", line()) == [40]
    train(line(), tmp_path / "run", QUIET)
    assert left(tmp_path / "run") == whole


# -- the command -------------------------------------------------------------------------------------------------------
def test_the_command_says_it_all_and_exits_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator's words, the checkpoint, and the very command that continues, which then does."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    settings = ("min_replay_steps=40", "evaluation.episodes=2", "evaluation.final_episodes=2", "iteration_frames=100")
    words = ["train", "dqn_classic", "simulators:Line-v0", "--frames", "100", "--run-dir", str(tmp_path / "a run")]
    words.append("--no-trial")  # which would meet it before
    words += [word for s in (*settings, "execution.xla=none") for word in ("--set", s)]

    def given(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, check=False)

    monkeypatch.setenv("SIMULATOR_FAILS", "step:60")
    failed = given(sys.executable, "-m", "dqn_tf", *words)
    assert failed.returncode == 1 and "Traceback" not in failed.stderr
    said = failed.stderr.strip().splitlines()[-1]
    assert "the solver did not converge" in said and "The last checkpoint is 0000000000" in said
    monkeypatch.delenv("SIMULATOR_FAILS")
    command = said.partition("To continue: ")[2].replace("python", sys.executable, 1)
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "complete, 100 frames" in done.stdout, done.stderr


def test_minutes_of_the_command_line(outcome: Any, capsys: pytest.CaptureFixture[str]) -> None:
    parse = cli._parser().parse_args
    words = ["train", "dqn_classic", "CartPole-v1", "--frames", "10", "--run-dir", "x"]
    assert parse(words).checkpoint_minutes == 10.0
    assert parse([*words, "--checkpoint-minutes", "0.5"]).checkpoint_minutes == 0.5
    for wrong in ("0", "-1", "nan", "inf", "soon"):
        with pytest.raises(SystemExit):
            parse([*words, "--checkpoint-minutes", wrong])
        assert "expected a number above 0" in capsys.readouterr().err


def test_unscaled_observations_are_told(
    tmp_path: Path, line: Callable[..., RunConfig], simulators: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The learning rate is not to blame for meters where others show kilometers."""
    note = RunState.note_update
    monkeypatch.setattr(
        RunState, "note_update", lambda self, out, *at: note(self, out._replace(loss=float("inf")), *at)
    )
    with pytest.raises(Diverged) as caught:
        train(line(environment="gym:simulators:Unscaled-v0"), tmp_path, QUIET)
    assert "Observations are as large as 1" in caught.value.__notes__[0] and "e+07" in caught.value.__notes__[0]
