"""The workflow calls what is there, on every Python that the locks are for."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text()


def test_actions_are_pinned_by_major_version() -> None:
    used = re.findall(r"uses: (\S+)", WORKFLOW)
    assert used and all(re.fullmatch(r"actions/[a-z-]+@v\d+", name) for name in used)


def test_every_locked_python_is_tested() -> None:
    locked = {p.stem.removeprefix("py3") for p in (ROOT / "requirements").glob("py3??.txt")}
    matrix = re.search(r"python: \[(.*)\]", WORKFLOW)
    assert matrix and set(re.findall(r'"3\.(\d+)"', matrix[1])) == locked


def test_what_it_calls_is_there() -> None:
    called = re.findall(r"(?:bash |\$\(|" |dqn_tf:cpu )((?:\.ci|reproduce|tests)/[\w./]+)", WORKFLOW)
    assert len(called) >= 4 and all((ROOT / path).exists() for path in called), called
    targets = re.search(r"target: \[(.*)\]", WORKFLOW)
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert targets and all(f" AS {name}\n" in dockerfile for name in targets[1].split(", "))
