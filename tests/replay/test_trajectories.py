"""What followed a transition: by hand, a naive twin that keeps whole episodes, and the device against the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.trajectories import chain, chain_in_graph
from dqn_tf.replay.uniform import Uniform
from dqn_tf.types import ObservationSpec, Sample, SampleIndices, StepType, TimeStep

K = 4
PLAIN = ObservationSpec((4,), "uint8")
STACKED = ObservationSpec((4, 2), "uint8", 3)


def test_by_hand(twins: Callable[..., Any], frame_numbers: Callable[[np.ndarray], list[int]]) -> None:
    """An episode of frames 1, 2, 3 and one of 4, 5, ..., 8 that goes on; 1-step returns."""
    pair = twins(PLAIN, capacity=32)
    pair.play([[(7, 0.0, 1.0), (8, 0.0, 0.0)]])
    pair.step(StepType.FIRST)
    for action in (1, 2, 3, 4):
        pair.step(StepType.MID, action)
    found = pair.replay.ring.future(np.array([0, 1, 3, 4, 6]), 3)
    assert found.mask.tolist() == [[1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 1, 1], [1, 0, 0]]
    shown = [[frame_numbers(state)[0] for state in states] for states in found.states]
    assert shown == [[2, 3, 3], [3, 3, 3], [5, 6, 7], [6, 7, 8], [8, 8, 8]]
    assert [a[: int(m.sum())].tolist() for a, m in zip(found.actions, found.mask, strict=True)] == [
        *([7, 8], [8], [1, 2, 3], [2, 3, 4], [4]),
    ]
    assert pair.replay.ring.future(np.array([0]), 0) == ()


class Played:
    """A replay and, for every row, its episode's observations and actions, kept whole."""

    def __init__(self, spec: ObservationSpec, capacity: int, n: int, placement: Any = "host") -> None:
        storage = Storage(capacity=capacity, placement=placement)
        self.replay = Replay(Uniform(), storage, spec, n, 0.9, seed=0, future_steps=K)
        self.spec, self.random = spec, np.random.default_rng(3)
        self.rows: list[tuple[int, int]] = []  # (episode, step) of each row
        self.actions: list[list[int]] = []

    def play(self, steps: int) -> None:
        for _ in range(steps):
            over = not self.rows or self.replay.episode_over
            last = not over and bool(self.random.random() < 0.2)
            frame = self.random.integers(0, 256, self.spec.frame_shape).astype(self.spec.dtype)
            kind = StepType.FIRST if over else StepType.LAST if last else StepType.MID
            ends = float(self.random.integers(2)) if last else 1.0  # a truncation, or a termination
            answer = TimeStep(frame, frame, 0.0, ends, kind, last, last and ends > 0, 1, 1)
            if over:
                self.actions.append([])
                self.replay.add_first(answer)
            else:
                self.actions[-1].append(int(self.random.integers(5)))
                self.replay.add(self.actions[-1][-1], 0.0, answer)
            self.rows.append((len(self.actions) - 1, 0 if over else self.rows[-1][1] + 1))

    def expected(self, row: int) -> tuple[list[int], list[int], list[int]]:
        """mask, rows and actions, from the definition; of an unfinished episode the open steps are not known."""
        episode, step = self.rows[row]
        actions = self.actions[episode]
        known = len(actions)
        if episode == len(self.actions) - 1 and not self.replay.episode_over:
            known -= self.replay.open_transitions
        count = min(K, known - step)
        mask = [1] * count + [0] * (K - count)
        return mask, [row + min(k, count) for k in range(1, K + 1)], actions[step : step + count]


@pytest.mark.parametrize("spec", [PLAIN, STACKED], ids=["frames", "stacks"])
@pytest.mark.parametrize("n", [1, 3])
def test_equals_a_naive_twin(spec: ObservationSpec, n: int) -> None:
    """Episodes of any length, longer and shorter than K and n, through a ring that is overwritten three times."""
    played = Played(spec, 40, n)
    for _ in range(30):
        played.play(4)
        ring = played.replay.ring
        rows = np.array([row for row in range(ring.oldest, ring.head) if ring.usable(np.array([row]))[0]])
        if not len(rows):
            continue
        found = ring.future(rows, K)
        for place, row in enumerate(rows):
            mask, following, actions = played.expected(int(row))
            assert found.mask[place].tolist() == mask
            assert found.actions[place, : len(actions)].tolist() == actions
            assert np.array_equal(found.states[place], ring.observations(np.array(following)))


def test_the_device_gives_the_same() -> None:
    host, device = (Played(STACKED, 40, 3, placement) for placement in ("host", "device"))
    for _ in range(12):
        host.play(9)
        device.play(9)
        sampled = host.replay.sample_indices(8, 5)
        want = host.replay.gather(sampled, 0)
        uploaded = device.replay.gather(sampled, 0)
        assert isinstance(want, Sample) and isinstance(uploaded, SampleIndices)
        gather = device.replay.gather_in_graph
        assert gather is not None
        found = gather(SampleIndices(*map(tf.constant, uploaded)))
        for ours, theirs in zip(tf.nest.flatten(found), tf.nest.flatten(want), strict=True):
            assert ours.dtype.name == theirs.dtype.name and np.array_equal(ours, theirs)


def test_in_the_graph_as_on_the_host() -> None:
    ahead = np.random.default_rng(0).integers(0, 3, (50, 6))
    rows = np.arange(50)
    for ours, theirs in zip(chain_in_graph(tf.constant(ahead), tf.constant(rows)), chain(ahead, rows), strict=True):
        assert np.array_equal(ours, theirs)
