"""Dopamine's replay files: rings, blank rows, time limits; nothing is unpickled."""

from __future__ import annotations

import gzip
import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf.checks import ConfigError, RunError
from dqn_tf.offline import data, dopamine_files
from dqn_tf.offline.rows import Rows, canonical, episodes_of
from dqn_tf.types import EnvironmentSpec


class Memory:
    """Dopamine's ring, one row after the other, as its program fills it: the naive twin of what is read."""

    def __init__(self, spec: EnvironmentSpec, capacity: int) -> None:
        observation = spec.observation
        self.stack, self.capacity, self.add_count = observation.stack or 1, capacity, 0
        self.arrays = {
            "observation": np.full((capacity, *observation.frame_shape), 1, observation.dtype),  # never blank
            "action": np.full(capacity, 7, np.int32),
            "reward": np.full(capacity, 7, np.float32),
            "terminal": np.full(capacity, 1, np.uint8),
        }
        self.ends: set[Any] = set()
        self.begins = True

    def _put(self, *row: Any) -> None:
        for array, value in zip(self.arrays.values(), row, strict=True):
            array[self.add_count % self.capacity] = value
        self.add_count += 1

    def add(self, frame: np.ndarray, action: int, reward: float, terminal: bool, episode_end: bool) -> None:
        if self.begins:
            for _ in range(self.stack - 1):
                self._put(np.zeros_like(frame), 0, 0.0, 0)
        self.begins = terminal or episode_end
        cursor = np.int64(self.add_count % self.capacity)
        self.ends.discard(cursor)
        if self.begins:
            self.ends.add(cursor)
        self._put(frame, action, reward, terminal)

    def save(self, folder: Path, number: int = 0, ends: bool = True) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {f"{dopamine_files.STORE}{name}": array for name, array in self.arrays.items()}
        for name, array in {**arrays, "add_count": np.array(self.add_count)}.items():
            save(folder / f"{name}_ckpt.{number}.gz", array)
        if ends:
            (folder / f"episode_end_indices_ckpt.{number}.gz").write_bytes(gzip.compress(pickle.dumps(self.ends)))
        return folder


def save(path: Path, array: np.ndarray, **how: Any) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array, **how)
    path.write_bytes(gzip.compress(buffer.getvalue()))


def played(memory: Memory, rows: Rows) -> None:
    """Episodes as Dopamine's runner adds them: the last observation is never seen."""
    for start, stop in episodes_of(rows.first):
        for row in range(start, stop - 1):
            end = int(rows.ends[row])
            memory.add(rows.frames[row], int(rows.actions[row]), float(rows.rewards[row]), end == 1, end == 2)


def as_known(rows: Rows) -> list[list[np.ndarray]]:
    """Of each episode frames, actions, rewards and ends, as far as Dopamine's files show them: a truncated one has lost
    its last step."""
    out = []
    whole = next(iter(canonical([rows])))
    for start, stop in episodes_of(rows.first):
        truncated = rows.ends[stop - 2] == 2
        stop -= int(truncated)
        if stop - start < 2:
            continue
        ends = whole.ends[start : stop - 1].copy()
        ends[-1] = 2 if truncated else 1
        out.append([whole.frames[start:stop], whole.actions[start : stop - 1], whole.rewards[start : stop - 1], ends])
    return out


def read(folder: Path, spec: EnvironmentSpec) -> list[list[np.ndarray]]:
    rows = Rows(*(np.concatenate(column) for column in zip(*data.rows([folder], spec), strict=True)))
    return [
        [rows.frames[a:b], rows.actions[a : b - 1], rows.rewards[a : b - 1], rows.ends[a : b - 1]]
        for a, b in episodes_of(rows.first)
    ]


def equal(found: list[list[np.ndarray]], wanted: list[list[np.ndarray]]) -> bool:
    return len(found) == len(wanted) and all(
        np.array_equal(x, y) for one, other in zip(found, wanted, strict=True) for x, y in zip(one, other, strict=True)
    )


LENGTHS = [5, 9, 1, 12, 3, 2, 7, 8, 4, 6]


# -- what we write -----------------------------------------------------------------------------------------------------
def test_what_is_read_is_what_was_written(spec: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path) -> None:
    """Also the last step of truncated episodes, for which a row more is written."""
    rows = made_up(spec, LENGTHS)
    dopamine_files.write(tmp_path / "one", rows, spec.observation.stack, None)
    found = Rows(*(np.concatenate(column) for column in zip(*data.rows([tmp_path / "one"], spec), strict=True)))
    wanted = next(iter(canonical([rows])))
    assert all(np.array_equal(x, y) for x, y in zip(found, wanted, strict=True))


def test_the_same_data_are_the_same_bytes(spec: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path) -> None:
    for name in ("one", "two"):
        dopamine_files.write(tmp_path / name, made_up(spec, [3, 2]), spec.observation.stack, None)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(names) == 7
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_rewards_are_written_as_the_agent_had_them(
    vectors: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path
) -> None:
    rows = made_up(vectors, [6])
    dopamine_files.write(tmp_path / "one", rows, None, (-1.0, 1.0))
    assert read(tmp_path / "one", vectors)[0][2].tolist() == rows.rewards[:6].clip(-1, 1).tolist()


# -- what Dopamine writes ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("ends", [True, False], ids=["with ends", "an old log"])
def test_a_memory_that_is_not_full(
    ends: bool, screens: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path
) -> None:
    """Rows that were never written are no blank ones, and are not read."""
    rows, memory = made_up(screens, LENGTHS), Memory(screens, 500)
    played(memory, rows)
    assert equal(read(memory.save(tmp_path, ends=ends), screens), as_known(rows))


@pytest.mark.parametrize("ends", [True, False], ids=["with ends", "an old log"])
@pytest.mark.parametrize("capacity", [40, 41, 57, 83])
def test_a_full_ring_has_its_newest_episodes(
    ends: bool, capacity: int, screens: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path
) -> None:
    """The rows begin anywhere; the oldest episode has lost its beginning and is left out."""
    rows, memory = made_up(screens, LENGTHS), Memory(screens, capacity)
    played(memory, rows)
    found, wanted = read(memory.save(tmp_path, ends=ends), screens), as_known(rows)
    held = sum(len(e[1]) + 4 for e in found)
    assert found and equal(found, wanted[-len(found) :])
    assert capacity - held < max(LENGTHS) + 8  # no more is left out than one episode


def test_vectors_have_no_blank_rows(vectors: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path) -> None:
    rows, memory = made_up(vectors, LENGTHS), Memory(vectors, 500)
    played(memory, rows)
    assert equal(read(memory.save(tmp_path), vectors), as_known(rows))
    memory.save(tmp_path / "old", ends=False)
    with pytest.raises(ConfigError, match="no other file shows where a time limit ended an episode"):
        read(tmp_path / "old", vectors)


def test_black_frames_are_frames(screens: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path) -> None:
    """Two in the middle of an episode, and one at its beginning, with no-ops and no reward."""
    rows = made_up(screens, [6, 5])
    for row in (0, 2, 3):
        rows.frames[row], rows.actions[row], rows.rewards[row] = 0, 0, 0
    for ends in (True, False):
        memory = Memory(screens, 100)
        played(memory, rows)
        assert equal(read(memory.save(tmp_path / str(ends), ends=ends), screens), as_known(rows))


def test_what_is_open_at_the_end_is_cut_off(
    screens: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path
) -> None:
    rows, memory = made_up(screens, [4, 6]), Memory(screens, 100)
    played(memory, rows.part(0, 5))
    for row in range(5, 9):
        memory.add(rows.frames[row], int(rows.actions[row]), float(rows.rewards[row]), False, False)
    found = read(memory.save(tmp_path), screens)
    assert [len(episode[1]) for episode in found] == [4, 3] and found[1][3].tolist() == [0, 0, 2]


def test_checkpoints_of_one_memory_are_read_once(
    screens: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path
) -> None:
    """Three checkpoints of a ring of 40 rows that overlap, one of them in mid-episode: every row once."""
    rows, memory, number = made_up(screens, LENGTHS), Memory(screens, 40), 0
    for start, stop in episodes_of(rows.first):
        for row in range(start, stop - 1):
            if memory.add_count in range(30 * (number + 1), 30 * (number + 1) + 4):
                memory.save(tmp_path, number)
                number += 1
            end = int(rows.ends[row])
            memory.add(rows.frames[row], int(rows.actions[row]), float(rows.rewards[row]), end == 1, end == 2)
    memory.save(tmp_path, number)
    assert number >= 2 and equal(read(tmp_path, screens), as_known(rows))


# -- refused -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def folder(screens: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path) -> Path:
    """A good memory."""
    memory = Memory(screens, 100)
    played(memory, made_up(screens, [5, 4]))
    return memory.save(tmp_path / "memory")


def of(folder: Path, name: str) -> Path:
    return folder / f"{name}_ckpt.0.gz"


class Hostile:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._path),)


def test_a_pickled_array_is_refused(folder: Path, screens: EnvironmentSpec, tmp_path: Path) -> None:
    for name in ("$store$_observation", "$store$_action"):
        before = of(folder, name).read_bytes()
        save(of(folder, name), np.array([Hostile(tmp_path / "ran")] * 100, object), allow_pickle=True)
        with pytest.raises(ConfigError, match=r"would have to be unpickled|another observation"):
            read(folder, screens)
        of(folder, name).write_bytes(before)
    assert not (tmp_path / "ran").exists()


def test_a_hostile_pickle_of_ends_is_refused(folder: Path, screens: EnvironmentSpec, tmp_path: Path) -> None:
    of(folder, "episode_end_indices").write_bytes(gzip.compress(pickle.dumps(Hostile(tmp_path / "ran"))))
    with pytest.raises(ConfigError, match=r"Expected plain numbers in .* It was not unpickled"):
        read(folder, screens)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_ends_of_every_protocol_are_read(protocol: int, folder: Path, screens: EnvironmentSpec) -> None:
    wanted, before = read(folder, screens), of(folder, "episode_end_indices").read_bytes()
    places = pickle.loads(gzip.decompress(before))
    for kind in (int, np.int64, np.int32):
        found = {kind(place) for place in places}
        of(folder, "episode_end_indices").write_bytes(gzip.compress(pickle.dumps(found, protocol=protocol)))
        assert equal(read(folder, screens), wanted)


@pytest.mark.parametrize("name", ["$store$_observation", "$store$_action", "add_count", "episode_end_indices"])
def test_a_file_that_ends_early_is_refused(name: str, folder: Path, screens: EnvironmentSpec) -> None:
    path = of(folder, name)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(RunError, match=r"cannot be unpacked: .* damaged or was cut off"):
        read(folder, screens)


@pytest.mark.parametrize(
    ("name", "array", "error", "message"),
    [
        ("$store$_observation", np.zeros((99, 40, 36), np.uint8), RunError, "Expected 100 rows .*, got 99"),
        (
            "$store$_observation",
            np.zeros((100, 84, 84), np.uint8),
            ConfigError,
            r"frames \[40, 36\] of uint8 .*\[84, 84\]",
        ),
        ("$store$_observation", np.zeros((100, 40, 36), np.float32), ConfigError, "got .* of float32"),
        ("$store$_reward", np.zeros(50, np.float32), RunError, r"\[R\] and a number add_count >= 1"),
        ("$store$_action", np.full(100, 5, np.int32), ConfigError, "Expected actions 0 to 2 .*, got 5"),
        ("add_count", np.array(0), RunError, r"and 0\."),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    name: str, array: np.ndarray, error: type[Exception], message: str, folder: Path, screens: EnvironmentSpec
) -> None:
    save(of(folder, name), array)
    with pytest.raises(error, match=message):
        read(folder, screens)


def test_a_header_that_claims_more_is_refused(folder: Path, screens: EnvironmentSpec) -> None:
    """Before anything of that size is read."""
    for rows, message in ((10**17, "at most 100,000,000 rows"), (10**6, "has not the 1,000,000 numbers")):
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(buffer, {"descr": "<i4", "fortran_order": False, "shape": (rows,)})
        of(folder, "$store$_action").write_bytes(gzip.compress(buffer.getvalue() + bytes(100)))
        with pytest.raises(RunError, match=message):
            read(folder, screens)


def test_a_missing_file_is_named(folder: Path, screens: EnvironmentSpec) -> None:
    of(folder, "$store$_terminal").unlink()
    with pytest.raises(RunError, match=r"Expected \$store\$_terminal_ckpt\.0\.gz in .*, got none"):
        read(folder, screens)
