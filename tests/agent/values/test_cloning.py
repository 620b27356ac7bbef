"""Behavior cloning: the cross entropy of the data's actions, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.optimizers import Adam
from dqn_tf.agent.values.cloning import Cloning, cross_entropy
from dqn_tf.config import AgentConfig
from dqn_tf.execution.learner import Learner
from dqn_tf.types import EnvironmentSpec, ObservationSpec, Sample, Transition

SPEC = EnvironmentSpec(ObservationSpec((2,), "float32"), ("left", "right"), 1)
STATES = np.float32([[1, 0], [0, 1], [1, 1], [-1, 0]])
ACTIONS = np.int32([0, 1, 1, 0])


def batch(rewards: float = 0.0) -> Sample:
    numbers = np.full(4, rewards, np.float32)
    transitions = Transition(STATES, ACTIONS, numbers, np.full(4, 0.9, np.float32), STATES[::-1].copy())
    return Sample(transitions=transitions, indices=np.arange(4), weights=np.ones(4, np.float32))


def test_a_worked_example() -> None:
    """Logits log 1, log 4: the probability of the second action is 4/5."""
    found = cross_entropy(tf.math.log(tf.constant([[1.0, 4.0]])), tf.constant([1]))
    assert found.numpy().tolist() == pytest.approx([-np.log(0.8)], rel=1e-6)


def test_equals_the_naive_twin_in_float64() -> None:
    random = np.random.default_rng(0)
    logits, actions = random.normal(size=(16, 5)) * 5, random.integers(0, 5, 16)
    wanted = [-np.log(np.exp(row[a]) / np.exp(row).sum()) for row, a in zip(logits, actions, strict=True)]
    found = cross_entropy(tf.constant(logits, tf.float32), tf.constant(actions, tf.int32)).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)  # float32 against float64


def test_the_gradient_is_softmax_less_the_action() -> None:
    logits = tf.constant([[0.5, -1.0, 2.0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = cross_entropy(logits, tf.constant([0]))
    soft = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum()
    np.testing.assert_allclose(tape.gradient(loss, logits).numpy(), soft - [[1.0, 0.0, 0.0]], rtol=1e-5)  # float32


def test_rewards_have_no_part_in_it_and_the_data_are_imitated(tiny_agent: Callable[..., AgentConfig]) -> None:
    agent = tiny_agent(value=Cloning(), optimizer=Adam(learning_rate=0.05))
    states = []
    for rewards in (0.0, 7.0):
        learner = Learner(agent, SPEC, seed=1)
        for number in range(200):
            outputs = learner.update(batch(rewards), number)
        states.append(learner.parameters.state())
        assert np.asarray(outputs.q_values).argmax(axis=1).tolist() == ACTIONS.tolist()
        assert not np.asarray(outputs.td_error).any() and float(outputs.loss) < 0.1
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
