"""Every transition with the same probability.

Paper: Mnih et al. 2015 (doi 10.1038/nature14236), algorithm 1, "sample random minibatch of transitions [...] from D".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from dqn_tf.checks import RunError
from dqn_tf.replay.sampler import RingView
from dqn_tf.types import Monitored, SampleIndices


def slots_to_draw(head: int, held: int, capacity: int, batch_size: int) -> tuple[int, int]:
    """What is drawn for a batch at first.

    Args:
        head: rows that the ring has ever stored.
        held: rows that it holds.
        capacity: of the ring.
        batch_size: B.

    Returns:
        How many slots there are to draw from; and how many draws to begin with, B and about those that redraws need.

    >>> slots_to_draw(head=5, held=5, capacity=100, batch_size=16)
    (8, 35)
    """
    slots = min(capacity, 1 << (head - 1).bit_length())
    expected = batch_size * slots // max(1, held) - batch_size
    return slots, batch_size + max(0, expected) + batch_size // 8 + 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Uniform:
    """Uniform sampling, with replacement, over the usable rows of a ring.  It has no settings and no memory."""

    KIND = "uniform"
    has_priorities: ClassVar[bool] = False
    monitored: ClassVar[tuple[str, ...]] = ()

    def sampler_bytes(self, capacity: int) -> int:
        """See ``SamplingRule.sampler_bytes``: 0."""
        return 0

    def build(self, capacity: int) -> Uniform:
        """See ``SamplingRule.build``: the rule itself, as it remembers nothing."""
        return self

    def monitors(self, weights_of: Callable[[int], np.ndarray], update: int) -> Monitored:
        """See ``Sampler.monitors``: none."""
        return Monitored({}, {})

    def sample_indices(
        self, ring: RingView, batch_size: int, random: np.random.Generator, update: int = 0
    ) -> SampleIndices:
        """See ``Sampler.sample_indices``; weights are ones.

        Draws from ``random``: slots of the ring, redrawn until every one holds a usable row.  While the ring is not
        full they are drawn from as many slots as the next power of two: so what is drawn hardly ever depends on whether
        one row more is stored, which lets updates begin early.
        """
        slots, number = slots_to_draw(ring.head, len(ring), ring.capacity, batch_size)
        number = number if ring.may_draw_extra else batch_size
        drawn, usable = ring.in_slots(random.integers(0, slots, (number,)))
        rows, used, redraws = drawn[:batch_size].copy(), batch_size, 0
        wrong = np.flatnonzero(~usable[:batch_size])
        while len(wrong):
            redraws += 1  # looking through the whole ring costs milliseconds, so it waits until there is cause
            if redraws % 100 == 0 and not ring.usable(np.arange(ring.oldest, ring.head)).any():
                raise RunError(f"Expected transitions in the replay, got {len(ring)} rows none of which starts one.")
            if (short := used + len(wrong) - len(drawn)) > 0:
                more = ring.in_slots(random.integers(0, slots, (short,)))
                drawn, usable = (np.concatenate(pair) for pair in zip((drawn, usable), more, strict=True))
            rows[wrong] = drawn[used : used + len(wrong)]
            used, wrong = used + len(wrong), wrong[~usable[used : used + len(wrong)]]
        return SampleIndices(rows, np.ones(batch_size, np.float32))
