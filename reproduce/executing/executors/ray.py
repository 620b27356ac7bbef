"""Runs as tasks of a Ray cluster whose nodes share the folder of the runs.

A task is ``jobs.run_one`` on some node.  When its node is lost, the training process there saves and ends with the Ray
worker that started it (or is gone with the machine), and the job is handed out again: another node waits for the run
directory's lock and continues from the last checkpoint.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import ray

from dqn_tf.checks import ConfigError
from reproduce.executing import jobs
from reproduce.executing.executors import Options, remote
from reproduce.executing.jobs import Outcome
from reproduce.places import python_path
from reproduce.planning.job import Job

REQUESTS = "DQN_TF_RAY"  # more for each task: num_gpus=0.25 resources and so on, as ray.remote understands them
LOOK_SECONDS = 2.0  # how often it is checked which runs have begun
RAY_CHANGES = ("OMP_NUM_THREADS",)  # for its workers; a run must see what it would see without Ray


def carry_out_here(job: Job, retries: int, environment: Mapping[str, str | None]) -> Outcome:
    """On a node: carry out one job.  A task that asked for no GPU keeps the node's CUDA_VISIBLE_DEVICES; its run must
    not.

    Args:
        job: what to run.
        retries: how often a failed run is started again here.
        environment: variables that Ray changes -> their values where the sweep was started; None: not set there.

    Returns:
        The outcome, without its process.
    """
    return remote.carry_out_here(job, retries, {**environment, **remote.devices(ray.get_gpu_ids())})


class Ray:
    """Carries out jobs on the cluster of RAY_ADDRESS, or on the one that this machine belongs to."""

    name: ClassVar[str] = "ray"

    def __init__(self, options: Options) -> None:
        self.parallel, self.retries = options.parallel, options.retries
        self.requests = remote.requests(REQUESTS)

    def carry_out(self, jobs_: Sequence[Job], watch: Callable[[list[Outcome]], None]) -> list[Outcome]:
        """See ``Executor.carry_out``.

        Args:
            jobs_: what to run, in order.
            watch: called with all outcomes every half a second or so.

        Returns:
            The outcomes, in the order of ``jobs_``.

        Raises:
            ConfigError: there is no cluster, or it refuses the requests in DQN_TF_RAY.
            StopAll: on SIGTERM or Ctrl-C, after the runs have saved and stopped.
        """
        outcomes = [Outcome(job) for job in jobs_]
        for outcome in outcomes:
            remote.mark_if_over(outcome)
        with _connected(), jobs.signals_raise():
            tasks = _Tasks(self)
            try:
                while any(o.state not in remote.ENDED for o in outcomes):
                    tasks.hand_out(outcomes)
                    tasks.look()
                    watch(outcomes)
                    tasks.collect()
            finally:
                tasks.stop()
                watch(outcomes)
        return outcomes


class _Tasks:
    """The tasks that were submitted to the cluster."""

    def __init__(self, executor: Ray) -> None:
        self.executor, self.results = executor, remote.TaskResults()
        self.outcomes: dict[Any, Outcome] = {}
        self._looked = 0.0
        self._nodes: list[dict[str, Any]] = []
        self._environment = {name: os.environ.get(name) for name in RAY_CHANGES}
        self._run = ray.remote(max_retries=0, max_calls=1)(carry_out_here)

    def hand_out(self, outcomes: list[Outcome]) -> None:
        """Submit jobs in order, as many as the cluster can start soon; lost ones after new ones."""
        there = {id(o) for o in self.outcomes.values()}
        free = self._most() - len(there)
        waiting = [o for o in outcomes if o.state == "waiting" and id(o) not in there] if free > 0 else []
        for outcome in sorted(waiting, key=lambda o: bool(o.message))[:free]:
            needs = {**self._needs(outcome.job), **self.executor.requests}
            try:
                task = self._run.options(name=outcome.job.label, **needs)
                reference = task.remote(outcome.job, self.executor.retries, self._environment)
            except (TypeError, ValueError) as error:
                raise ConfigError(f"Expected requests that Ray understands in {REQUESTS}: {error}") from error
            self.outcomes[reference] = outcome

    def look(self) -> None:
        """Follow the jobs: one whose run directory is locked has begun."""
        timely = time.monotonic() - self._looked >= LOOK_SECONDS
        if timely:
            self._looked = time.monotonic()
            self._nodes = [node for node in ray.nodes() if node["Alive"]]
        for outcome in self.outcomes.values():
            if outcome.state == "waiting" and timely and outcome.job.owner():
                outcome.state, outcome.began = "running", time.monotonic()
                outcome.frames, outcome.first_seen = outcome.job.frames_done(), None
            elif outcome.state == "running":
                jobs.follow(outcome)

    def collect(self, timeout: float = 0.5) -> None:
        """Take the results of tasks that end within ``timeout`` seconds."""
        if not self.outcomes:
            return
        for reference in ray.wait(list(self.outcomes), num_returns=1, timeout=timeout)[0]:
            outcome = self.outcomes.pop(reference)
            try:
                self.results.ended(outcome, ray.get(reference))
            except ray.exceptions.RayError as error:
                self.results.lost(outcome, f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}")

    def stop(self) -> None:
        """Ask the remaining tasks to save and stop."""
        for reference in self.outcomes:
            ray.cancel(reference, force=False, recursive=False)
        if self.outcomes:
            ray.wait(list(self.outcomes), num_returns=len(self.outcomes), timeout=jobs.STOP_SECONDS + 30)
        for outcome in self.outcomes.values():
            remote.mark_if_over(outcome)
            if outcome.state == "running":
                outcome.state, outcome.frames = "stopped", outcome.job.frames_done()
        self.outcomes.clear()

    def _most(self) -> int:
        """Tasks to keep submitted: twice the cluster's cores, so that no core waits and an autoscaler sees demand."""
        cores = int(sum(node["Resources"].get("CPU", 0) for node in self._nodes))
        return self.executor.parallel or max(4, 2 * cores)

    def _needs(self, job: Job) -> dict[str, float]:
        """Cores and memory; never more than the largest node has, which then carries out this run alone."""

        def at_most(wanted: float, kind: str) -> float:
            return min(wanted, max((n["Resources"].get(kind, 0) for n in self._nodes), default=0) or wanted)

        return {"num_cpus": at_most(job.threads, "CPU"), "memory": int(at_most(job.memory_bytes, "memory"))}


@contextmanager
def _connected() -> Iterator[None]:
    """Connect to the cluster while this lasts; its workers import the same code, from the same path as here."""
    if ray.is_initialized():
        yield
        return
    try:
        ray.init(
            address=os.environ.get("RAY_ADDRESS") or "auto",
            runtime_env={"env_vars": {"PYTHONPATH": python_path()}},
            log_to_driver=False,
            logging_level="ERROR",
        )
    except ConnectionError as error:
        raise ConfigError(
            f"Expected a Ray cluster for --executor ray, found none ({str(error).splitlines()[0]}). Start one with "
            f"`{os.path.dirname(sys.executable)}/ray start --head` here and `ray start --address=...` on the other "
            "nodes, or name one in RAY_ADDRESS. One that asks for a token refuses who shows none: RAY_AUTH_MODE=token, "
            "docs/cluster.md."
        ) from error
    except ray.exceptions.AuthenticationError as error:
        raise ConfigError(
            f"Expected a Ray cluster that takes this machine's token, got: {str(error).splitlines()[0]} All machines "
            "of a cluster need one token, or none: docs/cluster.md."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()
