"""What comes back from a cluster: results, losses, and how long a job that gets nowhere is handed out again."""

from __future__ import annotations

import os

import pytest

from reproduce.executing import jobs
from reproduce.executing.executors import remote
from reproduce.executing.jobs import Outcome


def reach(planned, frames):
    planned.run_dir.mkdir(parents=True, exist_ok=True)
    (planned.run_dir / "episodes.csv").write_text(f"frames,steps\n{frames},1\n")


def test_a_result_is_taken(job):
    outcome = Outcome(job(), attempts=1)
    remote.TaskResults().ended(outcome, Outcome(job(), "failed", attempts=2, seconds=3.0, message="why", frames=7))
    assert (outcome.state, outcome.attempts, outcome.message, outcome.frames) == ("failed", 3, "why", 7)


def test_a_run_sees_what_its_task_was_assigned(monkeypatch, job):
    """Whatever the node shows; what the cluster says comes last."""
    assert remote.devices([]) == {"CUDA_VISIBLE_DEVICES": "-1"}
    assert remote.devices(["4", "7"]) == remote.devices([4, 7]) == {"CUDA_VISIBLE_DEVICES": "4,7"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    seen = []
    monkeypatch.setattr(remote, "run_one", lambda *_: seen.append(jobs.environment(job())["CUDA_VISIBLE_DEVICES"]))
    remote.carry_out_here(job(), 0, remote.devices([]))
    remote.carry_out_here(job(), 0, remote.devices(["GPU-5f"]))
    assert seen == ["-1", "GPU-5f"]


@pytest.mark.parametrize("state", ["stopped", "elsewhere"])
def test_what_ended_early_waits_again(job, state):
    outcome = Outcome(job(), "running")
    remote.TaskResults().ended(outcome, Outcome(job(), state))
    assert outcome.state == "waiting" and outcome.message == "lost: stopped by its node"


def test_a_job_that_gets_nowhere_is_given_up(job):
    """Five losses at the same frame; one that got further, or fell behind a checkpoint, starts no new count early."""
    outcome, results = Outcome(job()), remote.TaskResults()
    for frames in (100, 200, 150, 200, 200):  # further, further, back, no further, no further
        reach(outcome.job, frames)
        results.lost(outcome, "node gone")
        assert outcome.state == "waiting"
    for state in ("waiting", "failed"):  # the fifth and sixth at 200
        results.lost(outcome, "node gone")
        assert outcome.state == state
    assert outcome.message == "lost: 6 times at 200 frames; the last time: node gone"


def test_a_job_that_gets_on_is_never_given_up(job):
    outcome, results = Outcome(job()), remote.TaskResults()
    for frames in range(1, 50):
        reach(outcome.job, frames)
        results.lost(outcome, "preempted")
    assert outcome.state == "waiting"


def test_lost_after_its_end_is_complete(job, finish):
    outcome = Outcome(job())
    finish(outcome.job)
    remote.TaskResults().lost(outcome, "node gone")
    assert outcome.state == "complete" and not outcome.already


def test_carried_out_here_stopped_in_between(job, monkeypatch):
    """The environment is as it was where the sweep was started, and a stop is an answer, not an error."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OTHER", "1")

    def stop(*_):
        assert os.environ["OMP_NUM_THREADS"] == "7" and "OTHER" not in os.environ
        raise jobs.StopAll(15)

    monkeypatch.setattr(remote, "run_one", stop)
    outcome = remote.carry_out_here(job(), 0, {"OMP_NUM_THREADS": "7", "OTHER": None})
    assert outcome.state == "stopped"


def test_requests(monkeypatch, outcome):
    monkeypatch.setenv("X", "num_gpus=0.25 time=60 exclude='a b' empty=")
    assert remote.requests("X") == {"num_gpus": 0.25, "time": 60, "exclude": "a b", "empty": ""}
    monkeypatch.setenv("X", "")
    assert remote.requests("X") == {}
    monkeypatch.setenv("X", "time=60 gpu")
    assert "got 'gpu'" in outcome(remote.requests, "X")
