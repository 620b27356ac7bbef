"""The rings of K replays side by side: what all of them store or gather at a time is one operation of NumPy.

Each ring keeps its columns and frames in a row of arrays [K, capacity, ...], so what is written here is in the ring;
only its head has to be set afterwards (``note``).  For one-step transitions, single uncompressed
frames on the host, and no masks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dqn_tf.replay.frame_store import RawFrames
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.ring import newest_in
from dqn_tf.replay.uniform import Uniform, slots_to_draw

_LOW32, _SHIFT32 = np.uint64(0xFFFFFFFF), np.uint64(32)


def suits(replay: Replay) -> bool:
    """Whether a replay is of the kind that can be held side by side with others."""
    ring = replay.ring
    plain = type(ring.frames) is RawFrames and ring.spec.stack is None and not ring.spec.mask_size
    one_step = replay.n_step == 1 and replay.horizons is None
    return plain and one_step and type(replay.sampler) is Uniform


class SideBySide:
    """K replays of one configuration.

    Attributes:
        heads: int64 [K], the number of rows that each of them has ever stored.
    """

    def __init__(self, replays: Sequence[Replay], gamma: float) -> None:
        """
        Args:
            replays: K, each of a kind that ``suits``.
            gamma: discount of one step.
        """
        self._replays, self._gamma = replays, gamma
        self._rings = [replay.ring for replay in replays]
        first = self._rings[0]
        number, self._capacity = len(replays), first.capacity
        self._columns = {n: np.zeros((number, self._capacity), c.dtype) for n, c in first.columns.items()}
        self._frames = np.zeros((number, self._capacity, *first.spec.frame_shape), first.spec.dtype)
        for k, ring in enumerate(self._rings):
            ring.move_to({name: column[k] for name, column in self._columns.items()}, self._frames[k])
        self.heads = np.array([ring.head for ring in self._rings])
        self._first_slots = (np.arange(number) * self._capacity)[:, None]

    def add(
        self, who: np.ndarray, actions: np.ndarray, rewards: np.ndarray, discounts: np.ndarray, frames: np.ndarray
    ) -> None:
        """Store a step of some of them: ``Replay.add`` of each.

        Args:
            who: which, int64 [n], each once.
            actions: [n] int64, taken in the newest frame.
            rewards: [n] float64, the learner's.
            discounts: [n] float64, the environment's.
            frames: [n, *frame], what was seen then.
        """
        columns, heads = self._columns, self.heads[who]
        slots, before = heads % self._capacity, (heads - 1) % self._capacity
        self._frames[who, slots] = frames
        columns["age"][who, slots] = 0
        columns["ahead"][who, slots] = 0
        columns["action"][who, before], columns["reward"][who, before] = actions, rewards
        columns["discount"][who, before], columns["ahead"][who, before] = self._gamma * discounts, 1
        self.heads[who] += 1

    def note(self, k: int) -> None:
        """Set the head of ring ``k``."""
        self._rings[k].wrote(int(self.heads[k]))

    def sample(self, k: int, batch: int, update: int) -> np.ndarray:
        """``Replay.sample_indices`` of replay ``k``, by fewer calls of NumPy: the same draws, the same rows.

        NumPy makes an integer below n of 32 bits x by Lemire's method: it is the upper half of x n, unless the lower
        half is below 2^32 mod n; then NumPy itself is called.

        Args:
            k: whose.
            batch: B.
            update: number of the update.

        Returns:
            Rows [B] int64.
        """
        head, held = int(self.heads[k]), min(int(self.heads[k]), self._capacity)
        slots, number = slots_to_draw(head, held, self._capacity, batch)
        words = self._replays[k].raw_draws(update, (number + 1) // 2).view(np.uint32)
        products = words.astype(np.uint64) * np.uint64(slots)
        lower = (products & _LOW32) if slots & (slots - 1) else products[:0]
        drawn = (products >> _SHIFT32).astype(np.int64)
        usable = self._columns["ahead"][k].take(drawn) > 0
        wrong, used = np.flatnonzero(~usable[:batch]), batch
        while len(wrong) and used + len(wrong) <= len(drawn):
            drawn[wrong] = drawn[used : used + len(wrong)]
            used, wrong = used + len(wrong), wrong[~usable[used : used + len(wrong)]]
        if len(wrong) or (lower < 2**32 % slots).any():
            self.note(k)
            return np.asarray(self._replays[k].sample_indices(batch, update).indices)
        rows = drawn[:batch]
        return rows if head <= self._capacity else newest_in(rows, head, self._capacity)

    def gather(self, rows: np.ndarray, parts: Sequence[np.ndarray]) -> None:
        """The batches of all of them: ``Replay.gather`` of each, with weights of 1.

        Args:
            rows: [K, B], all usable.
            parts: arrays to write to: s_tm1, s_t [K, B, ...], a_tm1, r_t, discount_t, weights [K, B].
        """
        columns, slots = {n: c.reshape(-1) for n, c in self._columns.items()}, rows % self._capacity
        frames = self._frames.reshape(-1, *self._frames.shape[2:])
        at = self._first_slots + slots
        after = self._first_slots + (slots + columns["ahead"].take(at)) % self._capacity
        s_tm1, s_t, a_tm1, r_t, discount_t, weights = parts
        s_tm1[:], s_t[:] = frames.take(at, axis=0), frames.take(after, axis=0)
        a_tm1[:], r_t[:] = columns["action"].take(at), columns["reward"].take(at)
        discount_t[:], weights[:] = columns["discount"].take(at), 1.0
