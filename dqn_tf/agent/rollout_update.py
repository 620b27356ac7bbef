"""The update of PQN: Q(s, a) is regressed on lambda-returns that were computed before.

Paper: Gallici et al. 2024, "Simplifying Deep Temporal Difference Learning" (arXiv 2407.04811), as in the authors' code
(mttga/purejaxql@47af6d7, pqn_atari.py, _learn_phase):

    loss = mean over a minibatch of 1/2 (Q(s, a; theta) - G)^2,   a gradient step on it, with respect to theta.

Symbols: s = observations, a = actions, G = targets (lambda_returns.py); 1/2 delta^2 is `value.loss=half_squared`,
CleanRL's is delta^2 (squared).  theta is the only network: its gradient does not go through G, which is a number.
"""

from __future__ import annotations

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.values.expected import Expected, select
from dqn_tf.types import Gradients, Tensor, TensorLike


def values_in_shards(network: QNetwork, observations: TensorLike, shards: int) -> Tensor:
    """Graph code: Q-values, the batch in parts that need nothing of each other.

    Args:
        network: theta.
        observations: [B, ...].
        shards: parts, a divisor of B.

    Returns:
        Q [B, A] float32.
    """
    if shards == 1:
        return network(observations, "predict").q_values
    return tf.concat([network(part, "predict").q_values for part in tf.split(observations, shards)], axis=0)


def compute_gradients(
    value: Expected, network: QNetwork, observations: TensorLike, actions: TensorLike, targets: TensorLike, shards: int
) -> Gradients:
    """Graph code: the gradients of a minibatch's mean loss with respect to theta.

    Args:
        value: the loss.
        network: theta.
        observations: [B, ...].
        actions: [B] int32.
        targets: G, [B] float32.
        shards: parts of the batch, whose gradients are added; a divisor of B.

    Returns:
        One gradient for each variable, and what is reported of the batch; priority is |delta|, which is not used.
    """
    with tf.GradientTape() as tape:
        q_values = values_in_shards(network, observations, shards)
        delta = targets - select(q_values, actions)
        loss = tf.reduce_mean(value.of_errors(delta))
    return Gradients(
        gradients=tape.gradient(loss, network.variables),
        loss=loss,
        td_error=delta,
        priority=tf.abs(delta),
        q_values=q_values,
    )
