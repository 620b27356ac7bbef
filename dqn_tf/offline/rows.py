"""What every format of recorded experience is read as: rows of frames, each with the transition that begins there.

An episode of T transitions has T + 1 rows.  The last one has no action: its frame is what was seen after the last
action.  Where the episode was terminated, nothing is learned from that frame (its discount is 0) and some formats do
not have it: the frame before it stands in its place, whatever the format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

GOES_ON, TERMINATED, TRUNCATED = 0, 1, 2  # what an action led to
NO_ACTION = -1  # of an episode's last row
BLOCK_BYTES = 4 * 2**20  # of the frames that are in memory at a time


class Rows(NamedTuple):
    """Some consecutive rows.

    Attributes:
        frames: [n, *frame].
        first: [n] bool, whether an episode of the agent begins here.
        actions: [n] int64; ``NO_ACTION`` in an episode's last row.
        rewards: [n] float64, of the action; 0 in a last row.
        ends: [n] uint8, ``GOES_ON``, ``TERMINATED`` or ``TRUNCATED``: how the episode stood after the action.
    """

    frames: np.ndarray
    first: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    ends: np.ndarray

    def part(self, start: int, stop: int) -> Rows:
        """Some of the rows.

        Args:
            start: the first of them.
            stop: the row after the last.

        Returns:
            Views.
        """
        return Rows(*(column[start:stop] for column in self))


class Description(NamedTuple):
    """What a data set holds.

    Attributes:
        sha256: of its content: the same data have the same one in every format.
        rows: of all episodes, their last ones included.
        transitions: of all episodes.
        episodes: of the agent.
        terminated: episodes that ended so; the others were cut off.
    """

    sha256: str
    rows: int
    transitions: int
    episodes: int
    terminated: int


class Digest:
    """SHA-256 of rows, whatever the blocks that they come in.

    Attributes:
        rows: that were added.
    """

    def __init__(self, frame_shape: tuple[int, ...], dtype: str) -> None:
        """
        Args:
            frame_shape: of a frame.
            dtype: of its numbers.
        """
        self._header = f"{dtype}|{list(frame_shape)}"
        self._columns = {name: hashlib.sha256() for name in Rows._fields}
        self.rows = self._transitions = self._episodes = self._terminated = 0

    def add(self, rows: Rows) -> None:
        """Add rows.  Rewards count as float32, which is how they are learned from."""
        for name, column in rows._asdict().items():
            plain = column.astype(np.float32) if name == "rewards" else column
            self._columns[name].update(np.ascontiguousarray(plain).tobytes())
        self.rows += len(rows.first)
        self._transitions += int((rows.actions != NO_ACTION).sum())
        self._episodes += int(rows.first.sum())
        self._terminated += int((rows.ends == TERMINATED).sum())

    def description(self) -> Description:
        """Of all that was added."""
        text = "|".join([self._header, *(sha.hexdigest() for sha in self._columns.values())])
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        return Description(sha256, self.rows, self._transitions, self._episodes, self._terminated)


class Builder:
    """Makes rows of episodes that come frame by frame."""

    def __init__(self, frame_shape: tuple[int, ...], dtype: str) -> None:
        """
        Args:
            frame_shape: of a frame.
            dtype: of its numbers.
        """
        self._shape, self._dtype = frame_shape, np.dtype(dtype)
        size = self._dtype.itemsize * int(np.prod(frame_shape))
        self._most = max(1, BLOCK_BYTES // size)
        self._frames: list[np.ndarray] = []
        self._rest: list[tuple[bool, int, float, int]] = []
        self._open = False

    def add(self, frame: np.ndarray, action: int, reward: float, terminal: bool) -> None:
        """A frame, and the action that was chosen there.

        Args:
            frame: of the shape that all have.
            action: the action.
            reward: for it.
            terminal: whether the episode was terminated then.
        """
        self._put(frame, not self._open, action, reward, TERMINATED if terminal else GOES_ON)
        self._open = True
        if terminal:
            self._put(frame, False, NO_ACTION, 0.0, GOES_ON)
            self._open = False

    def cut(self) -> None:
        """The episode was cut off: what came of its latest action is not known, so that frame is its last one."""
        if not self._open:
            return
        self._open = False
        first, *_ = self._rest.pop()
        frame = self._frames.pop()
        if first:  # nothing is known of this episode but its first frame
            return
        self._rest[-1] = (*self._rest[-1][:3], TRUNCATED)
        self._put(frame, False, NO_ACTION, 0.0, GOES_ON)

    def _put(self, frame: np.ndarray, first: bool, action: int, reward: float, end: int) -> None:
        self._frames.append(frame)
        self._rest.append((first, action, reward, end))

    def full(self) -> bool:
        """Whether there are so many rows that some should be taken."""
        return len(self._frames) > self._most

    def take(self, all_of_them: bool = False) -> Rows:
        """Take the rows that nothing can change any more: all but the newest two of an open episode."""
        number = len(self._frames) - (2 if self._open and not all_of_them else 0)
        frames = np.array(self._frames[:number], self._dtype).reshape(-1, *self._shape)
        first, actions, rewards, ends = zip(*self._rest[:number], strict=True) if number > 0 else ((),) * 4
        del self._frames[: max(0, number)], self._rest[: max(0, number)]
        return Rows(
            frames,
            np.array(first, bool),
            np.array(actions, np.int64),
            np.array(rewards, np.float64),
            np.array(ends, np.uint8),
        )


def episodes_of(first: np.ndarray) -> list[tuple[int, int]]:
    """(its first row, the row after its last) of each episode.

    >>> episodes_of(np.array([True, False, True, False, False]))
    [(0, 2), (2, 5)]
    """
    starts = np.flatnonzero(first).tolist()
    return list(zip(starts, [*starts[1:], len(first)], strict=True))


def in_blocks(rows: Rows) -> Iterator[Rows]:
    """The same rows, so many at a time that a block's frames take about ``BLOCK_BYTES``."""
    each = max(1, rows.frames[:1].nbytes)
    size = max(1, BLOCK_BYTES // each)
    for start in range(0, len(rows.first), size):
        yield Rows(*(np.array(column) for column in rows.part(start, start + size)))


def canonical(blocks: Iterable[Rows]) -> Iterator[Rows]:
    """The same rows, with the frame before it in the place of each last one after a termination."""
    ended, before = False, np.zeros(0)
    for rows in blocks:
        terminated = np.append(ended, rows.ends[:-1] == TERMINATED)[: len(rows.ends)]
        frames = rows.frames
        if terminated.any():
            places = np.flatnonzero(terminated)
            frames = np.array(frames)
            frames[places] = rows.frames[places - 1]
            if places[0] == 0:
                frames[0] = before
        if len(rows.ends):
            ended, before = bool(rows.ends[-1] == TERMINATED), np.array(frames[-1])
        yield rows._replace(frames=frames)


def describe(blocks: Iterable[Rows], frame_shape: tuple[int, ...], dtype: str) -> Description:
    """What blocks of rows hold.

    Args:
        blocks: in order.
        frame_shape: of a frame.
        dtype: of its numbers.

    Returns:
        Their digest and numbers.
    """
    digest = Digest(frame_shape, dtype)
    for rows in blocks:
        digest.add(rows)
    return digest.description()
