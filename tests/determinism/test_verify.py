"""``dqn-tf verify``: green where it should be, red where anything differs."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dqn_tf.checks import ConfigError
from dqn_tf.training import verify
from dqn_tf.training.checkpoint import Store
from dqn_tf.training.run_dir import read_json

pytestmark = pytest.mark.slow


@pytest.fixture
def pair(tmp_path: Path, baseline: Callable[[str], Path]) -> tuple[Path, Path]:
    """A run and a copy of it."""
    return baseline("cartpole"), Path(shutil.copytree(baseline("cartpole"), tmp_path / "copy"))


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def flip_last_digit(data: bytes) -> bytes:
    at = max(i for i, byte in enumerate(data) if chr(byte).isdigit())
    return data[:at] + str((int(chr(data[at])) + 1) % 10).encode() + data[at + 1 :]


def cut_last_row(data: bytes) -> bytes:
    return data[: data.rfind(b"\n", 0, -1) + 1]


def change_a_byte_of_the_replay(run_dir: Path) -> None:
    manifest = read_json(Store(run_dir / "checkpoints", "").found()[0] / "manifest.json")
    piece = next(iter(manifest["body"]["pieces"]))
    edit(run_dir / "checkpoints" / "pieces" / f"{piece}.npz", lambda b: b[:99] + bytes([b[99] ^ 1]) + b[100:])


def forget_what_came_last(run_dir: Path) -> None:
    """Leave only a checkpoint from before the last iteration was closed."""
    newest_first = Store(run_dir / "checkpoints", "").found()
    assert len(newest_first) == 2
    shutil.rmtree(newest_first[0])


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a digit of a table": (lambda d: edit(d / "episodes.csv", flip_last_digit), "episodes.csv differs from line"),
    "a row less": (lambda d: edit(d / "iterations.csv", cut_last_row), "iterations.csv differs from line 4 on"),
    "a row more": (lambda d: edit(d / "episodes.csv", lambda b: b + b"601,601,99,0,9,9.0,0\n"), "/ 601,601,99"),
    "no summary": (lambda d: (d / "summary.json").unlink(), "summary.json is missing"),
    "a byte of the replay": (change_a_byte_of_the_replay, "does not match its hash"),
    "an older state": (forget_what_came_last, "the states differ in"),
    "no checkpoint": (lambda d: shutil.rmtree(d / "checkpoints"), "found none"),
}


def test_equal_runs_have_no_differences(pair: tuple[Path, Path]) -> None:
    assert verify.differences(*pair) == []


@pytest.mark.parametrize("damage", DAMAGE)
def test_every_difference_is_seen(damage: str, pair: tuple[Path, Path]) -> None:
    harm, message = DAMAGE[damage]
    harm(pair[1])
    found = verify.differences(*pair)
    assert any(message in line for line in found), found


class _Finished:
    """Stands for a process that has ended well."""

    returncode = 0

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        return "", ""


@pytest.mark.parametrize("bad", [None, "second", "killed"])
def test_the_verdict(bad: str | None, tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs are copies here; of one of them a digit is changed."""

    @contextlib.contextmanager
    def copied(case: verify.Case, run_dir: Path, hash_seed: int) -> Iterator[Any]:
        shutil.copytree(pair[0], run_dir, dirs_exist_ok=True)
        if bad and run_dir.name.endswith(bad):
            edit(run_dir / "episodes.csv", flip_last_digit)
        yield _Finished()

    monkeypatch.setattr(verify, "_running", copied)
    monkeypatch.setattr(verify, "_kill", lambda *_: [])
    said: list[str] = []
    good = verify.verify(tmp_path / "work", said.append, [verify.CARTPOLE])
    assert good == (bad is None)
    text = "\n".join(said)
    if bad:
        assert "Verdict: NOT the same bytes" in text and "CartPole: " in text and "episodes.csv differs" in text
    else:
        assert "Verdict: same seed, same bytes, and killed and continued, same bytes (CartPole)" in text
        assert "tensorflow 2." in text and "xla " in text and "cpu " in text


def test_a_run_that_fails_is_no_proof(tmp_path: Path) -> None:
    case = verify.Case(
        name="Nothing",
        preset="dqn_classic",
        environment="CartPole-v1",
        frames=10,
        checkpoint_frames=5,
        kill_frames=5,
        settings=("batch_size=0",),
    )
    said: list[str] = []
    assert not verify.verify(tmp_path, said.append, [case])
    assert "the first run ended with exit code 2: dqn-tf: Expected at least 1 for `batch_size`, got 0." in "\n".join(
        said
    )


def test_a_directory_with_runs_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with pytest.raises(ConfigError, match="empty or a new directory"):
        verify.verify(tmp_path, print)


def test_for_real_on_cartpole(tmp_path: Path) -> None:
    """Four processes.  Breakout, which `dqn-tf verify` also runs, is left to the other tests here."""
    said: list[str] = []
    case = dataclasses.replace(verify.CARTPOLE, frames=900, kill_frames=450, checkpoint_frames=150)
    assert verify.verify(tmp_path / "work", said.append, [case]), "\n".join(said)
    text = "\n".join(said)
    assert "killed after" in text and "equal: state" in text and "This holds where" in text
    assert (tmp_path / "work" / "cartpole-killed" / "summary.json").exists()


def test_the_command_knows_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dqn_tf", "verify", "--help"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0 and "--work-dir" in done.stdout
