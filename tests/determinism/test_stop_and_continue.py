"""A run that is killed or stopped anywhere, and started again by the same command, equals the one never stopped."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dqn_tf.determinism import digest
from dqn_tf.training.checkpoint import Store
from dqn_tf.training.rescore import digest_of
from dqn_tf.training.run_dir import read_json
from dqn_tf.training.verify import differences

pytestmark = pytest.mark.slow
KILLED, TERM, INT = -signal.SIGKILL, 143, 130


def checkpoints(run_dir: Path) -> list[Path]:
    return Store(run_dir / "checkpoints", "").found()


def rows(run_dir: Path, name: str) -> int:
    """Rows of a table, without its header."""
    path = run_dir / name
    return max(0, path.read_bytes().count(b"\n") - 1) if path.exists() else 0


def test_stopped_everywhere_and_continued(
    tmp_path: Path, cases: dict[str, Any], workbench: Any, equal_to_baseline: Callable[[str, Path], None]
) -> None:
    """Atari: before the first checkpoint, while one is written or read, in training and in evaluations, repeatedly."""
    run_dir = tmp_path / "run"
    words = cases["breakout"].words(run_dir)

    def stop(at: str, what: str, expected: int) -> Any:
        result = workbench.run(words, at, what)
        assert result.exit == expected, result.output
        assert result.seconds is not None  # the point was reached
        assert not (run_dir / "summary.json").exists()
        return result

    stop("training:30", "SIGKILL", KILLED)
    assert checkpoints(run_dir) == []
    stop("saving:9", "SIGKILL", KILLED)  # of the first checkpoint
    assert checkpoints(run_dir) == [] and list((run_dir / "checkpoints").iterdir()) != []
    result = stop("training:120", "SIGTERM", TERM)  # steps of this process
    assert result.seconds < 30 and "the same command continues" in result.output
    assert checkpoints(run_dir)[0].name == "000000000476"  # 119 steps of 4 frames
    assert read_json(run_dir / "manifest.json")["status"] == "interrupted"
    stop("loading:1", "SIGTERM", TERM)
    stop("evaluation/0:20", "SIGKILL", KILLED)
    for number, (name, code) in enumerate([("SIGINT", INT), ("SIGTERM", TERM), ("SIGTERM", TERM)]):
        result = stop(f"evaluation/0:{10 + number}", name, code)
        assert result.seconds < 30
        assert rows(run_dir, "iterations.csv") == 0  # it did not wait for the end of the evaluation
        assert checkpoints(run_dir)[0].name.startswith("000000000800")
    stop("saving:17", "SIGKILL", KILLED)
    stop("evaluation/final:25", "SIGTERM", TERM)
    assert rows(run_dir, "iterations.csv") == 2
    result = workbench.run(words)
    assert result.exit == 0, result.output
    equal_to_baseline("breakout", run_dir)
    assert digest_of(run_dir) == read_json(run_dir / "summary.json")["state_digest"]
    assert read_json(run_dir / "manifest.json")["status"] == "complete"
    assert len(checkpoints(run_dir)) == 2
    assert not [p for p in (run_dir / "checkpoints").rglob("*") if "tmp" in p.name]


def test_a_replay_of_many_pieces(tmp_path: Path, cases: dict[str, Any], workbench: Any) -> None:
    """As in a long run: checkpoints share pieces, some are written anew, and n-step returns are open."""
    segment_bytes = 20 * 29  # 20 rows of 4 float32 and 13 bytes; 150 rows are 7 pieces and a half
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    more = ("--set", "n_step=3", "--set", "min_replay_steps=40")

    def run(run_dir: Path, at: str = "", what: str = "") -> int:
        words = cases["cartpole"].words(run_dir, checkpoint_frames=25, extra=more)
        result = workbench.run(words, at, what, segment_bytes)
        return int(result.exit)

    assert run(whole) == 0
    assert run(stopped, "training:34", "SIGTERM") == TERM
    assert run(stopped, "training:230", "SIGKILL") == KILLED
    segments = _state(stopped)["replay"]["segments"]
    assert len(segments) == len(set(segments)) == 8
    times = {p.name: p.stat().st_mtime_ns for p in (stopped / "checkpoints" / "pieces").iterdir()}
    assert run(stopped, "training:9", "SIGTERM") == TERM
    kept = [n for n, t in times.items() if _mtime(stopped / "checkpoints" / "pieces" / n) == t]
    assert len(kept) >= 6  # only what is new was written
    assert run(stopped, "saving:22", "SIGKILL") == KILLED
    assert run(stopped) == 0
    assert differences(whole, stopped) == []


def test_priorities_noise_and_open_returns(
    tmp_path: Path, cases: dict[str, Any], workbench: Any, equal_to_baseline: Callable[[str, Path], None]
) -> None:
    """Rainbow: stopped while gradients are under way, killed later, continued to the same bytes."""
    words = cases["rainbow"].words(tmp_path / "run")
    for at, what, code in (("training:171", "SIGTERM", TERM), ("training:200", "SIGKILL", KILLED)):
        result = workbench.run(words, at, what)
        assert result.exit == code, result.output
    assert workbench.run(words).exit == 0
    equal_to_baseline("rainbow", tmp_path / "run")


def test_acting_and_learning_at_the_same_time(
    tmp_path: Path, cases: dict[str, Any], workbench: Any, equal_to_baseline: Callable[[str, Path], None]
) -> None:
    """Concurrent execution, Atari in two workers: stopped while the learner is on its way, killed, continued."""
    words = cases["concurrent"].words(tmp_path / "run")
    for at, what, code in (
        ("training:15", "SIGTERM", TERM),  # rounds of 4 steps: learning begins with round 20
        ("training:40", "SIGTERM", TERM),
        ("training:50", "SIGKILL", KILLED),
        ("training:9", "SIGTERM", TERM),
    ):
        result = workbench.run(words, at, what)
        assert result.exit == code, result.output
    assert workbench.run(words).exit == 0
    equal_to_baseline("concurrent", tmp_path / "run")


@pytest.mark.parametrize(
    ("case", "setting"),
    [
        ("breakout", "replay.compression=delta"),
        ("breakout", "replay.placement=device"),
        ("rainbow_interleaved", "replay.placement=device"),
    ],
)
def test_how_and_where_frames_are_kept_changes_no_byte(
    case: str, setting: str, tmp_path: Path, cases: dict[str, Any], workbench: Any, baseline: Callable[[str], Path]
) -> None:
    """Atari, stopped and killed on the way: tables, state and even the pieces of checkpoints are the plain run's."""
    run_dir, plain = tmp_path / "run", baseline(case)
    words = cases[case].words(run_dir, extra=("--set", setting))
    for at, what, code in (("training:170", "SIGTERM", TERM), ("training:190", "SIGKILL", KILLED)):
        result = workbench.run(words, at, what)
        assert result.exit == code, result.output
    assert workbench.run(words).exit == 0
    for name in ("episodes.csv", "iterations.csv"):
        assert (run_dir / name).read_bytes() == (plain / name).read_bytes()
    one, other = (read_json(path / "summary.json") for path in (run_dir, plain))
    assert one["config_hash"] != other["config_hash"] and one["state_digest"] == other["state_digest"]
    assert digest(_state(run_dir)["replay"]) == digest(_state(plain)["replay"])


def _state(run_dir: Path) -> Any:
    loaded = Store(run_dir / "checkpoints", read_json(run_dir / "manifest.json")["config_hash"]).load(pytest.fail)
    assert loaded is not None
    return loaded[1]["run"]


def _mtime(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else -1


@pytest.mark.parametrize("seed", [1])
def test_killed_at_random_moments(
    seed: int, tmp_path: Path, cases: dict[str, Any], workbench: Any, equal_to_baseline: Callable[[str, Path], None]
) -> None:
    """From outside, as the kernel or a cluster does it: once when a checkpoint appears, then whenever it happens."""
    run_dir, chance = tmp_path / "run", random.Random(seed)
    words = cases["cartpole"].words(run_dir)

    def a_checkpoint_is_being_written() -> bool:
        return any((run_dir / "checkpoints").glob(".tmp-*")) or rows(run_dir, "episodes.csv") >= 12

    moments: list[Callable[[], bool]] = [a_checkpoint_is_being_written]
    moments += [lambda least=k: rows(run_dir, "episodes.csv") >= least for k in sorted(chance.sample(range(12, 25), 4))]
    killed = 0
    for moment in moments:
        pid = workbench.start(words)
        _wait_for(lambda m=moment: m() or (run_dir / "summary.json").exists())
        time.sleep(0.02 * chance.random())
        os.kill(pid, signal.SIGKILL)  # the workbench has not yet waited for it, so that the number is still its own
        killed += workbench.wait().exit == KILLED
    assert killed >= 3
    assert workbench.run(words).exit == 0
    equal_to_baseline("cartpole", run_dir)


def _wait_for(condition: Callable[[], bool], limit_seconds: float = 300.0) -> None:
    limit = time.monotonic() + limit_seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.001)
