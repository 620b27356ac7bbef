"""Rows: building, the digest, last frames; and the log that they are read from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dqn_tf.checks import RunError
from dqn_tf.offline import log
from dqn_tf.offline.rows import NO_ACTION, TERMINATED, TRUNCATED, Builder, Rows, canonical, describe
from dqn_tf.types import EnvironmentSpec, ObservationSpec, StepType, TimeStep

SPEC = ObservationSpec((1,), "float32")


def frame(number: float) -> np.ndarray:
    return np.float32([number])


def test_the_rows_of_two_episodes() -> None:
    """The first is terminated after two steps; the second cut off when frame 5 was seen, its last."""
    builder = Builder((1,), "float32")
    builder.add(frame(1), 0, 0.5, False)
    builder.add(frame(2), 1, 1.5, True)
    builder.add(frame(4), 1, 2.5, False)
    builder.add(frame(5), 0, 3.5, False)
    builder.cut()
    rows = builder.take(all_of_them=True)
    assert rows.frames[:, 0].tolist() == [1, 2, 2, 4, 5]
    assert rows.first.tolist() == [True, False, False, True, False]
    assert rows.actions.tolist() == [0, 1, NO_ACTION, 1, NO_ACTION]
    assert rows.rewards.tolist() == [0.5, 1.5, 0, 2.5, 0]
    assert rows.ends.tolist() == [0, TERMINATED, 0, TRUNCATED, 0]


def test_an_episode_of_one_frame_is_left_out() -> None:
    builder = Builder((1,), "float32")
    builder.add(frame(1), 0, 0.0, False)
    builder.cut()
    assert len(builder.take(all_of_them=True).first) == 0


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_blocks_change_no_digest(size: int, spec: EnvironmentSpec, made_up: Callable[..., Rows]) -> None:
    rows = made_up(spec, [3, 1, 4, 2])
    blocks = [rows.part(start, start + size) for start in range(0, len(rows.first), size)]
    shape, dtype = spec.observation.frame_shape, spec.observation.dtype
    whole, parts = describe(canonical([rows]), shape, dtype), describe(canonical(blocks), shape, dtype)
    assert whole == parts and whole[1:] == (14, 10, 4, 2)


@pytest.mark.parametrize("column", Rows._fields)
def test_every_column_counts(column: str, vectors: EnvironmentSpec, made_up: Callable[..., Rows]) -> None:
    rows = made_up(vectors, [3, 2])
    other = getattr(rows, column).copy()
    other[0] = other[0] + 1 if column != "first" else False
    digests = {describe([r], (3,), "float32").sha256 for r in (rows, rows._replace(**{column: other}))}
    assert len(digests) == 2


def test_the_frame_after_a_termination_is_the_one_before_it(
    vectors: EnvironmentSpec, made_up: Callable[..., Rows]
) -> None:
    rows = made_up(vectors, [2, 2])
    found = np.concatenate([block.frames for block in canonical([rows.part(0, 2), rows.part(2, 6)])])
    assert np.array_equal(found[2], rows.frames[1])  # terminated
    kept = [0, 1, 3, 4, 5]
    assert np.array_equal(found[kept], rows.frames[kept])  # the truncated episode's last one too


# -- the log -----------------------------------------------------------------------------------------------------------
def answer(number: float, reward: float = 0.0, step_type: StepType = StepType.MID, discount: float = 1.0) -> TimeStep:
    over = step_type == StepType.LAST
    return TimeStep(frame(number), frame(number), reward, discount, step_type, over, over and discount > 0, 0, 1)


def written(folder: Path, steps: int, from_step: int = 0) -> None:
    """Steps of episodes that are truncated after three steps each; frame = 10 x steps so far."""
    into = log.Log(folder, SPEC, from_step)
    for step in range(from_step, steps):
        if step % 3 == 0:
            into.begin(answer(10 * step + 1))
        last = step % 3 == 2
        into.add(step % 2, answer(10 * step + 10, step, StepType.LAST if last else StepType.MID))
    into.flush()
    into.close()


def test_a_log_is_read_as_it_was_played(tmp_path: Path) -> None:
    written(tmp_path, 5)
    rows = log.read(tmp_path, SPEC)
    assert rows.frames[:, 0].tolist() == [1, 10, 20, 30, 31, 40, 50]
    assert rows.actions.tolist() == [0, 1, 0, NO_ACTION, 1, 0, NO_ACTION]
    assert rows.rewards.tolist() == [0, 1, 2, 0, 3, 4, 0]
    assert rows.ends.tolist() == [0, 0, TRUNCATED, 0, 0, TRUNCATED, 0]  # the open episode is cut off


def test_an_episode_without_a_step_is_left_out(tmp_path: Path) -> None:
    into = log.Log(tmp_path, SPEC)
    into.begin(answer(1))
    into.add(0, answer(2, 0, StepType.LAST, discount=0.0))
    into.begin(answer(3))
    into.close()
    rows = log.read(tmp_path, SPEC)
    assert rows.frames[:, 0].tolist() == [1, 2] and rows.ends.tolist() == [TERMINATED, 0]


@pytest.mark.parametrize("step", [1, 2, 3, 4, 6])
def test_a_log_is_cut_back_and_continued(step: int, tmp_path: Path) -> None:
    """What was recorded after the step is gone, as if the process had died, and recorded again."""
    written(tmp_path / "whole", 8)
    written(tmp_path / "again", 7)
    with open(tmp_path / "again" / "rows.bin", "ab") as file:
        file.write(b"half a row")
    written(tmp_path / "again", 8, from_step=step)
    for name in ("frames.bin", "rows.bin"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_log_that_ends_too_early_is_refused(tmp_path: Path) -> None:
    written(tmp_path, 4)
    with pytest.raises(RunError, match=r"Expected a recording of all 6 steps of the run .*, got one of 4\."):
        log.Log(tmp_path, SPEC, 6)
