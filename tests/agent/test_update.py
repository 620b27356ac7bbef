"""The update is the paper's line where the family is ``Expected`` and the rule ``Greedy``, and pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dqn_tf.agent.optimizers import RMSProp
from dqn_tf.agent.parameters import Parameters
from dqn_tf.agent.update import Objective, apply_gradients
from dqn_tf.agent.values.expected import Expected
from dqn_tf.types import Sample, Transition


def batch() -> Sample:
    """Four transitions of three numbers; the third ends its episode."""
    random = np.random.default_rng(3)
    s_tm1, s_t = random.normal(size=(2, 4, 3)).astype(np.float32)
    r_t, discount_t = random.normal(size=4).astype(np.float32), np.float32([0.9, 0.9, 0.0, 0.9])
    return Sample(Transition(s_tm1, np.int32([0, 1, 1, 0]), r_t, discount_t, s_t), np.arange(4), np.ones(4, np.float32))


@pytest.fixture
def parts(tiny_agent: Callable[..., Any], vectors: Callable[..., Any]) -> tuple[Any, Parameters]:
    """An agent of ``Expected`` (squared error) and ``Greedy``, and its parameters, theta^- not theta."""
    agent = tiny_agent(value=Expected(loss="squared"), optimizer=RMSProp())
    parameters = Parameters(agent, vectors(), seed=0)
    for variable in parameters.target.variables:
        variable.assign(variable + 0.3)
    return agent, parameters


def test_it_specializes_to_algorithm_1(parts: tuple[Any, Parameters]) -> None:
    """y = r + gamma max_a' Q^(s', a'; theta^-); loss = mean (y - Q(s, a; theta))^2; written here without the package.

    Tolerance: sums of float32 in another order.
    """
    agent, parameters = parts
    s_tm1, a_tm1, r_t, discount_t, s_t = batch().transitions
    y = r_t + discount_t * np.asarray(parameters.target(s_t).q_values).max(axis=1)
    assert y[2] == r_t[2]  # the episode ended
    with tf.GradientTape() as tape:
        q = tf.gather(parameters.online(s_tm1).q_values, a_tm1, axis=1, batch_dims=1)
        loss = tf.reduce_mean((y - q) ** 2)
    want = tape.gradient(loss, parameters.online.variables)
    found = Objective(agent, parameters.online, parameters.target).gradients(batch())
    np.testing.assert_allclose(found.loss, loss, rtol=1e-6)
    np.testing.assert_allclose(found.td_error, y - q, rtol=1e-6, atol=1e-7)
    for one, other in zip(found.gradients, want, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_the_first_half_changes_nothing_and_the_second_only_theta(parts: tuple[Any, Parameters]) -> None:
    agent, parameters = parts
    before = parameters.state()
    before = {name: array.tobytes() for name, array in before.items()}
    found = Objective(agent, parameters.online, parameters.target).gradients(batch())
    assert {name: array.tobytes() for name, array in parameters.state().items()} == before
    norm = apply_gradients(parameters.optimizer, found.gradients, None)
    assert float(norm) == pytest.approx(float(np.sqrt(sum(np.square(g).sum() for g in found.gradients))), rel=1e-6)
    changed = {name for name, array in parameters.state().items() if array.tobytes() != before[name]}
    assert {name for name in changed if name.startswith("target/")} == set()
    assert {name for name in before if name.startswith("online/")} <= changed
