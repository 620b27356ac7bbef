"""One job: what is asked for, one attempt after another, and what is told of it.

Most tests put a short script in the place of training.
"""

from __future__ import annotations

import fcntl
import io
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import pytest

from reproduce import formatting, places
from reproduce.executing import jobs, sweep_progress
from reproduce.executing.jobs import Outcome


def test_the_command_line_says_everything(job, tmp_path):
    planned = job(settings=["batch_size=8", "iteration_frames=100"], checkpoint_frames=50)
    assert planned.arguments == [
        "train",
        "dqn_classic",
        "CartPole-v1",
        "--seed",
        "1",
        "--frames",
        "400",
        "--run-dir",
        str(tmp_path / "runs" / "seed_1"),
        "--checkpoint-frames",
        "50",
        "--set",
        "batch_size=8",
        "--set",
        "iteration_frames=100",
    ]
    assert planned.config.agent.batch_size == 8 and planned.config.seed == 1
    assert planned.log == tmp_path / "runs" / "seed_1.log"


def test_complete_means_this_very_run(job, finish, outcome):
    planned = job()
    assert not planned.is_complete()
    finish(planned)
    assert planned.is_complete()
    assert "holds a run of other settings" in outcome(job(settings=["batch_size=8"]).is_complete)
    (planned.run_dir / "summary.json").unlink()
    assert not planned.is_complete()


def test_frames_done_reads_whole_rows_only(job):
    planned = job()
    assert planned.frames_done() == 0
    planned.run_dir.mkdir(parents=True)
    for text, frames in (("", 0), ("frames,steps\n", 0), ("frames,steps\n12,3\n", 12), ("frames,steps\n12,3\n99", 12)):
        (planned.run_dir / "episodes.csv").write_text(text)
        assert planned.frames_done() == frames
    (planned.run_dir / "episodes.csv").write_text("frames,steps\n" + "".join(f"{i},1\n" for i in range(10_000)))
    assert planned.frames_done() == 9_999


def test_frames_before_learning_count_a_fifth(job):
    planned = job(settings=["min_replay_steps=100"])
    assert planned.work(100) == pytest.approx(20.0) and planned.work(400) == pytest.approx(320.0)


def test_time_left(job):
    """10 s after start-up (at 5 s) 100 of the 300 frames with learning are done: 20 s are left."""
    running = Outcome(job(settings=["min_replay_steps=100"]), "running", frames=100, seconds=5.0)
    assert running.seconds_left is None
    running.first_seen = (5.0, 100)
    assert running.seconds_left is None
    running.frames, running.seconds = 200, 15.0
    assert running.seconds_left == pytest.approx(20.0)


# -- one job, start to end ---------------------------------------------------------------------------------------------
COUNTED = """
import pathlib, sys
folder = pathlib.Path(sys.argv[sys.argv.index("--run-dir") + 1])
folder.mkdir(parents=True, exist_ok=True)
calls = folder / "calls"
calls.write_text(calls.read_text() + "x" if calls.exists() else "x")
print("attempt", len(calls.read_text()))
"""


def test_a_failed_run_is_started_again(job, instead):
    instead(COUNTED + "sys.exit(0 if len(calls.read_text()) == 3 else 1)")
    done = jobs.run_one(job())
    assert (done.state, done.attempts, done.already, done.message) == ("complete", 3, False, "")
    assert job().log.read_text().splitlines() == [
        "attempt 1",
        "-- attempt 2 --",
        "attempt 2",
        "-- attempt 3 --",
        "attempt 3",
    ]
    assert pickle.loads(pickle.dumps(done)) == done


@pytest.mark.parametrize(("code", "attempts"), [("1", 2), ("'no disk'", 2), ("2", 1)])
def test_attempts_end(job, instead, code, attempts):
    """A request that was wrong (exit code 2) is not repeated."""
    instead(COUNTED + f"sys.exit({code})")
    done = jobs.run_one(job(), retries=1)
    assert (done.state, done.attempts) == ("failed", attempts)
    assert f"attempt {attempts}\n" in done.message + "\n" and "exit code" in done.message


def test_a_killed_run_is_started_again(job, instead):
    instead(COUNTED + "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    done = jobs.run_one(job(), retries=1)
    assert (done.state, done.attempts) == ("failed", 2) and "killed by SIGKILL, attempt 2" in done.message


def test_what_is_complete_is_not_started(job, instead, finish):
    instead("raise SystemExit(1)")
    finish(job())
    done = jobs.run_one(job())
    assert (done.state, done.already, done.attempts, done.frames) == ("complete", True, 0, 400)


def test_a_run_that_cannot_be_started(job, instead, tmp_path):
    instead(COUNTED)
    (tmp_path / "runs").touch()  # a file where the runs' folder should be
    assert "File exists" in jobs.run_one(job(run_dir=tmp_path / "runs" / "seed_1")).message


@pytest.fixture
def held(job):
    """The run directory of seed 1, held as another process would hold it."""
    job().run_dir.mkdir(parents=True)
    with open(job().run_dir / ".lock", "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("process 1 on the moon")
        lock.flush()
        yield lock


def test_a_run_in_other_hands_is_left_alone(job, instead, held):
    instead(COUNTED)
    assert job().owner() == "process 1 on the moon" and job(2).owner() is None
    done = jobs.run_one(job(), patience_seconds=0.5)
    assert (done.state, done.message) == ("elsewhere", "in use by process 1 on the moon")
    assert not (job().run_dir / "calls").exists()


def test_a_run_in_other_hands_is_waited_for(job, instead, held):
    instead(COUNTED)
    threading.Timer(0.5, held.close).start()
    assert jobs.run_one(job(), patience_seconds=30).state == "complete"


def test_whoever_is_quicker_has_the_run(job, instead):
    """Another process takes the directory between our look and our start: no failure, and nobody's attempt."""
    instead(
        COUNTED
        + """
import fcntl, os, subprocess, time
lock = open(folder / ".lock", "a+")
fcntl.flock(lock, fcntl.LOCK_EX)
subprocess.Popen(["sleep", "1.5"], pass_fds=[lock.fileno()])  # holds the lock a while longer
sys.exit(1 if len(calls.read_text()) == 1 else 0)
"""
    )
    outcome = Outcome(job())
    jobs.start(outcome)
    while outcome.state == "running":
        time.sleep(0.05)
        jobs.poll(outcome)
    assert (outcome.state, outcome.attempts) == ("elsewhere", 0)


WAITS = """
import pathlib, signal, sys, time
def stop(number, frame):
    print("saved"); sys.exit(143)
signal.signal(signal.SIGTERM, stop)
pathlib.Path(sys.argv[sys.argv.index("--run-dir") + 1]).with_suffix(".up").touch()
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_ends_with_its_parent(job, instead, tmp_path, number):
    """Asked to end or killed outright: the run is told to save, and gives its directory back."""
    instead(WAITS)
    code = (
        "import sys; from pathlib import Path\n"
        "from reproduce.executing import jobs; from reproduce.planning.job import Job\n"
        "jobs.environment = lambda job: {**jobs.os.environ, 'PYTHONPATH': sys.argv[2]}\n"
        "jobs.run_one(Job(label='', preset='dqn_classic', environment='CartPole-v1', seed=1, frames=400,"
        " run_dir=Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, str(job().run_dir), jobs.environment(job())["PYTHONPATH"]]
    with subprocess.Popen(command, cwd=places.ROOT, stderr=subprocess.DEVNULL) as process:
        _until(job().run_dir.with_suffix(".up").exists)
        process.send_signal(number)
    _until(lambda: job().log.read_text() == "saved\n")


def _until(true, seconds=60.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_environment(monkeypatch, job):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert jobs.environment(job())["TF_CPP_MIN_LOG_LEVEL"] == "3"
    assert jobs.environment(job())["CUDA_VISIBLE_DEVICES"] == "-1"
    assert jobs.environment(job())["PYTHONPATH"].split(os.pathsep)[0] == str(places.ROOT)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert jobs.environment(job())["CUDA_VISIBLE_DEVICES"] == "0"
    assert jobs.environment(job(python_path="/own"))["PYTHONPATH"].split(os.pathsep)[-1] == "/own"


def test_tail_of_a_log(tmp_path):
    log = tmp_path / "x.log"
    log.write_bytes(b"\n".join(b"%d" % i for i in range(99)) + b"\xff\n\n")
    assert jobs.tail(log, 2) == "    97\n    98\ufffd"
    assert "No such file" in jobs.tail(tmp_path / "none")


# -- the board ---------------------------------------------------------------------------------------------------------
def test_plain_lines_come_when_something_changes(job):
    stream, outcomes = io.StringIO(), [Outcome(job(s, frames=2000)) for s in (1, 2)]
    board = sweep_progress.Board(stream, plain_seconds=1e9)
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


def test_plain_lines_come_from_time_to_time(job):
    stream = io.StringIO()
    board = sweep_progress.Board(stream, plain_seconds=0.0)
    outcomes = [Outcome(job(), "running", frames=100, seconds=20.0, first_seen=(10.0, 50))]
    board.show(outcomes)
    board.show(outcomes)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2 and lines[0].startswith("seed 1  running  100 of 400 frames (25%), about ")


@pytest.mark.parametrize("terminal", [True, False])
def test_thousands_are_counted_and_those_that_run_are_shown(job, terminal):
    class Stream(io.StringIO):
        def isatty(self):
            return terminal

    stream, outcomes = Stream(), [Outcome(job(s)) for s in range(3420)]
    for outcome in outcomes[:2000]:
        outcome.state, outcome.already = "complete", True
    outcomes[2000].state = outcomes[2001].state = "running"
    outcomes[2002].state, outcomes[2002].message = "elsewhere", "in use by process 7 on there"
    sweep_progress.Board(stream, plain_seconds=0.0).show(outcomes)
    lines = stream.getvalue().splitlines()
    assert lines[-1] == "3,420 runs: 2,000 complete, 2 running, 1 elsewhere, 1,417 waiting"
    assert [line.split()[1] for line in lines if "running  " in line] == ["2000", "2001"]
    assert len(lines) == (3 if terminal else 4)  # elsewhere is told once, where lines stay


def test_a_terminal_shows_one_block(job):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream, outcomes = Terminal(), [Outcome(job(s)) for s in (1, 2)]
    board = sweep_progress.Board(stream)
    board.show(outcomes)
    outcomes[0].state = "running"
    board.show(outcomes)
    assert stream.getvalue().count("seed 2") == 2 and "\x1b[2A\x1b[J" in stream.getvalue()


def test_numbers_of_runs_in_words():
    assert [formatting.runs(1), formatting.runs(3420), formatting.runs(1, of=2), formatting.runs(2, of=2)] == [
        "1 run",
        "3,420 runs",
        "1 of 2 runs",
        "2 runs",
    ]
