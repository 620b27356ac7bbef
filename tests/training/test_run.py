"""``train``: files, refusals, and going on after whatever stopped it.

The switches of ``determinism.enable`` must come before any other TensorFlow code, so here they are left alone; that
runs are equal byte for byte under them is shown in tests/determinism.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import signal
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dqn_tf import determinism, memory
from dqn_tf.agent.parameters import Parameters
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.config import RunConfig
from dqn_tf.execution.sequential import SequentialUpdater
from dqn_tf.modes import Concurrent
from dqn_tf.replay.ring import Ring
from dqn_tf.training import evaluation, run
from dqn_tf.training.checkpoint import Store
from dqn_tf.training.rescore import digest_of
from dqn_tf.training.run import Options, train
from dqn_tf.training.run_dir import Table, read_json, read_table
from dqn_tf.training.stop import Interrupted

QUIET = Options(checkpoint_frames=30, progress=False)


@pytest.fixture(autouse=True)
def _switches_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(determinism, "enable", lambda threads: None)


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    """What the uninterrupted run of this module leaves: summary and tables, filled by the first test."""
    return {}


def tables(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in ("episodes.csv", "iterations.csv")}


@pytest.fixture
def expect_whole(tmp_path: Path, whole: dict[str, Any], cartpole: Callable[..., RunConfig]) -> Callable[[Path], None]:
    """A function (run directory): it is complete, and equal to the run that was never stopped."""
    if not whole:
        whole["summary"] = train(cartpole(), tmp_path / "whole", QUIET)
        whole["tables"] = tables(tmp_path / "whole")

    def check(path: Path) -> None:
        assert read_json(path / "summary.json") == whole["summary"]
        assert tables(path) == whole["tables"]
        assert digest_of(path) == whole["summary"]["state_digest"]

    return check


def test_what_a_run_leaves(tmp_path: Path, cartpole: Callable[..., RunConfig]) -> None:
    summary = train(cartpole(), tmp_path / "run", QUIET)
    path = tmp_path / "run"
    assert {p.name for p in path.iterdir()} == {
        *("config.json", "manifest.json", "summary.json", "log.txt", ".lock"),
        *("episodes.csv", "iterations.csv", "timing.csv", "checkpoints"),
    }
    assert summary == read_json(path / "summary.json")
    assert (summary["status"], summary["frames"], summary["steps"], summary["updates"]) == ("complete", 100, 100, 24)
    assert (
        summary["episodes"] == len(read_table(path / "episodes.csv")) and len(read_table(path / "iterations.csv")) == 3
    )
    assert summary["final_evaluation"]["episodes"] == len(summary["final_evaluation"]["returns_raw"]) == 2
    assert summary["state_digest"] == digest_of(path)
    manifest = read_json(path / "manifest.json")
    assert (manifest["status"], manifest["config_hash"]) == ("complete", cartpole().hash)
    assert manifest["scope"]["xla"] == "none" and len(manifest["sessions"]) == 1
    assert len(read_table(path / "timing.csv")) == 3


def test_a_complete_run_returns_at_once(
    tmp_path: Path, cartpole: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = train(cartpole(), tmp_path, QUIET)
    monkeypatch.setattr("dqn_tf.training.run.make_loop", None)  # nothing is built
    monkeypatch.setattr(memory, "available", lambda: (0, "left"))  # nor is memory asked for
    assert train(cartpole(), tmp_path, QUIET) == summary


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stopped_by_a_signal_and_continued(
    tmp_path: Path,
    cartpole: Callable[..., RunConfig],
    expect_whole: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    code: int,
) -> None:
    """In the middle of an episode, between two checkpoints."""
    path, update = tmp_path / "run", Parameters.sync_target
    monkeypatch.setattr(Parameters, "sync_target", lambda self: (update(self), os.kill(os.getpid(), number))[0])
    with pytest.raises(Interrupted) as caught:
        train(cartpole(), path, QUIET)
    assert caught.value.exit_code == code
    assert read_json(path / "manifest.json")["status"] == "interrupted"
    assert Store(path / "checkpoints", cartpole().hash).found()[0].name == "000000000020"
    monkeypatch.undo()
    monkeypatch.setattr(determinism, "enable", lambda threads: None)
    train(cartpole(), path, QUIET)
    expect_whole(path)
    assert "Continued from checkpoint 000000000020 (20 frames)." in (path / "log.txt").read_text()
    assert [s["status"] for s in read_json(path / "manifest.json")["sessions"]] == ["interrupted", "complete"]


def test_a_loss_that_is_not_finite_keeps_the_last_checkpoint(
    tmp_path: Path,
    cartpole: Callable[..., RunConfig],
    expect_whole: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The run fails with one message; the checkpoint before it is good and can be continued from."""
    path, update, calls = tmp_path / "run", SequentialUpdater.update, []

    def diverge(self: SequentialUpdater, *arguments: Any, **more: Any) -> Any:
        calls.append(1)
        out = update(self, *arguments, **more)
        return out._replace(loss=float("nan")) if len(calls) == 20 else out

    monkeypatch.setattr(SequentialUpdater, "update", diverge)
    with pytest.raises(RunError, match="The loss is nan and the gradient norm "):
        train(cartpole(), path, QUIET)
    assert read_json(path / "manifest.json")["status"] == "failed"
    store = Store(path / "checkpoints", cartpole().hash)
    assert store.load(print) is not None and [p.name for p in store.found()] == ["000000000060", "000000000030"]
    monkeypatch.setattr(SequentialUpdater, "update", update)
    train(cartpole(), path, QUIET)
    expect_whole(path)


@pytest.mark.parametrize("table", ["episodes.csv", "iterations.csv"])
def test_a_full_disk_keeps_what_was_saved(
    tmp_path: Path,
    cartpole: Callable[..., RunConfig],
    expect_whole: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    table: str,
) -> None:
    """Half of a row reaches the disk; when there is space again, the same command goes on."""
    put = Table._put

    def full(self: Table, line: bytes) -> None:
        if self.path.name == table and self.path.read_bytes().count(b"\n") == 2:
            self._file.write(line[:5])
            self._file.flush()
            raise OSError(errno.ENOSPC, "No space left on device")
        put(self, line)

    path = tmp_path / "run"
    monkeypatch.setattr(Table, "_put", full)
    with pytest.raises(OSError, match="No space left on device"):
        train(cartpole(), path, QUIET)
    monkeypatch.setattr(Table, "_put", put)
    train(cartpole(), path, QUIET)
    expect_whole(path)


def test_damaged_checkpoints_stop_the_run_before_anything_is_touched(
    outcome, tmp_path: Path, cartpole: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "play", lambda *a, **k: (_ for _ in ()).throw(Interrupted(15)))
    with pytest.raises(Interrupted):
        train(cartpole(), tmp_path, QUIET)
    for path in (tmp_path / "checkpoints").glob("*/state.json"):
        path.write_text("{}")
    before = {**tables(tmp_path), **{p.name: p.read_bytes() for p in (tmp_path / "checkpoints").glob("*/*")}}
    message = outcome(train, cartpole(), tmp_path, QUIET)
    assert "verifies, so nothing was started" in message
    assert before == {**tables(tmp_path), **{p.name: p.read_bytes() for p in (tmp_path / "checkpoints").glob("*/*")}}


def test_outside_the_scope_of_determinism_only_when_told(
    outcome, tmp_path: Path, cartpole: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "play", lambda *a, **k: (_ for _ in ()).throw(Interrupted(15)))
    with pytest.raises(Interrupted):
        train(cartpole(), tmp_path, QUIET)
    monkeypatch.undo()
    monkeypatch.setattr(determinism, "enable", lambda threads: None)
    monkeypatch.setattr(determinism, "cpu_model", lambda: "another processor")
    message = outcome(train, cartpole(), tmp_path, QUIET)
    assert "would leave the scope of its determinism" in message
    assert f"cpu: {json.loads((tmp_path / 'manifest.json').read_text())['scope']['cpu']!r} then" in message
    options = Options(checkpoint_frames=30, progress=False, outside_scope=True)
    assert train(cartpole(), tmp_path, options)["status"] == "complete"
    assert read_json(tmp_path / "manifest.json")["sessions"][-1]["scope"]["cpu"] == "another processor"


def test_too_large_a_replay_is_refused_before_the_directory_is_made(
    tmp_path: Path, cartpole: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available", lambda: (memory.HEADROOM, "available on this machine"))
    with pytest.raises(ConfigError, match="Expected memory for a replay of 64 transitions"):
        train(cartpole(), tmp_path / "run", QUIET)
    assert not (tmp_path / "run").exists()


def test_a_run_that_runs_out_of_memory_is_saved_and_continues(
    tmp_path: Path, cartpole: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compressed replay whose frames compress worse than hoped: a clear end, and nothing lost."""
    config = cartpole().with_settings(["replay.compression=delta"])
    for name, value in (("MEANINGFUL_ROWS", 5), ("RESERVE", 2**28)):
        monkeypatch.setattr(memory, name, value)
    monkeypatch.setattr(run, "WATCH_FRAMES", 30)
    with monkeypatch.context() as short:
        have = iter([2**40] * 2)  # enough at the start and at step 30
        short.setattr(memory, "available", lambda: (next(have, 2**27), "left in this control group"))
        with pytest.raises(memory.Shortage, match=r"memory for the replay, but 0\.13 GB are left in this control"):
            train(config, tmp_path / "run", QUIET)
    assert [int(p.name) for p in Store(tmp_path / "run" / "checkpoints", "").found()] == [60, 30]
    assert "Memory may not suffice" not in (tmp_path / "run" / "log.txt").read_text()
    summary = train(config, tmp_path / "run", QUIET)
    whole = train(cartpole(), tmp_path / "raw", QUIET)
    assert summary["state_digest"] == whole["state_digest"]  # as if never stopped, and as if never compressed
    for name in ("episodes.csv", "iterations.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "raw" / name).read_bytes()


def test_a_run_that_is_over_leaves_no_replay_behind(
    tmp_path: Path, cartpole: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million transitions are 7 GB, and several runs may share a process."""
    rings: list[weakref.ref[Ring]] = []
    make = Ring.__init__

    def noted(self: Ring, *arguments: Any, **more: Any) -> None:
        make(self, *arguments, **more)
        rings.append(weakref.ref(self))

    monkeypatch.setattr(Ring, "__init__", noted)
    train(cartpole(), tmp_path, QUIET)
    gc.collect()
    assert len(rings) == 1 and rings[0]() is None


# -- a summary that was damaged ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"frames": 100}', "null"])
def test_a_damaged_summary_is_named_and_written_anew(
    outcome, tmp_path: Path, cartpole: Callable[..., RunConfig], expect_whole: Callable[[Path], None], text: str
) -> None:
    train(cartpole(), tmp_path / "run", QUIET)
    path = tmp_path / "run" / "summary.json"
    path.write_text(text)
    message = outcome(train, cartpole(), tmp_path / "run", QUIET)
    assert str(path) in message
    path.unlink()
    train(cartpole(), tmp_path / "run", QUIET)
    expect_whole(tmp_path / "run")


# -- a budget without updates ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("agent", "frames", "updates"),
    [
        ({"min_replay_steps": 8, "steps_per_update": 4}, 100, 24),  # steps 8, 12, ... 100
        ({"min_replay_steps": 9, "steps_per_update": 4}, 100, 23),
        ({"min_replay_steps": 100 - 64, "steps_per_update": 64, "updates_at_once": 3}, 100, 3),
        ({"min_replay_steps": 60, "steps_per_update": 64}, 63, 0),
        ({"min_replay_steps": 40}, 39, 0),
        ({"min_replay_steps": 40}, 40, 1),
    ],
)
def test_how_many_updates_are_due(
    tmp_path: Path,
    cartpole: Callable[..., RunConfig],
    tiny_agent: Callable[..., Any],
    agent: dict[str, int],
    frames: int,
    updates: int,
) -> None:
    """Worked out beforehand, and made."""
    config = cartpole(agent=tiny_agent(**agent), frames=frames, iteration_frames=frames)
    assert config.updates == updates
    assert train(config, tmp_path, QUIET)["updates"] == updates


def test_side_by_side_as_many_are_due_as_are_made(
    tmp_path: Path, cartpole: Callable[..., RunConfig], tiny_agent: Callable[..., Any]
) -> None:
    execution = Concurrent(environments=2, workers=0, threads=1, xla="none")
    config = cartpole(agent=tiny_agent(execution=execution))  # from step 20 on, the first multiple of 20 from 8 on
    assert train(config, tmp_path, QUIET)["updates"] == config.updates == 20


def test_a_run_that_learns_nothing_says_so(
    tmp_path: Path, cartpole: Callable[..., RunConfig], tiny_agent: Callable[..., Any]
) -> None:
    """At the start, and in the score, which is no best network's; to score an untrained agent is a legal wish."""
    config = cartpole(agent=tiny_agent(min_replay_steps=60), frames=40, iteration_frames=20)
    config = config.with_settings(["evaluation.final_network=best"])
    summary = train(config, tmp_path, QUIET)
    log = (tmp_path / "log.txt").read_text()
    assert "Nothing will be learned: the budget of 40 steps is over before the first update" in log
    words = evaluation.words(summary["final_evaluation"], summary["updates"])
    assert words.startswith("final evaluation of a network that was NEVER TRAINED (no update was made) ")
    assert words in log


def test_a_score_that_is_no_number_is_said() -> None:
    final = {"return_mean": None, "episodes": 3}
    assert evaluation.words(final, 5) == "final evaluation not a number over 3 episodes"
