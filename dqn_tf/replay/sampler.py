"""The contract of a sampler: who chooses which transitions an update learns from.

A sampling rule is a frozen dataclass (uniform.py, prioritized.py, prioritized_rank.py): the fields of a configuration.
Its ``build`` makes the sampler of one replay, which may remember priorities.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

import numpy as np

from dqn_tf.types import Monitored, SampleIndices

if TYPE_CHECKING:
    from dqn_tf.replay.prioritized import Prioritized, Proportional
    from dqn_tf.replay.prioritized_rank import PrioritizedRank, Ranked
    from dqn_tf.replay.uniform import Uniform


class RingView(Protocol):
    """What a sampler sees of a ring: which rows there are, and which of them start a transition.

    Rows are numbered from 0, without end; row i lies in slot i % capacity.
    """

    capacity: int
    head: int
    may_draw_extra: bool  # whether a sampler may ask for more slots than it needs, to save calls

    @property
    def oldest(self) -> int:
        """The oldest row that is still held; the newest is head - 1."""

    def __len__(self) -> int:
        """Rows held."""

    def in_slots(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The row in each of these slots [B] int64, and whether it is usable: bool [B].  Where there is no row yet, any
        number and False."""

    def usable(self, rows: np.ndarray) -> np.ndarray:
        """Which of these rows [B] start a transition all of whose frames are held: bool [B]."""


class SamplingRule(Protocol):
    """Which transitions are drawn, as configuration (``AgentConfig.replay``)."""

    def build(self, capacity: int) -> Sampler:
        """The sampler of one replay, whose ring has ``capacity`` rows."""

    def sampler_bytes(self, capacity: int) -> int:
        """Bytes that such a sampler takes, beside the ring of ``capacity`` rows."""


class Sampler(Protocol):
    """Chooses the rows of a batch.

    ``has_priorities``: whether its draws depend on anything that it remembers of the rows.  Only then are
    ``on_insert``, ``on_evict``, ``update_priorities``, ``state`` and ``restore`` called.  It may also have

        as_if(inserted, evicted)    a context in which it samples as if these rows had been inserted and evicted

    which an execution needs to begin updates early; without it, every batch is drawn when its update is due.
    """

    has_priorities: ClassVar[bool]
    monitored: ClassVar[tuple[str, ...]]

    def sample_indices(
        self, ring: RingView, batch_size: int, random: np.random.Generator, update: int = 0
    ) -> SampleIndices:
        """Draw a batch: a pure function of the arguments and of what the sampler remembers.

        Args:
            ring: whose rows are drawn.
            batch_size: B.
            random: where random numbers are drawn from.
            update: number of the update that the batch is for, from 0.

        Returns:
            Rows [B] int64 and importance weights [B] float32.

        Raises:
            RunError: no row can be drawn.
        """

    def monitors(self, weights_of: Callable[[int], np.ndarray], update: int) -> Monitored:
        """What is to be watched when update number ``update`` is the next.

        Args:
            weights_of: gives the importance weights [B] of update ``update`` + k, as if nothing changed until then.
            update: number of the next update.

        Returns:
            The numbers of ``monitored``, and histograms.
        """


class PrioritySampler(Sampler, Protocol):
    """A sampler with priorities (``has_priorities``)."""

    def on_insert(self, row: int) -> None:
        """A transition is complete, and may be drawn from now on."""

    def on_evict(self, rows: list[int]) -> None:
        """These rows can no longer be drawn."""

    def update_priorities(self, rows: np.ndarray, priorities: np.ndarray) -> None:
        """Take the priorities that an update found.

        Args:
            rows: [B] int64.
            priorities: [B] >= 0, of these rows.

        Raises:
            Diverged: a priority is not finite; none has been taken.
        """

    def state(self) -> dict[str, Any]:
        """All that it remembers: numbers and arrays."""

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``, for a new sampler.

        Raises:
            ValueError: the state does not fit.
        """


def with_priorities(sampler: Sampler) -> PrioritySampler | None:
    """The sampler, if it has priorities; else None."""
    return cast(PrioritySampler, sampler) if sampler.has_priorities else None


if TYPE_CHECKING:  # type checkers hold every built-in rule and sampler against its contract

    def _checked(proportional: Proportional, ranked: Ranked) -> tuple[list[SamplingRule], list[Sampler]]:
        priorities: list[PrioritySampler] = [proportional, ranked]
        return [Uniform(), Prioritized(), PrioritizedRank()], [Uniform(), *priorities]
