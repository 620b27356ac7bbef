"""How theta^- follows theta: by hand, tau = 1 as a copy, and where it is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import determinism
from dqn_tf.agent.target_tracking import Averaged, Copied
from dqn_tf.config import AgentConfig, RunConfig
from dqn_tf.execution.fused import make_learner
from dqn_tf.modes import Concurrent, Fused, Interleaved
from dqn_tf.presets import load
from dqn_tf.training.loop import make_loop
from dqn_tf.types import EnvironmentSpec, Sample, Transition


def batch() -> Sample:
    s_tm1, s_t = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    ones = np.ones(4, np.float32)
    return Sample(Transition(s_tm1, np.zeros(4, np.int32), ones, ones, s_t), np.arange(4, dtype=np.int64), ones)


@pytest.mark.parametrize("tau", [0.005, 0.5, 1.0])
def test_every_update_moves_it_by_tau(
    tau: float, tiny_agent: Callable[..., AgentConfig], vectors: Callable[..., EnvironmentSpec]
) -> None:
    learner = make_learner(tiny_agent(target_tracking=Averaged(tau=tau)), vectors(), seed=0)
    for number in range(2):
        before = [np.asarray(v).copy() for v in learner.target.variables]
        learner.update(batch(), number)
        for old, new, theta in zip(before, learner.target.variables, learner.online.variables, strict=True):
            want = tau * np.asarray(theta, np.float64) + (1 - tau) * old
            np.testing.assert_allclose(new, want, rtol=1e-6, atol=1e-9)  # float32
            assert tau < 1 or np.array_equal(new, theta)


def test_a_copy_leaves_it_to_the_loop(
    tiny_agent: Callable[..., AgentConfig], vectors: Callable[..., EnvironmentSpec]
) -> None:
    learner = make_learner(tiny_agent(), vectors(), seed=0)
    before = [np.asarray(v).copy() for v in learner.target.variables]
    learner.update(batch(), 0)
    assert all(map(np.array_equal, before, learner.target.variables))


def final(config: RunConfig) -> dict[str, np.ndarray]:
    loop = make_loop(config)
    try:
        for _ in loop.records(lambda: None):
            pass
        return {name: np.array(value) for name, value in loop.run.learner.parameters.state().items()}
    finally:
        loop.close()


def test_tau_one_is_a_copy_after_every_update(
    monkeypatch: pytest.MonkeyPatch, cartpole: Callable[..., RunConfig], tiny_agent: Callable[..., AgentConfig]
) -> None:
    """A whole run with one update per step, bit for bit; looking ahead changes nothing either."""
    monkeypatch.setattr(determinism, "enable", lambda threads, required=True: None)
    two, every = Interleaved(xla="none", threads=2), Averaged(tau=1.0)
    changed: list[dict[str, Any]] = [{}, {"target_tracking": every}, {"target_tracking": every, "execution": two}]
    step = {"steps_per_update": 1, "target_update_steps": 1}
    runs = [final(cartpole(agent=tiny_agent(**step, **changes))) for changes in changed]
    for other in runs[1:]:
        assert all(np.array_equal(runs[0][name], other[name]) for name in runs[0])


def test_what_is_refused(outcome: Callable[..., str], tiny_agent: Callable[..., AgentConfig]) -> None:
    assert outcome(Averaged, tau=0.0).startswith("Expected a number in (0, 1] for `target_tracking.tau`, got 0.0")
    for execution, reason in (
        (Concurrent(), "actions are chosen by theta^- beside the updates, so it must rest between two copies"),
        (Fused(), "theta^- is a part of one vector, which is copied whole"),
    ):
        assert outcome(tiny_agent, execution=execution, target_tracking=Averaged()) == (
            f"Expected target_tracking=copied with execution={execution.KIND}, got averaged: there, {reason}. Set the "
            "one or execution=interleaved."
        )
    assert "there is no target network" in outcome(
        dataclasses.replace, load("pqn_minatar").agent, target_tracking=Averaged()
    )
    assert Copied().copies
