"""A ring on the device against one on the host, fed the same: draws, batches and pieces of checkpoints, bit for bit."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dqn_tf import lazy_tf as tf
from dqn_tf.execution import prediction
from dqn_tf.replay import device_frames as module
from dqn_tf.replay import ring as ring_module
from dqn_tf.replay.device_frames import DeviceFrames
from dqn_tf.replay.device_ring import DEVICE_COLUMN_BYTES, DeviceRing
from dqn_tf.replay.frame_store import RawFrames
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.prioritized_rank import PrioritizedRank
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.ring import Ring
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform
from dqn_tf.types import ObservationSpec, Sample, SampleIndices, StepType, TimeStep

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
PADDINGS = ("zeros_before", "zeros_after", "repeat_first")
IMAGES = [ObservationSpec((4, 2), "uint8", 4, padding) for padding in PADDINGS]  # a word each
SPECS = [
    *IMAGES,
    ObservationSpec((5, 3), "uint8", 3),  # no whole words
    ObservationSpec((4,), "float32"),
    ObservationSpec((3,), "float32"),
    ObservationSpec((2,), "float64", 2),
    ObservationSpec((4, 2), "uint8", 2, mask_size=3),
    ObservationSpec((4,), "float32", mask_size=5),
    ObservationSpec((2, 2, 3), "uint8", 2, "repeat_first"),  # channels, each with a stack of its own
    ObservationSpec((3, 1), "float16", 2),
]
SAMPLERS = [Uniform, Prioritized, PrioritizedRank]
BATCH = 8


class Pair:
    """Two replays, on the host and on the device, and a game that plays into both."""

    def __init__(self, sampler: Callable[..., Any], spec: ObservationSpec, capacity: int, n: int, seed: int) -> None:
        def build(placement: str) -> Replay:
            storage = Storage(capacity=capacity, placement=placement)  # type: ignore[arg-type]
            return Replay(sampler(), storage, spec, n, 0.9, seed=1)

        self.host, self.device = build("host"), build("device")
        self.build, self.spec, self.random, self.ended = build, spec, np.random.default_rng(seed), True

    def step(self, ends: float = 0.15) -> None:
        """A time step for both; any bits for frames of bytes, NaN among the floats."""
        shape, dtype = self.spec.frame_shape, np.dtype(self.spec.dtype)
        size = int(np.prod(shape)) * dtype.itemsize
        frame = self.random.integers(0, 256, size).astype(np.uint8).view(dtype).reshape(shape)
        reward, action = float(self.random.normal()), int(self.random.integers(18))
        kind = StepType.FIRST if self.ended else StepType.LAST if self.random.random() < ends else StepType.MID
        over = kind == StepType.LAST
        timestep = TimeStep(frame, frame, reward, float(not over or self.random.random() < 0.5), kind, over, over, 1, 4)
        for replay in (self.host, self.device):
            if self.ended:
                replay.add_first(timestep)
            else:
                replay.add(action, reward, timestep)
        frame[...] = 0  # the caller's memory is his own again
        self.ended = over

    def play(self, steps: int) -> None:
        for _ in range(steps):
            self.step()

    def check(self, update: int) -> None:
        """The same draw, and the same batch."""
        draw, sample = self.device.sample(BATCH, update), self.host.sample(BATCH, update)
        assert isinstance(draw, SampleIndices) and isinstance(sample, Sample)
        assert isinstance(self.device.on_device, DeviceRing) and self.host.on_device is None
        same(sample, self.device.on_device.gather_in_graph(draw))
        priorities = self.random.random(BATCH)
        for replay in (self.host, self.device):
            replay.update_priorities(sample.indices, priorities)

    def has_transitions(self) -> bool:
        ring = self.host.ring
        return bool(ring.usable(np.arange(ring.oldest, ring.head)).any())


def same(one: Sample, other: Sample) -> None:
    for a, b in zip(
        [*one.transitions, *one[1:3], *one.masks], [*other.transitions, *other[1:3], *other.masks], strict=True
    ):
        b = np.asarray(b)
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@settings(PATIENT, max_examples=60)
@given(
    sampler=st.sampled_from(SAMPLERS),
    spec=st.sampled_from(SPECS),
    capacity=st.integers(9, 40),
    n=st.sampled_from([1, 3]),
    block=st.sampled_from([1, 3, 64]),
    parts=st.lists(st.integers(0, 30), min_size=1, max_size=8),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_batches_of_the_host(
    sampler: Any, spec: Any, capacity: int, n: int, block: int, parts: list[int], seed: int
) -> None:
    """Over ends of episodes and the seam, whatever waits on the host, however much came since the last batch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        pair = Pair(sampler, spec, capacity, n, seed)
        pair.play(n + 2)
        for update, steps in enumerate(parts):
            pair.play(steps)
            if pair.has_transitions():
                pair.check(update)
        assert pair.device.ring.segments() == pair.host.ring.segments()
        rows = np.arange(pair.host.ring.oldest, pair.host.ring.head)
        assert pair.device.ring.observations(rows).tobytes() == pair.host.ring.observations(rows).tobytes()


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("spec", SPECS)
def test_every_kind_of_replay(sampler: Any, spec: ObservationSpec) -> None:
    """Each of them surely, over two laps and more."""
    pair = Pair(sampler, spec, 67, 3, seed=0)  # batches in between do not fall on the seam
    for update in range(12):
        pair.play(14)
        pair.check(update)


@settings(PATIENT, max_examples=25)
@given(
    spec=st.sampled_from([IMAGES[0], SPECS[4]]),
    before=st.integers(5, 90),
    wrote=st.sampled_from(["host", "device"]),
    reads=st.sampled_from(["host", "device"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_checkpoint_of_either_restores_either(spec: Any, before: int, wrote: str, reads: str, seed: int) -> None:
    """In mid-episode, the ring wrapped anywhere in pieces of three rows: and the future is the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ring_module, "SEGMENT_BYTES", 3 * ring_module.row_bytes(spec))
        pair = Pair(Uniform, spec, 30, 3, seed)
        pair.play(before)
        source, copy = getattr(pair, wrote), pair.build(reads)
        state = source.state()
        for index in range(len(state["segments"])):
            copy.ring.restore_segment(index, {k: np.array(v) for k, v in source.ring.segment(index).items()})
        copy.restore(state)
        assert copy.state() == pair.host.state() == pair.device.state()
        copy.episode_over = pair.host.episode_over
        setattr(pair, reads, copy)
        for update in range(3):
            if pair.has_transitions():
                pair.check(update)
            pair.play(11)
        assert pair.host.state() == pair.device.state()


@settings(PATIENT, max_examples=40)
@given(spec=st.sampled_from([IMAGES[0], SPECS[4]]), steps=st.integers(12, 90), seed=st.integers(0, 2**32 - 1))
def test_what_is_foreseen_is_read_whenever_it_is_read(spec: Any, steps: int, seed: int) -> None:
    """A draw that came true is the same batch before, between and after the steps that came meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", 2)
        pair = Pair(Uniform, spec, 25, 1, seed)
        pair.play(steps)
        foreseen = prediction.predict_indices(pair.device, BATCH, 7, 4)
        if foreseen is None:
            return
        draw, seen = pair.device.gather(foreseen, 0), []
        assert isinstance(draw, SampleIndices) and pair.device.gather_in_graph is not None
        for _ in range(5):
            seen.append(pair.device.gather_in_graph(draw))
            pair.step()
        rows, _ = pair.host.sample_indices(BATCH, 7)
        if pair.host.ring.head == pair.device.ring.head and np.array_equal(rows, draw.indices):
            for sample in seen:
                same(pair.host.gather(foreseen, 0), sample)


# -- frames ------------------------------------------------------------------------------------------------------------
KINDS = {"atari": ((84, 84), "uint8"), "odd": ((5, 7), "uint8"), "vector": ((6,), "float32"), "one": ((1,), "float32")}


@pytest.mark.parametrize("kind", KINDS)
def test_frames_come_out_as_they_went_in(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put anywhere, filled in, looked at and spanned; views with strides."""
    monkeypatch.setattr(module, "BLOCK", 5)
    (shape, dtype), random = KINDS[kind], np.random.default_rng(0)
    host, device = RawFrames(40, shape, dtype), DeviceFrames(40, shape, dtype)
    for slot in [*range(40), *range(12), *random.integers(0, 40, 30), 39, 0]:
        frame = np.repeat(random.random((*shape, 1)) * 255, 2, axis=-1).astype(dtype)[..., 0]
        for store in (host, device):
            store.put(int(slot), frame)
        slots = random.integers(0, 12, (2, 3))
        if slot > 12:
            (a, at), (b, bt) = host.lookup(slots), device.lookup(slots)
            assert a[at].tobytes() == b[bt].tobytes() and b.dtype == a.dtype
    assert host.read_range(3, 29).tobytes() == device.read_range(3, 29).tobytes()
    more = (random.random((7, *shape)) * 255).astype(dtype)
    for store in (host, device):
        store.fill(11, more)
    assert host.read_range(0, 40).tobytes() == device.read_range(0, 40).tobytes()
    assert device.bytes_per_frame == host.bytes_per_frame
    assert device.nbytes == (host.nbytes if module.accelerator() == "/CPU:0" else 0)


def test_columns_are_what_the_budget_says() -> None:
    ring = Ring(IMAGES[0], 50, placement="device")
    columns = [v for v in vars(DeviceRing(ring)).values() if isinstance(v, tf.Variable)]
    assert sum(v.dtype.size * int(np.prod(v.shape)) for v in columns) == 50 * DEVICE_COLUMN_BYTES


def test_memory_is_taken_as_the_ring_fills_and_never_twice() -> None:
    """0.7 GB of frames: not filled at the start, and neither writing nor reading copies them."""
    spec = ObservationSpec((84, 84), "uint8", 4)
    replay = Replay(Uniform(), Storage(capacity=100_000, placement="device"), spec, 1, 0.9, seed=0)
    image = np.ones((84, 84), np.uint8)
    timestep = TimeStep(image, image, 0.0, 1.0, StepType.MID, False, False, 1, 4)
    replay.add_first(timestep)
    for _ in range(200):
        replay.add(0, 0.0, timestep)

    def read() -> Any:
        return replay.on_device.gather_in_graph(replay.sample(32, 0))

    read()
    before = resident()
    replay.ring.segments()
    for update in range(5):
        replay.add(0, 0.0, timestep)
        assert read().transitions.s_t.shape == (32, 84, 84, 4), update
    assert resident() - before < 100 * 10**6
    assert resident() < 4 * 10**9  # whatever else this process holds


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


# -- refusals ----------------------------------------------------------------------------------------------------------
def test_compressed_frames_on_the_device_are_refused(outcome: Callable[..., str]) -> None:
    message = outcome(Storage, placement="device", compression="delta")
    assert message.startswith("Expected `replay.compression`=none with `replay.placement`=device, got delta: batches")


def test_an_unknown_placement_is_refused(outcome: Callable[..., str]) -> None:
    assert "one of host, device for `placement`, got 'gpu'" in outcome(Storage, placement="gpu")


@pytest.mark.parametrize("capacity", [2**31 - 2, 2**32 + 5, 10**15, 10**30])
def test_an_allocation_that_fails_is_a_sentence(capacity: int, outcome: Callable[..., str]) -> None:
    """Also where a dimension would not fit the 32 bits that it has there."""
    spec = ObservationSpec((84, 84, 1000), "float32")
    message = outcome(Ring, spec, capacity, "none", "device")
    assert message.startswith("Expected memory on the device for") and "--set replay.placement=host" in message
