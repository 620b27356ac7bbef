"""The spread of a predicted distribution of returns.  It is monitored; no loss depends on it."""

from __future__ import annotations

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.values.expected import select_dist
from dqn_tf.types import Monitored, Tensor, TensorLike, ValueOutputs

SPREAD = ("heldout_return_std_mean", "heldout_return_iqr_mean")


def of_greedy(outputs: ValueOutputs) -> Tensor:
    """dist [B, N] of the action whose expected return is largest."""
    return select_dist(outputs.dist, tf.argmax(outputs.q_values, axis=-1, output_type=tf.int32))


def quantile(returns: TensorLike, probabilities: TensorLike, q: float) -> Tensor:
    """The smallest return at or below which at least q of the mass lies.

    Args:
        returns: [B, N].
        probabilities: [B, N].
        q: in [0, 1].

    Returns:
        [B].

    >>> float(quantile(tf.constant([[9.0, 1.0, 4.0]]), tf.constant([[0.25, 0.5, 0.25]]), 0.75)[0])
    4.0
    """
    order = tf.argsort(returns, axis=-1, stable=True)
    mass = tf.cumsum(tf.gather(probabilities, order, batch_dims=1), axis=-1)
    place = tf.reduce_sum(tf.cast(mass < q - 1e-6, tf.int32), axis=-1)  # sums of float32 fall short of q by rounding
    place = tf.minimum(place, returns.shape[-1] - 1)
    return tf.gather(tf.gather(returns, order, batch_dims=1), place, batch_dims=1)


def monitors(returns: TensorLike, probabilities: TensorLike, **more: TensorLike) -> Monitored:
    """Standard deviation and interquartile range of B distributions.

    Args:
        returns: [B, N].
        probabilities: [B, N].
        **more: further numbers [B], by name.

    Returns:
        The numbers, and the distributions for a histogram.
    """
    mean = tf.reduce_sum(probabilities * returns, axis=-1, keepdims=True)
    std = tf.sqrt(tf.reduce_sum(probabilities * tf.square(returns - mean), axis=-1))
    iqr = quantile(returns, probabilities, 0.75) - quantile(returns, probabilities, 0.25)
    return Monitored(dict(zip(SPREAD, (std, iqr), strict=True)) | more, {"heldout_return": (returns, probabilities)})
