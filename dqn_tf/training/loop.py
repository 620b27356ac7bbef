"""The contract of a training loop, and which loop a configuration asks for.

A loop decides in which order steps are made and updates fall due; it holds the run's state and is held by a session
(run.py), which knows files and signals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from dqn_tf.config import RunConfig
from dqn_tf.modes import Concurrent, Rollouts
from dqn_tf.training.concurrent_loop import ConcurrentLoop
from dqn_tf.training.interleaved_loop import InterleavedLoop
from dqn_tf.training.records import Awaiting, EpisodeRecord, IterationRecord
from dqn_tf.training.rollout_loop import RolloutLoop
from dqn_tf.training.run_state import Columns, RunState


class Loop(Protocol):
    """One run in memory."""

    @property
    def run(self) -> RunState:
        """What every loop has: agent, replay, statistics, counters."""

    def records(self, each_step: Callable[[], None]) -> Iterator[EpisodeRecord | IterationRecord | Awaiting | None]:
        """Train to the end of the budget.

        Args:
            each_step: called before every step, also of evaluation, and while the loop waits; may raise to stop.  The
                state is whole whenever it is called and whenever a record is yielded, so it may be saved there.

        Yields:
            An episode or an iteration that has ended; None after a step that ended neither; ``Awaiting`` of a loop
            whose steps are made from outside (together.py).
        """

    def pause_seconds(self) -> float:
        """About how long the work that is under way may take before ``state`` can return; 0: no longer than an
        update.
        """

    def state(self) -> dict[str, Any]:
        """All of the run: that of ``run``, and the loop's own; large arrays by their hashes (``RunState.pieces``)."""

    def restore(self, state: dict[str, Any], read_piece: Callable[[str], Columns]) -> None:
        """The inverse of ``state``.

        Args:
            state: as ``state`` gave it.
            read_piece: gives a piece, arrays by name, by its hash.

        Raises:
            InexactRestore: an environment does not repeat the episode that was under way.  With ``run.inexact`` it
                begins its next episode instead; ``run.abandoned`` has the episode, whose steps stay in the replay as
                one cut off.
        """

    def digest(self) -> str:
        """SHA-256 of the whole state."""

    def close(self) -> None:
        """Release threads and environments."""


def make_loop(config: RunConfig) -> Loop:
    """The loop that ``execution`` asks for.

    Raises:
        ConfigError: environments, replay or networks cannot be made.
    """
    execution = config.agent.execution
    if isinstance(execution, Rollouts):
        return RolloutLoop(config)
    return ConcurrentLoop(config) if isinstance(execution, Concurrent) else InterleavedLoop(config)
