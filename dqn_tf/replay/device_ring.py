"""A ring whose rows live where the networks do: batches are gathered there, and only row numbers travel.

Host and device share the work.  The host keeps a ring's columns (ring.py), of which samplers draw and checkpoints are
made; the device keeps the frames, and a copy of the columns.  What is sampled, trained and saved is the same, to the
last bit, as with a ring on the host.

Facts of TensorFlow that shaped this:
- Reading a variable's value may copy all of it, so it is only ever indexed (``sparse_read``), and written by assigning
  contiguous rows in place; both hold the variable's lock, so that threads do not see half of a write.
- Words of 8 bytes instead of pixels: to assign them takes an eighth of the time, and the words of a million Atari
  frames can be numbered with 31 bits.
- GPUs have no kernels for int32 here: whole numbers are int64.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.checks import ConfigError
from dqn_tf.types import Draw, Sample, Transition

if TYPE_CHECKING:
    from dqn_tf.replay.ring import Ring

BLOCK = 64  # frames that wait on the host, at most, to be written together
DEVICE_COLUMN_BYTES = 3 * 8 + 2 * 4  # of a row beside its frame, on the device
_MOST_ROWS = 2**31 - 1  # dimensions of a new variable are int32


def accelerator() -> str:
    """The device that holds such a ring: the first GPU, or the processor where there is none."""
    return "/GPU:0" if tf.config.list_logical_devices("GPU") else "/CPU:0"


def _variable(rows: int, width: int, dtype: np.dtype[Any]) -> Any:
    """[rows, width], its memory neither filled nor copied.  Raises ConfigError if the device does not grant it."""
    needed = ConfigError(
        f"Expected memory on the device for {rows:,} rows of a replay: {rows * width * dtype.itemsize:.1e} bytes, more "
        "than it grants at once. Take a smaller one (--set replay.capacity=N) or --set replay.placement=host"
    )
    if rows > _MOST_ROWS:
        raise needed
    try:
        with tf.device(accelerator()):
            empty = lambda: tf.raw_ops.Empty(shape=[rows, width], dtype=dtype, init=False)  # noqa: E731
            return tf.Variable(empty, trainable=False, dtype=dtype)
    except tf.errors.OpError as error:
        raise needed from error


@functools.cache
def _interleaved() -> Any:
    """[N, stack, pixels] -> [N, pixels, stack].  XLA's kernel takes a fifth of the time of TensorFlow's own."""
    return tf.function(tf.linalg.matrix_transpose, autograph=False, jit_compile=True)


def _write(variable: Any, start: int, values: np.ndarray) -> None:
    """Assign rows ``start`` and following, in place."""
    begin, end, strides = (np.array([n], np.int64) for n in (start, start + len(values), 1))
    tf.raw_ops.ResourceStridedSliceAssign(ref=variable.handle, begin=begin, end=end, strides=strides, value=values)


class DeviceFrames:
    """Frames (a store as in frames.py) in a variable of words; the row after the last slot is zeros, for the places of
    a stack that lie before its episode."""

    def __init__(self, capacity: int, shape: tuple[int, ...], dtype: str) -> None:
        self._shape, self._dtype = shape, np.dtype(dtype)
        size = int(np.prod(shape)) * self._dtype.itemsize
        self._word = np.dtype(np.int64) if size % 8 == 0 else self._dtype
        self.bytes_per_frame, self._filled = float(size), 0
        self._words = _variable(capacity + 1, size // self._word.itemsize, self._word)
        self._waiting: list[np.ndarray] = []
        self._first = 0  # slot of the first frame that waits
        _write(self._words, capacity, np.zeros((1, size // self._word.itemsize), self._word))

    @property
    def nbytes(self) -> int:
        """See ``Frames``: of the slots filled so far, if the device is the processor."""
        return 0 if self._words.device.endswith("GPU:0") else round(self._filled * self.bytes_per_frame)

    # -- writing -----------------------------------------------------------------------------------------------------
    def put(self, slot: int, frame: np.ndarray) -> None:
        """See ``Frames``."""
        if slot != self._first + len(self._waiting):  # past the seam
            self.flush()
            self._first = slot
        self._waiting.append(np.array(frame, self._dtype))  # the caller's array may change
        self._filled = max(self._filled, slot + 1)
        if len(self._waiting) == BLOCK:
            self.flush()

    def fill(self, start: int, frames: np.ndarray) -> None:
        """See ``Frames``."""
        self.flush()
        if len(frames):
            flat = np.ascontiguousarray(frames, self._dtype).reshape(len(frames), -1)
            _write(self._words, start, flat.view(self._word))
        self._filled = max(self._filled, start + len(frames))

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self.fill(self._first, np.stack(waiting))
            self._first += len(waiting)

    # -- reading -----------------------------------------------------------------------------------------------------
    def read(self, slots: Any) -> Any:
        """Frames of ``slots`` [...] int64, all written: [..., *frame].  Graph code."""
        words = self._words.sparse_read(slots)
        return tf.reshape(tf.bitcast(words, self._dtype), [*words.shape[:-1], *self._shape])

    def look(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See ``Frames``; each frame that is asked for comes once."""
        self.flush()
        unique, places = np.unique(slots, return_inverse=True)
        return self.read(unique.astype(np.int64)).numpy(), places.reshape(slots.shape)

    def span(self, start: int, stop: int) -> np.ndarray:
        """See ``Frames``."""
        return self.look(np.arange(start, stop))[0]


class DeviceRing:
    """The device's side of a ring whose frames are ``DeviceFrames``: a copy of its columns, and how batches are made.

    ``settle`` and ``flush`` belong to the thread that writes the ring; ``recall`` may run in another, as long as no
    row that it reads is written meanwhile.
    """

    def __init__(self, ring: Ring) -> None:
        assert isinstance(ring.frames, DeviceFrames)
        self._ring, self._frames, self.spec = ring, ring.frames, ring.spec
        self._whole = _variable(ring.capacity, 3, np.dtype(np.int64))  # action, ahead, age
        self._real = _variable(ring.capacity, 2, np.dtype(np.float32))  # reward, discount

    def settle(self, rows: np.ndarray) -> None:
        """See to it that the transitions that start at ``rows`` [B] are on the device."""
        ring = self._ring
        if (rows + ring.columns["ahead"][rows % ring.capacity]).max(initial=-1) >= ring.touched:
            self.flush()

    def flush(self) -> None:
        """Bring all that is new to the device."""
        ring, columns = self._ring, self._ring.columns
        self._frames.flush()
        start = max(ring.touched, ring.oldest)
        while start < ring.head:  # up to the seam, and from there
            slot = start % ring.capacity
            stop = min(slot + ring.head - start, ring.capacity)
            whole, real = (
                np.stack([columns[name][slot:stop] for name in names], axis=1).astype(dtype)
                for names, dtype in ((("action", "ahead", "age"), np.int64), (("reward", "discount"), np.float32))
            )
            _write(self._whole, slot, whole)
            _write(self._real, slot, real)
            start += stop - slot
        ring.touched = ring.head

    # -- graph code --------------------------------------------------------------------------------------------------
    def recall(self, draw: Draw) -> Sample:
        """The batch of a draw, as ``Ring.transitions`` has it."""
        slots = draw.rows % self._ring.capacity
        action, ahead, _ = tf.unstack(self._whole.sparse_read(slots), axis=1)
        reward, discount = tf.unstack(self._real.sparse_read(slots), axis=1)
        s_tm1, s_t = tf.split(self.observations(tf.concat([draw.rows, draw.rows + ahead], 0)), 2)
        return Sample(Transition(s_tm1, tf.cast(action, tf.int32), reward, discount, s_t), draw.rows, draw.weights)

    def observations(self, rows: Any) -> Any:
        """As ``Ring.observations``: of rows [N] int64, N known when this is traced."""
        capacity, stack = self._ring.capacity, self.spec.stack
        if stack is None:
            return self._frames.read(rows % capacity)
        age = self._whole.sparse_read(rows % capacity)[:, 2:]
        places = tf.range(stack, dtype=tf.int64)[None, :]
        back = age - places if self.spec.padding == "zeros_after" else (stack - 1) - places
        slots = (rows[:, None] - tf.maximum(tf.minimum(back, age), 0)) % capacity
        if self.spec.padding != "repeat_first":
            slots = tf.where((back >= 0) & (back <= age), slots, capacity)  # the row of zeros
        planes = tf.reshape(self._frames.read(slots), [rows.shape[0], stack, -1])
        return tf.reshape(_interleaved()(planes), [rows.shape[0], *self.spec.shape])
