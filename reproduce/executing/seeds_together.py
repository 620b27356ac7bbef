"""Jobs that differ in their seeds only, in one process: ``dqn-tf train --seeds`` instead of one command for each.

Each keeps its outcome: it is complete as soon as its summary is written, and one that failed is started again like any
other, when the process has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dqn_tf.modes import Fused
from reproduce.planning.job import Job


def can_share(one: Job, other: Job) -> bool:
    """Returns whether one process can carry out both.

    Args:
        one: a job.
        other: another one.
    """
    return all(_places_by_seed(job) for job in (one, other)) and _kind(one) == _kind(other) and one.seed != other.seed


def _places_by_seed(job: Job) -> bool:
    return job.run_dir.name == f"seed_{job.seed}" and isinstance(job.config.agent.execution, Fused)


def _kind(job: Job) -> tuple[Any, ...]:
    what = job.preset, job.environment, job.protocol, job.settings, job.frames
    return *what, job.checkpoint_frames, job.python_path, job.run_dir.parent


def arguments(jobs: Sequence[Job]) -> list[str]:
    """What follows ``dqn-tf`` for these jobs together.

    >>> from pathlib import Path
    >>> job = lambda seed: Job(label="", preset="dqn_classic", environment="CartPole-v1", seed=seed, frames=9,
    ...                        run_dir=Path(f"runs/seed_{seed}"))
    >>> " ".join(arguments([job(1), job(3)])[:7])
    'train dqn_classic CartPole-v1 --seeds 1,3 --frames 9'
    """
    instead = {"--seed": ("--seeds", ",".join(str(job.seed) for job in jobs))}
    instead["--run-dir"] = "--run-dir", str(jobs[0].run_dir.parent / "seed_{seed}")
    words = list(jobs[0].arguments)
    for name, pair in instead.items():
        at = words.index(name)
        words[at : at + 2] = pair
    return words


class Shared:
    """One job's view of the process, with the part of ``subprocess.Popen``'s interface that jobs.py uses.

    Args:
        process: that carries out several jobs.
        job: one of them.
    """

    def __init__(self, process: Any, job: Job) -> None:
        self._process, self._job = process, job

    @property
    def pid(self) -> int:
        """Of the process."""
        return int(self._process.pid)

    def poll(self) -> int | None:
        """0 once the job is complete; else the exit code of the process, which has failed for this job; or None."""
        if (self._job.run_dir / "summary.json").exists() and self._job.owner() is None:
            return 0
        code: int | None = self._process.poll()
        return code if code is None else code or 1

    def send_signal(self, number: int) -> None:
        """To the process."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the process.  Raises subprocess.TimeoutExpired."""
        return int(self._process.wait(timeout))
