"""What the target rules do with masks of legal actions: only a legal action may be bootstrapped from."""

from __future__ import annotations

import inspect
from typing import Any

from dqn_tf import lazy_tf as tf
from dqn_tf.checks import ConfigError
from dqn_tf.types import Tensor, TensorLike


def of_legal(q_values: TensorLike, mask: TensorLike) -> Tensor:
    """Q-values for a maximum or a softmax over the legal actions.

    Args:
        q_values: [B, A].
        mask: [B, A] bool, the legal actions.

    Returns:
        [B, A], with -inf for illegal actions.

    >>> of_legal(tf.constant([[1.0, 2.0]]), tf.constant([[True, False]])).numpy().tolist()
    [[1.0, -inf]]
    """
    return tf.where(mask, q_values, tf.constant(-float("inf"), q_values.dtype))


def zeroed(numbers: TensorLike, mask: TensorLike) -> Tensor:
    """Numbers of the legal actions.

    Args:
        numbers: [B, A].
        mask: [B, A] bool, the legal actions.

    Returns:
        [B, A], with 0 for illegal actions, also where the number is not finite.
    """
    return tf.where(mask, numbers, tf.zeros_like(numbers))


def check_rule(rule: Any) -> None:
    """Check that a target rule can be used where actions are masked.

    Raises:
        ConfigError: its ``terms`` does not take ``masks``.
    """
    if "masks" not in inspect.signature(rule.terms).parameters:
        raise ConfigError(
            f"Expected a target rule whose `terms` takes `masks` for an environment with masks of legal actions, got "
            f"{type(rule).__name__}: it would bootstrap from illegal actions. See docs/guides/own_target_rule.md, or "
            "take another rule: --set bootstrap=double"
        )
