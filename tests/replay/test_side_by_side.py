"""Replays side by side beside the same replays alone."""

from __future__ import annotations

import numpy as np
import pytest

from dqn_tf.replay import side_by_side
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.sampler import SamplingRule
from dqn_tf.replay.side_by_side import SideBySide
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform
from dqn_tf.types import ObservationSpec, StepType, TimeStep

GAMMA, CAPACITY, BATCH = 0.9, 16, 5


def replay(seed: int, rule: SamplingRule | None = None, n_step: int = 1, spec: ObservationSpec | None = None) -> Replay:
    spec = spec or ObservationSpec((2,), "float32")
    return Replay(rule or Uniform(), Storage(capacity=CAPACITY), spec, n_step, GAMMA, seed)


def answer(random: np.random.Generator, kind: StepType) -> TimeStep:
    seen = random.normal(size=2).astype(np.float32)
    ends = kind == StepType.LAST and random.random() < 0.5
    return TimeStep(
        observation=seen,
        frame=seen,
        reward=float(random.normal()),
        discount=0.0 if ends else 1.0,
        step_type=kind,
        episode_over=kind == StepType.LAST,
        truncated=False,
        lives=0,
        frames=1,
    )


def test_storing_and_gathering_is_what_each_does_alone() -> None:
    """Three replays, over three rounds of the ring; their episodes end at different steps, one is left out at times."""
    ours, theirs = [replay(k) for k in range(3)], [replay(k) for k in range(3)]
    together, random = SideBySide(ours, GAMMA), np.random.default_rng(0)
    over = [True] * 3
    for step in range(3 * CAPACITY):
        for k in range(3):
            if over[k]:
                first = answer(random, StepType.FIRST)
                together.note(k)
                ours[k].add_first(first), theirs[k].add_first(first)
                together.heads[k] = ours[k].ring.head
        who = np.array([k for k in range(3) if step % 4 != k])
        kinds = [StepType.LAST if random.random() < 0.2 else StepType.MID for _ in who]
        answers, actions = [answer(random, kind) for kind in kinds], random.integers(0, 2, len(who))
        rewards, discounts, frames = (
            np.array([getattr(a, name) for a in answers]) for name in ("reward", "discount", "frame")
        )
        together.add(who, actions, rewards, discounts, frames)
        over = [False] * 3
        for k, action, each in zip(who.tolist(), actions.tolist(), answers, strict=True):
            theirs[k].add(action, each.reward, each)
            over[k] = each.episode_over
        if step > 3:
            check(together, ours, theirs, step)


def check(together: SideBySide, ours: list[Replay], theirs: list[Replay], update: int) -> None:
    for k in range(3):
        together.note(k)
        assert ours[k].state() == theirs[k].state() and ours[k].ring.frames.nbytes == theirs[k].ring.frames.nbytes
    samples = [each.sample(BATCH, update) for each in theirs]
    rows = np.stack([together.sample(k, BATCH, update) for k in range(3)])
    assert rows.tolist() == [each.sample_indices(BATCH, update).indices.tolist() for each in ours]
    shapes = [(3, BATCH, 2)] * 2 + [(3, BATCH)] * 4
    parts = [np.empty(shape, np.float32) for shape in shapes]
    together.gather(rows, parts)
    for k, sample in enumerate(samples):
        t = sample.transitions
        expected = t.s_tm1, t.s_t, t.a_tm1, t.r_t, t.discount_t, sample.weights
        assert [part[k].tolist() for part in parts] == [np.asarray(e, np.float32).tolist() for e in expected]


@pytest.mark.parametrize("capacity", [1000, 1024])
@pytest.mark.parametrize("stored", [40, 130, 999, 1000, 2500])
def test_what_is_drawn_is_what_the_sampler_draws(capacity: int, stored: int) -> None:
    """Rings that are nearly empty, nearly full and full; every fifth row ends an episode; 200 updates of each."""
    own = Replay(Uniform(), Storage(capacity=capacity), ObservationSpec((2,), "float32"), 1, GAMMA, seed=4)
    random = np.random.default_rng(stored)
    for row in range(stored):
        kind = (StepType.FIRST, StepType.MID, StepType.MID, StepType.MID, StepType.LAST)[row % 5]
        if row % 5 == 0:
            own.add_first(answer(random, kind))
        else:
            given = answer(random, kind)
            own.add(1, given.reward, given)
    together = SideBySide([own], GAMMA)
    for update in range(200):
        expected = own.sample_indices(32, update).indices
        assert together.sample(0, 32, update).tolist() == np.asarray(expected).tolist()


def test_which_replays_suit() -> None:
    assert side_by_side.suits(replay(0))
    assert not side_by_side.suits(replay(0, Prioritized()))
    assert not side_by_side.suits(replay(0, n_step=3))
    assert not side_by_side.suits(replay(0, spec=ObservationSpec((2,), "float32", mask_size=3)))
    assert not side_by_side.suits(replay(0, spec=ObservationSpec((2,), "uint8", stack=2)))
