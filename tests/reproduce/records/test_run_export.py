"""Runs taken along to results/runs/: their small files, pinned, without a path of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from dqn_tf import cli
from reproduce import places
from reproduce.records import run_export, runs


def test_export(run_dir, tmp_path):
    path = run_dir("a", seed=2)
    (path / "checkpoints").mkdir()
    (path / "log.txt").write_text("at /home/someone\n")
    to = run_export.export(path, "early", tmp_path / "results")
    assert to == tmp_path / "results" / "runs" / "early" / "dqn_dopamine" / "breakout" / "seed_2"
    assert {p.name for p in to.iterdir()} == {*run_export.FILES, run_export.SUMS}
    assert (to / "episodes.csv").read_bytes() == (path / "episodes.csv").read_bytes()
    assert run_export.verify_export(to) == [] and runs.load(to).seed == 2
    manifest = json.loads((to / "manifest.json").read_text())
    assert manifest["sessions"][0]["command"] == [
        "__main__.py",
        "train",
        "dqn_dopamine",
        "breakout",
        "--run-dir",
        "runs/early/dqn_dopamine/breakout/seed_2",
    ]
    for file in to.iterdir():
        assert str(tmp_path) not in file.read_text() and "/home" not in file.read_text()


def test_export_replaces_and_notices_changes(run_dir, tmp_path):
    to = run_export.export(run_dir("a"), "early", tmp_path)
    (to / "episodes.csv").write_text("changed")
    (to / "extra.txt").write_text("more")
    (to / "timing.csv").unlink()
    assert run_export.verify_export(to) == ["episodes.csv", "timing.csv", "extra.txt"]
    run_export.export(tmp_path / "runs" / "a", "early", tmp_path)
    assert run_export.verify_export(to) == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../up", ".hidden"])
def test_export_names_are_plain(run_dir, tmp_path, outcome, name):
    assert "a plain folder name" in outcome(run_export.export, run_dir("a"), name, tmp_path)


def test_no_path_of_the_machine_is_left():
    value = {
        "command": ["./.venv/bin/dqn-tf", "train", "--run-dir=/data/me/r1", "--run-dir", "/data/me/r1/", "../x/r2"],
        "deeper": [{"python": "/usr/bin/python3", "count": 3, "none": None, "set": "a=/b/c"}],
    }
    assert run_export.without_paths(value, {"/data/me/r1": "runs/r1"}) == {
        "command": ["dqn-tf", "train", "--run-dir=runs/r1", "--run-dir", "runs/r1", "r2"],
        "deeper": [{"python": "python3", "count": 3, "none": None, "set": "a=/b/c"}],
    }


def test_command(run_dir, tmp_path):
    run_dir("a")
    command = [
        sys.executable,
        "-m",
        "dqn_tf",
        "results",
        "export",
        "early",
        str(tmp_path),
        "--results",
        str(tmp_path / "to"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=places.ROOT)
    assert done.returncode == 0 and done.stdout.strip().endswith(os.path.join("breakout", "seed_0"))
    assert cli.main(["results", "export", "early", str(tmp_path / "none"), "--results", str(tmp_path)]) == 2
    (tmp_path / "runs" / "a" / "episodes.csv").write_text("frames\n1")
    assert cli.main(["results", "export", "early", str(tmp_path / "runs"), "--results", str(tmp_path)]) == 1
