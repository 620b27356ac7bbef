"""Gradients that are clipped by their norm, all together or group by group.

    g <- g * c / max(|g|, c)

|g|: the norm of all gradients of a group together, c = ``max_grad_norm``.
"""

from __future__ import annotations

from collections.abc import Callable

from dqn_tf import lazy_tf as tf
from dqn_tf.types import Tensor


def clipped(
    norm_of: Callable[[list[Tensor]], Tensor],
    gradients: list[Tensor],
    norm: Tensor,
    most: float | None,
    apart: list[list[int]] | None = None,
) -> list[Tensor]:
    """Graph code: gradients of a norm of at most ``most``.

    Args:
        norm_of: the norm [] of several gradients together.
        gradients: of any shapes.
        norm: [], of all of them.
        most: c; None: they stay as they are.
        apart: places of the gradients of each group, which is clipped by its own norm; those in no group stay as they
            are.  None: all are one group.

    Returns:
        As ``gradients``.

    >>> [g.numpy().tolist() for g in clipped(tf.linalg.global_norm, [tf.constant(3.0), tf.constant(4.0)], 5.0, 2.5)]
    [1.5, 2.0]
    """
    if most is None:
        return gradients
    if apart is None:
        scale = most / tf.maximum(norm, most)
        return [gradient * scale for gradient in gradients]
    gradients = list(gradients)
    for group in apart:
        own = norm_of([gradients[i] for i in group])
        for i in group:
            gradients[i] *= most / tf.maximum(own, most)
    return gradients
