"""Adaptive max-pooling: an image of any size becomes one of a fixed size.

Paper: BTR, Clark et al. 2024 (arXiv 2411.03820), which takes PyTorch's AdaptiveMaxPool2d before its fully connected
layers; its windows are

    y[i, j] = max { x[p, q] : floor(i H / S) <= p < ceil((i + 1) H / S), floor(j W / S) <= q < ceil((j + 1) W / S) }

Symbols: x [H, W, C], y [S, S, C]; windows overlap where S does not divide H.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from dqn_tf import lazy_tf as tf

if TYPE_CHECKING:
    from dqn_tf.types import KerasLayer, Tensor, TensorLike


def windows(length: int, size: int) -> list[tuple[int, int]]:
    """From where to where each window goes.

    Args:
        length: rows or columns of the image.
        size: windows.

    Returns:
        (first, one past the last) of each.

    >>> windows(11, 6)
    [(0, 2), (1, 4), (3, 6), (5, 8), (7, 10), (9, 11)]
    """
    return [(i * length // size, -(-(i + 1) * length // size)) for i in range(size)]


def adaptive_max(x: TensorLike, size: int) -> Tensor:
    """Graph code: the maximum over each window.

    Args:
        x: [B, H, W, C].
        size: S.

    Returns:
        [B, S, S, C].

    >>> adaptive_max(tf.reshape(tf.range(9.0), [1, 3, 3, 1]), 2).numpy().ravel().tolist()
    [4.0, 5.0, 7.0, 8.0]
    """
    for axis in (1, 2):
        parts = []
        for start, stop in windows(x.shape[axis], size):
            at = [slice(None)] * axis + [slice(start, stop)]
            parts.append(tf.reduce_max(x[tuple(at)], axis=axis))
        x = tf.stack(parts, axis=axis)
    return x


def adaptive_pooling(size: int) -> KerasLayer:
    """``adaptive_max`` as a Keras layer."""
    return _layer()(size)


@functools.cache
def _layer() -> Any:
    base: Any = tf.keras.layers.Layer

    class AdaptiveMaxPooling(base):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.size = size

        def call(self, inputs: TensorLike) -> Tensor:
            return adaptive_max(inputs, self.size)

        def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
            return input_shape[0], self.size, self.size, input_shape[-1]

    return AdaptiveMaxPooling
