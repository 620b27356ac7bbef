"""One small run, what it comes to when nothing disturbs it, and the ways to disturb it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from dqn_tf.training.run_dir import read_json
from reproduce.executing.executors import Options
from reproduce.executing.executors.local import Local
from reproduce.executing.jobs import Outcome
from reproduce.planning.job import Job

FRAMES, DISTURBED_FROM = 15_000, 1_500  # so many that a scheduler's answers come before a fast machine is done
SETTINGS = (
    "execution.xla=none",
    "execution.threads=1",
    "min_replay_steps=200",
    "steps_per_update=16",
    "iteration_frames=1_000",
    "evaluation.period_iterations=0",
    "evaluation.final_episodes=2",
)


def make_job(folder: Path, seed: int = 1, **fields: Any) -> Job:
    given = {"label": f"seed {seed}", "preset": "dqn_classic", "environment": "CartPole-v1", "seed": seed}
    given |= {"frames": FRAMES, "checkpoint_frames": 1_000, "settings": SETTINGS, "run_dir": folder / f"seed_{seed}"}
    return Job(**{**given, **fields})


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., Job]:
    """A function (seed, field=value, ...) -> a job of 15,000 frames of CartPole below tmp_path/runs."""
    return lambda seed=1, **fields: make_job(tmp_path / "runs", seed, **fields)


def what_counts(job: Job) -> dict[str, Any]:
    """All of a run that must not depend on how it was launched or disturbed."""
    summary = read_json(job.run_dir / "summary.json")
    tables = {name: (job.run_dir / name).read_bytes() for name in ("episodes.csv", "iterations.csv")}
    return {**tables, "state_digest": summary["state_digest"], "summary": summary}


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The run of seed 1 as the local executor makes it in one go."""
    planned = make_job(tmp_path_factory.mktemp("undisturbed"))
    assert [o.state for o in Local(Options()).carry_out([planned], lambda _: None)] == ["complete"]
    return what_counts(planned)


@pytest.fixture
def same() -> Callable[[Job, dict[str, Any]], None]:
    """A function (job, what the undisturbed run came to) that compares the two."""

    def compare(job: Job, expected: dict[str, Any]) -> None:
        found = what_counts(job)
        assert {name: found[name] == expected[name] for name in expected} == dict.fromkeys(expected, True)

    return compare


@pytest.fixture
def trainer() -> Callable[[Job], psutil.Process]:
    """A function (job) -> the process that holds its run directory."""

    def find(job: Job) -> psutil.Process:
        owner = job.owner()
        assert owner, f"nobody holds {job.run_dir}"
        return psutil.Process(int(owner.split()[1]))

    return find


@pytest.fixture
def sessions() -> Callable[[Job], int]:
    """A function (job) -> how many processes have worked on its run."""
    return lambda job: len(read_json(job.run_dir / "manifest.json")["sessions"])


@pytest.fixture
def disturb() -> type[_Disturb]:
    return _Disturb


class _Disturb:
    """A ``watch`` that calls ``action`` once, when the first job has trained ``frames`` frames, and notes states."""

    def __init__(self, action: Callable[[Job], Any], frames: int = DISTURBED_FROM) -> None:
        self.action, self.frames = action, frames
        self.done = False
        self.states: list[str] = []
        self.messages: list[str] = []
        self._deadline = time.monotonic() + 900

    def __call__(self, outcomes: list[Outcome]) -> None:
        assert time.monotonic() < self._deadline, f"nothing came of it: {outcomes}"
        first = outcomes[0]
        for seen, now in ((self.states, first.state), (self.messages, first.message)):
            if not seen or seen[-1] != now:
                seen.append(now)
        if not self.done and first.state == "running" and first.frames >= self.frames:
            self.done = True
            self.action(first.job)
