"""A ring of single frames; stacks of frames are rebuilt when transitions are sampled.

One *row* holds one frame and the transition that starts there: the action, its (n-step) return and discount, and
``ahead``, the number of rows to the frame of s_t (0: no transition starts here, as at the end of an episode or while
the n-step return is still open).  ``age`` is how many earlier frames belong to this frame's stack (0 at the start of
an episode).  ``mask``, of environments that have masks, is the actions that are legal there.
Rows are numbered from 0, without end; row i lies in slot i % capacity.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from dqn_tf.agent.annealing import Horizon
from dqn_tf.checks import ConfigError
from dqn_tf.replay.device_frames import DeviceFrames
from dqn_tf.replay.frame_store import Frames, RawFrames, make_store
from dqn_tf.replay.summing import Returns, returns_of
from dqn_tf.replay.trajectories import chain
from dqn_tf.types import Future, Masks, NoFuture, NoMasks, ObservationSpec, Transition

SEGMENT_BYTES = 32 * 2**20  # about the size of a segment: consecutive rows, which a checkpoint writes as one piece
COLUMN_BYTES = 2 + 4 + 4 + 2 + 1  # of a row beside its frame: action, reward, discount, ahead, age


def column_bytes(spec: ObservationSpec) -> int:
    """Memory of one row beside its frame: ``COLUMN_BYTES``, and a byte for each action of a mask."""
    return COLUMN_BYTES + spec.mask_size


def row_bytes(spec: ObservationSpec) -> int:
    """Memory of one row whose frame is not compressed."""
    return int(np.prod(spec.frame_shape)) * np.dtype(spec.dtype).itemsize + column_bytes(spec)


class Ring:
    """Storage for ``capacity`` rows; the oldest are overwritten.  What comes out, and the hash of each segment, does
    not depend on compression and placement.
    """

    def __init__(
        self,
        spec: ObservationSpec,
        capacity: int,
        compression: str = "none",
        placement: str = "host",
        store: Frames | None = None,
    ) -> None:
        """
        Args:
            spec: of the observations.
            capacity: rows.
            compression: "none" or "delta": how frames are kept, see frames.py.
            placement: "host" or "device": where, see device_frames.py.
            store: keeps the frames instead.

        Raises:
            ConfigError: the machine or the device does not grant the memory.
        """
        self.spec, self.capacity = spec, capacity
        try:
            self.frames: Frames = (
                store
                if store is not None
                else (
                    DeviceFrames(capacity, spec.frame_shape, spec.dtype)
                    if placement == "device"
                    else make_store(capacity, spec, compression)
                )
            )
        except ConfigError:  # of the device: it has a message of its own
            raise
        except (MemoryError, ValueError, OverflowError) as error:
            raise ConfigError(
                f"Expected memory for a replay of {capacity:,} transitions: {capacity * row_bytes(spec):.1e} bytes, "
                "more than this machine grants at once. Take a smaller one: --set replay.capacity=N"
            ) from error
        self.columns: dict[str, np.ndarray] = {
            "action": np.zeros(capacity, np.int16),
            "reward": np.zeros(capacity, np.float32),
            "discount": np.zeros(capacity, np.float32),
            "ahead": np.zeros(capacity, np.uint16),
            "age": np.zeros(capacity, np.uint8),
            **({"mask": np.zeros((capacity, spec.mask_size), bool)} if spec.mask_size else {}),
        }
        self.head = self.touched = 0  # touched: the lowest row changed since DeviceRing.flush
        self.may_draw_extra = True
        self.segment_rows = max(1, min(capacity, SEGMENT_BYTES // row_bytes(spec)))
        self._digests: dict[int, str] = {}
        self._offsets = np.arange(spec.stack or 1)

    @property
    def oldest(self) -> int:
        """The oldest row that is still held."""
        return max(0, self.head - self.capacity)

    def __len__(self) -> int:
        return self.head - self.oldest

    def append(self, frame: np.ndarray, first: bool, mask: np.ndarray | None = None) -> int:
        """Store a frame.

        Args:
            frame: of the shape and dtype of ``spec``.
            first: whether it starts an episode of the agent.
            mask: [A] bool, the legal actions, if there are masks.

        Returns:
            Its row.
        """
        row, slot = self.head, self.head % self.capacity
        columns, most = self.columns, (self.spec.stack or 1) - 1
        previous = 0 if first or not most else int(columns["age"][(row - 1) % self.capacity])
        self.frames.put(slot, frame)
        columns["age"][slot] = 0 if first else min(previous + 1, most)
        columns["ahead"][slot] = 0
        if mask is not None:
            columns["mask"][slot] = mask
        self.head += 1
        self._digests.pop(slot // self.segment_rows, None)
        return row

    def complete(self, row: int, ahead: int, action: int, reward: float, discount: float) -> None:
        """Set the transition that starts at a row.

        Args:
            row: of s_tm1.
            ahead: rows from there to s_t, >= 1.
            action: a_tm1.
            reward: r_t, the n-step return.
            discount: discount_t.
        """
        self.note_step(row, action, reward, discount)
        self.columns["ahead"][row % self.capacity] = ahead

    def note_step(self, row: int, action: int, reward: float, discount: float) -> None:
        """Set what is known of the step from a row on, before a transition starts there (``complete``).

        Args:
            row: of the state.
            action: taken there.
            reward: of one step.
            discount: of one step, without gamma.
        """
        slot = row % self.capacity
        columns = self.columns
        columns["action"][slot], columns["reward"][slot] = action, reward
        columns["discount"][slot] = discount
        if row < self.touched:
            self.touched = row
        self._digests.pop(slot // self.segment_rows, None)

    def usable(self, rows: np.ndarray, oldest: int | None = None) -> np.ndarray:
        """Which rows start a transition all of whose frames are still held.

        Args:
            rows: [B] int64.
            oldest: the oldest row held; None: as it is now.

        Returns:
            [B] bool.
        """
        slots = rows % self.capacity
        oldest = self.oldest if oldest is None else oldest
        return (self.columns["ahead"][slots] > 0) & (rows - self.columns["age"][slots] >= oldest)

    def in_slots(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The row in each of these slots [B] int64, and whether it is usable: bool [B].  Where there is no row yet, any
        number and False."""
        usable = self.columns["ahead"][slots] > 0
        if self.head <= self.capacity:  # row i lies in slot i, and all frames are held
            return slots, usable
        rows = newest_in(slots, self.head, self.capacity)
        return rows, usable if self.spec.stack is None else usable & (rows - self.columns["age"][slots] >= self.oldest)

    def evicted_by(self, oldest: int) -> list[int]:
        """Rows that become unusable when row ``oldest`` becomes the oldest that is held: the row before it, and the
        rows whose stacks contain that one."""
        if oldest == 0:
            return []
        following = range(oldest, min(oldest + (self.spec.stack or 1) - 1, self.head))
        age = self.columns["age"]
        return [oldest - 1, *(row for row in following if row - int(age[row % self.capacity]) < oldest)]

    def returns(self, rows: np.ndarray, horizon: Horizon | None = None) -> Returns:
        """Steps, sums of rewards and discounts of the transitions that start at ``rows``.

        Args:
            rows: [B] int64, all usable.
            horizon: n and gamma, where rows hold single steps; None: as they were stored.

        Returns:
            [B] each.
        """
        if horizon is not None:
            return returns_of(self.columns, rows, horizon)
        columns, slots = self.columns, rows % self.capacity
        return Returns(*(columns[name].take(slots) for name in ("ahead", "reward", "discount")))

    def transitions(self, rows: np.ndarray, returns: Returns | None = None) -> Transition:
        """The transitions that start at some rows.

        Args:
            rows: [B] int64, all usable.
            returns: theirs; None: as they were stored.

        Returns:
            Observations [B, ...], the rest [B].
        """
        slots, (ahead, r_t, discount_t) = rows % self.capacity, returns or self.returns(rows)
        seen = self.observations(np.concatenate([rows, rows + ahead]))
        return Transition(
            s_tm1=seen[: len(rows)],
            a_tm1=self.columns["action"].take(slots).astype(np.int32),
            r_t=r_t,
            discount_t=discount_t,
            s_t=seen[len(rows) :],
        )

    def masks(self, rows: np.ndarray, ahead: np.ndarray | None = None) -> Masks | NoMasks:
        """Legal actions in both states of the transitions that start at some rows.

        Args:
            rows: [B] int64, all usable.
            ahead: rows from one state to the other, [B]; None: as they were stored.

        Returns:
            [B, A] each; () if there are no masks.
        """
        if not self.spec.mask_size:
            return ()
        following = rows + (self.columns["ahead"][rows % self.capacity] if ahead is None else ahead)
        return Masks(self.legal(rows), self.legal(following))

    def future(self, rows: np.ndarray, steps: int) -> Future | NoFuture:
        """What followed some rows, see trajectories.py.

        Args:
            rows: [B] int64, all usable.
            steps: K.

        Returns:
            States [B, K, ...], actions and mask [B, K]; () for 0 steps.
        """
        if not steps:
            return ()
        places = rows[:, None] + np.arange(steps)
        mask, following = chain(self.columns["ahead"].take(places % self.capacity), rows)
        states = self.observations(following.reshape(-1)).reshape(*following.shape, *self.spec.shape)
        actions = self.columns["action"].take((following - 1) % self.capacity).astype(np.int32)
        return Future(states=states, actions=actions, mask=mask.astype(np.float32))

    def legal(self, rows: np.ndarray) -> np.ndarray:
        """The masks [B, A] bool of ``rows`` [B]."""
        return self.columns["mask"].take(rows % self.capacity, axis=0)

    def observations(self, rows: np.ndarray) -> np.ndarray:
        """The observations whose newest frames are ``rows`` [B]: [B, *observation shape]."""
        if self.spec.stack is None:
            frames, at = self.frames.lookup(rows % self.capacity)
            return frames.take(at, axis=0)
        age = self.columns["age"][rows % self.capacity].astype(np.int64)[:, None]
        places = self._offsets[None, :]  # 0 .. stack - 1; the newest frame is place stack - 1, or `age` if zeros follow
        if self.spec.padding == "zeros_after":
            back, present = age - places, places <= age
        else:
            back, present = (self.spec.stack - 1) - places, places >= self.spec.stack - 1 - age
            if self.spec.padding == "repeat_first":
                present = np.ones_like(present)
        frames, at = self.frames.lookup((rows[:, None] - np.clip(back, 0, age)) % self.capacity)
        out = np.empty((len(rows), *self.spec.frame_shape, self.spec.stack), frames.dtype)
        for place in range(self.spec.stack):
            out[..., place] = frames[at[:, place]]
        absent = np.nonzero(~present)
        for b, place in zip(*absent, strict=True):
            out[b, ..., place] = 0
        return out.reshape(len(rows), *self.spec.shape)

    # -- written by another object ------------------------------------------------------------------------------------
    def move_to(self, columns: dict[str, np.ndarray], frames: np.ndarray) -> None:
        """Keep everything in another object's arrays, which that object may write to.

        Args:
            columns: by name, [capacity, ...].
            frames: [capacity, *frame]; they are not compressed.
        """
        assert isinstance(self.frames, RawFrames)
        for name, column in columns.items():
            column[:] = self.columns[name]
        self.columns = columns
        self.frames.move_to(frames)

    def wrote(self, head: int) -> None:
        """Rows up to ``head`` - 1 were written into those arrays, and the transition of the newest row before them."""
        changed = {row % self.capacity // self.segment_rows for row in range(max(0, self.head - 1), head)}
        for index in changed if head > self.head else ():
            self._digests.pop(index, None)
        self.head = head
        assert isinstance(self.frames, RawFrames)
        self.frames.wrote(min(head, self.capacity))

    # -- saving: segments, named by the hash of their content --------------------------------------------------------
    def segments(self) -> list[str]:
        """SHA-256 of every segment in use, in order; only segments written since the last call are hashed."""
        used = -(-min(self.head, self.capacity) // self.segment_rows)
        for index in range(used):
            if index not in self._digests:
                self._digests[index] = segment_digest(self.segment(index))
        return [self._digests[i] for i in range(used)]

    def segment(self, index: int) -> dict[str, np.ndarray]:
        """The columns of segment ``index`` (rows never written are left out; do not write to them)."""
        start = index * self.segment_rows
        stop = min(start + self.segment_rows, self.capacity, self.head)
        return {
            "frame": self.frames.read_range(start, stop),
            **{k: column[start:stop] for k, column in self.columns.items()},
        }

    def restore_head(self, head: int, digests: list[str]) -> None:
        """Set what the restored segments do not say.

        Args:
            head: rows ever written.
            digests: SHA-256 of the segments, in order.
        """
        self.head, self._digests = head, dict(enumerate(digests))
        self.touched = self.oldest

    def restore_segment(self, index: int, columns: dict[str, np.ndarray]) -> None:
        """Put a segment back.

        Args:
            index: of the segment.
            columns: by name, [rows, ...] each, as ``segment`` gives them.

        Raises:
            ValueError: a column is missing or does not fit.
        """
        start = index * self.segment_rows
        most, rows = min(self.segment_rows, self.capacity - start), len(columns.get("age", ()))
        frame = np.zeros((0, *self.spec.frame_shape), self.spec.dtype)
        for name, column in {"frame": frame, **self.columns}.items():
            shape, found = (rows, *column.shape[1:]), columns.get(name)
            if found is None or rows > most or found.shape != shape or found.dtype != column.dtype:
                raise ValueError(f"Expected column {name} of a replay segment, {shape} {column.dtype}.")
        for name, column in self.columns.items():
            column[start : start + rows] = columns[name]
        self.frames.fill(start, columns["frame"])


def newest_in(slots: np.ndarray, head: int, capacity: int) -> np.ndarray:
    """The newest of the rows 0 to head - 1 in each of the slots (row i lies in slot i % capacity).

    Args:
        slots: [...] int64.
        head: rows ever written.
        capacity: slots of the ring.

    Returns:
        Rows [...] int64; below 0 where a slot has none.
    """
    return np.asarray(head - 1 - (head - 1 - slots) % capacity)


def segment_digest(columns: dict[str, Any]) -> str:
    """SHA-256 over names, types, shapes and bytes of a segment's columns."""
    sha = hashlib.sha256()
    for name in sorted(columns):
        array = np.ascontiguousarray(columns[name])
        sha.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        sha.update(array.data)
    return sha.hexdigest()
