"""Spectral normalization: a convolution whose kernel is divided by its largest singular value, which is kept up with.

Paper: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks" (arXiv 1802.05957), section 2.1
and algorithm 1; in value networks Gogianu et al. 2021 (arXiv 2105.05246), in BTR's residual blocks Clark et al. 2024
(arXiv 2411.03820):

    y = conv(x; W / sigma) + b,    sigma = u^T W v,   no gradient through u and v
    after each update:             u <- W v / |W v|,    v <- W^T u / |W^T u|

Symbols: W [C_out, 9 C_in]: the kernel as a matrix; u [C_out], v [9 C_in]: vectors of the power iteration, which begin
at random and then make ``START_ITERATIONS`` steps, as in PyTorch.  PyTorch makes a step in every pass forwards, also to
act; here passes forwards change nothing, so that an update is a function of what is saved.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.checks import ConfigError

if TYPE_CHECKING:
    from dqn_tf.agent.networks.initializers import Initializers
    from dqn_tf.types import KerasLayer, Tensor, TensorLike

START_ITERATIONS, FLOOR = 15, 1e-12


def sigma(kernel: TensorLike, u: TensorLike, v: TensorLike) -> Tensor:
    """Graph code: u^T W v, the largest singular value where u and v are its vectors.

    Args:
        kernel: [H, W, C_in, C_out].
        u: [C_out].
        v: [H W C_in].

    Returns:
        [], with a gradient to the kernel alone.

    >>> diagonal = tf.reshape(tf.constant([[3.0, 0.0], [0.0, 2.0]]), [1, 1, 2, 2])
    >>> float(sigma(diagonal, tf.constant([1.0, 0.0]), tf.constant([1.0, 0.0])))
    3.0
    """
    matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])  # W^T
    return tf.tensordot(tf.stop_gradient(v), tf.linalg.matvec(matrix, tf.stop_gradient(u)), 1)


def power_step(kernel: TensorLike, v: TensorLike) -> tuple[Tensor, Tensor]:
    """Graph code: one step of the power iteration.

    Args:
        kernel: [H, W, C_in, C_out].
        v: [H W C_in].

    Returns:
        The new u [C_out] and v [H W C_in], of length 1.
    """
    matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
    u = _unit(tf.linalg.matvec(matrix, v, transpose_a=True))
    return u, _unit(tf.linalg.matvec(matrix, u))


def _unit(x: TensorLike) -> Tensor:
    return x / tf.maximum(tf.norm(x), FLOOR)


def spectral(convolution: KerasLayer, initializers: Initializers, filters: tuple[int, int]) -> KerasLayer:
    """A convolution with its kernel normalized.

    Args:
        convolution: of stride 1 and same padding, linear.
        initializers: whose stream the first u and v are drawn from.
        filters: (C_in, C_out).

    Returns:
        A Keras layer; u and v are variables that no gradient changes.

    Raises:
        ConfigError: its kernel is frozen.
    """
    if not convolution.trainable:
        raise ConfigError(
            "Expected a convolution that learns for spectral normalization, got one whose kernel is frozen: its "
            "largest singular value never changes. Divide its kernel once, or let it learn."
        )
    inputs, outputs = filters
    rows = int(np.prod(convolution.kernel_size)) * inputs
    return _spectral_convolution()(convolution, initializers.normal(outputs), initializers.normal(rows))


@functools.cache
def _spectral_convolution() -> Any:
    base: Any = tf.keras.layers.Layer

    class SpectralConvolution(base):
        def __init__(self, convolution: KerasLayer, u: np.ndarray, v: np.ndarray) -> None:
            super().__init__()
            self.convolution, self._first = convolution, (u, v)

        def build(self, input_shape: tuple[int, ...]) -> None:
            self.convolution.build(input_shape)
            matrix = np.asarray(self.convolution.kernel, np.float64).reshape(-1, len(self._first[0]))
            u, v = (x / np.sqrt(np.square(x).sum()) for x in map(np.float64, self._first))
            for _ in range(START_ITERATIONS):  # einsum without BLAS: the same bits everywhere
                u = np.einsum("ij,i->j", matrix, v)
                u = u / max(np.sqrt(np.square(u).sum()), FLOOR)
                v = np.einsum("ij,j->i", matrix, u)
                v = v / max(np.sqrt(np.square(v).sum()), FLOOR)
            self.u, self.v = (
                self.add_weight(name=name, shape=x.shape, initializer=tf.constant_initializer(x), trainable=False)
                for name, x in (("u", u), ("v", v))
            )
            self.built = True

        def call(self, inputs: TensorLike) -> Tensor:
            kernel = tf.convert_to_tensor(self.convolution.kernel)
            scaled = kernel / sigma(kernel, tf.convert_to_tensor(self.u), tf.convert_to_tensor(self.v))
            return tf.nn.conv2d(inputs, scaled, 1, "SAME") + tf.convert_to_tensor(self.convolution.bias)

        def step(self) -> None:
            """Graph code: a step of the power iteration with the kernel as it is now."""
            u, v = power_step(tf.convert_to_tensor(self.convolution.kernel), tf.convert_to_tensor(self.v))
            self.u.assign(u)
            self.v.assign(v)

        def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
            return input_shape

    return SpectralConvolution
