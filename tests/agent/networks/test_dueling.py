"""Dueling streams: the equation, the shapes, the gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.dueling import Dueling, combine
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.agent.values.expected import Expected
from dqn_tf.rng import Stream
from dqn_tf.types import ObservationSpec

STATES = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


def network(head: Any, value: Any = None, hidden: tuple[int, ...] = (5, 6)) -> QNetwork:
    value = value or Expected()
    return QNetwork(MLP(hidden=hidden), value, ObservationSpec((3,), "float32"), 3, Stream(0, "weights"), head=head)


def test_by_hand() -> None:
    """V = 10, A = (1, 2, 6) of mean 3: Q = 8, 9, 13.  For N = 2, each output by itself."""
    q = combine(tf.constant([[[10.0, 0.0]]]), tf.constant([[[1.0, 5.0], [2.0, 5.0], [6.0, 8.0]]]))
    assert q.numpy().tolist() == [[[8.0, -1.0], [9.0, -1.0], [13.0, 2.0]]]


@pytest.mark.parametrize("hidden", ["separate", "shared"])
@pytest.mark.parametrize("value", [Expected(), Categorical(atoms=4)])
def test_equals_the_naive_twin(hidden: str, value: Any) -> None:
    """Torso, two streams (of their own or shared hidden layers), equation (9), in float64."""
    q, n = network(Dueling(hidden=hidden), value), value.outputs_per_action
    w = [np.asarray(v, np.float64) for v in q.variables]
    kernels, biases = w[::2], w[1::2]

    def layer(i: int, x: np.ndarray, relu: bool = True) -> np.ndarray:
        y = x @ kernels[i] + biases[i]
        return np.maximum(0, y) if relu else y

    psi = layer(0, STATES)
    if hidden == "shared":
        common = layer(1, psi)
        v, a = layer(2, common, relu=False), layer(3, common, relu=False)
    else:
        v, a = layer(2, layer(1, psi), relu=False), layer(4, layer(3, psi), relu=False)
    a = a.reshape(4, 3, n)
    want = v.reshape(4, 1, n) + a - a.mean(axis=1, keepdims=True)
    got = q(STATES).dist if n > 1 else q(STATES).q_values[:, :, None]
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


def test_the_advantages_have_mean_zero() -> None:
    """The mean over the actions is the value alone."""
    advantage = tf.constant(np.random.default_rng(1).normal(size=(5, 3, 2)), tf.float32)
    value = tf.constant(np.random.default_rng(2).normal(size=(5, 1, 2)), tf.float32)
    np.testing.assert_allclose(tf.reduce_mean(combine(value, advantage), 1, keepdims=True), value, atol=1e-6)


def test_the_gradient_that_enters_the_torso_is_scaled() -> None:
    """And nothing else is: not the values, not the gradients of the streams."""
    results = []
    for scale in (1.0, 0.5):
        q = network(Dueling(torso_gradient=scale))
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(q(STATES).q_values ** 2)
        results.append((float(loss), tape.gradient(loss, q.variables)))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-6)
    for i, (one, half) in enumerate(zip(results[0][1], results[1][1], strict=True)):
        np.testing.assert_allclose(half, one * (0.5 if i < 2 else 1.0), rtol=1e-5, atol=1e-6)


def test_a_factor_must_be_positive(outcome) -> None:
    assert "`head.torso_gradient`" in outcome(Dueling, torso_gradient=0.0)
