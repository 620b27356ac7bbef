"""Latents: what a torso's convolutions give, before the head reads it; here scaled to 0..1, as in SPR and BBF.

Paper: Schwarzer et al. 2021, "Data-Efficient Reinforcement Learning with Self-Predictive Representations" (arXiv
2007.05929), as read in google/dopamine@5873f54 (labs/atari_100k/spr_networks.py, renormalize):

    z <- (z - min z) / (max z - min z + 1e-5)          over all of one state's H W C numbers

Symbols: z: the latent of one state.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal

from dqn_tf import lazy_tf as tf

if TYPE_CHECKING:
    from dqn_tf.types import KerasLayer, Tensor, TensorLike

Latent = Literal["as_it_is", "min_max"]
EPSILON = 1e-5


def min_max(z: TensorLike) -> Tensor:
    """Graph code: each row scaled to 0..1.

    Args:
        z: [B, N] float32.

    Returns:
        [B, N] float32.

    >>> min_max(tf.constant([[2.0, 4.0, 3.0], [7.0, 7.0, 7.0]])).numpy().round(3).tolist()
    [[0.0, 1.0, 0.5], [0.0, 0.0, 0.0]]
    """
    low = tf.reduce_min(z, axis=-1, keepdims=True)
    return (z - low) / (tf.reduce_max(z, axis=-1, keepdims=True) - low + EPSILON)


def latent_layers(latent: Latent) -> list[KerasLayer]:
    """The layers with which a torso ends.

    Args:
        latent: "as_it_is" or "min_max".

    Returns:
        Keras layers [B, H, W, C] -> [B, H W C].
    """
    flat = tf.keras.layers.Flatten()
    return [flat] if latent == "as_it_is" else [flat, _min_max_layer()()]


@functools.cache
def _min_max_layer() -> Any:
    base: Any = tf.keras.layers.Layer

    class MinMax(base):
        def call(self, inputs: TensorLike) -> Tensor:
            return min_max(inputs)

        def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
            return input_shape

    return MinMax
