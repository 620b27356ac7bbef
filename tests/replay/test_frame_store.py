"""Compressed frames against raw ones: whatever is put in, the same comes out; and what it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dqn_tf.replay import frame_store as module
from dqn_tf.replay.frame_store import GROUP, DeltaFrames, RawFrames, expected_bytes
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform
from dqn_tf.types import ObservationSpec, StepType, TimeStep

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
KINDS = {  # frames of 1764 words, of words of one byte, of floats, of a number, and of more words than fit 16 bits
    "atari": ((84, 84), "uint8"),
    "odd": ((5, 7), "uint8"),
    "vector": ((6,), "float32"),
    "one byte": ((1,), "uint8"),
    "large": ((600, 500), "uint8"),
}


def scene(random: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """A frame that has nothing in common with others: any bits, NaN and -0.0 among the floats."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return random.integers(0, 256, size).astype(np.uint8).view(dtype).reshape(shape)


def changed(random: np.random.Generator, frame: np.ndarray, share: float) -> np.ndarray:
    """The frame with this share of its bytes drawn anew."""
    out = frame.copy()
    flat = out.reshape(-1).view(np.uint8)
    where = random.random(len(flat)) < share
    flat[where] = random.integers(0, 256, int(where.sum()))
    return out


def expect_same(raw: RawFrames, delta: DeltaFrames, slots: np.ndarray) -> None:
    for store in (raw, delta):
        frames, places = store.lookup(slots)
        assert places.shape == slots.shape
        got = frames[places]
        assert (
            got.tobytes() == raw.read_range(0, len(raw.lookup(slots)[0]))[slots].tobytes() and got.dtype == frames.dtype
        )


@PATIENT
@given(
    kind=st.sampled_from(["atari", "odd", "vector", "one byte"]),
    capacity=st.integers(1, 30),
    puts=st.integers(1, 90),
    group=st.sampled_from([1, 4, 7, 64]),
    share=st.sampled_from([0.0, 0.01, 0.2, 0.6]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_same_comes_out(kind: str, capacity: int, puts: int, group: int, share: float, seed: int) -> None:
    """After every put: all slots, wherever the ring has wrapped in a group; scenes change and come back."""
    (shape, dtype), random = KINDS[kind], np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "GROUP", group)
        raw, delta = RawFrames(capacity, shape, dtype), DeltaFrames(capacity, shape, dtype)
        scenes = [scene(random, shape, dtype) for _ in range(2)]
        for number in range(puts):
            frame = changed(random, scenes[int(random.random() < 0.2)], share)
            for store in (raw, delta):
                store.put(number % capacity, frame)
            held = min(number + 1, capacity)
            assert delta.read_range(0, held).tobytes() == raw.read_range(0, held).tobytes()
        expect_same(raw, delta, random.integers(0, held, (5, 3)))
        copy = DeltaFrames(capacity, shape, dtype)  # as a restore does it, and then on from where the head is
        cut = int(random.integers(0, held + 1))
        copy.fill(0, raw.read_range(0, cut))
        copy.fill(cut, raw.read_range(cut, held))
        for number in range(puts, puts + 9):
            for store in (raw, copy):
                store.put(number % capacity, scenes[number % 2])
        held = min(puts + 9, capacity)
        assert copy.read_range(0, held).tobytes() == raw.read_range(0, held).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_frame(kind: str) -> None:
    (shape, dtype), random = KINDS[kind], np.random.default_rng(0)
    raw, delta = RawFrames(20, shape, dtype), DeltaFrames(20, shape, dtype)
    background = scene(random, shape, dtype)
    for slot in range(20):
        for store in (raw, delta):
            store.put(slot, changed(np.random.default_rng(slot), background, 0.02))
    expect_same(raw, delta, np.arange(20))


def test_a_frame_that_is_a_view_with_strides() -> None:
    delta = DeltaFrames(4, (3, 4), "uint8")
    image = np.arange(24, dtype=np.uint8).reshape(3, 8)[:, ::2]
    delta.put(0, image)
    image[...] = 0  # the caller's array is his own again
    assert delta.read_range(0, 1)[0].tolist() == np.arange(0, 24, 2).reshape(3, 4).tolist()


def test_jumps_to_another_slot_lose_nothing() -> None:
    """Raw frames may be put anywhere; so may these."""
    random = np.random.default_rng(1)
    raw, delta = RawFrames(200, (8,), "uint8"), DeltaFrames(200, (8,), "uint8")
    for slot in [*range(200), *random.integers(0, 200, 150)]:
        frame = random.integers(0, 3, 8).astype(np.uint8)
        for store in (raw, delta):
            store.put(int(slot), frame)
    assert delta.read_range(0, 200).tobytes() == raw.read_range(0, 200).tobytes()


def test_a_slot_never_filled_is_an_error() -> None:
    delta = DeltaFrames(200, (8,), "uint8")
    delta.put(0, np.zeros(8, np.uint8))
    for slot in (1, 199):
        with pytest.raises(IndexError, match=f"Slot {slot} was never filled"):
            delta.lookup(np.array([slot]))


# -- memory ------------------------------------------------------------------------------------------------------------
def filled(share: float, laps: float = 1, capacity: int = 10 * GROUP) -> DeltaFrames:
    """A store into which frames of one scene were put, each with this share of its bytes drawn anew."""
    random, delta = np.random.default_rng(0), DeltaFrames(capacity, (84, 84), "uint8")
    background = np.zeros((84, 84), np.uint8)
    for number in range(int(laps * capacity)):
        delta.put(number % capacity, changed(random, background, share))
    return delta


def test_what_frames_take() -> None:
    """One key of 7056 bytes in 64 frames, and 6 bytes for each word of 4 pixels of which one or more have changed."""
    still = filled(0.0)
    assert 7056 / GROUP < still.bytes_per_frame < 7056 / GROUP + 20
    words = 1764 * (1 - (1 - 0.01 * 2) ** 4)  # two frames differ where either was drawn anew
    assert filled(0.01).bytes_per_frame == pytest.approx(7056 / GROUP + 6 * words * (GROUP - 1) / GROUP + 15, rel=0.05)


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_frames_with_nothing_in_common_take_hardly_more_than_raw_ones(share: float) -> None:
    assert filled(share, capacity=3 * GROUP).bytes_per_frame < 7056 * 1.01


def test_memory_is_flat_and_is_what_the_arrays_take() -> None:
    one, many = filled(0.01), filled(0.01, laps=4.3)
    assert many.nbytes == pytest.approx(one.nbytes, rel=0.05)
    held = sum(g.keys.nbytes + g.places.nbytes + g.words.nbytes for g in many._groups if g)
    assert many._packed_bytes == pytest.approx(held, rel=0.05) and many._packed_rows == many.capacity
    assert many.nbytes == many._packed_bytes + 8 * 10 + many._open.nbytes
    assert all(g.keys.base is g.places.base is g.words.base is None for g in many._groups if g)  # no view of more


def test_nothing_is_held_before_something_is_put() -> None:
    assert DeltaFrames(1_000_000, (84, 84), "uint8").nbytes < 2**20 + 8 * 1_000_000 / GROUP
    assert [store(10, (84, 84), "uint8").bytes_per_frame for store in (DeltaFrames, RawFrames)] == [7056, 7056]


def test_what_to_plan_for() -> None:
    atari, vector = ObservationSpec((84, 84), "uint8", 4), ObservationSpec((4,), "float32")
    assert expected_bytes(atari, "none") == 7056 and 1_000_000 * expected_bytes(atari, "delta") < 1.5e9
    assert expected_bytes(vector, "none") == expected_bytes(vector, "delta") == 16


# -- in a replay -------------------------------------------------------------------------------------------------------
def play(replay: Replay, steps: int, seed: int = 3) -> None:
    """Episodes of a small game: a dot moves over a background that changes now and then."""
    random, ended = np.random.default_rng(seed), True
    for step in range(steps):
        image = np.full((12, 12), step // 50, np.uint8)
        image[int(random.integers(12)), int(random.integers(12))] = 200
        kind = StepType.FIRST if ended else StepType.LAST if random.random() < 0.1 else StepType.MID
        timestep = TimeStep(image, image, float(random.integers(3)), 1.0, kind, ended, False, 1, 4)
        if ended:
            replay.add_first(timestep)
        else:
            replay.add(int(random.integers(4)), timestep.reward, timestep)
        ended = kind == StepType.LAST


@pytest.mark.parametrize("padding", ["zeros_before", "zeros_after", "repeat_first"])
@pytest.mark.parametrize("sampler", [Uniform, Prioritized])
def test_a_compressed_replay_is_the_raw_one(sampler: Callable[..., Any], padding: str) -> None:
    """Samples, what a checkpoint holds and its names: all the same."""
    spec = ObservationSpec((12, 12), "uint8", 4, padding)
    raw, delta = (
        Replay(sampler(), Storage(capacity=90, compression=c), spec, 3, 0.9, seed=1) for c in ("none", "delta")
    )
    for part in range(6):
        for replay in (raw, delta):
            play(replay, 53, seed=part)
        for update in range(3):
            one, two = raw.sample(8, update), delta.sample(8, update)
            assert one.masks == two.masks == ()
            for a, b in zip([*one.transitions, *one[1:3]], [*two.transitions, *two[1:3]], strict=True):
                assert a.dtype == b.dtype and a.tobytes() == b.tobytes()
        assert raw.ring.segments() == delta.ring.segments()
        assert raw.ring.segment(0)["frame"].tobytes() == delta.ring.segment(0)["frame"].tobytes()
