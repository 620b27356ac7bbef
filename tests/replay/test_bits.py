"""Frames of bits: the same frames come out, from an eighth of the memory."""

from __future__ import annotations

import numpy as np
import pytest

from dqn_tf.replay.frame_store import BitFrames, RawFrames, expected_bytes, make_store
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform
from dqn_tf.types import ObservationSpec, StepType, TimeStep

SHAPES = [(10, 10, 4), (10, 10, 7), (3,), (5, 7, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_comes_out(shape: tuple[int, ...]) -> None:
    """Whatever is put, in whatever order, the ring wrapped: as from frames that are kept as they are."""
    random = np.random.default_rng(0)
    bits, raw = BitFrames(9, shape), RawFrames(9, shape, "bool")
    for number in range(25):
        frame = random.random(shape) < 0.3
        for store in (bits, raw):
            store.put(number % 9, frame)
    slots = random.integers(0, 9, (4, 3))
    (frames, at), (known, where) = bits.lookup(slots), raw.lookup(slots)
    assert frames.dtype == bool and np.array_equal(frames[at], known[where])
    assert np.array_equal(bits.read_range(2, 7), raw.read_range(2, 7)) and bits.read_range(0, 9).dtype == bool
    other = BitFrames(9, shape)
    other.fill(0, bits.read_range(0, 9))
    assert np.array_equal(other.read_range(0, 9), bits.read_range(0, 9))


def test_a_million_transitions_of_minatar_take_far_less_than_200_mb() -> None:
    for channels, size in ((4, 50), (10, 125)):
        spec = ObservationSpec((10, 10, channels), "bool")
        assert [expected_bytes(spec, compression) for compression in ("none", "delta")] == [size, size]
        store = make_store(1_000_000, spec, "none")
        assert isinstance(store, BitFrames) and store.bytes_per_frame == size
    assert 1_000_000 * (125 + 13) < 200e6  # with the other columns of a row


def test_memory_is_what_was_filled() -> None:
    store = BitFrames(100, (10, 10, 4))
    for slot in range(30):
        store.put(slot, np.ones((10, 10, 4), bool))
    assert store.nbytes == 30 * 50


@pytest.mark.parametrize("placement", ["host", "device"])
def test_a_replay_of_bits_gives_back_what_was_seen(placement: str) -> None:
    random = np.random.default_rng(1)
    spec = ObservationSpec((10, 10, 4), "bool")
    replay = Replay(Uniform(), Storage(capacity=50, placement=placement), spec, 1, 0.99, 0)
    frames = random.random((31, 10, 10, 4)) < 0.2
    for number, frame in enumerate(frames):
        kind = StepType.FIRST if number == 0 else StepType.LAST if number == 30 else StepType.MID
        answer = TimeStep(frame, frame, 1.0, 1.0, kind, number == 30, False, 1, 1)
        if number:
            replay.add(number % 6, float(number), answer)
        else:
            replay.add_first(answer)
    rows = np.arange(30)
    seen = replay.ring.transitions(rows)
    assert np.array_equal(seen.s_tm1, frames[:30]) and np.array_equal(seen.s_t, frames[1:])
    names = replay.ring.segments()
    again = Replay(Uniform(), Storage(capacity=50, placement=placement), spec, 1, 0.99, 0)
    again.ring.restore_segment(0, {k: np.array(v) for k, v in replay.ring.segment(0).items()})
    again.ring.restore_head(replay.ring.head, names)
    assert np.array_equal(again.ring.transitions(rows).s_t, frames[1:])
