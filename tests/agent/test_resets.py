"""Resets: by hand, what they leave alone, the same bytes after a kill, and what is refused."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dqn_tf
from dqn_tf.agent.networks.torsos import CNN
from dqn_tf.agent.parameters import build_network
from dqn_tf.agent.resets import NoResets, ShrinkPerturb
from dqn_tf.agent.spr import SPR
from dqn_tf.agent.target_tracking import Averaged
from dqn_tf.config import AgentConfig, RunConfig
from dqn_tf.execution.fused import make_learner
from dqn_tf.modes import Concurrent, Fused, Interleaved
from dqn_tf.presets import load
from dqn_tf.training.interleaved_loop import InterleavedLoop
from dqn_tf.types import EnvironmentSpec, Future, ObservationSpec, Sample, Transition

SPEC = EnvironmentSpec(ObservationSpec((6, 5), "uint8", stack=2), ("a", "b", "c"), 1)
SMALL = CNN(channels=(4,), kernels=(3,), strides=(2,), padding="same", hidden=8, latent="min_max")
RULE = ShrinkPerturb(period_steps=16, until_steps=48, shrink=0.75, perturb=0.25)


@pytest.fixture
def agent(tiny_agent: Callable[..., AgentConfig]) -> Callable[..., AgentConfig]:
    """A function (field=value, ...) -> a small agent with SPR, a moving average and resets."""
    parts = {"network": SMALL, "auxiliary": SPR(steps=2), "target_tracking": Averaged(tau=0.1), "resets": RULE}
    return lambda **more: tiny_agent(**{**parts, "acts_with": "target", "n_step": 2, **more})


def batch() -> Sample:
    random = np.random.default_rng(0)
    s_tm1, s_t = random.integers(0, 256, (2, 4, 6, 5, 2)).astype(np.uint8)
    states = random.integers(0, 256, (4, 2, 6, 5, 2)).astype(np.uint8)
    ones, actions = np.ones(4, np.float32), np.int32([0, 1, 2, 0])
    future = Future(states, np.stack([actions, actions], 1), np.ones((4, 2), np.float32))
    return Sample(Transition(s_tm1, actions, ones, ones, s_t), np.arange(4, dtype=np.int64), ones, future=future)


def values(variables: Any) -> list[np.ndarray]:
    return [np.asarray(v).copy() for v in variables]


def test_a_reset_by_hand(agent: Callable[..., AgentConfig]) -> None:
    """Torso (2 variables) and transition model (4): 3/4 old, 1/4 new; all else new.  Each network has draws of its own.
    Of the optimizer, the slots of the former stay, the others and the count begin again."""
    config = agent()
    learner = make_learner(config, SPEC, seed=3)
    for number in range(3):
        learner.update(batch(), number)
    before, theirs = values(learner.online.variables), values(learner.target.variables)
    slots = values(learner.optimizer.groups[0][1]._momentums)
    learner.parameters.reset(15)
    assert all(map(np.array_equal, before, learner.online.variables))  # none is due
    learner.parameters.reset(32)
    count = len(before)
    shrunk = {0, 1, *range(count - 6, count - 2)}
    for network, old, name in ((learner.online, before, "online"), (learner.target, theirs, "target")):
        new = values(build_network(config, SPEC, 3, f"weights/reset/2/{name}").variables)
        for place, found in enumerate(network.variables):
            want = 0.75 * old[place] + 0.25 * new[place] if place in shrunk else new[place]
            np.testing.assert_allclose(found, want, rtol=1e-6, atol=1e-8)
    assert not np.array_equal(learner.online.variables[2], learner.target.variables[2])
    _, optimizer, _ = learner.optimizer.groups[0]
    assert int(optimizer.iterations) == 0
    for place, slot in enumerate(optimizer._momentums):
        assert np.array_equal(slot, slots[place] if place in shrunk else np.zeros_like(slots[place]))
        assert slots[place].any()


def test_neutral_numbers_leave_torso_and_transition_model(agent: Callable[..., AgentConfig]) -> None:
    learner = make_learner(agent(resets=dataclasses.replace(RULE, shrink=1.0, perturb=0.0)), SPEC, seed=3)
    before = values(learner.online.variables)
    learner.parameters.reset(16)
    same = [np.array_equal(a, b) for a, b in zip(before, learner.online.variables, strict=True)]
    assert same[:2] == [True, True] and same[-6:-2] == [True] * 4 and not same[2] and not same[-2]


def test_slots_that_all_begin_anew(agent: Callable[..., AgentConfig]) -> None:
    """As BBF's published code computes it: no moment is left, of torso and transition model neither."""
    learners = [
        make_learner(agent(resets=dataclasses.replace(RULE, slots=slots)), SPEC, seed=3) for slots in ("kept", "fresh")
    ]
    for learner in learners:
        learner.update(batch(), 0)
        learner.parameters.reset(16)
    kept, fresh = (learner.optimizer.groups[0][1]._momentums for learner in learners)
    assert any(slot.numpy().any() for slot in kept) and not any(slot.numpy().any() for slot in fresh)
    assert all(map(np.array_equal, learners[0].online.variables, learners[1].online.variables))


def test_acting_and_scoring_use_the_target_network(agent: Callable[..., AgentConfig]) -> None:
    learner = make_learner(agent(), SPEC, seed=3)
    learner.update(batch(), 0)
    states = batch().transitions.s_tm1
    want = learner.act_target(states, 0)
    np.testing.assert_allclose(learner.act(states[1], 0), want[1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(learner.scorer("evaluation")(states), want, rtol=1e-5, atol=1e-6)
    other = make_learner(agent(acts_with="online"), SPEC, seed=3)
    other.update(batch(), 0)
    assert not np.allclose(other.act(states[1], 0), want[1], rtol=1e-4)
    theta = learner.parameters.theta()
    assert list(theta) == [name for name in learner.parameters.state() if name.startswith("target/")]


@pytest.fixture
def run(on_pictures: Callable[..., RunConfig], agent: Callable[..., AgentConfig]) -> Callable[..., RunConfig]:
    """A function (field=value, ...) -> 60 steps on pictures, with resets at 16, 32 and 48."""
    return lambda **more: on_pictures(agent(**more), frames=60)


def go(loop: InterleavedLoop, until: int) -> None:
    for _ in loop.records(lambda: None):
        if loop.run.counters.steps >= until:
            break


def test_stopped_at_a_reset_and_continued(run: Callable[..., RunConfig], tmp_path: Path) -> None:
    """Saved right after the step of a reset, and right before it; the run that is not stopped looks ahead."""
    ahead = run(execution=Interleaved(xla="none", threads=2))
    whole = InterleavedLoop(ahead)
    go(whole, 60)
    expected = whole.run.learner.parameters.state()
    whole.close()
    plain = dataclasses.replace(run(), agent=dataclasses.replace(run().agent, resets=NoResets()))
    for stop in (31, 32):
        loop = InterleavedLoop(run())
        go(loop, stop)
        state, pieces = loop.state(), {name: make() for name, make in loop.run.pieces().items()}
        other = InterleavedLoop(run())
        other.restore(state, pieces.__getitem__)
        loop.close()
        go(other, 60)
        found = other.run.learner.parameters.state()
        other.close()
        assert found.keys() == expected.keys() and all(np.array_equal(found[k], expected[k]) for k in found)
    loop = InterleavedLoop(plain)
    go(loop, 60)
    assert not np.array_equal(loop.run.learner.parameters.state()["online/02"], expected["online/02"])
    loop.close()


def test_a_budget_below_the_period_of_a_preset_needs_another_period(outcome: Callable[..., str]) -> None:
    short = functools.partial(dqn_tf.make_config, "sr_spr", "pong", frames=4_000)
    assert outcome(short).startswith(
        "Expected fewer steps than the budget of 1,000 for `resets.period_steps`, got 5000."
    )
    assert short(settings=["resets.period_steps=500", "resets.until_steps=900"]).agent.resets.period_steps == 500


def test_what_is_refused(
    outcome: Callable[..., str], agent: Callable[..., AgentConfig], run: Callable[..., RunConfig]
) -> None:
    assert outcome(run, resets=ShrinkPerturb(period_steps=60, until_steps=60)) == (
        "Expected fewer steps than the budget of 60 for `resets.period_steps`, got 60. There would be no reset."
    )
    assert outcome(run, resets=ShrinkPerturb(period_steps=14, until_steps=60)).startswith(
        "Expected a multiple of steps_per_update=4 for `resets.period_steps`, got 14"
    )
    assert outcome(ShrinkPerturb, period_steps=20, until_steps=19).startswith(
        "Expected at least resets.period_steps=20"
    )
    assert outcome(ShrinkPerturb, shrink=1.5).startswith("Expected a number in [0, 1] for `resets.shrink`")
    copied = load("der").agent.target_tracking
    for execution in (Concurrent(), Fused()):
        assert "a reset comes between two agent steps" in outcome(
            agent, execution=execution, target_tracking=copied, auxiliary=load("der").agent.auxiliary
        )
    assert "the weights at hand are theta" in outcome(
        agent,
        execution=Fused(),
        target_tracking=copied,
        auxiliary=load("der").agent.auxiliary,
        resets=NoResets(),
    )
