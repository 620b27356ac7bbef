"""Proportional prioritized replay: transitions with a large error are sampled more often, with a smaller weight.

Paper: Schaul et al. 2016, "Prioritized Experience Replay" (arXiv 1511.05952), section 3.3, equation (1), and
algorithm 1:

    p_i  = |delta_i| + epsilon                           (or what the value family takes for |delta_i|)
    P(i) = p_i^alpha / sum_k p_k^alpha,
    w_i:   importance.py,
    a new transition enters with the largest p seen so far (1 at first).

Symbols: N: transitions that can be drawn.
Stratified (appendix B.2.1): one draw from each of B equal parts of sum_k p_k^alpha.

Published results read the paper differently; so how the weights are made (importance.py), a share of uniform draws and
a largest priority are fields.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from dqn_tf.checks import Diverged, RunError, expect
from dqn_tf.fields import check_types, setting
from dqn_tf.replay import importance
from dqn_tf.replay.importance import Importance
from dqn_tf.replay.sampler import RingView
from dqn_tf.replay.sum_tree import Tree, tree_bytes
from dqn_tf.replay.uniform import Uniform
from dqn_tf.types import Monitored, SampleIndices


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prioritized:
    """Draws in proportion to priority^alpha."""

    KIND = "prioritized"
    alpha: float = setting(0.6, doc="exponent of the priorities; 0: uniform")
    importance: Importance = setting(Importance(), doc="importance weights")
    epsilon: float = setting(0.0, doc="added to every priority")
    largest: float | None = setting(None, doc="priorities are cut at this")
    stratified: bool = setting(True, doc="one draw from each of B equal parts of the sum")
    uniform_share: float = setting(0.0, doc="probability that a draw is uniform instead")

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("alpha", "uniform_share"):
            expect(0 <= getattr(self, name) <= 1, "a number in [0, 1]", f"replay.{name}", getattr(self, name))
        expect(0 <= self.epsilon <= 1e30, "a number in [0, 1e30]", "replay.epsilon", self.epsilon)
        largest = self.largest
        expect(
            largest is None or 1e-30 <= largest <= 1e30, "a number in [1e-30, 1e30] or none", "replay.largest", largest
        )

    def sampler_bytes(self, capacity: int) -> int:
        """Bytes of the trees, and of a flag for each row; all of it is taken at the start."""
        trees = 2 if self.importance.divided_by == "replay_max" else 1
        return trees * tree_bytes(capacity) + capacity

    def build(self, capacity: int) -> Proportional:
        """See ``SamplingRule.build``."""
        return Proportional(self, capacity)


def checked(priorities: np.ndarray) -> np.ndarray:
    """The priorities [B] as float64.

    Raises:
        Diverged: one is not finite, or negative.
    """
    priorities = np.asarray(priorities, np.float64)
    if not (np.isfinite(priorities).all() and (priorities >= 0).all()):
        raise Diverged(
            f"Expected finite priorities >= 0, got {priorities.tolist()}: the network has diverged. None of them "
            "entered the replay. What was saved before is kept."
        )
    return priorities


class Proportional:
    """The sampler: a sum tree whose leaves are priority^alpha, one for each slot (row % capacity) of the ring.

    A slot that cannot be drawn has a leaf of zero.
    """

    has_priorities: ClassVar[bool] = True
    monitored: ClassVar[tuple[str, ...]] = importance.MONITORED

    def __init__(self, config: Prioritized, capacity: int) -> None:
        """
        Args:
            config: the rule.
            capacity: rows of the ring.
        """
        self.config, self.capacity = config, capacity
        self.tree = Tree(capacity)
        by_replay = config.importance.divided_by == "replay_max"
        self.smallest = Tree(capacity, np.minimum, np.inf) if by_replay else None
        self.present, self.number = np.zeros(capacity, bool), 0  # which slots can be drawn, and N
        self.largest, self.transitions = 1.0, 0  # the largest priority seen; transitions that ever entered
        self._pending: dict[int, float] = {}  # leaves to be set before the next draw

    # -- what the replay reports ---------------------------------------------------------------------------------------
    def on_insert(self, row: int) -> None:
        """A transition is complete: it gets the largest priority seen so far."""
        slot = row % self.capacity
        self.number += not self.present[slot]
        self.present[slot] = True
        self.transitions += 1
        self._pending[slot] = self.largest**self.config.alpha

    def on_evict(self, rows: list[int]) -> None:
        """These rows can no longer be drawn."""
        for row in rows:
            slot = row % self.capacity
            if self.present[slot]:
                self.present[slot] = False
                self.number -= 1
                self._pending[slot] = 0.0

    def update_priorities(self, rows: np.ndarray, priorities: np.ndarray) -> None:
        """See ``PrioritySampler.update_priorities``; they count from the next draw on."""
        found = checked(priorities) + self.config.epsilon
        if self.config.largest is not None:
            found = np.minimum(found, self.config.largest)
        self.largest = max(self.largest, float(found.max()))
        self._pending.update(zip((rows % self.capacity).tolist(), (found**self.config.alpha).tolist(), strict=True))

    def _apply_pending(self) -> None:
        if self._pending:
            places = np.fromiter(self._pending, np.int64, len(self._pending))
            values = np.fromiter(self._pending.values(), np.float64, len(self._pending))
            self._pending.clear()
            self.tree.set(places, values)
            if self.smallest is not None:
                self.smallest.set(places, np.where(self._drawable(self.present[places], values), values, np.inf))

    def _drawable(self, present: np.ndarray, leaves: np.ndarray) -> np.ndarray:
        """Which leaves can be drawn.  A leaf of zero is drawn by uniform draws only; where there are none, its weight
        would be infinite, and is left out of the largest weight of the replay."""
        return present & ((leaves > 0) | (self.config.uniform_share > 0))

    # -- drawing -------------------------------------------------------------------------------------------------------
    def sample_indices(
        self, ring: RingView, batch_size: int, random: np.random.Generator, update: int = 0
    ) -> SampleIndices:
        """See ``Sampler.sample_indices``.

        Draws from ``random``: B uniform numbers; with a uniform share, B more and the rows of a uniform draw.
        """
        self._apply_pending()
        rule, total, number = self.config, self.tree.root, self.number
        if not number:
            raise RunError(f"Expected transitions in the replay, got {len(ring)} rows none of which starts one.")
        draws = random.random(batch_size)
        if rule.stratified:
            draws = (np.arange(batch_size) + draws) / batch_size
        share = rule.uniform_share if total > 0 else 1.0
        slots = self.tree.find(draws * total)
        if share > 0:
            instead = random.random(batch_size) < share
            uniform = Uniform().sample_indices(ring, batch_size, random).indices
            slots = np.where(instead, uniform % self.capacity, slots)
        rows = ring.head - 1 - (ring.head - 1 - slots) % self.capacity
        beta = rule.importance.beta_at(update, self.transitions)
        least = float(self._chance(self.smallest.root, share)) if self.smallest is not None else 0.0
        weights = rule.importance.weights(self._chance(self.tree.leaves[slots], share), least, beta)
        return SampleIndices(rows, weights)

    def _chance(self, leaves: Any, share: float) -> Any:
        """N P(i) of leaves, where ``share`` of the draws are uniform."""
        total = self.tree.root
        return (1 - share) * (self.number * leaves / total if total > 0 else np.zeros_like(leaves)) + share

    @contextlib.contextmanager
    def as_if(self, inserted: list[int], evicted: list[int]) -> Iterator[None]:
        """A context in which these rows have been inserted and evicted; afterwards all is as before, bit for bit.

        Args:
            inserted: rows.
            evicted: rows.

        Yields:
            None.
        """
        self._apply_pending()
        slots = np.unique(np.array([*inserted, *evicted], np.int64) % self.capacity)
        leaves, present = self.tree.leaves[slots].copy(), self.present[slots].copy()
        number, transitions = self.number, self.transitions
        self.on_evict(evicted)  # first: a new row may take the slot of one of these
        for row in inserted:
            self.on_insert(row)
        try:
            yield
        finally:
            self.present[slots], self.number, self.transitions = present, number, transitions
            self._pending = dict(zip(slots.tolist(), leaves.tolist(), strict=True))
            self._apply_pending()

    def monitors(self, weights_of: Callable[[int], np.ndarray], update: int) -> Monitored:
        """See ``Sampler.monitors``: of the priorities in the tree (cut, with epsilon); nan with alpha = 0, where all
        leaves are 1.
        """
        self._apply_pending()
        leaves, alpha = self.tree.leaves[self.present], self.config.alpha
        priorities = leaves ** (1 / alpha) if alpha else np.full_like(leaves, np.nan)
        return importance.monitors(priorities, weights_of, self.config.importance.beta_at(update, self.transitions))

    # -- saving --------------------------------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """The leaves up to the last slot in use; the trees are computed from them."""
        self._apply_pending()
        used = int(np.max(np.flatnonzero(self.present), initial=-1)) + 1
        return {
            "leaves": self.tree.leaves[:used].copy(),
            "present": self.present[:used].copy(),
            "largest": self.largest,
            "transitions": self.transitions,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """See ``PrioritySampler.restore``; it also raises if a number is not a valid priority."""
        leaves, present = np.asarray(state["leaves"]), np.asarray(state["present"])
        if leaves.shape != present.shape or len(leaves) > self.capacity or leaves.dtype != np.float64:
            raise ValueError(f"Expected priorities of at most {self.capacity} rows, got {leaves.shape} {leaves.dtype}.")
        if not (np.isfinite(leaves).all() and (leaves >= 0).all()):
            raise ValueError("Expected finite priorities >= 0.")
        self.present[: len(present)], self.number = present, int(present.sum())
        self.tree.fill(leaves)
        if self.smallest is not None:
            self.smallest.fill(np.where(self._drawable(present, leaves), leaves, np.inf))
        self.largest, self.transitions = float(state["largest"]), int(state["transitions"])
        self._pending.clear()
