"""CQL's term (agent/conservative.py): its numbers, its gradient, and that at 0 there is none."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.conservative import Conservative, gap
from dqn_tf.agent.no_auxiliary import NoAuxiliary
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.agent.values.expected import Expected
from dqn_tf.agent.values.quantile import Quantile
from dqn_tf.checks import ConfigError
from dqn_tf.config import AgentConfig
from dqn_tf.execution.learner import Learner
from dqn_tf.presets import load
from dqn_tf.types import EnvironmentSpec, ObservationSpec, Sample, Transition

SPEC = EnvironmentSpec(ObservationSpec((3,), "float32"), ("left", "stay", "right"), 1)


def batch(size: int = 4) -> Sample:
    random = np.random.default_rng(3)
    states = random.normal(size=(2, size, 3)).astype(np.float32)
    return Sample(
        transitions=Transition(
            s_tm1=states[0],
            a_tm1=random.integers(0, 3, size).astype(np.int32),
            r_t=random.normal(size=size).astype(np.float32),
            discount_t=np.float32([0.9, 0.0, 0.9, 0.9]),
            s_t=states[1],
        ),
        indices=np.arange(size),
        weights=np.ones(size, np.float32),
    )


def updated(agent: AgentConfig, updates: int = 3) -> tuple[dict[str, np.ndarray], Any]:
    """The state after some updates, and what the last of them reported."""
    learner, outputs = Learner(agent, SPEC, seed=1), None
    for number in range(updates):
        outputs = learner.update(batch(), number)
    return learner.parameters.state(), outputs


def test_a_worked_example() -> None:
    """exp Q = 1, 3, 4: their sum is 8, so the gap of the action of value log 4 is log 8 - log 4 = log 2."""
    found = Conservative(alpha=0.5).loss(tf.math.log(tf.constant([[1.0, 3.0, 4.0]])), tf.constant([2]))
    assert found.numpy().tolist() == pytest.approx([0.5 * np.log(2)], rel=1e-6)


def test_equals_the_naive_twin_in_float64() -> None:
    random = np.random.default_rng(0)
    q, actions = random.normal(size=(32, 6)) * 20, random.integers(0, 6, 32)
    wanted = [np.log(sum(np.exp(v) for v in row)) - row[a] for row, a in zip(q, actions, strict=True)]
    found = gap(tf.constant(q, tf.float32), tf.constant(actions, tf.int32)).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)  # float32 against float64
    assert (found >= 0).all()


def test_large_values_do_not_overflow() -> None:
    assert gap(tf.constant([[1e4, 0.0]]), tf.constant([1])).numpy().tolist() == [1e4]


def test_the_gradient_is_softmax_less_the_action() -> None:
    q, actions = tf.constant([[0.5, -1.0, 2.0]]), tf.constant([1])
    with tf.GradientTape() as tape:
        tape.watch(q)
        loss = tf.reduce_sum(Conservative(alpha=2.0).loss(q, actions))
    soft = np.exp(q.numpy()) / np.exp(q.numpy()).sum()
    wanted = 2.0 * (soft - np.array([[0.0, 1.0, 0.0]]))
    np.testing.assert_allclose(tape.gradient(loss, q).numpy(), wanted, rtol=1e-5)  # float32


@pytest.mark.parametrize("value", [Expected(), Quantile(quantiles=5), Categorical(atoms=5)], ids=lambda v: v.KIND)
def test_at_zero_it_is_its_base_to_the_bit(value: Any, tiny_agent: Callable[..., AgentConfig]) -> None:
    plain, _ = updated(tiny_agent(value=value, auxiliary=NoAuxiliary()))
    neutral, _ = updated(tiny_agent(value=value, auxiliary=Conservative(alpha=0.0)))
    weighed, _ = updated(tiny_agent(value=value, auxiliary=Conservative(alpha=1.0)))
    assert all(np.array_equal(plain[name], neutral[name]) for name in plain)
    assert any(not np.array_equal(plain[name], weighed[name]) for name in plain)


def test_the_update_adds_it_to_the_loss(tiny_agent: Callable[..., AgentConfig]) -> None:
    """The first update's loss is the base's plus alpha times the mean gap.  Tolerance: float32 sums."""
    _, base = updated(tiny_agent(), updates=1)
    _, found = updated(tiny_agent(auxiliary=Conservative(alpha=3.0)), updates=1)
    q, actions = np.asarray(base.q_values, np.float64), np.asarray(batch().transitions.a_tm1)
    mean = np.mean([np.log(np.exp(row).sum()) - row[a] for row, a in zip(q, actions, strict=True)])
    assert float(found.loss) == pytest.approx(float(base.loss) + 3.0 * mean, rel=1e-5)
    assert np.array_equal(found.td_error, base.td_error)  # TD errors are those of the base


def test_it_pushes_down_what_the_data_do_not_have(tiny_agent: Callable[..., AgentConfig]) -> None:
    """After many updates on one batch, the action in the data is the greedy one of its state."""
    agent = tiny_agent(auxiliary=Conservative(alpha=5.0))
    fast = dataclasses.replace(agent, optimizer=dataclasses.replace(agent.optimizer, learning_rate=0.03))
    _, outputs = updated(fast, updates=300)
    assert np.asarray(outputs.q_values).argmax(axis=1).tolist() == batch().transitions.a_tm1.tolist()


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Expected a number >= 0 for `auxiliary\.alpha`, got -1\.0"):
        Conservative(alpha=-1.0)


def test_rollouts_have_no_such_term() -> None:
    agent = load("pqn_classic").agent
    with pytest.raises(ConfigError, match="auxiliary=no_auxiliary with execution=rollouts, got conservative"):
        dataclasses.replace(agent, auxiliary=Conservative())
