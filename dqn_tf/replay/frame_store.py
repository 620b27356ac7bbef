"""The frame store of a ring: raw, or compressed as changes of key frames.  Both return the same frames.

Compression "delta": consecutive frames of a game differ in few places.  Slots are held in groups of ``GROUP``; the
first frame of a group is kept whole, a *key*, and of the others only the words (4 bytes, 4 pixels) that differ from the
key, with their places.  A frame that would take more than half its bytes that way (the scene has changed) is kept whole
too and is the key of those that follow; so a store of frames with nothing in common is hardly larger than the raw one.
To read a batch is one copy of keys and one scatter of words, whatever the batch: cheap enough for every update.
"""

from __future__ import annotations

from array import array
from typing import Protocol

import numpy as np

from dqn_tf.types import ObservationSpec

GROUP = 64  # slots; fewer cost more keys, more cost more changes (measured: docs/replay.md)
TYPICAL = 0.2  # of its bytes: what a frame takes at most in three quarters of the 57 games (measured, as above)
_ROW_BYTES = 5  # of a compressed frame beside its words: where they begin (4), and which key they change (1)


def expected_bytes(spec: ObservationSpec, compression: str) -> int:
    """Memory to plan for per frame.  Images of most games compress well; vectors do not.

    Args:
        spec: shape and dtype of a frame.
        compression: "none" or "delta".

    Returns:
        Bytes.
    """
    if spec.dtype == "bool":
        return packed_bytes(spec.frame_shape)
    raw = int(np.prod(spec.frame_shape)) * np.dtype(spec.dtype).itemsize
    return round(raw * TYPICAL) if compression == "delta" and spec.stack is not None else raw


def packed_bytes(shape: tuple[int, ...]) -> int:
    """Bytes of a frame of bits, eight of them in each.

    >>> packed_bytes((10, 10, 4))
    50
    """
    return -(-int(np.prod(shape)) // 8)


class Frames(Protocol):
    """``capacity`` slots for frames of one shape and type."""

    def put(self, slot: int, frame: np.ndarray) -> None:
        """Keep a frame.  Slots are filled in rising order, and from 0 again after the last.

        Args:
            slot: in [0, capacity).
            frame: of the store's shape and dtype.
        """

    def fill(self, start: int, frames: np.ndarray) -> None:
        """Put frames into slots start..start+n-1.

        Args:
            start: the first slot.
            frames: [n, *frame].
        """

    def lookup(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The frames in filled slots.

        Args:
            slots: [...] integers, in any order, with repetitions.

        Returns:
            An array [K, *frame], and the place of each slot's frame in it [...].
        """

    def read_range(self, start: int, stop: int) -> np.ndarray:
        """The frames in consecutive slots.

        Args:
            start: the first slot.
            stop: the slot after the last.

        Returns:
            [stop - start, *frame].
        """

    @property
    def nbytes(self) -> int:
        """The host's memory that the frames take now."""

    @property
    def bytes_per_frame(self) -> float:
        """Mean over the frames held."""


class RawFrames:
    """Uncompressed frames."""

    def __init__(self, capacity: int, shape: tuple[int, ...], dtype: str) -> None:
        """
        Args:
            capacity: slots.
            shape: of a frame.
            dtype: of its numbers.
        """
        self._frames = np.zeros((capacity, *shape), dtype)
        self.bytes_per_frame = float(self._frames.nbytes / capacity)
        self._filled = 0

    @property
    def nbytes(self) -> int:
        """See ``Frames``: of the slots filled so far; the others are address space only."""
        return round(self._filled * self.bytes_per_frame)

    def put(self, slot: int, frame: np.ndarray) -> None:
        """See ``Frames``."""
        self._frames[slot] = frame
        self._filled = max(self._filled, slot + 1)

    def fill(self, start: int, frames: np.ndarray) -> None:
        """See ``Frames``."""
        self._frames[start : start + len(frames)] = frames
        self._filled = max(self._filled, start + len(frames))

    def lookup(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See ``Frames``."""
        return self._frames, slots

    def read_range(self, start: int, stop: int) -> np.ndarray:
        """See ``Frames``; a view."""
        return self._frames[start:stop]

    def move_to(self, place: np.ndarray) -> None:
        """Keep the frames in another object's array, [capacity, *frame], which that object may write to."""
        place[:] = self._frames
        self._frames = place

    def wrote(self, slots: int) -> None:
        """Note that another object has written to the array: this many slots are filled by now."""
        self._filled = max(self._filled, slots)


class BitFrames:
    """Frames of bool as bits, eight to a byte: for any ``compression``, as nothing is smaller."""

    def __init__(self, capacity: int, shape: tuple[int, ...]) -> None:
        """
        Args:
            capacity: slots.
            shape: of a frame.
        """
        self._shape, self._size = shape, int(np.prod(shape))
        self._bits = np.zeros((capacity, packed_bytes(shape)), np.uint8)
        self.bytes_per_frame = float(self._bits.shape[1])
        self._filled = 0

    @property
    def nbytes(self) -> int:
        """See ``Frames``: of the slots filled so far; the others are address space only."""
        return round(self._filled * self.bytes_per_frame)

    def put(self, slot: int, frame: np.ndarray) -> None:
        """See ``Frames``."""
        self.fill(slot, frame[None])

    def fill(self, start: int, frames: np.ndarray) -> None:
        """See ``Frames``."""
        self._bits[start : start + len(frames)] = np.packbits(frames.reshape(len(frames), -1), axis=1)
        self._filled = max(self._filled, start + len(frames))

    def lookup(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See ``Frames``."""
        return self._unpacked(self._bits[slots.reshape(-1)]), np.arange(slots.size).reshape(slots.shape)

    def read_range(self, start: int, stop: int) -> np.ndarray:
        """See ``Frames``."""
        return self._unpacked(self._bits[start:stop])

    def _unpacked(self, bits: np.ndarray) -> np.ndarray:
        """[n, bytes] -> [n, *frame] bool"""
        return np.unpackbits(bits, axis=1, count=self._size).view(bool).reshape(-1, *self._shape)


class _Group:
    """Consecutive slots: keys [k, words], and for row i which key it changes, and words ``starts[i]..starts[i+1]-1``
    of ``places`` (in the frame) and ``words`` (that stand there)."""

    __slots__ = ("key_of", "keys", "places", "starts", "words")

    def __init__(self, keys: np.ndarray, places: np.ndarray, words: np.ndarray) -> None:
        self.keys, self.places, self.words = keys, places, words
        self.key_of, self.starts = array("B"), array("I", [0])

    def packed(self) -> _Group:
        """A copy that takes no more memory than its content."""
        used, keys = self.starts[-1], self.key_of[-1] + 1
        copy = _Group(self.keys[:keys].copy(), self.places[:used].copy(), self.words[:used].copy())
        copy.key_of, copy.starts = self.key_of[:], self.starts[:]
        return copy

    @property
    def nbytes(self) -> int:
        """Memory of its arrays, and some 600 bytes of the objects that hold them."""
        return 600 + self.keys.nbytes + self.places.nbytes + self.words.nbytes + _ROW_BYTES * len(self.key_of)


class DeltaFrames:
    """Frames as changes of key frames; see the head of this file."""

    def __init__(self, capacity: int, shape: tuple[int, ...], dtype: str) -> None:
        """
        Args:
            capacity: slots.
            shape: of a frame.
            dtype: of its numbers.
        """
        self.capacity, self._shape, self._dtype = capacity, shape, np.dtype(dtype)
        size = int(np.prod(shape)) * self._dtype.itemsize
        self._word = np.dtype(np.uint32 if size % 4 == 0 else np.uint8)
        self._width = size // self._word.itemsize
        self._place = np.min_scalar_type(self._width - 1)
        self._most = size // 2 // (self._word.itemsize + self._place.itemsize)  # words that a changed frame may take
        self._groups: list[_Group | None] = [None] * -(-capacity // GROUP)
        self._packed_bytes = self._packed_rows = 0
        self._open, self._open_index = self._new_group(), 0  # the group that is being filled; what it replaces stays

    def _new_group(self) -> _Group:
        """An empty group with room for whatever comes."""
        room = (GROUP - 1) * self._most
        keys = np.empty((GROUP, self._width), self._word)
        return _Group(keys, np.empty(room, self._place), np.empty(room, self._word))

    @property
    def bytes_per_frame(self) -> float:
        """See ``Frames``: of full groups; as raw frames while there are none."""
        return self._packed_bytes / self._packed_rows if self._packed_rows else float(self._width * self._word.itemsize)

    @property
    def nbytes(self) -> int:
        """See ``Frames``: full groups, the table of them, and the one that is being filled."""
        return self._packed_bytes + 8 * len(self._groups) + self._open.nbytes

    # -- writing -----------------------------------------------------------------------------------------------------
    def put(self, slot: int, frame: np.ndarray) -> None:
        """See ``Frames``."""
        index, place = divmod(slot, GROUP)
        if index != self._open_index or place != len(self._open.key_of):
            self._open_at(index, place)
        self._append(self._as_words(frame))
        if place + 1 == GROUP or slot + 1 == self.capacity:
            self._close()

    def fill(self, start: int, frames: np.ndarray) -> None:
        """See ``Frames``."""
        for slot, frame in enumerate(frames, start):
            self.put(slot, frame)

    def _open_at(self, index: int, place: int) -> None:
        """Go to slot ``place`` of group ``index``, as after a restore.  Every other slot keeps what it holds."""
        if filled := len(self._open.key_of):
            begin, old = self._open_index * GROUP, self._groups[self._open_index]
            self._append_all(begin + filled, begin + (len(old.key_of) if old else filled))
            self._close()
        self._open_index = index
        self._append_all(index * GROUP, index * GROUP + place)

    def _append_all(self, start: int, stop: int) -> None:
        """Append the frames of slots start..stop-1 to the open group that they belong to."""
        for frame in self.read_range(start, stop).reshape(-1, *self._shape) if stop > start else ():
            self._append(self._as_words(frame))

    def _as_words(self, frame: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(frame, self._dtype).reshape(-1).view(self._word)

    def _append(self, frame: np.ndarray) -> None:
        """Add a frame [words] to the open group."""
        group = self._open
        start = end = group.starts[-1]
        keys = group.key_of[-1] + 1 if group.key_of else 0
        if keys:
            places = np.flatnonzero(frame != group.keys[keys - 1])
            end += len(places)
        if not keys or end - start > self._most:
            group.keys[keys] = frame
            keys, end = keys + 1, start
        else:
            group.places[start:end] = places
            group.words[start:end] = frame[places]
        group.key_of.append(keys - 1)
        group.starts.append(end)

    def _close(self) -> None:
        """The open group is full: it replaces the older group of these slots."""
        old, packed = self._groups[self._open_index], self._open.packed()
        self._groups[self._open_index] = packed
        self._packed_bytes += packed.nbytes - (old.nbytes if old else 0)
        self._packed_rows += len(packed.key_of) - (len(old.key_of) if old else 0)
        self._open_index += 1
        self._open.key_of, self._open.starts = array("B"), array("I", [0])

    # -- reading -----------------------------------------------------------------------------------------------------
    def lookup(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See ``Frames``; no frame is unpacked twice."""
        unique, places = np.unique(slots, return_inverse=True)
        return self._unpacked(unique.tolist()), places.reshape(slots.shape)

    def read_range(self, start: int, stop: int) -> np.ndarray:
        """See ``Frames``."""
        return self._unpacked(list(range(start, stop)))

    def _unpacked(self, slots: list[int]) -> np.ndarray:
        """[len(slots), *frame]"""
        keys, places, words, counts = [], [], [], []
        filled, groups = len(self._open.key_of), self._groups
        for slot in slots:
            index, i = divmod(slot, GROUP)
            group = self._open if index == self._open_index and i < filled else groups[index]
            if group is None:
                raise IndexError(f"Slot {slot} was never filled.")
            start, end = group.starts[i], group.starts[i + 1]
            keys.append(group.keys[group.key_of[i]])
            places.append(group.places[start:end])
            words.append(group.words[start:end])
            counts.append(end - start)
        out = np.empty((len(slots), self._width), self._word)
        if slots:
            np.concatenate(keys, out=out.reshape(-1))
            at = np.repeat(np.arange(len(slots)) * self._width, counts)
            at += np.concatenate(places)
            out.reshape(-1)[at] = np.concatenate(words)
        return out.view(self._dtype).reshape(len(slots), *self._shape)


STORES: dict[str, type[RawFrames] | type[DeltaFrames]] = {"none": RawFrames, "delta": DeltaFrames}


def make_store(capacity: int, spec: ObservationSpec, compression: str) -> Frames:
    """The host's store for frames of this kind: bits for bool, else as ``compression`` says.

    Args:
        capacity: slots.
        spec: shape and dtype of a frame.
        compression: "none" or "delta".

    Returns:
        An empty store.
    """
    if spec.dtype == "bool":
        return BitFrames(capacity, spec.frame_shape)
    return STORES[compression](capacity, spec.frame_shape, spec.dtype)
