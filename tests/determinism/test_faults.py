"""What goes wrong in whole runs: each fault gives one clear message, and nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf.training.checkpoint import Store
from dqn_tf.training.rescore import digest_of
from dqn_tf.training.run_dir import read_json

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def files(run_dir: Path) -> dict[str, bytes]:
    """Everything that a run would miss: its configuration, tables and checkpoints."""
    kept = [run_dir / n for n in ("config.json", "episodes.csv", "iterations.csv", "summary.json")]
    kept += sorted((run_dir / "checkpoints").rglob("*"))
    return {str(p.relative_to(run_dir)): p.read_bytes() for p in kept if p.is_file()}


def checkpoints(run_dir: Path) -> list[Path]:
    return Store(run_dir / "checkpoints", "").found()


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(bytes(data))


def only_line(output: str) -> str:
    """The one line that was printed."""
    lines = output.strip().splitlines()
    assert len(lines) == 1, output
    return lines[0]


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory, cases: dict[str, Any], workbench: Any) -> Path:
    """A run that SIGTERM stopped after 199 steps."""
    run_dir = tmp_path_factory.mktemp("faults") / "interrupted"
    result = workbench.run(cases["cartpole"].words(run_dir), "training:200", "SIGTERM")
    assert result.exit == 143, result.output
    assert [int(p.name) for p in checkpoints(run_dir)] == [199, 180]
    return run_dir


@pytest.fixture
def copy(interrupted: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(interrupted, tmp_path / "run"))


# -- resuming ----------------------------------------------------------------------------------------------------------
def test_outside_the_scope_only_when_told(
    copy: Path, cases: dict[str, Any], workbench: Any, equal_to_baseline: Callable[[str, Path], None]
) -> None:
    manifest = read_json(copy / "manifest.json")
    manifest["scope"].update(numpy="1.0", devices=["GPU"])
    (copy / "manifest.json").write_text(json.dumps(manifest))
    before = files(copy)
    refused = workbench.run(cases["cartpole"].words(copy))
    assert refused.exit == 1
    assert "numpy: '1.0' then, " in refused.output and "devices: ['GPU'] then, ['CPU'] now" in refused.output
    assert "tensorflow" not in refused.output and "--outside-scope" in refused.output
    assert files(copy) == before and read_json(copy / "manifest.json") == manifest
    accepted = workbench.run(cases["cartpole"].words(copy, extra=("--outside-scope",)))
    assert accepted.exit == 0, accepted.output
    assert "outside the scope" in accepted.output  # although --quiet
    sessions = read_json(copy / "manifest.json")["sessions"]
    assert sessions[-1]["scope"]["devices"] == ["CPU"] and "scope" not in sessions[0]
    equal_to_baseline("cartpole", copy)  # the difference was made up


def test_another_configuration_names_the_fields(copy: Path, cases: dict[str, Any], command: Callable[..., Any]) -> None:
    before = files(copy)
    words = cases["cartpole"].words(copy, extra=("--set", "discount=0.5", "--frames", "601"))
    result = command(words, cwd=copy.parent)
    assert result.exit == 2
    assert "discount: 0.99 there, 0.5 asked for" in result.output and "frames: 600 there, 601" in result.output
    assert "batch_size" not in result.output and files(copy) == before


def test_a_complete_run_returns_at_once(cases: dict[str, Any], baseline: Callable[[str], Path]) -> None:
    """Without TensorFlow, and without touching anything."""
    run_dir = baseline("breakout")
    before = {p: p.stat().st_mtime_ns for p in run_dir.rglob("*") if p.is_file() and p.name != ".lock"}
    program = (
        "import sys; from dqn_tf.cli import main; code = main(sys.argv[1:]); print('tensorflow' in sys.modules, code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *cases["breakout"].words(run_dir)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "complete, 1,600 frames" in done.stdout and done.stdout.endswith("False 0\n")
    assert {p: p.stat().st_mtime_ns for p in run_dir.rglob("*") if p.is_file() and p.name != ".lock"} == before


def test_a_damaged_checkpoint_is_passed_over_loudly(
    copy: Path, cases: dict[str, Any], workbench: Any, equal_to_baseline: Callable[[str, Path], None]
) -> None:
    """And so is half a row at the end of a table; the same bytes come out."""
    newest = checkpoints(copy)[0]
    flip(newest / "arrays.npz")
    with open(copy / "episodes.csv", "a") as file:
        file.write("201,20")
    result = workbench.run(cases["cartpole"].words(copy))
    assert result.exit == 0, result.output
    assert f"Checkpoint {newest.name} is skipped: arrays.npz does not match its hash" in result.output
    equal_to_baseline("cartpole", copy)


def test_when_no_checkpoint_verifies_nothing_starts(copy: Path, cases: dict[str, Any], workbench: Any) -> None:
    flip(checkpoints(copy)[0] / "state.json")
    (checkpoints(copy)[1] / "arrays.npz").unlink()
    before = files(copy)
    result = workbench.run(cases["cartpole"].words(copy))
    assert result.exit == 1
    assert "None of the 2 checkpoints" in result.output and "state.json does not match its hash" in result.output
    assert "arrays.npz is missing" in result.output and "nothing was started" in result.output
    assert files(copy) == before and read_json(copy / "manifest.json")["status"] == "failed"


def test_a_directory_in_use(
    tmp_path: Path,
    cases: dict[str, Any],
    workbench: Any,
    command: Callable[..., Any],
    equal_to_baseline: Callable[[str, Path], None],
) -> None:
    """A second process is refused, by the number of the first, which takes no harm."""
    words = cases["cartpole"].words(tmp_path / "run")
    first = workbench.start(words, "training:150", "SIGSTOP")
    try:
        limit = time.monotonic() + 300
        while Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < limit
            time.sleep(0.01)
        before = files(tmp_path / "run")
        second = command(words, cwd=tmp_path)
        assert second.exit == 1
        assert f"is in use by process {first} on " in only_line(second.output)
        assert files(tmp_path / "run") == before
    finally:
        os.kill(first, signal.SIGCONT)
    assert workbench.wait().exit == 0
    equal_to_baseline("cartpole", tmp_path / "run")


# -- divergence --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings", "checkpoint_frames", "kept"),
    [
        (["optimizer.learning_rate=1e30"], 60, 60),  # a loss of infinity at the second update, step 104
        (["optimizer=rmsprop", "optimizer.learning_rate=2e38"], 1, 99),  # weights of infinity after the first, step 100
    ],
)
def test_a_network_that_diverges_stops_the_run(
    settings: list[str], checkpoint_frames: int, kept: int, tmp_path: Path, cases: dict[str, Any], workbench: Any
) -> None:
    """And the last good checkpoint is kept, even if one is due between the bad update and the next loss."""
    more = tuple(word for s in (*settings, "steps_per_update=4") for word in ("--set", s))
    words = cases["cartpole"].words(tmp_path / "run", checkpoint_frames, more)
    result = workbench.run(words)
    assert result.exit == 1
    line = only_line(result.output)
    assert "the network has diverged" in line and "learning rate" in line
    newest = checkpoints(tmp_path / "run")[0]
    assert int(newest.name) == kept
    assert digest_of(tmp_path / "run", pytest.fail)
    with np.load(newest / "arrays.npz") as arrays:
        assert all(np.isfinite(arrays[name]).all() for name in arrays.files if "learner" in name)
    assert read_json(tmp_path / "run" / "manifest.json")["status"] == "failed"


# -- no space ----------------------------------------------------------------------------------------------------------
def test_a_disk_that_is_full_while_a_row_is_written(
    tmp_path: Path,
    cases: dict[str, Any],
    workbench: Any,
    baseline: Callable[[str], Path],
    equal_to_baseline: Callable[[str, Path], None],
) -> None:
    """Half a row is left; with space again the same command continues, to the same bytes."""
    lines = (baseline("cartpole") / "episodes.csv").read_bytes().splitlines(keepends=True)
    row = next(i for i, line in enumerate(lines[1:], 1) if 185 < int(line.split(b",")[0]) < 239)
    size = sum(map(len, lines[:row])) + 5
    words = cases["cartpole"].words(tmp_path / "run")
    result = workbench.run(words, "training:182", f"fsize:{size}")
    assert result.exit == 1
    assert "File too large" in only_line(result.output) and "To continue: dqn-tf train" in result.output
    assert (tmp_path / "run" / "episodes.csv").read_bytes() == b"".join(lines[:row]) + lines[row][:5]
    assert int(checkpoints(tmp_path / "run")[0].name) == 180
    result = workbench.run(words)
    assert result.exit == 0, result.output
    equal_to_baseline("cartpole", tmp_path / "run")


def test_a_disk_that_is_full_while_a_checkpoint_is_written(
    copy: Path, cases: dict[str, Any], workbench: Any, equal_to_baseline: Callable[[str, Path], None]
) -> None:
    """The checkpoints from before are still there; with space again the same command continues."""
    words = cases["cartpole"].words(copy)
    result = workbench.run(words, "saving:4", "fsize:9000")
    assert result.exit == 1 and result.seconds is not None
    assert "File too large" in only_line(result.output)
    assert [int(p.name) for p in checkpoints(copy)] == [199, 180]
    result = workbench.run(words)
    assert result.exit == 0, result.output
    assert "skipped" not in result.output
    equal_to_baseline("cartpole", copy)
