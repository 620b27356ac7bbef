"""Which batch the next update will have, predicted before the rows that come until then are stored.

An update's sample indices are a function of (seed, number of the update, which rows can be drawn, priorities).  If no
episode ends meanwhile, it is known in advance which rows there will be, but not what they hold.  So the sampler draws
early, from a view of the ring as it will be; the draw is used unless it depends on a row that is still open.
"""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import numpy as np

from dqn_tf.checks import RunError
from dqn_tf.config import RunConfig
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.ring import Ring, newest_in
from dqn_tf.types import SampleIndices


def rows_until_next_update(config: RunConfig, replay: Replay, step: int) -> int | None:
    """Rows that the replay gets until the next update, if no episode ends before its last step.

    Args:
        config: of the run.
        replay: as it is now.
        step: agent steps made so far.

    Returns:
        The number of rows; None if that update must not begin early: theta^- changes before it, or the budget ends.
    """
    agent = config.agent
    due = step + agent.steps_per_update
    copies = agent.target_tracking.copies
    target_rests = not copies or (due - 1) // agent.target_update_steps == step // agent.target_update_steps
    if not target_rests or due > config.steps:
        return None
    return agent.steps_per_update + replay.episode_over  # a new episode's first frame takes a row


def predict_indices(replay: Replay, batch_size: int, number: int, new_rows: int) -> SampleIndices | None:
    """What ``Replay.sample_indices`` will return once some more rows are stored.

    Until then the predicted rows do not change, nor what ``Replay.gather`` returns for them.

    Args:
        replay: as it is now.
        batch_size: B.
        number: of the update.
        new_rows: rows that are stored until then.

    Returns:
        Rows [B] int64 and weights [B] float32; None if they depend on what is stored until then.
    """
    first_open = replay.ring.head - 1 - replay.open_transitions
    future = FutureRing(replay.ring, new_rows, first_open)
    try:
        with _sampler_as_of(future, replay, new_rows):
            predicted = replay.sample_indices_of(future, batch_size, number)
    except (Unpredictable, RunError):  # RunError: too few rows by then, if no episode ends
        return None
    reach = max(1, replay.future_steps)  # of what follows a row, the rows before its last state must be complete, too
    return None if (predicted.indices + reach > first_open).any() else predicted


class Unpredictable(Exception):
    """The indices depend on rows that are not stored yet."""


class FutureRing:
    """A ring as a sampler (``replay.sampler.RingView``) will see it once some more rows are stored."""

    def __init__(self, ring: Ring, new_rows: int, first_open: int) -> None:
        """
        Args:
            ring: as it is now.
            new_rows: rows that are stored until then.
            first_open: the first row that may still change or does not exist yet; to ask for it raises Unpredictable.
        """
        self._ring, self._first_open, self.may_draw_extra = ring, first_open, False
        self.head, self.capacity = ring.head + new_rows, ring.capacity
        self.oldest = max(0, self.head - self.capacity)

    def __len__(self) -> int:
        return self.head - self.oldest

    def in_slots(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See ``RingView``.

        Raises:
            Unpredictable: a row is open.
        """
        rows = newest_in(slots, self.head, self.capacity)
        return rows, self.usable(rows)

    def usable(self, rows: np.ndarray) -> np.ndarray:
        """See ``RingView``.

        Raises:
            Unpredictable: a row is open.
        """
        if (rows >= self._first_open).any():
            raise Unpredictable
        return self._ring.usable(rows, self.oldest)


def _sampler_as_of(future: FutureRing, replay: Replay, new_rows: int) -> AbstractContextManager[None]:
    """The sampler's state once ``new_rows`` more rows are stored and no episode has ended meanwhile."""
    ring, sampler, still_open = replay.ring, replay.sampler, replay.open_transitions
    if not sampler.has_priorities:
        return contextlib.nullcontext()
    if not hasattr(sampler, "as_if"):
        raise Unpredictable
    first = ring.head if replay.episode_over else ring.head - 1 - still_open
    completed = max(0, still_open + new_rows - replay.episode_over - (replay.n_step - 1))
    evicted = [row for oldest in range(ring.oldest + 1, future.oldest + 1) for row in ring.evicted_by(oldest)]
    hypothetical: AbstractContextManager[None] = sampler.as_if(list(range(first, first + completed)), evicted)
    return hypothetical
