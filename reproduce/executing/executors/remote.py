"""What the executors of clusters share: jobs on other machines are followed by their run directories, and lost ones
are submitted again as long as they make progress."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence

from dqn_tf.checks import ConfigError, RunError
from reproduce.executing.jobs import Outcome, StopAll, run_one
from reproduce.planning.job import Job

LOSSES = 5  # in a row, without a frame that was not there before
ENDED = ("complete", "failed", "stopped")


def carry_out_here(job: Job, retries: int, environment: Mapping[str, str | None]) -> Outcome:
    """On a node: carry out one job, start to end.

    Args:
        job: what to run.
        retries: how often a failed run is started again here.
        environment: variables to set first; None: to remove.

    Returns:
        The outcome; "stopped" if this process received a signal to stop, and the run is saved.
    """
    for name, value in environment.items():
        os.environ.pop(name, None)
        os.environ.update({name: value} if value is not None else {})
    try:
        return run_one(job, retries)
    except StopAll:
        return Outcome(job, "stopped", frames=job.frames_done())


def devices(assigned: Sequence[str | int]) -> dict[str, str]:
    """The variable that makes exactly the GPUs visible that the cluster has assigned to a task."""
    return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, assigned)) or "-1"}


def mark_if_over(outcome: Outcome) -> None:
    """Without starting anything: "complete" if it is, "failed" if its directory holds another run."""
    try:
        if outcome.job.is_complete():
            outcome.state, outcome.already, outcome.frames = "complete", True, outcome.job.frames
    except (ConfigError, RunError) as error:
        outcome.state, outcome.message = "failed", str(error)


class TaskResults:
    """Results and losses of tasks, turned into outcomes."""

    def __init__(self) -> None:
        self._lost: dict[int, tuple[int, int]] = {}  # outcome: (losses in a row, frames reached before them)

    def ended(self, outcome: Outcome, result: Outcome) -> None:
        """The task ended with an outcome of its job.

        Args:
            outcome: of the job, here; changed in place.
            result: what the task returned.
        """
        outcome.attempts += result.attempts
        outcome.seconds, outcome.frames, outcome.message = result.seconds, result.frames, result.message
        if result.state in ("complete", "failed"):
            outcome.state = result.state
        else:  # its node was told to go, or another process holds the run
            self.lost(outcome, result.message or "stopped by its node")

    def lost(self, outcome: Outcome, why: str) -> None:
        """The task ended without an outcome: its job is "waiting" again, from its checkpoint, or "failed" without
        progress.

        Args:
            outcome: of the job, here; changed in place.
            why: what is known of the loss.
        """
        mark_if_over(outcome)
        if outcome.state in ("complete", "failed"):
            outcome.already = False
            return
        frames = outcome.job.frames_done()
        losses, reached = self._lost.get(id(outcome), (0, -1))
        losses = 1 if frames > reached else losses + 1
        self._lost[id(outcome)] = losses, max(frames, reached)
        outcome.state = "waiting" if losses <= LOSSES else "failed"
        times = "" if losses <= LOSSES else f" {losses} times at {frames:,} frames; the last time:"
        outcome.message = f"lost:{times} {why}"


def requests(variable: str) -> dict[str, str | int | float]:
    """The user's requests to the cluster: ``NAME=VALUE NAME=VALUE ...`` in an environment variable.

    Args:
        variable: its name.

    Returns:
        Name -> value, whole numbers and decimals as numbers.

    Raises:
        ConfigError: words of another form.
    """
    found: dict[str, str | int | float] = {}
    for word in shlex.split(os.environ.get(variable, "")):
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ConfigError(f"Expected NAME=VALUE in {variable}, got {word!r}; several are separated by spaces.")
        found[name] = _number(value)
    return found


def _number(text: str) -> str | int | float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
