"""Subprocesses are watched, continued and stopped.  Most tests put a short script in the place of training."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dqn_tf.training.run_dir import write_json
from reproduce import jobs, progress
from reproduce.jobs import Job, Outcome


def job(tmp_path, seed=1, frames=400, settings=(), **fields):
    given = {
        "label": f"seed {seed}",
        "preset": "dqn_classic",
        "environment": "CartPole-v1",
        "seed": seed,
        "frames": frames,
    }
    return Job(**{**given, "run_dir": tmp_path / f"seed_{seed}", "settings": tuple(settings), **fields})


def finish(planned: Job) -> None:
    """Make it look complete."""
    planned.run_dir.mkdir(parents=True, exist_ok=True)
    write_json(planned.run_dir / "config.json", planned.config.to_json())
    write_json(planned.run_dir / "summary.json", {})


@pytest.fixture
def instead(tmp_path, monkeypatch):
    """A function (script) that puts a Python script in the place of ``dqn_tf``; its arguments are those of dqn-tf."""

    def replace(script: str) -> None:
        package = tmp_path / "fake" / "dqn_tf"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()  # a package of this name may be installed, and would win over a bare folder
        (package / "__main__.py").write_text(script)
        monkeypatch.setattr(jobs, "environment", lambda: {**os.environ, "PYTHONPATH": str(tmp_path / "fake")})

    return replace


DONE = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[sys.argv.index("--run-dir") + 1])
folder.mkdir(parents=True, exist_ok=True)
print("trained", sys.argv[1:])
"""


def test_the_command_line_says_everything(tmp_path):
    planned = job(tmp_path, settings=["batch_size=8", "iteration_frames=100"], checkpoint_frames=50)
    assert planned.arguments == [
        "train", "dqn_classic", "CartPole-v1", "--seed", "1", "--frames", "400",
        "--run-dir", str(tmp_path / "seed_1"), "--checkpoint-frames", "50",
        "--set", "batch_size=8", "--set", "iteration_frames=100",
    ]  # fmt: skip
    assert planned.config.agent.batch_size == 8 and planned.config.seed == 1
    assert planned.log == tmp_path / "seed_1.log"


def test_complete_means_this_very_run(tmp_path, outcome):
    planned = job(tmp_path)
    assert not planned.is_complete()
    finish(planned)
    assert planned.is_complete()
    assert "holds a run of other settings" in outcome(job(tmp_path, settings=["batch_size=8"]).is_complete)
    (planned.run_dir / "summary.json").unlink()
    assert not planned.is_complete()


def test_frames_done_reads_whole_rows_only(tmp_path):
    planned = job(tmp_path)
    assert planned.frames_done() == 0
    planned.run_dir.mkdir()
    for text, frames in (("", 0), ("frames,steps\n", 0), ("frames,steps\n12,3\n", 12), ("frames,steps\n12,3\n99", 12)):
        (planned.run_dir / "episodes.csv").write_text(text)
        assert planned.frames_done() == frames
    (planned.run_dir / "episodes.csv").write_text("frames,steps\n" + "".join(f"{i},1\n" for i in range(10_000)))
    assert planned.frames_done() == 9_999


def test_frames_before_learning_count_a_fifth(tmp_path):
    planned = job(tmp_path, settings=["min_replay_steps=100"])
    assert planned.work(100) == pytest.approx(20.0) and planned.work(400) == pytest.approx(320.0)


def test_time_left(tmp_path):
    """10 s after start-up (at 5 s) 100 of the 300 frames with learning are done: 20 s are left."""
    running = Outcome(job(tmp_path, settings=["min_replay_steps=100"]), "running", frames=100, seconds=5.0)
    assert running.seconds_left is None
    running.first_seen = (5.0, 100)
    assert running.seconds_left is None
    running.frames, running.seconds = 200, 15.0
    assert running.seconds_left == pytest.approx(20.0)


def test_run_all(tmp_path, instead):
    """In order, two at a time; a failure stops nothing and its last words are kept; what is complete is not started."""
    instead(DONE + "sys.exit(3) if '2' in sys.argv else None\n")
    planned = [job(tmp_path, seed) for seed in (1, 2, 3, 4)]
    finish(planned[3])
    most: list[int] = []
    outcomes = jobs.run_all(planned, 2, lambda all: most.append(sum(o.state == "running" for o in all)))
    assert [o.state for o in outcomes] == ["complete", "failed", "complete", "complete"]
    assert max(most) <= 2 and [o.already for o in outcomes] == [False, False, False, True]
    assert "exit code 3" in outcomes[1].message and "trained ['train', 'dqn_classic'" in outcomes[1].message
    assert not planned[3].log.exists()


def test_a_directory_of_another_run_fails_alone(tmp_path, instead):
    instead(DONE)
    finish(job(tmp_path, settings=["batch_size=8"]))
    outcomes = jobs.run_all([job(tmp_path), job(tmp_path, 2)], 1, lambda _: None)
    assert [o.state for o in outcomes] == ["failed", "complete"] and "other settings" in outcomes[0].message


SLOW = """
import pathlib, signal, sys, time
def stop(number, frame):
    print("saved"); sys.exit(143)
signal.signal(signal.SIGTERM, stop)
pathlib.Path(sys.argv[sys.argv.index("--run-dir") + 1]).with_suffix(".up").touch()
time.sleep(60)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stopping_lets_the_runs_save(tmp_path, instead, number, code):
    instead(SLOW)
    planned = [job(tmp_path, seed) for seed in (1, 2, 3)]
    states: list[list[str]] = []

    def watch(outcomes):
        states.append([o.state for o in outcomes])
        if all((tmp_path / f"seed_{s}.up").exists() for s in (1, 2)):
            os.kill(os.getpid(), number) if states[-1].count("running") == 2 else None

    with pytest.raises(jobs.StopAll) as stopped:
        jobs.run_all(planned, 2, watch)
    assert stopped.value.exit_code == code
    assert states[-1] == ["stopped", "stopped", "waiting"]
    assert [planned[i].log.read_text() for i in (0, 1)] == ["saved\n"] * 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_environment(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert jobs.environment()["TF_CPP_MIN_LOG_LEVEL"] == "3" and jobs.environment()["CUDA_VISIBLE_DEVICES"] == "-1"
    assert jobs.environment()["PYTHONPATH"].split(os.pathsep)[0] == str(jobs.ROOT)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert jobs.environment()["CUDA_VISIBLE_DEVICES"] == "0"


def test_tail_of_a_log(tmp_path):
    log = tmp_path / "x.log"
    log.write_bytes(b"\n".join(b"%d" % i for i in range(99)) + b"\xff\n\n")
    assert jobs.tail(log, 2) == "    97\n    98\ufffd"
    assert "No such file" in jobs.tail(tmp_path / "none")


# -- the board ---------------------------------------------------------------------------------------------------------
def test_plain_lines_come_when_something_changes(tmp_path):
    stream, outcomes = io.StringIO(), [Outcome(job(tmp_path, s, frames=2000)) for s in (1, 2)]
    board = progress.Board(stream, plain_seconds=1e9)
    board.show(outcomes)
    outcomes[0].state, outcomes[0].frames = "running", 500
    board.show(outcomes)
    board.show(outcomes)
    outcomes[0].state, outcomes[0].seconds = "complete", 75.2
    outcomes[1].state = "failed"
    board.show(outcomes)
    assert stream.getvalue().splitlines() == [
        "seed 1  running  500 of 2,000 frames (25%)",
        "seed 1  complete  2,000 frames, 1:15",
        "seed 2  failed    at 0 of 2,000 frames",
    ]


def test_plain_lines_come_from_time_to_time(tmp_path):
    stream = io.StringIO()
    board = progress.Board(stream, plain_seconds=0.0)
    outcomes = [Outcome(job(tmp_path), "running", frames=100, seconds=20.0, first_seen=(10.0, 50))]
    board.show(outcomes)
    board.show(outcomes)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2 and lines[0].startswith("seed 1  running  100 of 400 frames (25%), about ")


def test_a_terminal_shows_one_block(tmp_path):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream, outcomes = Terminal(), [Outcome(job(tmp_path, s)) for s in (1, 2)]
    board = progress.Board(stream)
    board.show(outcomes)
    outcomes[0].state = "running"
    board.show(outcomes)
    assert stream.getvalue().count("seed 2") == 2 and "\x1b[2A\x1b[J" in stream.getvalue()


# -- the real thing ----------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_real_run_is_stopped_and_continued(tmp_path):
    """2,000 frames of CartPole through the real command; SIGTERM to the quick start in between."""
    code = (
        "from reproduce import jobs; from pathlib import Path; import sys\n"
        "job = jobs.Job(label='x', preset='dqn_classic', environment='CartPole-v1', seed=1, frames=2000,"
        " run_dir=Path(sys.argv[1]) / 'seed_1', settings=('evaluation.final_episodes=2', 'execution.xla=none',"
        " 'evaluation.period_iterations=0', 'min_replay_steps=200'), checkpoint_frames=500)\n"
        "print([o.state for o in jobs.run_all([job], 1, lambda o: None)])\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, cwd=jobs.ROOT, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 300
        while not (tmp_path / "seed_1" / "episodes.csv").exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=120)
    log = (tmp_path / "seed_1.log").read_text()
    again = subprocess.run(command, cwd=jobs.ROOT, capture_output=True, text=True, check=True)
    assert again.stdout == "['complete']\n"
    assert json.loads((tmp_path / "seed_1" / "summary.json").read_text())["frames"] == 2000, log
    assert Path(tmp_path / "seed_1" / "manifest.json").exists()
