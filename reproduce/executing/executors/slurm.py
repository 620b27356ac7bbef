"""Runs as tasks of Slurm job arrays, through submitit; the nodes share the folder of the runs.

A task is ``jobs.run_one`` on some node.  When it has to stop (SIGTERM at preemption, SIGUSR2 shortly before its time is
up), it lets the run save and stop, and has Slurm queue it again; it then continues from the checkpoint.  A task that is
cancelled saves and is not queued again.  Needs no accounting: the states of tasks come from ``squeue``.
"""

from __future__ import annotations

import math
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, ClassVar

import submitit

from dqn_tf.checks import ConfigError, RunError
from reproduce.executing import jobs
from reproduce.executing.executors import Options, remote
from reproduce.executing.jobs import Outcome
from reproduce.places import python_path
from reproduce.planning.job import Job

REQUESTS = "DQN_TF_SLURM"  # more for each task: partition=long time=2880 gres=gpu:1 and so on, as sbatch calls them
MINUTES = 24 * 60  # of one task; a longer run is queued again
GPU_VARIABLES = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS")  # their places on the node, where a task has some
WARNING_SECONDS = 120  # before the time is up
LOOK_SECONDS = 5.0  # between two questions to squeue
MISSING_LOOKS = 3  # without a trace, until a task counts as lost: its result may take a while to reach this machine
GOING_ON = frozenset(
    "PENDING CONFIGURING RUNNING SUSPENDED COMPLETING REQUEUED REQUEUE_HOLD REQUEUE_FED RESIZING SIGNALING STAGE_OUT "
    "STOPPED SPECIAL_EXIT RESV_DEL_HOLD".split()
)
QUEUED = frozenset("PENDING CONFIGURING REQUEUED REQUEUE_HOLD REQUEUE_FED SPECIAL_EXIT RESV_DEL_HOLD".split())


class Task:
    """On a node: one job, start to end, or until Slurm wants the node back."""

    def __init__(self, job: Job, retries: int) -> None:
        """Prepare a task; it is sent to its node as a pickle.

        Args:
            job: what to run.
            retries: how often a failed run is started again on the node.
        """
        self.job, self.retries = job, retries

    def __call__(self) -> Outcome:
        """Carry out the job until it ends, or until Slurm wants the node back.

        Returns:
            The outcome, if the job has ended.

        Raises:
            SystemExit: the task had to stop, and the run is saved; Slurm queues the task again, or it was cancelled.
        """
        with _raises(signal.SIGUSR2):
            result = remote.carry_out_here(self.job, self.retries, devices())
        if result.state == "stopped" and _state() not in ("CANCELLED", "PREEMPTED", "COMPLETING"):
            signal.raise_signal(signal.SIGUSR2)  # submitit's: keeps ``checkpoint()``, queues this task again, leaves
        if result.state == "stopped":
            raise SystemExit(128 + signal.SIGTERM)  # Slurm knows what comes next
        return result

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """What submitit queues when the task is requeued: the same task."""
        return submitit.helpers.DelayedSubmission(self)


def devices() -> dict[str, str]:
    """Where Slurm has assigned GPUs to this task it also shows them, and no others; elsewhere none is to be seen: what
    CUDA_VISIBLE_DEVICES says then comes from the machine where the sweep was started."""
    assigned = any(os.environ.get(name) for name in GPU_VARIABLES)
    return {} if assigned else remote.devices([])


@contextmanager
def _raises(number: int) -> Iterator[None]:
    def handle(number: int, frame: Any) -> None:
        raise jobs.StopAll(number)

    before = signal.signal(number, handle)
    try:
        yield
    finally:
        signal.signal(number, before)


def _state() -> str:
    """What Slurm calls the state of this very task; empty if it does not say."""
    task = submitit.JobEnvironment().job_id  # of this task alone, not of its array
    command = ["squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={task}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


class Slurm:
    """Carries out jobs as array tasks, one each."""

    name: ClassVar[str] = "slurm"

    def __init__(self, options: Options) -> None:
        self.options, self.requests = options, remote.requests(REQUESTS)

    def carry_out(self, jobs_: Sequence[Job], watch: Callable[[list[Outcome]], None]) -> list[Outcome]:
        """See ``Executor.carry_out``.

        Args:
            jobs_: what to run, in order.
            watch: called with all outcomes every half a second.

        Returns:
            The outcomes, in the order of ``jobs_``.

        Raises:
            ConfigError: there is no Slurm here, or it refuses the requests in DQN_TF_SLURM.
            StopAll: on SIGTERM or Ctrl-C, after the runs have saved and stopped.
        """
        outcomes = [Outcome(job) for job in jobs_]
        for outcome in outcomes:
            remote.mark_if_over(outcome)
        with jobs.signals_raise():
            tasks = _Tasks(self.options, self.requests)
            try:
                while any(o.state not in remote.ENDED for o in outcomes):
                    tasks.hand_out(outcomes)
                    tasks.collect()
                    watch(outcomes)
                    time.sleep(0.5)
            finally:
                tasks.stop()
                watch(outcomes)
        return outcomes


class _Tasks:
    """The tasks that were submitted to Slurm."""

    def __init__(self, options: Options, requests: dict[str, Any]) -> None:
        self.options, self.requests = options, requests
        self.results = remote.TaskResults()
        self.tasks: list[tuple[submitit.Job[Outcome], Outcome]] = []
        self._folder = (options.folder / ".slurm").absolute()
        self._looked = 0.0
        self._missing: dict[str, int] = {}
        self._most = _largest_array()

    def hand_out(self, outcomes: list[Outcome]) -> None:
        """Submit all waiting jobs in order, as arrays of tasks with the same needs."""
        there = {id(outcome) for _, outcome in self.tasks}
        waiting = [o for o in outcomes if o.state == "waiting" and id(o) not in there]
        for (cores, gigabytes), group in groupby(waiting, key=lambda o: _needs(o.job)):
            alike = list(group)
            for i in range(0, len(alike), self._most):
                self._submit(alike[i : i + self._most], cores, gigabytes)

    def _submit(self, outcomes: list[Outcome], cores: int, gigabytes: int) -> None:
        try:
            executor = submitit.SlurmExecutor(folder=self._folder, max_num_timeout=10**6)
            executor.update_parameters(**self._parameters(executor, cores, gigabytes))
            with executor.batch():
                submitted = [executor.submit(Task(o.job, self.options.retries)) for o in outcomes]
        except (RuntimeError, ValueError, TypeError) as error:
            raise ConfigError(f"Expected Slurm to take {len(outcomes)} tasks, but: {error}") from error
        self.tasks += zip(submitted, outcomes, strict=True)

    def _parameters(self, executor: submitit.SlurmExecutor, cores: int, gigabytes: int) -> dict[str, Any]:
        given: dict[str, Any] = {
            "job_name": "dqn_tf",
            "time": MINUTES,
            "cpus_per_task": cores,
            "mem": f"{gigabytes}GB",
            "signal_delay_s": WARNING_SECONDS,
            "stderr_to_stdout": True,
            "setup": [f"export PYTHONPATH={shlex.quote(python_path())}"],
        }
        own = executor._valid_parameters()
        more = {name: value for name, value in self.requests.items() if name not in own}
        given |= {name: value for name, value in self.requests.items() if name in own}
        if self.options.parallel:
            given["array_parallelism"] = self.options.parallel
        return {**given, "additional_parameters": {"requeue": True, **more}}

    def collect(self) -> None:
        """Follow the running jobs and take the results of those that have ended."""
        for _, outcome in self.tasks:
            if outcome.state == "running":
                jobs.follow(outcome)
        if time.monotonic() - self._looked < LOOK_SECONDS or not self.tasks:
            return
        self._looked = time.monotonic()
        states = _states({task.job_id.split("_")[0] for task, _ in self.tasks})
        if states is None:  # the controller does not answer; it may be back later
            return
        self.tasks = [(task, outcome) for task, outcome in self.tasks if not self._look(task, outcome, states)]

    def _look(self, task: submitit.Job[Outcome], outcome: Outcome, states: dict[str, str]) -> bool:
        """Whether the task has ended."""
        state = states.get(task.job_id, "")
        if task.paths.result_pickle.exists():
            try:
                self.results.ended(outcome, task.result())
            except submitit.core.utils.UncompletedJobError as error:
                self.results.lost(outcome, str(error))
            except submitit.core.utils.FailedJobError as error:
                self.results.lost(outcome, str(error).strip().splitlines()[-1])
            return True
        if state in GOING_ON:
            self._missing.pop(task.job_id, None)
            _show(outcome, state)
            return False
        self._missing[task.job_id] = self._missing.get(task.job_id, 0) + 1
        if self._missing[task.job_id] < MISSING_LOOKS:
            return False
        if state == "CANCELLED":
            remote.mark_if_over(outcome)
            if outcome.state != "complete":
                outcome.state, outcome.message = "failed", f"task {task.job_id} was cancelled; what was saved is kept"
        else:
            self.results.lost(outcome, f"task {task.job_id} ended as {state or 'unknown'}; {task.paths.stdout}")
        return True

    def stop(self) -> None:
        """Cancel the remaining tasks: their runs save and stop.  After its KillWait Slurm kills them."""
        if not self.tasks:
            return
        arrays = {task.job_id.split("_")[0] for task, _ in self.tasks}
        subprocess.run(["scancel", *sorted(arrays)], check=False, capture_output=True)
        end = time.monotonic() + jobs.STOP_SECONDS
        while time.monotonic() < end and any(s in GOING_ON for s in (_states(arrays) or {}).values()):
            time.sleep(1.0)
        for _, outcome in self.tasks:
            remote.mark_if_over(outcome)
            if outcome.state == "running":
                outcome.state, outcome.frames = "stopped", outcome.job.frames_done()
        self.tasks.clear()


def _show(outcome: Outcome, state: str) -> None:
    """Set "running" or "waiting"; a task whose run has ended stays "running" until its result is there."""
    if outcome.state == "waiting" and state == "RUNNING" and outcome.job.owner() is not None:
        outcome.state, outcome.began = "running", time.monotonic()
        outcome.frames, outcome.first_seen = outcome.job.frames_done(), None
    elif outcome.state == "running" and state in QUEUED:
        outcome.state, outcome.message = "waiting", "in Slurm's queue again"


def _needs(job: Job) -> tuple[int, int]:
    """Cores, and whole gigabytes of memory."""
    return job.threads, math.ceil(job.memory_bytes / 2**30)


def _states(arrays: set[str]) -> dict[str, str] | None:
    """Task -> state, for all tasks in Slurm's queue; None if Slurm does not answer."""
    command = [
        "squeue",
        "--noheader",
        "--array",
        "--states=all",
        "--format=%i %T",
        "--jobs=" + ",".join(sorted(arrays)),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode and "Invalid job id" not in done.stderr:
        return None
    return dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if " " in line.strip())


def _largest_array() -> int:
    """Tasks that one array may have.  Raises ConfigError if Slurm does not answer."""
    try:
        done = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        words = (getattr(error, "stderr", "") or str(error)).strip()
        raise ConfigError(f"Expected a Slurm cluster for --executor slurm, got: {words}") from error
    found = [line.split("=")[1] for line in done.stdout.splitlines() if line.startswith("MaxArraySize")]
    if not found:
        raise RunError("Expected MaxArraySize in what `scontrol show config` says, found none.")
    return max(1, int(found[0]) - 1)
