"""The update of PQN: a regression on given numbers, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.rollout_update import compute_gradients, values_in_shards
from dqn_tf.agent.values.expected import Expected
from dqn_tf.rng import Stream
from dqn_tf.types import ObservationSpec


@pytest.fixture(scope="module")
def linear() -> QNetwork:
    """Q(s, .) = s W + b with W = [[1, 2], [3, 4]], b = [1, -1]."""
    network = QNetwork(MLP(hidden=()), Expected(), ObservationSpec((2,), "float32"), 2, Stream(0, "weights"))
    for variable, values in zip(network.variables, ([[1.0, 2.0], [3.0, 4.0]], [1.0, -1.0]), strict=True):
        variable.assign(values)
    return network


def gradients(network: QNetwork, loss: Any = "half_squared", shards: int = 1) -> Any:
    """Of two transitions: s = (1, 1) with a = 0, G = 8, and s = (0, 2) with a = 1, G = 3."""
    states, actions = tf.constant([[1.0, 1.0], [0.0, 2.0]]), tf.constant([0, 1])
    return compute_gradients(Expected(loss=loss), network, states, actions, tf.constant([8.0, 3.0]), shards)


def test_two_transitions_by_hand(linear: QNetwork) -> None:
    """Q(s, a) = 5 and 7, delta = 3 and -4: the loss is (9 + 16)/4, and each output's slope is -delta/2 of its own."""
    found = gradients(linear)
    assert found.loss == 6.25 and found.td_error.numpy().tolist() == [3.0, -4.0]
    assert found.q_values.numpy().tolist() == [[5.0, 5.0], [7.0, 7.0]]
    assert found.gradients[1].numpy().tolist() == [-1.5, 2.0]
    assert found.gradients[0].numpy().tolist() == [[-1.5, 0.0], [-1.5, 4.0]]


def test_cleanrl_s_loss_is_twice_as_large(linear: QNetwork) -> None:
    half, whole = gradients(linear), gradients(linear, "squared")
    assert whole.loss == 2 * half.loss
    assert all(np.array_equal(w, 2 * h) for w, h in zip(whole.gradients, half.gradients, strict=True))


def test_parts_of_a_batch_are_the_batch(linear: QNetwork) -> None:
    one, two = gradients(linear), gradients(linear, shards=2)
    assert one.loss == two.loss
    assert all(np.array_equal(a, b) for a, b in zip(one.gradients, two.gradients, strict=True))
    states = tf.constant([[1.0, 1.0], [0.0, 2.0]])
    assert np.array_equal(values_in_shards(linear, states, 1), values_in_shards(linear, states, 2))
