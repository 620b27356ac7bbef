"""Blocks of several environments against naive replays of each: every transition is stored once, stacks and all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dqn_tf.replay.feed import Feed
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform
from dqn_tf.types import ObservationSpec, StepType, TimeStep

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
PADDINGS = ("zeros_before", "zeros_after", "repeat_first")
GAMMA = 0.5


class Game:
    """An environment that shows numbered frames, and remembers whole transitions by their definition."""

    def __init__(self, number: int, spec: ObservationSpec, n: int) -> None:
        self.spec, self.n, self.shown = spec, n, 1000 * number
        self.over, self.episode = True, []
        self.transitions: list[tuple[Any, ...]] = []

    def frame(self) -> np.ndarray:
        self.shown += 1
        data = np.frombuffer(np.array(self.shown, ">u4").tobytes(), np.uint8)
        return data.reshape(self.spec.frame_shape).astype(self.spec.dtype)

    def act(self, feed: Feed, random: np.random.Generator) -> None:
        """One call of the feed: the first observation of an episode, or a step."""
        kept = self.frame()
        frame = kept.copy()
        if self.over:
            self.over, self.episode = False, [(kept, None, None, None)]
            feed.add_first(TimeStep(frame, frame, 0.0, 1.0, StepType.FIRST, False, False, 1, 1))
        else:
            action, reward = int(random.integers(5)), float(random.integers(-3, 4))
            self.over = bool(random.random() < 0.15)
            discount = 0.0 if self.over and random.random() < 0.6 else 1.0
            kind = StepType.LAST if self.over else StepType.MID
            self.episode.append((kept, action, reward, discount))
            feed.add(action, reward, TimeStep(frame, frame, reward, discount, kind, self.over, False, 1, 1))
            self.remember()
        frame[...] = 0  # shared memory is written again

    def remember(self) -> None:
        now = len(self.episode) - 1
        starts = range(max(0, now - self.n), now) if self.over else range(now - self.n, now - self.n + 1)
        for t in starts:
            if t >= 0:
                total, product = 0.0, 1.0
                for _, _, reward, discount in self.episode[t + 1 : now + 1]:
                    total, product = total + product * reward, product * GAMMA * discount
                before, after = self.stack(t), self.stack(now)
                self.transitions.append((before, self.episode[t + 1][1], total, product, after))

    def stack(self, t: int) -> bytes:
        frames = [f for f, *_ in self.episode[: t + 1]]
        if self.spec.stack is None:
            return frames[-1].tobytes()
        shown = frames[-self.spec.stack :]
        blank, missing = np.zeros_like(shown[0]), self.spec.stack - len(shown)
        whole = {
            "zeros_before": [blank] * missing + shown,
            "zeros_after": shown + [blank] * missing,
            "repeat_first": [shown[0]] * missing + shown,
        }[self.spec.padding]
        return np.stack(whole, axis=-1).tobytes()


def stored(replay: Replay) -> list[tuple[Any, ...]]:
    rows = np.arange(replay.ring.oldest, replay.ring.head)
    t = replay.ring.transitions(rows[replay.ring.usable(rows)])
    return [
        (s.tobytes(), int(a), float(r), float(d), after.tobytes())
        for s, a, r, d, after in zip(t.s_tm1, t.a_tm1, t.r_t, t.discount_t, t.s_t, strict=True)
    ]


@settings(PATIENT, max_examples=80)
@given(
    stack=st.sampled_from([None, 1, 2, 4]),
    padding=st.sampled_from(PADDINGS),
    n=st.sampled_from([1, 2, 5]),
    environments=st.integers(1, 4),
    blocks=st.lists(st.integers(0, 9), min_size=1, max_size=6),
    seed=st.integers(0, 2**32 - 1),
    restored=st.booleans(),
)
def test_every_transition_is_stored_once(
    stack: int | None, padding: str, n: int, environments: int, blocks: list[int], seed: int, restored: bool
) -> None:
    """Blocks of any length, also shorter than a stack or a return, and empty ones; feeds saved and restored between."""
    spec, random = ObservationSpec((2, 2), "uint8", stack, padding), np.random.default_rng(seed)
    replay = Replay(Uniform(), Storage(capacity=2_000), spec, n, GAMMA, seed=0)
    games, feeds = [Game(i, spec, n) for i in range(environments)], [Feed(spec) for _ in range(environments)]
    done: list[int] = [0] * environments
    want: list[tuple[Any, ...]] = []
    for length in blocks:
        for _ in range(length):
            for game, feed in zip(games, feeds, strict=True):
                game.act(feed, random)
            if restored:
                again = [Feed(spec) for _ in feeds]
                for new, old in zip(again, feeds, strict=True):
                    new.restore(old.state())
                    assert len(new) == len(old)
                feeds = again
        for i, (game, feed) in enumerate(zip(games, feeds, strict=True)):
            feed.flush(replay)
            want += game.transitions[done[i] :]  # in the environments' order
            done[i] = len(game.transitions)
            assert len(feed) == 0 and len(feed.state()["frames"]) <= (stack or 1) + n
        assert stored(replay) == want
        assert replay.state()["open"] == []


def test_prioritized_replay_hears_of_every_transition_once() -> None:
    spec, random = ObservationSpec((2, 2), "uint8", 4), np.random.default_rng(0)
    replay = Replay(Prioritized(), Storage(capacity=120), spec, 3, GAMMA, seed=0)
    games, feeds = [Game(i, spec, 3) for i in range(3)], [Feed(spec) for _ in range(3)]
    for _ in range(10):
        for game, feed in zip(games, feeds, strict=True):
            for _ in range(12):
                game.act(feed, random)
            feed.flush(replay)
    assert replay.sampler.transitions == sum(len(game.transitions) for game in games)
    assert replay.sampler.number == len(stored(replay)) < 120 < replay.ring.head


def test_a_block_costs_a_stack_and_a_return() -> None:
    """Two environments, n = 3, stack = 4, blocks of 50 steps: at most 4 + 2 rows more for each."""
    spec, random = ObservationSpec((2, 2), "uint8", 4), np.random.default_rng(0)
    replay = Replay(Uniform(), Storage(capacity=5_000), spec, 3, GAMMA, seed=0)
    games, feeds = [Game(i, spec, 3) for i in range(2)], [Feed(spec) for _ in range(2)]
    for block in range(10):
        for game, feed in zip(games, feeds, strict=True):
            for _ in range(50):
                game.act(feed, random)
            feed.flush(replay)
        assert replay.ring.head <= 100 * (block + 1) + 2 * block * 6


@pytest.mark.parametrize("damage", ["shape", "dtype", "number"])
def test_a_state_that_does_not_fit_is_refused(damage: str) -> None:
    spec = ObservationSpec((2, 2), "uint8", 4)
    feed = Feed(spec)
    Game(0, spec, 1).act(feed, np.random.default_rng(0))
    state = feed.state()
    if damage == "shape":
        state["frames"] = state["frames"].reshape(1, 4)
    elif damage == "dtype":
        state["frames"] = state["frames"].astype(np.float32)
    else:
        state["numbers"] = []
    with pytest.raises(ValueError, match="Expected"):
        Feed(spec).restore(state)
