"""The Python of the pages runs: docs/api.md from top to bottom, and every guide ends in the file that it shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import dqn_tf

ROOT = Path(__file__).resolve().parents[2]
API = ROOT / "docs" / "api.md"
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_interface_run(tmp_path: Path) -> None:
    """In an empty folder, as one program."""
    (tmp_path / "page.py").write_text("\n".join(BLOCK.findall(API.read_text())))
    done = subprocess.run([sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Did you mean 'dqn_classic'" in done.stdout and "(on_episode) raised AttributeError" in done.stdout


def test_every_public_name_stands_in_an_example_and_in_the_reference() -> None:
    text = API.read_text()
    code = "\n".join(BLOCK.findall(text))
    missing = [name for name in dqn_tf.__all__ if not re.search(rf"dqn_tf\.{name}\b", code)]
    assert sorted(missing) == ["TrainedAgent"]  # ``load`` makes it: nobody else does
    named = re.findall(r"^\.\. (?:auto\w+|py:data):: dqn_tf\.(\w+)$", text, re.MULTILINE)
    assert sorted(named) == sorted(dqn_tf.__all__)


@pytest.mark.parametrize("guide", GUIDES, ids=[guide.stem for guide in GUIDES])
def test_a_guide_ends_in_the_file_that_it_shows(guide: Path) -> None:
    """examples/<guide>.py, which tests/test_examples.py starts (a minatar.py would hide the package minatar)."""
    name = {"minatar": "watch_minatar"}.get(guide.stem, guide.stem)
    assert BLOCK.findall(guide.read_text())[-1] == (ROOT / "examples" / f"{name}.py").read_text()


def test_there_are_eleven_guides() -> None:
    assert [guide.stem for guide in GUIDES] == [
        *("exported", "imported", "imported_runs", "look_at_an_agent", "minatar"),
        *("own_environment", "own_network", "own_target_rule", "own_value_family", "packed", "read_results"),
    ]
