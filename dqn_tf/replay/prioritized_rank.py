"""Rank-based prioritized replay: the probability of a transition depends on the rank of its error.

Paper: Schaul et al. 2016, "Prioritized Experience Replay" (arXiv 1511.05952), section 3.3, equation (1) with
p_i = 1 / rank(i), and appendix B.2.1:

    P(i) = (1 / rank(i))^alpha / sum_k (1 / rank(k))^alpha.

Symbols: rank(i) from 1, by |delta_i|, largest first; C_k = sum_{j <= k} j^-alpha, so that P(rank <= k) = C_k / C_N.

As in the paper, a binary heap approximates the sorted order, and an index of its array a rank; it is sorted from time
to time.  One draw comes from each of B parts of equal probability.  The paper approximates the parts by precomputed
segments; here they are exact, since C does not depend on N.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from dqn_tf.checks import RunError, expect
from dqn_tf.fields import check_types, setting
from dqn_tf.replay import importance
from dqn_tf.replay.importance import Importance
from dqn_tf.replay.prioritized import checked
from dqn_tf.replay.sampler import RingView
from dqn_tf.types import Monitored, SampleIndices


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrioritizedRank:
    """Draws in proportion to rank^-alpha."""

    KIND = "prioritized_rank"
    alpha: float = setting(0.7, doc="exponent of the ranks; 0: uniform")
    importance: Importance = setting(Importance(beta=0.5), doc="importance weights")
    sort_updates: int = setting(250_000, unit="updates", doc="updates between two sorts of the heap")

    def __post_init__(self) -> None:
        check_types(self)
        expect(0 <= self.alpha <= 1, "a number in [0, 1]", "replay.alpha", self.alpha)
        expect(self.sort_updates >= 1, "at least 1", "replay.sort_updates", self.sort_updates)

    def sampler_bytes(self, capacity: int) -> int:
        """Bytes of the heap, of each row's place in it, of priorities and of C: 8 each."""
        return 4 * 8 * capacity

    def build(self, capacity: int) -> Ranked:
        """See ``SamplingRule.build``."""
        return Ranked(self, capacity)


class Ranked:
    """The sampler: a heap of the slots (row % capacity) that can be drawn, largest priority first."""

    has_priorities: ClassVar[bool] = True
    monitored: ClassVar[tuple[str, ...]] = importance.MONITORED

    def __init__(self, config: PrioritizedRank, capacity: int) -> None:
        """
        Args:
            config: the rule.
            capacity: rows of the ring.
        """
        self.config, self.capacity = config, capacity
        self.heap = np.zeros(capacity, np.int64)  # slots; the index is rank - 1
        self.place = np.full(capacity, -1)  # of each slot in the heap; -1: it cannot be drawn
        self.priority = np.zeros(capacity)  # of each slot
        self.number, self.updates, self.transitions, self.largest = 0, 0, 0, 1.0
        self._c = np.cumsum(np.arange(1, capacity + 1, dtype=np.float64) ** -config.alpha)

    # -- what the replay reports ---------------------------------------------------------------------------------------
    def on_insert(self, row: int) -> None:
        """A transition is complete: it gets the largest priority seen so far."""
        slot = row % self.capacity
        if self.place[slot] < 0:
            self._put(self.number, slot)
            self.number += 1
        self.transitions += 1
        self._change(slot, self.largest)

    def on_evict(self, rows: list[int]) -> None:
        """These rows can no longer be drawn."""
        for row in rows:
            slot = row % self.capacity
            place = int(self.place[slot])
            if place >= 0:
                self.number -= 1
                last = int(self.heap[self.number])
                self.place[slot] = -1
                if last != slot:
                    self._put(place, last)
                    self._change(last, float(self.priority[last]))

    def update_priorities(self, rows: np.ndarray, priorities: np.ndarray) -> None:
        """See ``PrioritySampler.update_priorities``."""
        found = checked(priorities)
        self.largest = max(self.largest, float(found.max()))
        for row, priority in zip(rows.tolist(), found.tolist(), strict=True):
            self._change(row % self.capacity, priority)
        self.updates += 1
        if self.updates % self.config.sort_updates == 0:
            self.sort()

    def sort(self) -> None:
        """Make ranks exact; among equal priorities the smaller slot comes first."""
        slots = np.sort(self.heap[: self.number])
        self.heap[: self.number] = slots[np.argsort(-self.priority[slots], kind="stable")]
        self.place[self.heap[: self.number]] = np.arange(self.number)

    # -- the heap ------------------------------------------------------------------------------------------------------
    def _put(self, place: int, slot: int) -> None:
        self.heap[place], self.place[slot] = slot, place

    def _change(self, slot: int, priority: float) -> None:
        """Give a slot of the heap another priority, and let it rise or sink."""
        self.priority[slot] = priority
        place = int(self.place[slot])
        while place and self.priority[self.heap[(place - 1) // 2]] < priority:
            parent = (place - 1) // 2
            self._put(place, int(self.heap[parent]))
            place = parent
        while (child := 2 * place + 1) < self.number:
            if child + 1 < self.number and self.priority[self.heap[child]] < self.priority[self.heap[child + 1]]:
                child += 1
            if self.priority[self.heap[child]] <= priority:
                break
            self._put(place, int(self.heap[child]))
            place = child
        self._put(place, slot)

    # -- drawing -------------------------------------------------------------------------------------------------------
    def sample_indices(
        self, ring: RingView, batch_size: int, random: np.random.Generator, update: int = 0
    ) -> SampleIndices:
        """See ``Sampler.sample_indices``.  Draws from ``random``: B uniform numbers."""
        if not self.number:
            raise RunError(f"Expected transitions in the replay, got {len(ring)} rows none of which starts one.")
        total, n, rule = self._c[self.number - 1], self.number, self.config.importance
        targets = (np.arange(batch_size) + random.random(batch_size)) / batch_size * total
        ranks = np.minimum(np.searchsorted(self._c[:n], targets, side="right") + 1, n)
        rows = ring.head - 1 - (ring.head - 1 - self.heap[ranks - 1]) % self.capacity
        chances = n * ranks.astype(np.float64) ** -self.config.alpha / total
        least = n * float(n) ** -self.config.alpha / total
        return SampleIndices(rows, rule.weights(chances, least, rule.beta_at(update, self.transitions)))

    def monitors(self, weights_of: Callable[[int], np.ndarray], update: int) -> Monitored:
        """See ``Sampler.monitors``: of the priorities by which the heap is ordered."""
        priorities = self.priority[self.heap[: self.number]]
        return importance.monitors(priorities, weights_of, self.config.importance.beta_at(update, self.transitions))

    # -- saving --------------------------------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """The heap in its order, and the priorities along it."""
        heap = self.heap[: self.number].copy()
        return {
            "heap": heap,
            "priority": self.priority[heap],
            "largest": self.largest,
            "transitions": self.transitions,
            "updates": self.updates,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """See ``PrioritySampler.restore``; it also raises if a number is not a valid priority."""
        heap, priority = np.asarray(state["heap"]), np.asarray(state["priority"])
        known = (
            heap.dtype == np.int64
            and len(np.unique(heap)) == len(heap)
            and ((heap >= 0) & (heap < self.capacity)).all()
        )
        if not known or heap.shape != priority.shape:
            raise ValueError(f"Expected different slots below {self.capacity}, each with a priority.")
        if not (np.isfinite(priority).all() and (priority >= 0).all()):
            raise ValueError("Expected finite priorities >= 0.")
        self.number = len(heap)
        self.heap[: self.number], self.priority[heap] = heap, priority
        self.place[heap] = np.arange(self.number)
        self.largest, self.transitions = float(state["largest"]), int(state["transitions"])
        self.updates = int(state["updates"])
