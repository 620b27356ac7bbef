"""Q-values of one observation by NumPy, from a copy of the weights.

For a small network the call of a compiled function costs more than its arithmetic: three layers of 128 take 10 us this
way, and 90 us as a call of TensorFlow's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dqn_tf.agent.networks.dense import Dense
from dqn_tf.agent.networks.single import Single
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.values.expected import Expected
from dqn_tf.config import AgentConfig
from dqn_tf.types import ObservationSpec


def supports(agent: AgentConfig, observation: ObservationSpec) -> bool:
    """Whether ``q_values`` computes what this network does: fully connected layers, one stream, one number per action.

    Args:
        agent: the agent.
        observation: of its environment.
    """
    plain = type(agent.network) is MLP and type(agent.layers) is Dense and type(agent.value) is Expected
    one_stream = isinstance(agent.head, Single) and agent.head.bias == "per_output"
    return plain and one_stream and len(observation.shape) == 1 and observation.dtype == "float32"


def scaled(agent: AgentConfig, observation: np.ndarray) -> np.ndarray:
    """What the first layer reads.

    Args:
        agent: the agent, whose `network.input_low` and `network.input_high` bound its inputs, if they are given.
        observation: [D] float32.

    Returns:
        [D] float32.
    """
    bounds = agent.network.scaling() if isinstance(agent.network, MLP) else None
    if bounds is None:
        return observation
    scale, offset = (b.astype(np.float32) for b in bounds)
    return observation * scale + offset


def q_values_of_many(weights: Sequence[np.ndarray], observations: np.ndarray) -> np.ndarray:
    """Q(s_k, .; theta_k) of K networks, each of an observation of its own: row k is ``q_values`` to the last bit.

    Args:
        weights: kernel [K, P, Q] and bias [K, Q] of each layer in turn, float32; ReLU between layers.
        observations: s_k, [K, D] float32, as the first layer reads them.

    Returns:
        [K, A] float32.
    """
    x = observations
    last = len(weights) - 2
    for i in range(0, len(weights), 2):
        x = np.einsum("ki,kij->kj", x, weights[i])
        x += weights[i + 1]
        if i < last:
            np.maximum(x, 0.0, out=x)
    return x


def q_values(weights: Sequence[np.ndarray], observation: np.ndarray) -> np.ndarray:
    """Q(s, .), with products summed input by input, in order, on one thread (no BLAS): the bits depend on nothing but
    the numbers.

    Args:
        weights: kernel [P, Q] and bias [Q] of each layer in turn, float32; ReLU between layers.
        observation: s, [D] float32, as the first layer reads it.

    Returns:
        [A] float32.

    >>> q_values([np.array([[1.0, -1.0]]), np.zeros(2), np.array([[2.0], [5.0]]), np.array([0.5])], np.array([3.0]))
    array([6.5])
    """
    x = observation
    last = len(weights) - 2
    for i in range(0, len(weights), 2):
        x = np.einsum("i,ij->j", x, weights[i])
        x += weights[i + 1]
        if i < last:
            np.maximum(x, 0.0, out=x)
    return x
