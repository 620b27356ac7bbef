"""A data set as the replay of a run, in a stated amount of memory.

The columns of every row (action, reward, discount; 13 bytes) are in memory.  Frames are there too where all of them fit
into the budget; else they lie in a scratch file, and those of a batch are read from it one by one.  Either way every
draw is uniform over all transitions of the data (or by their priorities), with the same random numbers: the budget
changes no byte of a run.  The scratch file has no name: nothing is left of it, however the process ends.
"""

from __future__ import annotations

import dataclasses
import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dqn_tf.agent.annealing import horizons, longest_n_step
from dqn_tf.checks import ConfigError
from dqn_tf.config import RunConfig
from dqn_tf.offline import data
from dqn_tf.offline.rows import BLOCK_BYTES, GOES_ON, NO_ACTION, TERMINATED, Digest, Rows
from dqn_tf.offline.source import Recorded
from dqn_tf.replay.frame_store import Frames, expected_bytes, make_store
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.ring import Ring
from dqn_tf.replay.storage import Storage
from dqn_tf.types import EnvironmentSpec, ObservationSpec, StepType, TimeStep


def _scratch(folder: Path) -> io.FileIO:
    """A file without a name."""
    handle, name = tempfile.mkstemp(dir=folder)
    os.unlink(name)
    return io.FileIO(handle, "r+")


class FileFrames:
    """A ``Frames`` (replay/frame_store.py) in a scratch file; in memory is only what is asked for."""

    def __init__(self, shape: tuple[int, ...], dtype: str, folder: Path) -> None:
        """
        Args:
            shape: of a frame.
            dtype: of its numbers.
            folder: on whose disk the file lies.
        """
        self._file = _scratch(folder)
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._each = int(np.prod(shape)) * self._dtype.itemsize
        self._waiting = bytearray()
        self._written = 0  # frames in the file
        self.bytes_per_frame = 0.0

    @property
    def nbytes(self) -> int:
        """See ``Frames``: of frames that wait to be written."""
        return len(self._waiting)

    def put(self, slot: int, frame: np.ndarray) -> None:
        """See ``Frames``; each slot once."""
        assert slot == self._written + len(self._waiting) // self._each
        self._waiting += np.ascontiguousarray(frame, self._dtype).tobytes()
        if len(self._waiting) >= BLOCK_BYTES:
            self._write()

    def fill(self, start: int, frames: np.ndarray) -> None:
        """See ``Frames``."""
        for slot, frame in enumerate(frames, start):
            self.put(slot, frame)

    def _write(self) -> None:
        written, view = 0, memoryview(self._waiting)
        while written < len(view):
            written += os.pwrite(self._file.fileno(), view[written:], self._written * self._each + written)
        view.release()
        self._written += len(self._waiting) // self._each
        self._waiting = bytearray()

    def lookup(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See ``Frames``; frames that follow one another are read at once, and none twice."""
        unique, places = np.unique(slots, return_inverse=True)
        out = np.empty((len(unique), *self._shape), self._dtype)
        breaks = np.flatnonzero(np.diff(unique) != 1) + 1
        for start, stop in zip([0, *breaks.tolist()], [*breaks.tolist(), len(unique)], strict=True):
            out[start:stop] = self.read_range(int(unique[start]), int(unique[start]) + stop - start)
        return out, places.reshape(slots.shape)

    def read_range(self, start: int, stop: int) -> np.ndarray:
        """See ``Frames``.

        Raises:
            OSError: the file ends early.
        """
        if self._waiting:
            self._write()
        out = np.empty((stop - start, *self._shape), self._dtype)
        view, read = out.reshape(-1).view(np.uint8).data, 0
        while read < len(view):
            read += (got := os.preadv(self._file.fileno(), [view[read:]], start * self._each + read))
            if not got:
                raise OSError(f"Expected frames {start} to {stop - 1} in the scratch file of the data, it ends early.")
        return out


class DataRing(Ring):
    """A ring that holds a data set: it is part of no checkpoint, as the run's configuration has its digest."""

    def segments(self) -> list[str]:
        """None: see above."""
        return []


def replay_of(config: RunConfig, spec: EnvironmentSpec, paths: Sequence[Path], budget: int, scratch: Path) -> Replay:
    """The data set of a run, read into a replay.

    Args:
        config: of the run, with ``data=recorded``.
        spec: of its environment.
        paths: where the data lie.
        budget: bytes of memory for frames.
        scratch: folder for the frames of larger data.

    Returns:
        The replay; nothing is to be added to it.

    Raises:
        ConfigError: they are other data than those of the run, or do not fit the environment.
        RunError: they are damaged.
    """
    agent, observation, wanted = config.agent, spec.observation, config.data
    assert isinstance(wanted, Recorded)
    storage = dataclasses.replace(agent.storage, capacity=wanted.rows)
    replay = Replay(
        rule=agent.replay,
        storage=storage,
        spec=observation,
        n_step=longest_n_step(agent),
        gamma=agent.discount,
        seed=config.seed,
        horizons=horizons(agent),
        ring=DataRing(observation, wanted.rows, store=_frames(observation, storage, budget, scratch)),
    )
    digest = Digest(observation.frame_shape, observation.dtype)
    clip = config.protocol.reward_clip if config.protocol else None
    before: _Action = (NO_ACTION, 0.0, GOES_ON)
    for rows in data.rows(paths, spec):
        digest.add(rows)
        if digest.rows > wanted.rows:
            break
        before = _add(replay, rows, clip, before)
    found = digest.description()
    if found.sha256 != wanted.sha256:
        raise ConfigError(
            f"Expected the data of this run, {wanted.transitions:,} transitions with content {wanted.sha256[:16]}, got "
            f"{found.transitions:,} with {found.sha256[:16]} in {', '.join(map(str, paths))}. Give it the data that "
            "it began with, or begin another run."
        )
    return replay


def memory_bytes(spec: ObservationSpec, rows: int) -> int:
    """Bytes of the frames of a data set.

    Args:
        spec: of the observations.
        rows: of the data.

    Returns:
        Bytes, uncompressed.
    """
    return rows * expected_bytes(spec, "none")


def _frames(spec: ObservationSpec, storage: Storage, budget: int, scratch: Path) -> Frames:
    if memory_bytes(spec, storage.capacity) <= budget:
        return make_store(storage.capacity, spec, storage.compression)
    return FileFrames(spec.frame_shape, spec.dtype, scratch)


_Action = tuple[int, float, int]  # chosen in a row, its reward, and what it led to


def _add(replay: Replay, rows: Rows, clip: tuple[float, float] | None, before: _Action) -> _Action:
    """Store rows as if they were being played.

    Args:
        replay: where.
        rows: that follow those stored before.
        clip: of the rewards.
        before: the action of the row before them.

    Returns:
        The action of the last of them.
    """
    rewards = rows.rewards.astype(np.float32).astype(np.float64)
    rewards = (rewards if clip is None else rewards.clip(*clip)).tolist()
    for frame, first, action, reward, end in zip(
        rows.frames, rows.first.tolist(), rows.actions.tolist(), rewards, rows.ends.tolist(), strict=True
    ):
        if first:
            replay.add_first(_step(frame, GOES_ON, first=True))
        else:
            action_before, reward_before, end_before = before
            replay.add(action_before, reward_before, _step(frame, end_before))
        before = (action, reward, end)
    return before


def _step(frame: np.ndarray, end: int, first: bool = False) -> TimeStep:
    """The parts of an environment's answer that a replay stores."""
    return TimeStep(
        observation=frame,
        frame=frame,
        reward=0.0,
        discount=0.0 if end == TERMINATED else 1.0,
        step_type=StepType.FIRST if first else StepType.MID if end == GOES_ON else StepType.LAST,
        episode_over=False,
        truncated=False,
        lives=0,
        frames=0,
    )
