"""The workflow calls what is there, with words that are understood, on every Python that the locks are for."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dqn_tf import cli

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
PROTOCOLS = {path.stem for path in (ROOT / "reproduce" / "protocols").glob("*.toml")}


def problems(text: str) -> list[str]:
    """What is wrong with a workflow, one line for each thing; empty if nothing is."""
    workflow = yaml.safe_load(text)
    found = [] if workflow.get("permissions") == {"contents": "read"} else ["it may write to the repository"]
    for name, job in workflow["jobs"].items():
        found += [] if "timeout-minutes" in job else [f"{name}: no time limit"]
        matrix = job.get("strategy", {}).get("matrix", {})
        for values in itertools.product(*matrix.values()):
            chosen = dict(zip(matrix, values, strict=True))
            for step in job["steps"]:
                found += [f"{name}: {wrong}" for wrong in _of_step(step, chosen)]
    return list(dict.fromkeys(found))


def _of_step(step: dict[str, Any], chosen: dict[str, str]) -> list[str]:
    """Of one step of a job, with one choice of its matrix."""
    text = yaml.safe_dump(step)
    unknown = {key for key in re.findall(r"matrix\.(\w+)", text) if key not in chosen}
    found = [f"there is no matrix.{key}" for key in unknown]
    if "uses" in step and not re.fullmatch(r"[\w.-]+/[\w./-]+@(v\d+(\.\d+)*|[0-9a-f]{40})", step["uses"]):
        found.append(f"{step['uses']}: not a version")
    script = re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda match: str(chosen.get(match[1], "?")), step.get("run", ""))
    if subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False).returncode:
        found.append(f"bash cannot read {script!r}")
    return [*found, *(wrong for line in script.replace("\\\n", " ").splitlines() for wrong in _of_line(line))]


def _of_line(line: str) -> list[str]:
    """Of one command: scripts of the repository exist and can be run, commands of ours are understood."""
    words = [word for word in shlex.split(line.replace("$(", " ").replace(")", " ")) if word]
    found = []
    for at, word in enumerate(words):
        if re.fullmatch(r"(\.ci|reproduce|tests|docker)/[\w./-]+", word):
            path = ROOT / word
            if not path.is_file() or not os.access(path, os.X_OK):
                found.append(f"{word} is not there, or cannot be run")
            elif path.stem in PROTOCOLS:
                found += _of_command(["reproduce", path.stem, *words[at + 1 :]])
        elif words[at : at + 2] == ["-m", "dqn_tf"]:
            found += _of_command(words[at + 2 :])
        elif word == "--target":
            found += (
                [] if f" AS {words[at + 1]}\n" in (ROOT / "Dockerfile").read_text() else [f"no stage {words[at + 1]}"]
            )
    return found


def _of_command(words: list[str]) -> list[str]:
    try:
        cli._parser().parse_args(words)
    except SystemExit:
        return [f"dqn-tf {' '.join(words)}: not understood"]
    return []


def test_nothing_is_wrong() -> None:
    assert problems(WORKFLOW.read_text()) == []


def test_every_locked_python_is_tested() -> None:
    locked = {f"3.{path.stem.removeprefix('py3')}" for path in (ROOT / "requirements").glob("py3??.txt")}
    assert set(yaml.safe_load(WORKFLOW.read_text())["jobs"]["suite"]["strategy"]["matrix"]["python"]) == locked


def test_both_images_are_built() -> None:
    assert set(yaml.safe_load(WORKFLOW.read_text())["jobs"]["image"]["strategy"]["matrix"]["target"]) == {"cpu", "gpu"}


@pytest.mark.parametrize(
    ("right", "wrong", "noticed"),
    [
        ("contents: read", "contents: write", "it may write to the repository"),
        ("actions/checkout@v4", "actions/checkout@main", "actions/checkout@main: not a version"),
        ("bash .ci/run", "bash .ci/runs", ".ci/runs is not there"),
        ("tests/cluster/run.sh", "tests/cluster/test_ray.py", "tests/cluster/test_ray.py is not there, or cannot"),
        ("dqn_tf verify", "dqn_tf verfy", "dqn-tf verfy: not understood"),
        ("--smoke --games", "--smok --games", "not understood"),
        ("${{ matrix.python }}", "${{ matrix.pythons }}", "there is no matrix.pythons"),
        ("target: [cpu, gpu]", "target: [cpu, tpu]", "no stage tpu"),
        ("$(reproduce/setup_env.sh base)", "$(reproduce/setup_env.sh base", "bash cannot read"),
        ("timeout-minutes: 90", "name: suite", "suite: no time limit"),
    ],
)
def test_a_mistake_is_noticed(right: str, wrong: str, noticed: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = WORKFLOW.read_text()
    assert right in text
    assert any(noticed in problem for problem in problems(text.replace(right, wrong)))
