"""reproduce/setup_env.sh says no before it touches anything.  (That it says yes, every run of the suite shows.)"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "reproduce" / "setup_env.sh"


def setup_env(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The script's end, within a minute: none of these may get as far as an installation."""
    return subprocess.run(
        ["bash", str(SCRIPT), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    done = setup_env("devel", DQN_TF_VENV=str(tmp_path / "venv"))
    assert done.returncode == 2
    assert "Expected base, dev, gpu or cluster, got 'devel'" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_a_folder_that_it_did_not_make_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    done = setup_env(DQN_TF_VENV=str(tmp_path), DQN_TF_PYTHON=sys.executable)
    assert done.returncode == 1
    assert "was not made by this script, so it is left alone" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("says", ["2.7", "3.10", "3.14"])
def test_a_python_that_does_not_fit_is_named_with_its_version(tmp_path: Path, says: str) -> None:
    """A Python of that version is imitated by this one, told to believe so: the probe runs for real."""
    python = tmp_path / "python"
    python.write_text(
        f"#!/bin/sh\nexec '{sys.executable}' -c 'import sys; sys.version_info = ({says.replace('.', ', ')}, 0);"
        ' sys.argv = sys.argv[2:]; exec(sys.stdin.read())\' "$@"\n'
    )
    python.chmod(0o755)
    done = setup_env(DQN_TF_VENV=str(tmp_path / "venv"), DQN_TF_PYTHON=str(python))
    assert done.returncode == 1
    assert f"is {says}.0; Python 3.11 to 3.13 is needed" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_a_python_that_is_not_there(tmp_path: Path) -> None:
    done = setup_env(DQN_TF_VENV=str(tmp_path / "venv"), DQN_TF_PYTHON=str(tmp_path / "python3"))
    assert done.returncode == 1
    assert "not found; Python 3.11 to 3.13 is needed" in done.stderr
    assert not (tmp_path / "venv").exists()
