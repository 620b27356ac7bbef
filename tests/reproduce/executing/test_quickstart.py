from __future__ import annotations

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from reproduce import places
from reproduce.executing import jobs, quickstart
from reproduce.planning.job import Job
from reproduce.presenting import quickstart_report
from reproduce.records import runs


# -- planning ----------------------------------------------------------------------------------------------------------
def test_plan(tmp_path):
    """Five fixed seeds of CartPole as the preset is, and one Atari game; the longest run first."""
    planned = quickstart.plan(tmp_path)
    assert [j.environment for j in planned] == ["breakout", *["CartPole-v1"] * 5]
    assert [j.seed for j in planned] == [1, 1, 2, 3, 4, 5]
    assert all(j.frames == quickstart.CARTPOLE_FRAMES and j.settings == () for j in planned[1:])
    assert len({j.run_dir for j in planned}) == 6 and all(tmp_path in j.run_dir.parents for j in planned)
    assert [j.frames for j in quickstart.plan(tmp_path, seeds=1, atari_frames=99)] == [99, quickstart.CARTPOLE_FRAMES]


def test_the_atari_run_is_the_preset_within_its_budget(tmp_path):
    """What is set other than the preset changes what is measured and kept, not what is learned: the replay is never
    full, and learning starts within the budget."""
    config = quickstart.plan(tmp_path)[0].config
    assert config.steps <= config.agent.replay.capacity
    assert config.agent.min_replay_steps < config.steps
    assert config.agent.min_replay_steps * config.frame_skip == quickstart.ATARI_WARM_UP_FRAMES
    agent = {s.split("=")[0] for s in quickstart.ATARI_SETTINGS if not s.startswith(("evaluation", "iteration"))}
    assert agent == {"execution.threads", "replay.capacity", "protocol.max_frames_per_evaluation_episode"}


def test_words_of_the_command_line():
    arguments = quickstart._parser().parse_args(["--seeds", "2", "--jobs", "1", "--frames", "1e5", "--runs", "x"])
    assert (arguments.seeds, arguments.jobs, arguments.frames, str(arguments.runs)) == (2, 1, 100_000, "x")
    for bad in (["--seeds", "0"], ["--jobs", "-1"], ["--frames", "1.5"], ["--sed", "1"], ["--frames", "many"]):
        with pytest.raises(SystemExit) as left:
            quickstart._parser().parse_args(bad)
        assert left.value.code == 2


# -- the report, on recorded runs --------------------------------------------------------------------------------------
@pytest.fixture
def recorded(run_dir):
    """A function (final returns of the CartPole seeds) -> (jobs, runs) with one Atari run of 160,000 frames."""

    def build(*finals: float):
        ends = [(800 * (i + 1), float(i % 3)) for i in range(200)]
        atari = runs.load(run_dir("atari", ends, frames=160_000, seed=1))
        poles = [runs.load(run_dir(f"c{i}", preset="dqn_classic", environment="CartPole-v1", frames=100, seed=i + 1,
                                   final=[value] * 100)) for i, value in enumerate(finals)]  # fmt: skip
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
        "not comparable (160k of 1M frames)", "solved", "solved", "not solved", "solved", "solved",
    ]  # fmt: skip
    assert table["reference"].tolist() == [1.64087, *[475.0] * 5] and table["score_episodes"].tolist() == [
        200,
        *[100] * 5,
    ]
    assert table["score"][0] == pytest.approx(sum(i % 3 for i in range(200)) / 200)
    page = (tmp_path / "out" / "summary.md").read_text()
    for words in ("first 160,000 frames", "0.08 % of the published 200M", "They do not show that the agent learns",
                  "![breakout](breakout.svg)", "![cartpole-v1](cartpole-v1.svg)", "docs/classic.md"):  # fmt: skip
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
def test_a_directory_of_another_run_is_refused_before_anything_starts(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(jobs, "start", lambda *_: pytest.fail("something was started"))
    folder = quickstart.plan(tmp_path)[3].run_dir
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"schema": 1}))
    assert quickstart.main(["--runs", str(tmp_path)]) == 2
    assert "other settings" in capsys.readouterr().err


@pytest.mark.parametrize("code", [130, 143])
def test_stopped(tmp_path, capsys, monkeypatch, code):
    def stop(*_):
        raise jobs.StopAll(code - 128)

    monkeypatch.setattr(jobs, "start", stop)
    assert quickstart.main(["--runs", str(tmp_path)]) == code
    assert "same command continues" in capsys.readouterr().err


@pytest.mark.slow
def test_end_to_end(tmp_path):
    """CartPole and Breakout, one seed and 2,000 frames each, through the real commands; then again: nothing to do."""
    command = [
        sys.executable,
        "-m",
        "dqn_tf",
        "results",
        "quickstart",
        "--quick",
        "--seeds",
        "1",
        "--jobs",
        "2",
        "--runs",
        str(tmp_path),
    ]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, cwd=places.ROOT, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "0 of 2 runs are done" in done.stdout
        and "Tiny budgets" in done.stdout
        and "tensorflow" not in done.stdout.lower()
    )
    table = pd.read_csv(tmp_path / "summary.csv")
    assert table["environment"].tolist() == ["breakout", "CartPole-v1"] and table["frames"].tolist() == [2000, 2000]
    assert table["state_digest"].str.len().tolist() == [64, 64] and "run failed" not in table["verdict"].tolist()
    before = {p.name: p.read_bytes() for p in tmp_path.glob("*.*")}
    again = subprocess.run(command, cwd=places.ROOT, env=environment, capture_output=True, text=True, timeout=100)
    assert again.returncode == 0 and "2 of 2 runs are done" in again.stdout and "done before" in again.stdout
    assert {p.name: p.read_bytes() for p in tmp_path.glob("*.*")} == before
