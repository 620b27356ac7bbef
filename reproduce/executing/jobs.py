"""Training runs as subprocesses: started, followed, stopped, and started again from the checkpoint if they fail.

Each job is one ``python -m dqn_tf train`` command, whose output goes to a log beside the run directory.  How many run
at a time, and where, is up to an executor (``reproduce.executing.executors``).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from dqn_tf import envs, fields
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.modes import Fused
from reproduce.executing import seeds_together
from reproduce.executing.fork_server import ForkServer
from reproduce.places import python_path
from reproduce.planning.job import Job

TAIL_LINES = 12
STOP_SECONDS = 600.0  # a run that hangs ends itself after a minute; saving a large replay may take several
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 120.0  # for a run that another process holds: one that was told to stop needs a while to save
RETRIES = 2
REFUSED = 2  # exit code of a request that was wrong: no use in trying again
PR_SET_PDEATHSIG = 1
STATES = ("complete", "running", "failed", "stopped", "elsewhere", "waiting")


@dataclass
class Outcome:
    """The state of a job.

    state: one of STATES; "elsewhere" is a run that another process holds.
    attempts: how often it was started here.  message: why it failed, or what made the last attempt end.
    """

    job: Job
    state: str = "waiting"
    already: bool = False
    attempts: int = 0
    seconds: float = 0.0
    message: str = ""
    frames: int = 0
    process: Any = field(default=None, repr=False)
    log: IO[bytes] | None = field(default=None, repr=False)
    began: float = 0.0
    first_seen: tuple[float, int] | None = None  # (seconds, frames) when the first episode had ended: start-up is over

    @property
    def seconds_left(self) -> float | None:
        """Seconds of training left, at the pace of this attempt; None until one is known."""
        if self.state != "running" or self.first_seen is None:
            return None
        seconds, frames = self.first_seen
        done = self.job.work(self.frames) - self.job.work(frames)
        left = self.job.work(self.job.frames) - self.job.work(self.frames)
        return (self.seconds - seconds) * left / done if done > 0 else None


class StopAll(BaseException):
    """SIGTERM or Ctrl-C: stop the runs and leave.  Not an Exception, so that no handler of failures catches it."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number


# -- one job, start to end ---------------------------------------------------------------------------------------------
def run_one(job: Job, retries: int = RETRIES, patience_seconds: float = PATIENCE_SECONDS) -> Outcome:
    """Carry out one job on this machine; a complete one is not started.

    A run that fails is started again, from its checkpoint. On SIGTERM or Ctrl-C (where this is called in the main
    thread) the run saves and stops.

    Args:
        job: what to run.
        retries: how often it is started again after a failure.
        patience_seconds: how long to wait for the run directory while another process holds it.

    Returns:
        The outcome, "complete", "failed" or "elsewhere"; it can be pickled.

    Raises:
        StopAll: on SIGTERM or Ctrl-C, after the run has stopped.
    """
    outcome, began = Outcome(job), time.monotonic()
    with signals_raise():
        try:
            while outcome.state in ("waiting", "running", "elsewhere"):
                if outcome.state == "elsewhere" and time.monotonic() - began > patience_seconds:
                    break
                if outcome.state == "running":
                    poll(outcome, retries)
                else:
                    start(outcome)
                if outcome.state in ("running", "elsewhere"):
                    time.sleep(POLL_SECONDS)
        finally:
            stop([outcome])
    return outcome


def start(outcome: Outcome, fork_server: ForkServer | None = None, others: Sequence[Outcome] = ()) -> None:
    """Start a job that waits: it is "running" then, or "complete", "failed" or "elsewhere" if it cannot be started.

    Args:
        outcome: of the job; changed in place.
        fork_server: makes the process, if it can; otherwise, or for None, a new process is started.
        others: of jobs that differ in the seed only, for the same process (``seeds_together``).
    """
    due = [each for each in (outcome, *others) if _open(each)]
    if not due:
        return
    first = due[0]
    words = first.job.arguments if len(due) == 1 else seeds_together.arguments([each.job for each in due])
    try:
        kind = worker_kind(first.job) if fork_server and len(due) == 1 else None
        forked = fork_server and fork_server.start(words, str(first.job.log), environment(first.job), kind)
        assert first.log is not None
        process = forked or _popen(words, environment(first.job), first.log)
    except OSError as error:
        for each in due:
            _fail(each, error)
        return
    for each in due:
        each.process = process if len(due) == 1 else seeds_together.Shared(process, each.job)
        each.attempts += 1
        each.began, each.frames, each.state = time.monotonic(), each.job.frames_done(), "running"
        each.first_seen = None
        if each is not first and each.log is not None:
            each.log.write(f"-- together with {first.job.label}: see {first.job.log.name} --\n".encode())
            each.log.flush()


def _open(outcome: Outcome) -> bool:
    """Open the log of a job that waits, if it is to be started; else its state is another one then."""
    job = outcome.job
    try:
        if job.is_complete():
            outcome.state, outcome.already, outcome.frames = "complete", not outcome.attempts, job.frames
            return False
        if owner := job.owner():
            outcome.state, outcome.message = "elsewhere", f"in use by {owner}"
            return False
        job.run_dir.parent.mkdir(parents=True, exist_ok=True)
        outcome.log = open(job.log, "ab")  # noqa: SIM115 - open as long as the process
        if outcome.attempts:
            outcome.log.write(f"-- attempt {outcome.attempts + 1} --\n".encode())
            outcome.log.flush()
    except (ConfigError, RunError, OSError) as error:
        _fail(outcome, error)
        return False
    return True


def _fail(outcome: Outcome, error: Exception) -> None:
    _close_log(outcome)
    outcome.state, outcome.message = "failed", str(error)


def _popen(words: Sequence[str], variables: Mapping[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    parent = os.getpid()

    def end_with_parent() -> None:  # in the child, before Python starts there
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # Slurm warns whole steps with it; who started this one hears it
        if os.getppid() != parent:
            os._exit(128 + signal.SIGTERM)

    return subprocess.Popen(
        [sys.executable, "-P", "-m", "dqn_tf", *words],
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,  # a Ctrl-C at the terminal reaches this process alone, which asks them to stop
        preexec_fn=end_with_parent,  # if this process is killed, its runs save and stop: nothing holds their locks
    )


_LIBC = ctypes.CDLL(None)


def environment(job: Job) -> dict[str, str]:
    """Variables of its process: this checkout's code, a quiet TensorFlow, no GPU unless the caller names one."""
    own = {
        "PYTHONPATH": os.pathsep.join(filter(None, [python_path(), job.python_path])),
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONUNBUFFERED": "1",
    }
    return {"CUDA_VISIBLE_DEVICES": "-1", **os.environ, **own}


def worker_kind(job: Job) -> str | None:
    """What runs that one process may carry out one after the other have in common.

    Args:
        job: a run.

    Returns:
        The configuration without its seed, as text; None where the run needs a process of its own: it would gain
        nothing (only ``execution=fused`` has learners that are used again), or a part of it comes from outside this
        package and Gymnasium, and may remember an earlier run.
    """
    try:
        config = job.config
    except ConfigError:  # its process says why
        return None
    ours = isinstance(config.agent.execution, Fused) and not any(fields.outside_classes(config))
    if job.python_path or not ours or not envs.is_known(config.environment):
        return None
    return json.dumps({**config.to_json(), "seed": None}, sort_keys=True)


def poll(outcome: Outcome, retries: int = RETRIES) -> None:
    """Look whether a running job has ended, and set its state.

    A failed one is "waiting" again while it has attempts left, unless its request was wrong (``REFUSED``).

    Args:
        outcome: of a job that runs; changed in place.
        retries: how often a job is started again after a failure.
    """
    follow(outcome)
    code = outcome.process.poll()
    if code is None:
        return
    _close_log(outcome)
    outcome.process = None
    if code == 0:
        outcome.state, outcome.frames, outcome.message = "complete", outcome.job.frames, ""
    elif owner := outcome.job.owner():  # somebody was quicker: not an attempt of ours
        outcome.state, outcome.message, outcome.attempts = "elsewhere", f"in use by {owner}", outcome.attempts - 1
    else:
        again = code != REFUSED and outcome.attempts <= retries
        outcome.state = "waiting" if again else "failed"
        times = f", attempt {outcome.attempts}" if outcome.attempts > 1 else ""
        outcome.message = f"{_ended(code)}{times}; the end of {outcome.job.log}:\n{tail(outcome.job.log)}"


def follow(outcome: Outcome) -> None:
    """Update the frames and seconds of a running job from its run directory."""
    outcome.seconds = time.monotonic() - outcome.began
    before, outcome.frames = outcome.frames, outcome.job.frames_done()
    if outcome.first_seen is None and outcome.frames > before:
        outcome.first_seen = (outcome.seconds, outcome.frames)


def _ended(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The end of a log, each line indented by 4.

    Args:
        log: the file.
        lines: how many at most.

    Returns:
        The lines, or why the log cannot be read.
    """
    try:
        text = log.read_bytes().decode(errors="replace")
    except OSError as error:
        return f"    ({error})"
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines()[-lines:])


def stop(outcomes: list[Outcome]) -> None:
    """Ask the running ones to save and stop; kill those that take longer than STOP_SECONDS (a checkpoint stays)."""
    running = [o for o in outcomes if o.state == "running"]
    for outcome in running:
        outcome.state = "stopped"
        outcome.process.send_signal(signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    for outcome in running:
        try:
            outcome.process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            outcome.process.kill()
            outcome.process.wait()
        outcome.process = None
        _close_log(outcome)


def _close_log(outcome: Outcome) -> None:
    if outcome.log:
        outcome.log.close()
        outcome.log = None


@contextmanager
def signals_raise() -> Iterator[None]:
    """SIGTERM and SIGINT raise StopAll within; without effect outside the main thread, which alone gets signals."""

    def handle(number: int, frame: Any) -> None:
        raise StopAll(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {s: signal.signal(s, handle) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
