"""Frames on the networks' device: a store as in frames.py, in a variable of TensorFlow.

Facts of TensorFlow that shaped this:
- Reading a variable's value may copy all of it, so it is only ever indexed (``sparse_read``), and written by assigning
  contiguous rows in place; both hold the variable's lock, so that no thread reads a half-finished write.
- Words of 8 bytes instead of pixels: to assign them takes an eighth of the time, and the words of a million Atari
  frames can be numbered with 31 bits.
- GPUs have no kernels for int32 here: whole numbers are int64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.checks import ConfigError
from dqn_tf.types import Tensor, TensorLike, Variable

BLOCK = 64  # frames that wait on the host, at most, to be written together
_MOST_ROWS = 2**31 - 1  # dimensions of a new variable are int32


def accelerator() -> str:
    """The device that holds the frames: the first GPU, or the processor where there is none."""
    return "/GPU:0" if tf.config.list_logical_devices("GPU") else "/CPU:0"


def device_variable(rows: int, width: int, dtype: np.dtype[Any]) -> Variable:
    """A variable [rows, width] whose memory is neither filled nor copied.

    Args:
        rows: first dimension.
        width: second dimension.
        dtype: of its numbers.

    Returns:
        The variable, on ``accelerator()``; what it holds is arbitrary.

    Raises:
        ConfigError: the device does not grant the memory.
    """

    def empty() -> Tensor:
        return tf.raw_ops.Empty(shape=[rows, width], dtype=dtype, init=False)

    needed = ConfigError(
        f"Expected memory on the device for {rows:,} rows of a replay: {rows * width * dtype.itemsize:.1e} bytes, more "
        "than it grants at once. Take a smaller one (--set replay.capacity=N) or --set replay.placement=host"
    )
    if rows > _MOST_ROWS:
        raise needed
    try:
        with tf.device(accelerator()):
            return tf.Variable(empty, trainable=False, dtype=dtype)
    except tf.errors.OpError as error:
        raise needed from error


def write_rows(variable: Variable, start: int, values: np.ndarray) -> None:
    """Assign rows ``start`` and following, in place.

    Args:
        variable: [rows, width].
        start: the first row.
        values: [n, width], of the variable's dtype.
    """
    begin, end, strides = (np.array([n], np.int64) for n in (start, start + len(values), 1))
    tf.raw_ops.ResourceStridedSliceAssign(ref=variable.handle, begin=begin, end=end, strides=strides, value=values)


class DeviceFrames:
    """Frames (a store as in frames.py) in a variable of words; the row after the last slot is zeros, for the places of
    a stack that lie before its episode."""

    def __init__(self, capacity: int, shape: tuple[int, ...], dtype: str) -> None:
        """
        Args:
            capacity: slots.
            shape: of a frame.
            dtype: of its numbers.

        Raises:
            ConfigError: the device does not grant the memory.
        """
        self._shape, self._bits = shape, dtype == "bool"
        self._dtype = np.dtype(np.uint8 if self._bits else dtype)  # bool has no kernels here: a byte each
        size = int(np.prod(shape)) * self._dtype.itemsize
        self._word = np.dtype(np.int64) if size % 8 == 0 else self._dtype
        self.bytes_per_frame, self._filled = float(size), 0
        self._words = device_variable(capacity + 1, size // self._word.itemsize, self._word)
        self._waiting: list[np.ndarray] = []
        self._first = 0  # slot of the first frame that waits
        write_rows(self._words, capacity, np.zeros((1, size // self._word.itemsize), self._word))

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
            write_rows(self._words, start, flat.view(self._word))
        self._filled = max(self._filled, start + len(frames))

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self.fill(self._first, np.stack(waiting))
            self._first += len(waiting)

    # -- reading -----------------------------------------------------------------------------------------------------
    def read(self, slots: TensorLike) -> Tensor:
        """Graph code: frames of written slots.

        Args:
            slots: [...] int64.

        Returns:
            [..., *frame].
        """
        words = self._words.sparse_read(slots)
        frames = tf.reshape(tf.bitcast(words, self._dtype), [*words.shape[:-1], *self._shape])
        return tf.cast(frames, tf.bool) if self._bits else frames

    def lookup(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See ``Frames``; no frame is returned twice."""
        self.flush()
        unique, places = np.unique(slots, return_inverse=True)
        return self.read(unique.astype(np.int64)).numpy(), places.reshape(slots.shape)

    def read_range(self, start: int, stop: int) -> np.ndarray:
        """See ``Frames``."""
        return self.lookup(np.arange(start, stop))[0]
