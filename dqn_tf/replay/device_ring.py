"""A ring whose rows are on the networks' device: batches are gathered there, and only sample indices are sent to it.

Host and device share the work.  The host keeps a ring's columns (ring.py), of which samplers draw and checkpoints are
made; the device keeps the frames (device_frames.py), and a copy of the columns.  What is sampled, trained and saved is
the same, to the last bit, as with a ring on the host.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.replay.device_frames import DeviceFrames, device_variable, write_rows
from dqn_tf.replay.ring import Ring
from dqn_tf.replay.trajectories import chain_in_graph
from dqn_tf.types import (
    Future,
    Masks,
    NoFuture,
    NoMasks,
    ObservationSpec,
    Sample,
    SampleIndices,
    Tensor,
    TensorLike,
    Transition,
)

DEVICE_COLUMN_BYTES = 3 * 8 + 2 * 4  # of a row beside its frame, on the device


def device_column_bytes(spec: ObservationSpec) -> int:
    """Device memory of one row beside its frame: as ``DEVICE_COLUMN_BYTES``, and a byte for each action of a mask."""
    return DEVICE_COLUMN_BYTES + spec.mask_size


@functools.cache
def _interleaved() -> Any:
    """Stacks [N, stack, pixels] with their frames last, [N, pixels, stack].

    XLA's kernel takes a fifth of the time of TensorFlow's own.
    """
    return tf.function(tf.linalg.matrix_transpose, autograph=False, jit_compile=True)


class DeviceRing:
    """The device's side of a ring whose frames are ``DeviceFrames``: a copy of its columns, and how batches are made.

    ``upload`` and ``flush`` are called by whichever thread samples, and nothing else writes the ring meanwhile.
    ``gather_in_graph`` may run in another thread, if no row that it reads is written meanwhile.
    """

    def __init__(self, ring: Ring, future_steps: int = 0) -> None:
        """
        Args:
            ring: with ``DeviceFrames``.
            future_steps: K: what followed within so many steps is part of a batch (trajectories.py).
        """
        assert isinstance(ring.frames, DeviceFrames)
        self._ring, self._frames, self.spec, self._future_steps = ring, ring.frames, ring.spec, future_steps
        self._integers = device_variable(ring.capacity, 3, np.dtype(np.int64))  # action, ahead, age
        self._floats = device_variable(ring.capacity, 2, np.dtype(np.float32))  # reward, discount
        size = self.spec.mask_size
        self._mask = device_variable(ring.capacity, size, np.dtype(np.uint8)) if size else None

    def upload(self, rows: np.ndarray) -> None:
        """Write the transitions that start at ``rows`` [B] to the device, if they are not there yet."""
        ring = self._ring
        reach = np.maximum(ring.columns["ahead"][rows % ring.capacity], self._future_steps)
        if (rows + reach).max(initial=-1) >= ring.touched:
            self.flush()

    def flush(self) -> None:
        """Write all rows to the device that are not there yet."""
        ring, columns = self._ring, self._ring.columns
        self._frames.flush()
        start = max(ring.touched, ring.oldest)
        while start < ring.head:  # up to the seam, and from there
            slot = start % ring.capacity
            stop = min(slot + ring.head - start, ring.capacity)
            integers, floats = (
                np.stack([columns[name][slot:stop] for name in names], axis=1).astype(dtype)
                for names, dtype in ((("action", "ahead", "age"), np.int64), (("reward", "discount"), np.float32))
            )
            write_rows(self._integers, slot, integers)
            write_rows(self._floats, slot, floats)
            if self._mask is not None:
                write_rows(self._mask, slot, columns["mask"][slot:stop].view(np.uint8))
            start += stop - slot
        ring.touched = ring.head

    # -- graph code --------------------------------------------------------------------------------------------------
    def gather_in_graph(self, sampled: SampleIndices) -> Sample:
        """Graph code: the batch of these sample indices [B], as ``Ring.transitions`` has it."""
        slots = sampled.indices % self._ring.capacity
        action, ahead, _ = tf.unstack(self._integers.sparse_read(slots), axis=1)
        reward, discount = tf.unstack(self._floats.sparse_read(slots), axis=1)
        s_tm1, s_t = tf.split(self.observations(tf.concat([sampled.indices, sampled.indices + ahead], 0)), 2)
        transitions = Transition(s_tm1=s_tm1, a_tm1=tf.cast(action, tf.int32), r_t=reward, discount_t=discount, s_t=s_t)
        masks = self._masks(sampled.indices, sampled.indices + ahead)
        future = self._future(sampled.indices)
        return Sample(
            transitions=transitions, indices=sampled.indices, weights=sampled.weights, masks=masks, future=future
        )

    def _future(self, rows: TensorLike) -> Future | NoFuture:
        """As ``Ring.future``."""
        steps, capacity = self._future_steps, self._ring.capacity
        if not steps:
            return ()
        places = (rows[:, None] + tf.range(steps, dtype=tf.int64)) % capacity
        mask, following = chain_in_graph(self._integers.sparse_read(places)[..., 1], rows)
        states = self.observations(tf.reshape(following, [-1]))
        actions = self._integers.sparse_read((following - 1) % capacity)[..., 0]
        return Future(
            states=tf.reshape(states, [*following.shape, *self.spec.shape]),
            actions=tf.cast(actions, tf.int32),
            mask=tf.cast(mask, tf.float32),
        )

    def _masks(self, *rows: TensorLike) -> Masks | NoMasks:
        if self._mask is None:
            return ()
        return Masks(*(tf.cast(self._mask.sparse_read(r % self._ring.capacity), tf.bool) for r in rows))

    def observations(self, rows: TensorLike) -> Tensor:
        """Graph code: as ``Ring.observations``, of rows [N] int64, N known when this is traced."""
        capacity, stack = self._ring.capacity, self.spec.stack
        if stack is None:
            return self._frames.read(rows % capacity)
        age = self._integers.sparse_read(rows % capacity)[:, 2:]
        places = tf.range(stack, dtype=tf.int64)[None, :]
        back = age - places if self.spec.padding == "zeros_after" else (stack - 1) - places
        slots = (rows[:, None] - tf.maximum(tf.minimum(back, age), 0)) % capacity
        if self.spec.padding != "repeat_first":
            slots = tf.where((back >= 0) & (back <= age), slots, capacity)  # the row of zeros
        planes = tf.reshape(self._frames.read(slots), [rows.shape[0], stack, -1])
        return tf.reshape(_interleaved()(planes), [rows.shape[0], *self.spec.shape])
