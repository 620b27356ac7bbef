""".ci/run: every check is made, each failure is told with what was printed, and tests follow only if there is none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHECKS = ("dqn_tf", "mypy", "ruff", "ruff", "sphinx")


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("bad", ["", "dqn_tf", "mypy", "ruff", "sphinx"])
def test_a_check_that_fails_is_told_and_tests_are_not_begun(bad: str, tmp_path: Path) -> None:
    python = script(tmp_path / "python", f'echo "this is $2" && [[ $2 != "{bad}" ]]')
    script(tmp_path / "reproduce" / "setup_env.sh", f"echo {python}")
    script(tmp_path / "tests" / "run.sh", "echo all tests")
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    done = subprocess.run(["bash", tmp_path / ".ci" / "run"], capture_output=True, text=True, timeout=60, check=False)
    lines = done.stdout.splitlines()
    assert [line.removeprefix("this is ") for line in lines if line.startswith("this is ")] == list(CHECKS)
    assert done.returncode == bool(bad) and ("all tests" in lines) == (not bad), done.stderr
    assert sum(line.startswith("FAILED: ") for line in lines) == CHECKS.count(bad)
