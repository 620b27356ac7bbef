"""More frames for a finished run: the bytes of a run that had them from the start, or what differs, said beforehand."""

from __future__ import annotations

import dataclasses
import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dqn_tf import cli, determinism
from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.checks import RunError
from dqn_tf.config import Evaluation, RunConfig
from dqn_tf.modes import Concurrent
from dqn_tf.replay.importance import Importance
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.training import exactness
from dqn_tf.training.checkpoint import Store
from dqn_tf.training.rescore import digest_of
from dqn_tf.training.run import Options, train
from dqn_tf.training.run_dir import read_json
from dqn_tf.training.stop import Interrupted

QUIET = Options(progress=False)
FILES = ("episodes.csv", "iterations.csv", "summary.json", "config.json")


@pytest.fixture(autouse=True)
def _switches_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(determinism, "enable", lambda threads: None)


def left(path: Path) -> dict[str, Any]:
    return {**{name: (path / name).read_bytes() for name in FILES}, "digest": digest_of(path)}


def agent(config: RunConfig, **changes: Any) -> RunConfig:
    return dataclasses.replace(config, agent=dataclasses.replace(config.agent, **changes))


SIDE_BY_SIDE = Concurrent(environments=2, workers=0, threads=1, xla="none")
PRIORITIZED = Prioritized(importance=Importance(clock="updates", end=60, divided_by="replay_max"))
# Iterations of 40.  What the budgets are, and how the agent differs from the small one.
CASES: dict[str, tuple[int, int, dict[str, Any]]] = {
    "between iterations": (80, 160, {}),
    "in mid-iteration": (100, 150, {}),
    "before learning begins": (6, 60, {}),
    "schedules under way": (100, 140, {"exploration": EpsilonGreedy(decay_steps=120), "replay": PRIORITIZED}),
    "side by side, in mid-period": (80, 140, {"execution": SIDE_BY_SIDE, "target_update_steps": 30}),
    "side by side, in mid-iteration": (100, 140, {"execution": SIDE_BY_SIDE}),
}


@pytest.fixture
def scored(cartpole: Callable[..., RunConfig]) -> Callable[..., RunConfig]:
    """A function (field=value, ...) -> the small run, with the best network's score at its end."""
    best = Evaluation(epsilon=0.0, episodes=2, final_episodes=2, final_network="best")
    return lambda **changes: cartpole(**{"evaluation": best, **changes})


@pytest.mark.parametrize("case", CASES)
def test_an_extended_run_is_the_long_run(case: str, tmp_path: Path, scored: Callable[..., RunConfig]) -> None:
    short, long, changes = CASES[case]
    train(agent(scored(frames=short), **changes), tmp_path / "short", QUIET)
    before = left(tmp_path / "short")
    config = agent(scored(frames=long), **changes)
    train(config, tmp_path / "long", QUIET)
    train(config, tmp_path / "extended", dataclasses.replace(QUIET, extend=tmp_path / "short"))
    assert left(tmp_path / "extended") == left(tmp_path / "long")
    assert left(tmp_path / "short") == before
    parent = read_json(tmp_path / "extended" / "manifest.json")["parent"]
    assert parent["config_hash"] == agent(scored(frames=short), **changes).hash and parent["frames"] == short
    assert (parent["state_digest"], parent["difference"]) == (before["digest"], None)
    assert parent["run_dir"] == str(tmp_path / "short")
    assert (
        "to the bytes of a run that had this budget from the start." in (tmp_path / "extended" / "log.txt").read_text()
    )


@pytest.fixture
def short(tmp_path: Path, scored: Callable[..., RunConfig]) -> Path:
    """A finished run of 100 frames."""
    train(scored(), tmp_path / "short", QUIET)
    return tmp_path / "short"


def test_nothing_is_promised_where_the_environment_keeps_none(
    short: Path, tmp_path: Path, scored: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = {"broken": "Something is kept from episode to episode.", "alone": None}
    monkeypatch.setattr(exactness, "trial_of", lambda config: trial)
    options = dataclasses.replace(QUIET, extend=short, try_environment=True)
    train(scored(frames=150), tmp_path / "extended", options)
    said = (tmp_path / "extended" / "log.txt").read_text()
    assert f"NOT to the bytes of a run that had this budget from the start. {exactness.BROKEN}{trial['broken']}" in said


def test_what_cannot_be_the_same_is_said_before_it_starts(
    short: Path, tmp_path: Path, scored: Callable[..., RunConfig]
) -> None:
    """A run of an older version has no checkpoint before the end that cut its last iteration short."""
    older = Store(short / "checkpoints", scored().hash).found()[1]
    assert older.name == "000000000099"
    shutil.rmtree(older)
    config = scored(frames=150)
    train(config, tmp_path / "long", QUIET)
    train(config, tmp_path / "extended", dataclasses.replace(QUIET, extend=short))
    said = (tmp_path / "extended" / "log.txt").read_text()
    difference = read_json(tmp_path / "extended" / "manifest.json")["parent"]["difference"]
    assert f"NOT to the bytes of a run that had this budget from the start. {difference}" in said
    assert said.index(difference) < said.index("Continued from checkpoint")
    assert "the next iteration ends at 160 frames" in difference and "best network" in difference
    one, other = left(tmp_path / "extended"), left(tmp_path / "long")
    assert one["episodes.csv"] == other["episodes.csv"] and one["iterations.csv"] != other["iterations.csv"]
    states = [Store(tmp_path / n / "checkpoints", config.hash).load(print) for n in ("extended", "long")]
    learners = [determinism.digest(loaded[1]["run"]["learner"]) for loaded in states if loaded]
    assert learners[0] == learners[1]


def test_stopped_before_and_after_its_first_checkpoint(
    short: Path, tmp_path: Path, scored: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command begins with the parent again, then with its own; without --extend it begins anew: same bytes."""
    config, how = scored(frames=150), dataclasses.replace(QUIET, extend=short, checkpoint_frames=20)
    train(config, tmp_path / "long", QUIET)
    from dqn_tf.training.interleaved_loop import InterleavedLoop

    step, calls = InterleavedLoop._step, []

    def stopping(self: InterleavedLoop) -> Any:
        calls.append(1)
        if len(calls) in (5, 40):
            raise KeyboardInterrupt if len(calls) == 5 else Interrupted(15)
        return step(self)

    with monkeypatch.context() as patched:
        patched.setattr(InterleavedLoop, "_step", stopping)
        with pytest.raises(KeyboardInterrupt):  # as if killed: nothing is saved
            train(config, tmp_path / "run", how)
        shutil.copytree(tmp_path / "run", tmp_path / "alone")
        with pytest.raises(Interrupted):
            train(config, tmp_path / "run", how)
    shutil.move(short, tmp_path / "elsewhere")
    train(config, tmp_path / "run", how)  # the parent is needed no longer
    assert left(tmp_path / "run") == left(tmp_path / "long")
    train(config, tmp_path / "alone", QUIET)
    assert left(tmp_path / "alone") == left(tmp_path / "long")


def test_what_is_refused_before_anything_is_touched(
    outcome, short: Path, tmp_path: Path, scored: Callable[..., RunConfig]
) -> None:
    def told(config: RunConfig, parent: Path) -> str:
        return str(outcome(train, config, tmp_path / "new", dataclasses.replace(QUIET, extend=parent)))

    assert "more than the 100 frames" in told(scored(frames=100), short)
    assert "seed: 0 there, 1 asked for" in told(scored(frames=200, seed=1), short)
    assert "Expected the directory of a run for --extend" in told(scored(frames=200), tmp_path)
    with open(short / ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RunError, match="is in use by"):
            train(scored(frames=200), tmp_path / "held", dataclasses.replace(QUIET, extend=short))
    shutil.rmtree(short / "checkpoints")
    assert "Expected a checkpoint in" in told(scored(frames=200), short)
    assert not (tmp_path / "new").exists()


def test_who_asks_for_more_frames_is_told_how(outcome, short: Path, scored: Callable[..., RunConfig]) -> None:
    message = outcome(train, scored(frames=200), short, QUIET)
    assert "frames: 100 there, 200 asked for" in message
    assert message.endswith(f"or choose another --run-dir, with --extend {short} to begin with what is there.")
    assert "--extend" not in outcome(train, scored(frames=50), short, QUIET)


def test_a_parent_outside_the_scope_is_refused_as_when_resuming(
    short: Path, tmp_path: Path, scored: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(determinism, "cpu_model", lambda: "another processor")
    how = dataclasses.replace(QUIET, extend=short)
    with pytest.raises(RunError, match="would leave the scope of its determinism"):
        train(scored(frames=200), tmp_path / "new", how)
    assert not (tmp_path / "new").exists()
    train(scored(frames=200), tmp_path / "new", dataclasses.replace(how, outside_scope=True))
    assert read_json(tmp_path / "new" / "manifest.json")["outside_scope"] is True


def test_the_command_line_has_it() -> None:
    words = ["train", "dqn_classic", "CartPole-v1", "--frames", "10", "--run-dir", "x", "--extend", "y"]
    assert cli._parser().parse_args(words).extend == Path("y")
