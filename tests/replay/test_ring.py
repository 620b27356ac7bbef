"""The ring: memory, segments, and what goes into a checkpoint."""

from __future__ import annotations

import numpy as np
import pytest

from dqn_tf.replay import ring as ring_module
from dqn_tf.replay.ring import Ring, row_bytes, segment_digest
from dqn_tf.replay.storage import Storage
from dqn_tf.types import ObservationSpec

ATARI = ObservationSpec((84, 84), "uint8", 4)
SMALL = ObservationSpec((4,), "uint8", 4)


@pytest.fixture(params=["none", "delta"])
def ring(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Ring:
    """Ten rows in segments of four: 0-3, 4-7, 8-9."""
    monkeypatch.setattr(ring_module, "SEGMENT_BYTES", 4 * row_bytes(SMALL))
    return Ring(SMALL, 10, request.param)


def fill(ring: Ring, rows: int) -> None:
    for row in range(rows):
        ring.append(np.full(4, row % 251 + 1, np.uint8), first=row % 7 == 0)


def test_a_million_atari_transitions_take_at_most_7_3_gigabytes() -> None:
    """84 * 84 bytes of frame, and 13 for action, reward, discount, steps ahead and age."""
    assert row_bytes(ATARI) == 84 * 84 + 13
    assert 1_000_000 * row_bytes(ATARI) <= 7.3e9


@pytest.mark.parametrize("spec", [ATARI, SMALL, ObservationSpec((17,), "float32")])
def test_row_bytes_is_what_a_row_takes(spec: ObservationSpec) -> None:
    ring = Ring(spec, 50)
    for _ in range(50):
        ring.append(np.zeros(spec.frame_shape, spec.dtype), first=False)
    assert ring.frames.nbytes + sum(column.nbytes for column in ring.columns.values()) == 50 * row_bytes(spec)


def test_observations_are_images_with_channels_last() -> None:
    ring = Ring(ATARI, 10)
    for row in range(5):
        ring.append(np.full((84, 84), row, np.uint8), first=row == 0)
    observations = ring.observations(np.array([4, 0]))
    assert observations.shape == (2, 84, 84, 4) and observations.dtype == np.uint8
    assert observations[:, 0, 0].tolist() == [[1, 2, 3, 4], [0, 0, 0, 0]]


@pytest.mark.parametrize("padding", ["zeros_before", "zeros_after", "repeat_first"])
def test_each_channel_of_an_image_has_a_stack_of_its_own(padding: str) -> None:
    """By hand: two channels, red 10 r and green 10 r + 1 of row r; a stack of three."""
    ring = Ring(ObservationSpec((2, 2, 2), "uint8", 3, padding), 10)
    for row in (1, 2):
        ring.append(np.broadcast_to(np.uint8([10 * row, 10 * row + 1]), (2, 2, 2)), first=row == 1)
    observations = ring.observations(np.array([1, 0]))
    assert observations.shape == (2, 2, 2, 6) == (2, *ring.spec.shape)
    assert (
        observations[:, 1, 1].tolist()
        == {
            "zeros_before": [[0, 10, 20, 0, 11, 21], [0, 0, 10, 0, 0, 11]],
            "zeros_after": [[10, 20, 0, 11, 21, 0], [10, 0, 0, 11, 0, 0]],
            "repeat_first": [[10, 10, 20, 11, 11, 21], [10, 10, 10, 11, 11, 11]],
        }[padding]
    )


def test_rows_count_for_ever_and_the_oldest_are_overwritten(ring: Ring) -> None:
    assert (len(ring), ring.oldest, ring.head) == (0, 0, 0)
    fill(ring, 9)
    assert (len(ring), ring.oldest, ring.head) == (9, 0, 9)
    fill(ring, 16)
    assert (len(ring), ring.oldest, ring.head) == (10, 15, 25)


def test_only_rows_in_use_are_saved(ring: Ring) -> None:
    assert ring.segments() == []
    for rows, lengths in ((1, [1]), (4, [4]), (5, [4, 1]), (10, [4, 4, 2]), (13, [4, 4, 2])):
        ring.head = 0
        fill(ring, rows)
        assert [len(ring.segment(i)["action"]) for i in range(len(ring.segments()))] == lengths


def test_a_segment_is_named_by_its_content(ring: Ring) -> None:
    fill(ring, 10)
    assert ring.segments() == [segment_digest(ring.segment(i)) for i in range(3)]
    other = Ring(SMALL, 10)
    fill(other, 10)
    assert other.segments() == ring.segments()


def test_a_name_changes_if_and_only_if_its_rows_do(ring: Ring) -> None:
    """Whatever is appended or completed, in wraps or not: the names say which segments hold other bytes now."""
    random = np.random.default_rng(0)
    fill(ring, 6)
    for _ in range(200):
        before = [{k: np.array(v) for k, v in ring.segment(i).items()} for i in range(len(ring.segments()))]
        names = ring.segments()
        if random.random() < 0.5:
            ring.append(random.integers(1, 3, 4).astype(np.uint8), first=bool(random.random() < 0.3))
        else:
            row = int(random.integers(ring.oldest, ring.head))
            ring.complete(row, int(random.integers(1, 3)), 1, 1.0, 0.5)
        for i, (columns, name) in enumerate(zip(before, names, strict=True)):
            same = all(np.array_equal(columns[k], v) for k, v in ring.segment(i).items())
            assert same == (ring.segments()[i] == name)


@pytest.mark.parametrize("column", ["frame", "action", "reward", "discount", "ahead", "age"])
def test_every_column_is_part_of_the_name(ring: Ring, column: str) -> None:
    fill(ring, 4)
    columns = {name: np.array(values) for name, values in ring.segment(0).items()}
    before = segment_digest(columns)
    columns[column].reshape(-1)[0] += 1
    assert segment_digest(columns) != before


def test_only_what_was_written_is_hashed_again(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(ring, 10)
    ring.segments()
    hashed = []
    monkeypatch.setattr(ring_module, "segment_digest", lambda columns: hashed.append(len(columns["age"])) or "x" * 64)
    fill(ring, 1)
    ring.segments()
    ring.segments()
    assert hashed == [4]


@pytest.mark.parametrize("damage", ["missing", "shape", "dtype", "too long"])
def test_a_segment_that_does_not_fit_is_refused(ring: Ring, damage: str) -> None:
    whole = Ring(SMALL, 4)
    fill(whole, 4)
    columns = {name: np.array(values) for name, values in whole.segment(0).items()}
    index = 2 if damage == "too long" else 0  # the last segment has only two rows
    if damage == "missing":
        del columns["reward"]
    elif damage == "shape":
        columns["reward"] = columns["reward"][:2].reshape(2, 1)
    elif damage == "dtype":
        columns["reward"] = columns["reward"].astype(np.float64)
    with pytest.raises(ValueError, match="Expected column"):
        ring.restore_segment(index, columns)


def test_a_capacity_below_two_is_refused(outcome) -> None:
    assert outcome(Storage, capacity=1) == "Expected at least 2 transitions for `replay.capacity`, got 1."
