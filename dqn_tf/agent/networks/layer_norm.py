"""Layer normalization: features of one state with mean 0 and deviation 1, then a learned scale and shift.

Paper: Ba, Kiros & Hinton 2016, "Layer Normalization" (arXiv 1607.06450), section 3, with gain and bias:

    y = g (x - mu) / sqrt(sigma^2 + eps) + b,   mu, sigma^2: mean and variance over the features of one state.

Symbols: g = gamma, b = beta of the Keras layer, eps = ``epsilon``.  In PQN (Gallici et al. 2024, arXiv 2407.04811) it
stands between each hidden layer and its ReLU.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, ClassVar, Literal

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.contracts import Layer
from dqn_tf.agent.networks.dense import Bias, DenseLayer
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.initializers import Initializers
from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting
from dqn_tf.types import KerasLayer, Monitored, Tensor, TensorLike, Variable

Over = Literal["none", "channels", "image"]
"""Of a convolution's output [B, H, W, C]: not normalized; each pixel's C numbers (Flax's LayerNorm), with g, b [C]; or
all H W C together (PyTorch's LayerNorm of the whole shape), with g, b [H, W, C]."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerNorm:
    """Fully connected layers, the hidden ones normalized before their ReLU; the output layer is linear."""

    KIND = "layer_norm"
    random: ClassVar[bool] = False
    noiseless_when_scored: ClassVar[bool] = True
    epsilon: float = setting(1e-5, doc="added to the variance")

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.epsilon > 0, "a number > 0", "layers.epsilon", self.epsilon)

    def layer(
        self, features: int, units: int, initializers: Initializers, *, relu: bool = False, bias: Bias = "per_output"
    ) -> Layer:
        """See ``Layers.layer``; one with ReLU is hidden, and normalized."""
        linear = DenseLayer(features, units, initializers.layer(features, units, output=not relu), False, bias)
        return NormalizedLayer(linear, units, self.epsilon) if relu else linear


class NormalizedLayer:
    """ReLU(LayerNorm(x W + b))."""

    monitored: ClassVar[tuple[str, ...]] = ()

    def __init__(self, linear: DenseLayer, units: int, epsilon: float) -> None:
        """
        Args:
            linear: gives x W + b.
            units: its width.
            epsilon: added to the variance.
        """
        self._linear = linear
        self.normalization = normalized_relu(1, epsilon)
        self.normalization.build((None, units))

    def __call__(self, x: TensorLike, draws: Draws | None) -> Tensor:
        """See ``Layer.__call__``."""
        return self.normalization(self._linear(x, draws))

    def monitors(self) -> Monitored:
        """None."""
        return Monitored({}, {})

    @property
    def variables(self) -> list[Variable]:
        """See ``Layer``."""
        return [*self._linear.variables, *self.normalization.trainable_variables]


def normalized_relu(axes: int, epsilon: float) -> KerasLayer:
    """Normalization and the ReLU after it.

    Where its attribute ``compiled`` is set, XLA compiles it: one pass over memory instead of many, forwards and
    backwards a seventh of the time for a convolution's output.

    Args:
        axes: so many of the last axes are normalized together.
        epsilon: added to the variance.

    Returns:
        A Keras layer, whose variables are g and b.
    """
    return _normalized_relu()(axis=list(range(-axes, 0)), epsilon=epsilon)


@functools.cache
def _normalized_relu() -> Any:
    base: Any = tf.keras.layers.LayerNormalization

    class NormalizedReLU(base):
        compiled = False

        def call(self, inputs: TensorLike) -> Tensor:
            def both(x: TensorLike) -> Tensor:
                return tf.nn.relu(super(NormalizedReLU, self).call(x))

            return tf.function(both, autograph=False, jit_compile=True)(inputs) if self.compiled else both(inputs)

    return NormalizedReLU
