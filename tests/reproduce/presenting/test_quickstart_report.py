from __future__ import annotations

import os
import subprocess
import sys

import pandas as pd
import pytest

from dqn_tf import cli
from reproduce import places
from reproduce.planning import plan, reading
from reproduce.planning.job import Job
from reproduce.planning.plan import Selection
from reproduce.presenting import quickstart_report
from reproduce.records import runs


# -- the report, on recorded runs --------------------------------------------------------------------------------------
@pytest.fixture
def recorded(run_dir):
    """A function (final returns of the CartPole seeds) -> (jobs, runs) with one Atari run of 160,000 frames."""

    def build(*finals: float):
        ends = [(800 * (i + 1), float(i % 3)) for i in range(200)]
        atari = runs.load(run_dir("atari", ends, frames=160_000, seed=1))
        poles = [
            runs.load(
                run_dir(
                    f"c{i}",
                    preset="dqn_classic",
                    environment="CartPole-v1",
                    frames=100,
                    seed=i + 1,
                    final=[value] * 100,
                )
            )
            for i, value in enumerate(finals)
        ]
        done = [atari, *poles]
        planned = [
            Job(label="", preset=r.agent, environment=r.environment, seed=r.seed, frames=r.frames, run_dir=r.path)
            for r in done
        ]
        return planned, done

    return build


def test_report(recorded, tmp_path):
    planned, complete = recorded(500.0, 475.0, 474.99, 480.0, 500.0)
    report = quickstart_report.write(planned, complete, tmp_path / "out")
    assert report.ok and "CartPole-v1 is solved: 4 of 5 seeds" in report.text
    table = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert table["verdict"].tolist() == [
        "not comparable (160k of 1M frames)",
        "solved",
        "solved",
        "not solved",
        "solved",
        "solved",
    ]
    assert table["reference"].tolist() == [1.64087, *[475.0] * 5] and table["score_episodes"].tolist() == [
        200,
        *[100] * 5,
    ]
    assert table["score"][0] == pytest.approx(sum(i % 3 for i in range(200)) / 200)
    page = (tmp_path / "out" / "summary.md").read_text()
    for words in (
        "first 160,000 frames",
        "0.08 % of the published 200M",
        "They do not show that the agent learns",
        "![breakout](breakout.svg)",
        "![cartpole-v1](cartpole-v1.svg)",
        "docs/classic.md",
    ):
        assert words in page
    names = {
        "summary.csv",
        "summary.md",
        "times.csv",
        "breakout.svg",
        "breakout.png",
        "cartpole-v1.svg",
        "cartpole-v1.png",
    }
    assert {p.name for p in (tmp_path / "out").iterdir()} == names


def test_three_of_five_is_not_solved(recorded, tmp_path):
    planned, complete = recorded(500.0, 475.0, 474.0, 400.0, 500.0)
    report = quickstart_report.write(planned, complete, tmp_path)
    assert not report.ok and "CartPole-v1 is NOT SOLVED: 3 of 5 seeds" in report.text and "(needed: 4)" in report.text
    assert quickstart_report.write(planned, complete, tmp_path, judged=False).ok


def test_a_failed_run_is_shown_and_counts_as_unsolved(recorded, tmp_path):
    planned, complete = recorded(500.0, 500.0, 500.0, 500.0, 500.0)
    report = quickstart_report.write(planned, complete[:-1], tmp_path)
    assert not report.ok and "4 of 5 seeds" in report.text and "Failed: CartPole-v1 seed 5" in report.text
    assert "run failed" in (tmp_path / "summary.md").read_text()
    nothing = quickstart_report.write(planned, [], tmp_path / "b")
    assert not nothing.ok and "0 of 5 seeds" in nothing.text and not list((tmp_path / "b").glob("*.png"))
    assert not quickstart_report.write(planned, [], tmp_path / "b", judged=False).ok


def test_the_same_bytes_twice_and_no_path_of_the_machine(recorded, tmp_path):
    planned, complete = recorded(500.0)
    for name in ("a", "b"):
        quickstart_report.write(planned, complete, tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        data = path.read_bytes()
        assert data == (tmp_path / "b" / path.name).read_bytes() and str(tmp_path).encode() not in data


# -- the command -------------------------------------------------------------------------------------------------------
def planned_in(tmp_path, selection):
    return plan.make(reading.load("quickstart"), tmp_path / "runs", selection).jobs


@pytest.mark.parametrize(("selection", "whole"), [(Selection(), True), (Selection(seeds=2), False)])
def test_only_the_whole_protocol_is_judged_and_goes_to_results(tmp_path, monkeypatch, capsys, selection, whole):
    monkeypatch.setattr(quickstart_report, "OUTPUT", tmp_path)
    home = tmp_path / "runs" / "quickstart"
    assert quickstart_report.after_sweep(planned_in(tmp_path, selection), home) == 1
    to = tmp_path / "results" / "quickstart" if whole else home
    assert sorted(p.name for p in to.iterdir()) == ["summary.csv", "summary.md", "times.csv"]
    said = capsys.readouterr().out
    assert ("NOT SOLVED: 0 of 5 seeds" in said) == whole and "Failed: " in said and str(to) in said


def test_the_report_of_runs_that_are_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(quickstart_report, "OUTPUT", tmp_path)
    words = ["results", "quickstart", "--runs", str(tmp_path / "runs")]
    assert cli.main(words) == 1
    assert len(pd.read_csv(tmp_path / "results" / "quickstart" / "summary.csv")) == 6
    assert cli.main([*words, "--smoke"]) == 1
    assert len(pd.read_csv(tmp_path / "runs" / "quickstart-smoke" / "summary.csv")) == 2
    assert cli.main([*words, "--out", str(tmp_path / "here")]) == 1
    assert (tmp_path / "here" / "summary.md").exists() and "Table and plots" in capsys.readouterr().out


@pytest.mark.slow
def test_end_to_end(tmp_path):
    """CartPole and Breakout, one seed and 2,000 frames each, through the real commands; then again: nothing to do."""
    command = [sys.executable, "-m", "dqn_tf", "reproduce", "quickstart", "--smoke", "--runs", str(tmp_path)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, cwd=places.ROOT, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 runs" in done.stdout and "Tiny budgets" in done.stdout and "tensorflow" not in done.stdout.lower()
    home = tmp_path / "quickstart-smoke"
    table = pd.read_csv(home / "summary.csv")
    assert table["environment"].tolist() == ["breakout", "CartPole-v1"] and table["frames"].tolist() == [2000, 2000]
    assert table["state_digest"].str.len().tolist() == [64, 64] and "run failed" not in table["verdict"].tolist()
    names = ["summary.csv", "summary.md", "times.csv", "breakout.svg", "cartpole-v1.png"]
    before = [(home / name).read_bytes() for name in names]
    again = subprocess.run(command, cwd=places.ROOT, env=environment, capture_output=True, text=True, timeout=100)
    assert again.returncode == 0 and "2 of them before" in again.stdout
    assert [(home / name).read_bytes() for name in names] == before
