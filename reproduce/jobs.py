"""Training runs as subprocesses, a few at a time: continued where they stopped, watched, and stopped together.

Each job is one ``python -m dqn_tf train`` command; its words go to a log beside the run directory.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from dqn_tf.api import make_config
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.config import RunConfig
from dqn_tf.training.run_dir import read_json

ROOT = Path(__file__).resolve().parent.parent
TAIL_LINES = 12
WARM_UP_COST = 0.2  # of a frame before learning starts, in frames after; only for the time left
STOP_SECONDS = 90.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run: what ``dqn-tf train`` is asked for, and where it lives."""

    label: str
    preset: str
    environment: str
    seed: int
    frames: int
    run_dir: Path
    settings: tuple[str, ...] = ()
    checkpoint_frames: int = 200_000

    @property
    def config(self) -> RunConfig:
        return make_config(self.preset, self.environment, seed=self.seed, frames=self.frames, settings=self.settings)

    @property
    def arguments(self) -> list[str]:
        """What follows ``dqn-tf``."""
        given = ["train", self.preset, self.environment, "--seed", str(self.seed), "--frames", str(self.frames)]
        given += ["--run-dir", str(self.run_dir), "--checkpoint-frames", str(self.checkpoint_frames)]
        return [*given, *(word for setting in self.settings for word in ("--set", setting))]

    @property
    def log(self) -> Path:
        return self.run_dir.with_name(f"{self.run_dir.name}.log")

    def is_complete(self) -> bool:
        """Whether this very run is done.  Raises ConfigError if its directory holds another one."""
        try:
            found = read_json(self.run_dir / "config.json")
        except RunError:
            return False
        if found != self.config.to_json():
            raise ConfigError(
                f"{self.run_dir} holds a run of other settings (made by an older version?). "
                "Remove it, or name another folder with --runs."
            )
        return (self.run_dir / "summary.json").exists()

    def frames_done(self) -> int:
        """Frames trained so far, as episodes.csv tells; cheap enough to ask every second."""
        try:
            with open(self.run_dir / "episodes.csv", "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - 400))
                lines = file.read().split(b"\n")
            return int(lines[-2].split(b",")[0])
        except (OSError, ValueError, IndexError):
            return 0

    def work(self, frames: int) -> float:
        """Cost of the first ``frames`` frames, in frames with learning."""
        agent = self.config.agent
        protocol = self.config.protocol
        warm_up = min(frames, agent.min_replay_steps * (protocol.frame_skip if protocol else 1))
        return frames - (1.0 - WARM_UP_COST) * warm_up


@dataclass
class Outcome:
    """What became of a job.  state: "waiting", "running", "complete", "failed" or "stopped"."""

    job: Job
    state: str = "waiting"
    already: bool = False
    seconds: float = 0.0
    message: str = ""
    frames: int = 0
    process: Any = field(default=None, repr=False)
    log: IO[bytes] | None = field(default=None, repr=False)
    began: float = 0.0
    first_seen: tuple[float, int] | None = None  # (seconds, frames) when the first episode had ended: start-up is over

    @property
    def seconds_left(self) -> float | None:
        """At the pace since it was started; None until there is one."""
        if self.state != "running" or self.first_seen is None:
            return None
        seconds, frames = self.first_seen
        done = self.job.work(self.frames) - self.job.work(frames)
        left = self.job.work(self.job.frames) - self.job.work(self.frames)
        return (self.seconds - seconds) * left / done if done > 0 else None


class StopAll(BaseException):
    """SIGTERM or Ctrl-C: stop the runs and leave.  Not an Exception, so that nothing takes it for a failure."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number


def run_all(jobs: Sequence[Job], parallel: int, watch: Callable[[list[Outcome]], None]) -> list[Outcome]:
    """Carry out ``jobs``, ``parallel`` at a time, in order; one that fails does not stop the others.

    watch: called about five times a second and after every change, with all outcomes in the order of ``jobs``.
    Jobs that are already complete are not started.  On SIGTERM or Ctrl-C the runs are asked to save and stop, and
    StopAll is raised when they have.
    """
    outcomes = [Outcome(job) for job in jobs]
    waiting = deque(outcomes)
    with _signals_raise():
        try:
            while waiting or any(o.state == "running" for o in outcomes):
                while waiting and sum(o.state == "running" for o in outcomes) < parallel:
                    _start(waiting.popleft())
                time.sleep(0.2)
                for outcome in outcomes:
                    if outcome.state == "running":
                        _poll(outcome)
                watch(outcomes)
        finally:
            _stop([o for o in outcomes if o.state == "running"])
            watch(outcomes)
    return outcomes


def _start(outcome: Outcome) -> None:
    job = outcome.job
    try:
        if job.is_complete():
            outcome.state, outcome.already, outcome.frames = "complete", True, job.frames
            return
        job.run_dir.parent.mkdir(parents=True, exist_ok=True)
        outcome.log = open(job.log, "ab")  # noqa: SIM115 - open as long as the process
    except (ConfigError, OSError) as error:
        outcome.state, outcome.message = "failed", str(error)
        return
    outcome.began, outcome.frames, outcome.state = time.monotonic(), job.frames_done(), "running"
    outcome.process = subprocess.Popen(
        [sys.executable, "-P", "-m", "dqn_tf", *job.arguments],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=outcome.log,
        stderr=outcome.log,
        start_new_session=True,  # a Ctrl-C at the terminal reaches this process alone, which asks them to stop
    )


def environment() -> dict[str, str]:
    """Of the processes: this checkout's code, a quiet TensorFlow, and the CPU unless a GPU is named by the caller."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    own = {"PYTHONPATH": path, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}
    return {"CUDA_VISIBLE_DEVICES": "-1", **os.environ, **own}


def _poll(outcome: Outcome) -> None:
    outcome.seconds = time.monotonic() - outcome.began
    before, outcome.frames = outcome.frames, outcome.job.frames_done()
    if outcome.first_seen is None and outcome.frames > before:
        outcome.first_seen = (outcome.seconds, outcome.frames)
    code = outcome.process.poll()
    if code is None:
        return
    if outcome.log:
        outcome.log.close()
    if code == 0:
        outcome.state, outcome.frames = "complete", outcome.job.frames
        return
    outcome.state = "failed"
    outcome.message = f"exit code {code}; the end of {outcome.job.log}:\n{tail(outcome.job.log)}"


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, indented."""
    try:
        text = log.read_bytes().decode(errors="replace")
    except OSError as error:
        return f"    ({error})"
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines()[-lines:])


def _stop(outcomes: list[Outcome]) -> None:
    """Ask the processes to save and stop; whoever has not after STOP_SECONDS is killed (a checkpoint survives that)."""
    for outcome in outcomes:
        outcome.state = "stopped"
        outcome.process.send_signal(signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    for outcome in outcomes:
        try:
            outcome.process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            outcome.process.kill()
            outcome.process.wait()
        if outcome.log:
            outcome.log.close()


@contextmanager
def _signals_raise() -> Iterator[None]:
    def handle(number: int, frame: Any) -> None:
        raise StopAll(number)

    before = {s: signal.signal(s, handle) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
