"""Dopamine's replay files, written and read: gzip of NPY, one array a file, `$store$_NAME_ckpt.N.gz`.

    observation [R, ...]      action, reward, terminal [R] beside it: a ring of R rows, whose oldest is at
                              add_count % R once it is full
    add_count []              rows that were ever put into it
    invalid_range             around the cursor; not read
    episode_end_indices       a pickle: rows at which an episode ended; old logs have none

Before each episode stand stack - 1 rows of zeros.  A row has the observation, the action chosen there, the reward for
it, and whether it was terminal, so of the last observation of a terminated episode there is nothing.  A time limit is
not terminal: it shows in the zeros that follow, and of environments without stacks in episode_end_indices alone.

Nothing is unpickled: the one pickle holds plain numbers, which are read as such (interop/closed_pickle.py),
and an array that would need unpickling is refused.  Files are unpacked block by block; none may be longer or shorter
than its header says.
"""

from __future__ import annotations

import gzip
import pickle
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np

from dqn_tf.checks import ConfigError, RunError
from dqn_tf.interop import pickled_numbers
from dqn_tf.interop.closed_pickle import Reader, Refused, follow
from dqn_tf.offline.rows import BLOCK_BYTES, TERMINATED, TRUNCATED, Builder, Rows, episodes_of
from dqn_tf.types import EnvironmentSpec

STORE = "$store$_"
ARRAYS = ("observation", "action", "reward", "terminal")
LARGEST_PICKLE = 2**28
LARGEST_ROWS = 10**8
N_STEP = 1  # update_horizon of the memory that is written


# -- writing -----------------------------------------------------------------------------------------------------------
def write(folder: Path, rows: Rows, stack: int | None, reward_clip: tuple[float, float] | None) -> None:
    """Write a replay memory that is just full.

    After a truncation stands one more row, of the last observation, so that it is known what followed the last action.

    Args:
        folder: where; made anew.
        rows: all of it; the frames may be mapped from a file.
        stack: frames of an observation.
        reward_clip: rewards are clipped to it, as the agent of the files has seen them; None: they are not.
    """
    folder.mkdir(parents=True)
    blank, layout, ends = (stack or 1) - 1, list[int](), list[int]()
    for start, stop in episodes_of(rows.first):
        truncated = rows.ends[stop - 2] == TRUNCATED
        layout += [-1] * blank + list(range(start, stop if truncated else stop - 1))
        ends.append(len(layout) - 1)
    places = np.array(layout, np.int64)
    held = places >= 0
    rewards = np.where(held, rows.rewards[places], 0.0)
    if reward_clip is not None:
        rewards = rewards.clip(*reward_clip)
    action = np.where(held, rows.actions[places], 0).clip(0)
    terminal = held & (rows.ends[places] == TERMINATED)
    _write_frames(_file(folder, f"{STORE}observation"), rows.frames, places)
    for name, array in (
        (f"{STORE}action", action.astype(np.int32)),
        (f"{STORE}reward", rewards.astype(np.float32)),
        (f"{STORE}terminal", terminal.astype(np.uint8)),
        ("add_count", np.array(len(places), np.int64)),
        ("invalid_range", np.arange(-N_STEP, (stack or 1), dtype=np.int64) % max(1, len(places))),
    ):
        with _gzip(_file(folder, name)) as file:
            np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)
    with _gzip(_file(folder, "episode_end_indices")) as file:
        file.write(pickle.dumps(set(ends), protocol=2))


def _write_frames(path: Path, frames: np.ndarray, places: np.ndarray) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(frames.dtype), "fortran_order": False}
    size = max(1, BLOCK_BYTES // max(1, frames[:1].nbytes))
    with _gzip(path) as file:
        np.lib.format.write_array_header_1_0(file, {**header, "shape": (len(places), *frames.shape[1:])})
        for start in range(0, len(places), size):
            some = places[start : start + size]
            block = np.zeros((len(some), *frames.shape[1:]), frames.dtype)
            block[some >= 0] = frames[some[some >= 0]]
            file.write(block.tobytes())


def _file(folder: Path, name: str, number: int = 0) -> Path:
    return folder / f"{name}_ckpt.{number}.gz"


def _gzip(path: Path) -> BinaryIO:
    """A gzip file without a time stamp: the same bytes for the same content."""
    return cast(BinaryIO, gzip.GzipFile(path, "wb", compresslevel=6, mtime=0))


# -- reading -----------------------------------------------------------------------------------------------------------
class _Memory(NamedTuple):
    """The arrays of one checkpoint but the frames; ``first``: the number of its oldest row, counted from the first that
    was ever put into it; ``ends``: rows at which an episode ended, if it is known."""

    number: int
    action: np.ndarray
    reward: np.ndarray
    terminal: np.ndarray
    first: int
    held: int
    ends: frozenset[int] | None


def checkpoints(folder: Path) -> list[int]:
    """The numbers N of the checkpoints in a folder, in order."""
    found = (re.fullmatch(re.escape(STORE) + r"observation_ckpt\.(\d{1,9})\.gz", p.name) for p in folder.iterdir())
    return sorted(int(match[1]) for match in found if match)


def read(folder: Path, spec: EnvironmentSpec) -> Iterator[Rows]:
    """The rows of all checkpoints of a replay memory, in the order in which they were put into it, each once.

    What is open at the end of a memory has no next observation: its newest frame is taken as the last one of an episode
    that was cut off.  Of a full ring the oldest episode has lost its beginning, and is left out.

    Args:
        folder: of the files.
        spec: of the environment that they must fit.

    Yields:
        Blocks of rows.

    Raises:
        ConfigError: they are of another environment, or hold what is not read.
        RunError: they are damaged.
    """
    observation = spec.observation
    builder = Builder(observation.frame_shape, observation.dtype)
    reader, reached, rows = _Episodes(builder, observation.stack or 1), 0, -1
    for number in checkpoints(folder):
        memory = _memory(folder, number, observation.stack or 1)
        end = memory.first + memory.held
        if len(memory.action) != rows or not memory.first <= reached <= end:  # another memory, or rows are missing
            reached = memory.first
            reader.begin(known=reached == 0)
        for block, start in _frames(folder, memory, spec, reached - memory.first):
            reader.add(memory, block, start)
            if builder.full():
                yield builder.take()
        reached, rows = end, len(memory.action)
    builder.cut()
    yield builder.take(all_of_them=True)


class _Episodes:
    """Finds the episodes in rows."""

    def __init__(self, builder: Builder, stack: int) -> None:
        """
        Args:
            builder: gets the episodes.
            stack: frames of an observation.
        """
        self._builder, self._gap = builder, stack - 1
        self.begin(known=True)

    def begin(self, known: bool) -> None:
        """Other rows begin; ``known``: with an episode, not in the middle of one."""
        self._builder.cut()
        self._known, self._left = known, self._gap if known else 0  # blank rows that still come before an episode
        self._waiting: list[np.ndarray] = []  # blank rows that may be frames, or the gap before an episode

    def add(self, memory: _Memory, frames: np.ndarray, start: int) -> None:
        """Rows of a memory, the first of which is row ``start`` from the oldest on."""
        places = (memory.first + start + np.arange(len(frames))) % len(memory.action)
        action, reward, terminal = memory.action[places], memory.reward[places], memory.terminal[places] != 0
        blank = np.zeros(len(frames), bool)
        if self._gap:
            blank = ~(frames.reshape(len(frames), -1).any(axis=1) | (action != 0) | (reward != 0) | terminal)
        for i, place in enumerate(places.tolist()):
            if blank[i] and self._left:
                self._left -= 1
            elif blank[i] and memory.ends is None:
                self._may_be_gap(frames[i])
            else:
                cut_off = memory.ends is not None and place in memory.ends
                self._row(frames[i], int(action[i]), float(reward[i]), bool(terminal[i]), cut_off)

    def _may_be_gap(self, frame: np.ndarray) -> None:
        self._waiting.append(frame)
        if len(self._waiting) == self._gap:
            self._waiting.clear()
            self._builder.cut()
            self._known = True

    def _row(self, frame: np.ndarray, action: int, reward: float, terminal: bool, cut_off: bool) -> None:
        frames = [*((black, 0, 0.0, False) for black in self._waiting), (frame, action, reward, terminal)]
        self._waiting.clear()
        self._left = 0
        for row in frames if self._known else ():
            self._builder.add(*row)
        if terminal or cut_off:
            self._builder.cut()
            self._known, self._left = True, self._gap


def _memory(folder: Path, number: int, stack: int) -> _Memory:
    action, reward, terminal = (_small(_file(folder, f"{STORE}{name}", number)) for name in ARRAYS[1:])
    add_count = int(_small(_file(folder, "add_count", number)).reshape(-1)[0])
    size = len(action)
    if {array.shape for array in (action, reward, terminal)} != {(size,)} or size < 1 or add_count < 1:
        raise RunError(
            f"Expected action, reward and terminal [R] and a number add_count >= 1 of checkpoint {number} in {folder}, "
            f"got {list(action.shape)}, {list(reward.shape)}, {list(terminal.shape)} and {add_count}."
        )
    held = min(add_count, size)
    return _Memory(number, action, reward, terminal, add_count - held, held, _ends(folder, number, stack))


def _ends(folder: Path, number: int, stack: int) -> frozenset[int] | None:
    """The rows at which an episode ended, without unpickling; None where no file says it."""
    path = _file(folder, "episode_end_indices", number)
    if not path.exists():
        if stack == 1:
            raise ConfigError(
                f"Expected {path.name} in {folder}: of observations without stacks, no other file shows where a time "
                "limit ended an episode."
            )
        return None
    try:
        with gzip.open(path) as file:
            found = follow(file.read(LARGEST_PICKLE), _PLACES)
        return frozenset(int(place) for place in found)
    except (Refused, TypeError, ValueError) as error:
        raise ConfigError(
            f"Expected plain numbers in {path}, got something else: {error}. It was not unpickled; without this file "
            "the ends of episodes are read from the rows themselves, where there are stacks."
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, error) from error


def _set(places: list[int]) -> set[int]:
    if not isinstance(places, list) or not all(type(place) is int for place in places):
        raise Refused("it has a set of something else than whole numbers")
    return set(places)


_PLACES = Reader(
    calls={**pickled_numbers.CALLS, "builtins.set": _set, "__builtin__.set": _set},
    builds=pickled_numbers.BUILDS,
    inner=(pickled_numbers.Dtype,),
    most_operations=20_000_000,
)


def _frames(folder: Path, memory: _Memory, spec: EnvironmentSpec, skip: int) -> Iterator[tuple[np.ndarray, int]]:
    """(frames, the place of the first of them from the oldest row on), oldest first, without the first ``skip``: the
    file is unpacked from the oldest row on, then from its beginning up to there."""
    path, size, held = _file(folder, f"{STORE}observation", memory.number), len(memory.action), memory.held
    oldest = memory.first % size
    for start, stop, before in ((oldest, min(size, oldest + held), 0), (0, oldest, size - oldest)):
        for block, row in _unpacked(path, start, stop, (size, *spec.observation.frame_shape), spec, not before):
            place = before + row - start
            if place + len(block) > skip:
                cut = max(0, skip - place)
                yield block[cut:], place + cut


def _unpacked(
    path: Path, start: int, stop: int, shape: tuple[int, ...], spec: EnvironmentSpec, whole: bool
) -> Iterator[tuple[np.ndarray, int]]:
    """Rows ``start`` to ``stop`` - 1 of an array in a file, in blocks; ``whole``: the rest is unpacked too, to see that
    the file is whole."""
    if stop <= start:
        return
    dtype = np.dtype(spec.observation.dtype)
    each = dtype.itemsize * int(np.prod(shape[1:]))
    size = max(1, BLOCK_BYTES // each)
    try:
        with gzip.open(path) as file:
            _check_header(path, cast(BinaryIO, file), shape, dtype)
            _skip(cast(BinaryIO, file), start * each)
            for row in range(start, stop, size):
                number = min(size, stop - row)
                data = file.read(number * each)
                if len(data) < number * each:
                    raise EOFError(f"it ends in row {row + len(data) // each:,} of {shape[0]:,}")
                yield np.frombuffer(data, dtype).reshape(number, *shape[1:]), row
            if whole:
                _skip(cast(BinaryIO, file), (shape[0] - stop) * each)
                if file.read(1):
                    raise EOFError("it is longer than its header says")
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, error) from error


def _check_header(path: Path, file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype) -> None:
    found, fortran, kind = _header(path, file)
    if found[1:] != shape[1:] or kind != dtype:
        raise ConfigError(
            f"Expected frames {list(shape[1:])} of {dtype} in {path}, got {list(found[1:])} of {kind}: the data are of "
            "another observation."
        )
    if found[0] != shape[0] or fortran:
        raise RunError(f"Expected {shape[0]:,} rows in {path}, as the other arrays have, got {found[0]:,}.")


def _header(path: Path, file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type of an NPY file, without trusting it."""
    try:
        version = np.lib.format.read_magic(file)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = reader(file)
    except ValueError as error:
        raise RunError(f"{path} is no NPY file: {error}.") from error
    if dtype.hasobject or dtype.kind not in "biuf":
        raise ConfigError(f"Expected numbers in {path}, got {dtype}: it would have to be unpickled, which is not done.")
    return shape, fortran, dtype


def _small(path: Path) -> np.ndarray:
    """A whole array of plain numbers [R] or []."""
    try:
        with gzip.open(path) as file:
            shape, _, dtype = _header(path, cast(BinaryIO, file))
            if len(shape) > 1:
                raise RunError(f"Expected one number a row in {path}, got {list(shape)}.")
            number = int(np.prod(shape, dtype=object))
            if number > LARGEST_ROWS:
                raise RunError(f"Expected at most {LARGEST_ROWS:,} rows in {path}, got {number:,}.")
            data = file.read(number * dtype.itemsize + 1)
    except FileNotFoundError as error:
        raise RunError(f"Expected {path.name} in {path.parent}, got none.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, error) from error
    if len(data) != number * dtype.itemsize:
        raise _damaged(path, EOFError(f"it has not the {number:,} numbers that its header says"))
    return np.frombuffer(data, dtype).reshape(shape)


def _skip(file: BinaryIO, number: int) -> None:
    while number > 0:
        data = file.read(min(number, BLOCK_BYTES))
        if not data:
            raise EOFError("it ends early")
        number -= len(data)


def _damaged(path: Path, error: BaseException) -> RunError:
    return RunError(f"{path} cannot be unpacked: {error}. The file is damaged or was cut off.")
