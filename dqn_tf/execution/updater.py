"""The contracts of an execution, on which the training loops rely.

Whichever updater carries it out, update number k is the same function of (theta, theta^-, the replay when it is due,
the seed, k), and updates take effect in the order of their numbers.  Work may begin early, on another thread or on a
device; no bit of the results may show it.  (What the configuration calls ``execution`` chooses more than the updater:
"fused" also compiles the update in another way, with other rounding; see dqn_tf/modes.py.)
"""

from __future__ import annotations

from typing import Protocol

from dqn_tf.config import RunConfig
from dqn_tf.execution.fused import FusedLearner
from dqn_tf.execution.learner import Learner
from dqn_tf.execution.pipelined import PipelinedUpdater
from dqn_tf.execution.sequential import SequentialUpdater
from dqn_tf.replay.replay import Replay
from dqn_tf.types import UpdateOutputs


class Updater(Protocol):
    """Carries out updates between the steps of a loop that acts and learns in turn."""

    @property
    def commits(self) -> int:
        """Updates so far that had begun before they were due and were committed."""

    def update(self, number: int, step: int, last: bool) -> UpdateOutputs:
        """Carry out an update, and give the replay the priorities that it found.

        Args:
            number: of the update, from 0.
            step: agent steps made so far.
            last: no further update is due at this step.

        Returns:
            What the update reports.

        Raises:
            Whatever the update raised; then nothing is under way any more.
        """

    def prefetch(self) -> None:
        """Begin the next update if that is possible.

        By this call the loop promises that theta and theta^- do not change until the next ``update``.
        """

    def discard(self) -> None:
        """Discard what was begun early: theta, theta^- or the replay are about to be replaced."""

    def close(self) -> None:
        """Discard what was begun, and end the threads."""


class BackgroundUpdater(Protocol):
    """Carries out updates while a loop goes on acting.

    Between ``start`` and ``finish`` the loop changes neither theta^- nor the replay.
    """

    @property
    def made(self) -> int:
        """Updates carried out so far."""

    def start(self, until: int) -> None:
        """Make sure that updates are under way, up to number ``until``.

        Raises:
            Whatever an earlier update raised.
        """

    def running(self, seconds: float) -> bool:
        """Wait ``seconds`` at most; whether updates are still under way then."""

    def finish(self) -> None:
        """Wait for what was started.

        Raises:
            Whatever an update raised.
        """

    def pause(self) -> None:
        """Wait for the update that is under way, and start no other; ``start`` continues."""

    def pause_seconds(self) -> float:
        """About how long ``pause`` may take; 0: no longer than an update."""

    def restart(self, made: int) -> None:
        """Go on from another state, after ``made`` updates."""

    def close(self) -> None:
        """Discard the updates that are left to do, and end the thread."""


def make_updater(config: RunConfig, learner: Learner | FusedLearner, replay: Replay) -> Updater:
    """The updater of a loop that acts and learns in turn.

    Args:
        config: of the run.
        learner: whose parameters are updated.
        replay: where batches come from.

    Returns:
        With more than one of `execution.threads` a pipelined one, unless an update is one call; else a sequential one.
    """
    if isinstance(learner, FusedLearner) or config.agent.execution.threads == 1:
        return SequentialUpdater(learner, replay)
    return PipelinedUpdater(config, learner, replay)
