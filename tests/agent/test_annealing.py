"""Annealed n and gamma: by hand, naive twins, a constant schedule as fixed n, resume inside it, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf import determinism, envs
from dqn_tf.agent.annealing import AnnealedNStep, Horizon, horizons, updates_since_reset
from dqn_tf.agent.n_step import Accumulator
from dqn_tf.agent.networks.torsos import CNN
from dqn_tf.agent.resets import ShrinkPerturb
from dqn_tf.agent.spr import SPR
from dqn_tf.config import AgentConfig, RunConfig
from dqn_tf.envs import ImageProtocol
from dqn_tf.modes import Concurrent, Fused, Interleaved
from dqn_tf.presets import load
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform
from dqn_tf.training.interleaved_loop import InterleavedLoop
from dqn_tf.training.loop import make_loop
from dqn_tf.types import ObservationSpec, Sample, SampleIndices, StepType, TimeStep

SPEC = ObservationSpec((4,), "uint8")
RULE = AnnealedNStep(initial_n_step=5, initial_discount=0.5, decay_updates=12)


# -- the schedule ------------------------------------------------------------------------------------------------------
def test_by_hand() -> None:
    """From n = 10 to 3 and 1 - gamma = 0.03 to 0.003: half way sqrt(30) = 5.48 and sqrt(0.03 * 0.003) = 0.00949."""
    rule, last = AnnealedNStep(), Horizon(3, 0.997)
    assert [rule.at(last, c).n_step for c in (0, 5_000, 10_000, 99_999)] == [10, 5, 3, 3]
    found = [rule.at(last, c).discount for c in (0, 5_000, 10_000)]
    assert found == pytest.approx([0.97, 1 - (0.03 * 0.003) ** 0.5, 0.997], rel=1e-14) and found[2] == 0.997


def test_what_is_constant_stays_to_the_last_bit() -> None:
    rule = AnnealedNStep(initial_n_step=3, initial_discount=0.99, decay_updates=7)
    assert {rule.at(Horizon(3, 0.99), c) for c in range(9)} == {Horizon(3, 0.99)}


def counted(agent: AgentConfig, steps: int) -> list[int]:
    """What ``updates_since_reset`` is to say of each update, by playing the loop's order."""
    out, since = [], 0
    for step in range(1, steps + 1):
        if step >= agent.min_replay_steps and step % agent.steps_per_update == 0:
            for _ in range(agent.updates_at_once):
                out.append(since)
                since += 1
        since = 0 if agent.resets.due(step) else since
    return out


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("group", [1, 3])
@pytest.mark.parametrize("first", [1, 10, 13, 50])
def test_updates_since_the_last_reset(
    tiny_agent: Callable[..., AgentConfig], every: int, group: int, first: int
) -> None:
    resets = ShrinkPerturb(period_steps=12, until_steps=40)
    agent = tiny_agent(steps_per_update=every, updates_at_once=group, min_replay_steps=first, resets=resets)
    want = counted(agent, 90)
    assert [updates_since_reset(agent, update) for update in range(len(want))] == want
    assert max(want) >= 20


# -- sums --------------------------------------------------------------------------------------------------------------
class Played:
    """A replay of single steps, and whole episodes beside it."""

    def __init__(self, horizon: Horizon | None, capacity: int = 64, n: int = 5, gamma: float = 0.9) -> None:
        each = None if horizon is None else (lambda update: horizon)
        self.replay = Replay(Uniform(), Storage(capacity=capacity), SPEC, n, gamma, seed=0, horizons=each)
        self.random, self.rows, self.episodes = np.random.default_rng(2), [], []

    def play(self, steps: int) -> None:
        for _ in range(steps):
            over = not self.rows or self.replay.episode_over
            last = not over and bool(self.random.random() < 0.15)
            frame = self.random.integers(0, 256, SPEC.frame_shape).astype(np.uint8)
            ends = float(self.random.integers(2)) if last else float(self.random.random() > 0.1)  # 0: a lost life
            reward = float(np.float32(self.random.normal()))
            kind = StepType.FIRST if over else StepType.LAST if last else StepType.MID
            answer = TimeStep(frame, frame, reward, ends, kind, last, last and ends > 0, 1, 1)
            if over:
                self.episodes.append([])
                self.replay.add_first(answer)
            else:
                self.episodes[-1].append((reward, ends))
                self.replay.add(int(self.random.integers(5)), reward, answer)
            self.rows.append((len(self.episodes) - 1, 0 if over else self.rows[-1][1] + 1, frame))


@pytest.mark.parametrize("n", [1, 2, 5])
def test_sums_equal_those_of_whole_episodes(n: int) -> None:
    """In exact fractions: no rounding but the last to float32."""
    played = Played(Horizon(n, 0.75))
    played.play(300)
    replay = played.replay
    rows = np.arange(replay.ring.oldest, replay.ring.head)
    rows = rows[replay.ring.usable(rows)]
    assert len(rows) > 30
    found = replay.gather(SampleIndices(rows, np.ones(len(rows), np.float32)), 0)
    assert isinstance(found, Sample)
    for place, row in enumerate(rows):
        episode, step, frame = played.rows[row]
        steps = played.episodes[episode][step : step + n]
        total, product = Fraction(0), Fraction(1)
        for reward, goes_on in steps:
            total += product * Fraction(reward)
            product *= Fraction(3, 4) * int(goes_on)
        assert float(found.transitions.r_t[place]) == pytest.approx(float(total), rel=1e-6, abs=1e-7)
        assert float(found.transitions.discount_t[place]) == np.float32(float(product))
        assert np.array_equal(found.transitions.s_tm1[place], frame)
        assert np.array_equal(found.transitions.s_t[place], played.rows[row + len(steps)][2])


@pytest.mark.parametrize("n", [1, 4])
def test_the_same_as_returns_that_are_summed_when_stored(n: int) -> None:
    """To the last bit, and the same rows can be drawn at every moment."""
    fixed, summed = Played(None, n=n), Played(Horizon(n, 0.9), n=n)
    for update in range(60):
        for each in (fixed, summed):
            each.play(5)
        if len(fixed.replay) > 10:
            one, other = (each.replay.sample(16, update) for each in (fixed, summed))
            assert isinstance(one, Sample) and isinstance(other, Sample)
            assert np.array_equal(one.indices, other.indices)
            assert all(map(np.array_equal, one.transitions, other.transitions))


def test_an_accumulator_of_another_n_would_be_seen() -> None:
    """The twin above compares something: n = 3 and n = 4 differ."""
    three, four = Accumulator(3, 0.9), Accumulator(4, 0.9)
    for step in range(4):
        found = [each.add(step, 1.0, 1.0, last=step == 3) for each in (three, four)]
    assert found[0][0].reward != found[1][0].reward


# -- whole runs --------------------------------------------------------------------------------------------------------
SMALL = CNN(channels=(4,), kernels=(3,), strides=(2,), padding="same", hidden=8, latent="min_max")
PARTS = {
    "network": SMALL,
    "auxiliary": SPR(steps=2),
    "replay": Prioritized(alpha=0.5),
    "resets": ShrinkPerturb(period_steps=24, until_steps=48),
    "returns": RULE,
    "n_step": 2,
    "discount": 0.9,
    "steps_per_update": 2,
    "updates_at_once": 2,
    "min_replay_steps": 10,
}


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, cartpole: Callable[..., RunConfig], tiny_agent: Callable[..., AgentConfig]
) -> Callable[..., RunConfig]:
    """A function (field=value, ...) -> 60 steps on pictures, with resets at 24 and 48 and n from 5 to 2 after each."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "envs")
    monkeypatch.setattr(determinism, "enable", lambda threads, required=True: None)
    environment = envs.identify("pictures:Pictures", {"steps": 7})

    def build(**more: Any) -> RunConfig:
        agent = tiny_agent(**{**PARTS, **more})
        return cartpole(environment=environment, protocol=ImageProtocol(stack=2), agent=agent, frames=60)

    return build


def go(loop: InterleavedLoop, until: int) -> None:
    for _ in loop.records(lambda: None):
        if loop.run.counters.steps >= until:
            break


def final(config: RunConfig) -> dict[str, np.ndarray]:
    loop = InterleavedLoop(config)
    go(loop, 60)
    state = {name: np.array(value) for name, value in loop.run.learner.parameters.state().items()}
    loop.close()
    return state


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_stopped_inside_the_annealing_and_continued(run: Callable[..., RunConfig]) -> None:
    """Saved right before a reset, and in mid-schedule after it; the run that is not stopped looks ahead."""
    expected = final(run(execution=Interleaved(xla="none", threads=2)))
    seen = {horizons(run().agent)(update).n_step for update in range(52)}  # type: ignore[misc]
    assert seen == {5, 4, 3, 2}
    for stop in (23, 31):
        loop = InterleavedLoop(run())
        go(loop, stop)
        state, pieces = loop.state(), {name: make() for name, make in loop.run.pieces().items()}
        other = InterleavedLoop(run())
        other.restore(state, pieces.__getitem__)
        loop.close()
        go(other, 60)
        assert same(other.run.learner.parameters.state(), expected)
        other.close()


# -- what is refused ---------------------------------------------------------------------------------------------------
def test_what_is_refused(
    outcome: Callable[..., str], tiny_agent: Callable[..., AgentConfig], run: Callable[..., RunConfig]
) -> None:
    for field, value, text in (
        ("initial_n_step", 0, "Expected 1 to 65535 steps for `returns.initial_n_step`, got 0"),
        ("initial_discount", 1.0, "Expected a number in [0, 1) for `returns.initial_discount`, got 1.0"),
        ("decay_updates", 0, "Expected at least 1 update for `returns.decay_updates`, got 0"),
    ):
        assert text in outcome(AnnealedNStep, **{field: value})
    assert outcome(tiny_agent, returns=RULE, discount=1.0).startswith(
        "Expected a number in [0, 1) with returns=annealed_n_step for `discount`, got 1.0"
    )
    device = Storage(capacity=64, placement="device")
    assert outcome(tiny_agent, returns=RULE, storage=device).startswith(
        "Expected `replay.placement`=host with returns=annealed_n_step, got device: compiled code there gathers returns"
    )
    long = dataclasses.replace(RULE, initial_n_step=33)
    assert "twice n_step=33, got 64" in outcome(tiny_agent, returns=long, min_replay_steps=40)
    assert "Expected at least n_step=33 steps before learning" in outcome(tiny_agent, returns=long)
    assert "got annealed_n_step" in outcome(dataclasses.replace, load("pqn_minatar").agent, returns=RULE)


def test_n_beyond_an_episode_is_refused(outcome: Callable[..., str]) -> None:
    from dqn_tf.api import make_config

    text = outcome(
        make_config,
        "bbf",
        "pong",
        frames=400_000,
        settings=["protocol.max_frames_per_episode=40", "returns.initial_n_step=10"],
    )
    assert text.startswith(
        "Expected fewer steps than an episode has at most (`protocol.max_frames_per_episode`=40) for"
    )
    assert "`returns.initial_n_step`, got 10" in text


@pytest.mark.parametrize("execution", [Interleaved, Concurrent, Fused])
def test_a_constant_schedule_is_fixed_n_and_another_is_not(run: Callable[..., RunConfig], execution: Any) -> None:
    """Whole runs, to the last bit; in all orders of acting and learning, with resets where there may be some."""
    plain = load("dqn_nature").agent
    parts = {"resets": plain.resets if execution is not Interleaved else PARTS["resets"], "auxiliary": plain.auxiliary}
    more = {"environments": 2, "workers": 0} if execution is Concurrent else {}
    states = []
    for returns in (RULE, AnnealedNStep(initial_n_step=2, initial_discount=0.9), plain.returns):
        config = run(**parts, returns=returns, execution=execution(xla="none", threads=1, **more))
        loop = make_loop(dataclasses.replace(config, iteration_frames=60))
        for _ in loop.records(lambda: None):
            pass
        states.append({k: np.array(v) for k, v in loop.run.learner.parameters.state().items()})
        loop.close()
    assert same(states[1], states[2]) and not same(states[0], states[1])
