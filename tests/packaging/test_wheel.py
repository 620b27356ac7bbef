"""The wheel works where there is no checkout: everything that is read is in it, and what is written goes elsewhere."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The wheel, built from this checkout without a network and installed into a folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = [*pip, "wheel", "--no-build-isolation", "--no-deps", "--no-index", "-w", str(folder), str(ROOT)]
    subprocess.run(build, check=True, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    to = folder / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(to), str(wheel)], check=True)
    before = digests(to)
    yield to
    assert digests(to) == before, "something was written into the installed package"


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Run:
    """A function (words) -> what ``python -m dqn_tf words`` of the installed package did, from an empty folder."""
    (tmp_path / "empty").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(installed), "CUDA_VISIBLE_DEVICES": "-1"}
    environment.pop("DQN_TF_OUTPUT", None)

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "dqn_tf", *words]
        return subprocess.run(
            command, cwd=tmp_path / "empty", env=environment, capture_output=True, text=True, timeout=600
        )

    return call


def test_what_is_in_the_wheel(installed: Path) -> None:
    """All code, protocols, templates and published numbers as they are in the checkout; no script, no test."""
    there = digests(installed)
    for folder in ("dqn_tf", "reproduce"):
        ours = (ROOT / folder).rglob("*")
        expected = {p.relative_to(ROOT).as_posix() for p in ours if p.is_file() and p.suffix not in (".pyc", ".sh")}
        assert {name for name in there if name.startswith(f"{folder}/")} - expected <= {
            name for name in there if name.startswith("reproduce/data/")
        }
        assert expected <= there.keys()
    for path in (ROOT / "results" / "published").iterdir():
        assert there[f"reproduce/data/published/{path.name}"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not [name for name in there if name.endswith(".sh") or name.startswith(("tests", "results", "docs"))]


def test_commands_from_an_empty_folder(run: Run, tmp_path: Path) -> None:
    plan = run("reproduce", "atari57", "--dry-run", "--agent", "dqn_zoo")
    assert plan.returncode == 0 and "285 runs" in plan.stdout and "versus_peers.json" in plan.stdout, plan.stderr
    for words in (["results", "--check"], ["results", "docs"], ["results", "classic"]):
        refused = run(*words)
        assert refused.returncode == 2 and "Expected a checkout of the repository" in refused.stderr, refused.stderr
    assert list((tmp_path / "empty").iterdir()) == []
    tables = run("results", "tables")
    assert tables.returncode == 0, tables.stderr
    written = tmp_path / "empty" / "results" / "tables" / "published_scores_noop.csv"
    assert written.read_bytes() == (ROOT / "results" / "tables" / "published_scores_noop.csv").read_bytes()


@pytest.mark.slow
def test_the_quick_start_from_an_empty_folder(run: Run, tmp_path: Path) -> None:
    """Trained, reported, and the page of runs written: runs and reports are below the present folder."""
    done = run("reproduce", "quickstart", "--smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    home = tmp_path / "empty" / "runs" / "quickstart-smoke"
    table = pd.read_csv(home / "summary.csv")
    assert table["environment"].tolist() == ["breakout", "CartPole-v1"] and table["frames"].tolist() == [2000, 2000]
    assert {p.name for p in home.iterdir()} >= {"summary.md", "breakout.svg", "cartpole-v1.png", "sweep.json"}
    report = run("report", "runs")
    assert report.returncode == 0 and "2 runs: 2 complete." in (home.parent / "report.html").read_text(), report.stderr
    assert {p.name for p in (tmp_path / "empty").iterdir()} == {"runs"}


def test_the_wheel_is_made_of_the_source_distribution_too() -> None:
    """What the wheel takes from results/ is in the source distribution, from which others build it."""
    targets = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    packed = {name.removeprefix("/") for name in targets["sdist"]["include"]}
    assert set(targets["wheel"]["only-include"]) <= packed
