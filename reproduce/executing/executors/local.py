"""Runs as processes of this machine: never more at a time than cores and memory hold."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from dqn_tf import memory
from reproduce.executing import jobs
from reproduce.executing.executors import Options
from reproduce.executing.fork_server import ForkServer
from reproduce.executing.jobs import Outcome
from reproduce.executing.seeds_together import can_share
from reproduce.planning.cost import cores
from reproduce.planning.job import Job

ELSEWHERE_SECONDS = 5.0  # how often runs that another process holds are checked


class Local:
    """Carries out jobs in order, as cores and memory allow; a small job may overtake one that waits for memory."""

    name: ClassVar[str] = "local"

    def __init__(self, options: Options, patience_seconds: float = jobs.PATIENCE_SECONDS) -> None:
        """Prepare; nothing is started before ``carry_out``.

        Args:
            options: parallel and retries are used.
            patience_seconds: how long to wait, at the end, for runs that another process holds.
        """
        self.parallel, self.retries, self.patience_seconds = options.parallel, options.retries, patience_seconds
        self.seeds_together = options.seeds_together
        self._looked = 0.0
        self._fork_server: ForkServer | None = None

    def carry_out(self, jobs_: Sequence[Job], watch: Callable[[list[Outcome]], None]) -> list[Outcome]:
        """See ``Executor.carry_out``.

        Args:
            jobs_: what to run, in order.
            watch: called with all outcomes after every look at the processes.

        Returns:
            The outcomes, in the order of ``jobs_``.

        Raises:
            StopAll: on SIGTERM or Ctrl-C, after the runs have saved and stopped.
        """
        outcomes = [Outcome(job) for job in jobs_]
        idle_since = time.monotonic()
        with jobs.signals_raise():
            try:
                self._start_fork_server(jobs_)
                while True:
                    self._look_elsewhere(outcomes)
                    self._start_what_fits(outcomes)
                    running = [o for o in outcomes if o.state == "running"]
                    watch(outcomes)
                    if running or any(o.state == "waiting" for o in outcomes):
                        idle_since = time.monotonic()
                    elif not self._worth_waiting(outcomes, idle_since):
                        break
                    self._wait()
                    for outcome in running:
                        jobs.poll(outcome, self.retries)
            finally:
                jobs.stop(outcomes)
                if self._fork_server is not None:
                    self._fork_server.close()
                watch(outcomes)
        return outcomes

    def _start_fork_server(self, jobs_: Sequence[Job]) -> None:
        """Start the fork server, if several runs are to be started and they use the CPU."""
        for job in jobs_[:1]:
            jobs.worker_kind(job)  # imports Gymnasium, say, which adds a variable to those of this process
        environments = [jobs.environment(job) for job in jobs_ if not (job.run_dir / "summary.json").exists()]
        if len(environments) > 1 and environments[0].get("CUDA_VISIBLE_DEVICES") == "-1":
            self._fork_server = ForkServer(environments[0])

    def _wait(self) -> None:
        if self._fork_server is None:
            time.sleep(jobs.POLL_SECONDS)
        else:
            self._fork_server.wait(jobs.POLL_SECONDS)

    def _worth_waiting(self, outcomes: list[Outcome], since: float) -> bool:
        return any(o.state == "elsewhere" for o in outcomes) and time.monotonic() - since < self.patience_seconds

    def _look_elsewhere(self, outcomes: list[Outcome]) -> None:
        """Set runs that another process has released to "waiting": they are complete, or are continued here."""
        if time.monotonic() - self._looked < min(ELSEWHERE_SECONDS, self.patience_seconds / 4):
            return
        self._looked = time.monotonic()
        for outcome in outcomes:
            if outcome.state == "elsewhere" and outcome.job.owner() is None:
                outcome.state, outcome.message = "waiting", ""

    def _start_what_fits(self, outcomes: list[Outcome]) -> None:
        """Start the jobs that fit, in order; failed ones after all that have not been tried."""
        running = [o for o in outcomes if o.state == "running"]
        room: int | None = None
        waiting = sorted((o for o in outcomes if o.state == "waiting"), key=lambda o: o.attempts)
        for outcome in waiting:
            if outcome.state != "waiting":  # started with another one
                continue
            if not self._has_core(outcome.job, running):
                return
            if running:  # the only one is started in any case: if it is too large, it refuses by itself, with numbers
                room = _room_bytes(running) if room is None else room
                if outcome.job.memory_bytes > room:
                    continue
            others = self._others(outcome, waiting)
            jobs.start(outcome, self._fork_server, others)
            if started := [o for o in (outcome, *others) if o.state == "running"]:
                running += started
                room = None

    def _others(self, outcome: Outcome, waiting: Sequence[Outcome]) -> list[Outcome]:
        """Those that the process of this one carries out too."""
        if self.seeds_together == 1:
            return []
        alike = (o for o in waiting if o.state == "waiting" and can_share(outcome.job, o.job))
        return list(itertools.islice(alike, self.seeds_together - 1))

    def _has_core(self, job: Job, running: list[Outcome]) -> bool:
        threads = {o.process.pid: o.job.threads for o in running}  # of each process
        if self.parallel is not None:
            return len(threads) < self.parallel
        return not running or sum(threads.values()) + job.threads <= cores()


def _room_bytes(running: list[Outcome]) -> int:
    """Memory that is left when the running ones have taken all that their replays will hold."""
    to_come = sum(max(0, o.job.memory_bytes - _resident_bytes(o.process.pid)) for o in running)
    return memory.available()[0] - to_come


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
