"""Fully connected layers without noise."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.initializers import Fans, Initializers
from dqn_tf.types import Monitored, Tensor, TensorLike, Variable

Bias = Literal["per_output", "shared"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dense:
    """Layers without noise: y = x W + b."""

    KIND = "dense"
    random: ClassVar[bool] = False
    noiseless_when_scored: ClassVar[bool] = True

    def layer(
        self, features: int, units: int, initializers: Initializers, *, relu: bool = False, bias: Bias = "per_output"
    ) -> DenseLayer:
        """See ``Layers.layer``."""
        return DenseLayer(features, units, initializers.layer(features, units, output=not relu), relu, bias)


class DenseLayer:
    """One layer: that of Keras, or the same with one bias for all outputs."""

    monitored: ClassVar[tuple[str, ...]] = ()

    def __init__(self, features: int, units: int, fans: Fans, relu: bool, bias: Bias) -> None:
        """
        Args:
            features: inputs.
            units: outputs.
            fans: initializers of the kernel and of the bias.
            relu: whether the outputs pass through a ReLU.
            bias: "per_output": [units]; "shared": one number for all outputs.
        """
        shared = bias == "shared"
        self._bias = tf.keras.Variable(fans["bias_initializer"], shape=(1,), name="bias") if shared else None
        own = {"kernel_initializer": fans["kernel_initializer"]} if shared else fans
        self.keras = tf.keras.layers.Dense(units, activation="relu" if relu else None, use_bias=not shared, **own)
        self.keras.build((None, features))

    def __call__(self, x: TensorLike, draws: Draws | None) -> Tensor:
        """See ``Layer``; draws nothing."""
        y = self.keras(x)
        return y if self._bias is None else y + self._bias

    def linear(self, x: TensorLike) -> Tensor:
        """Graph code: the layer [B, P] -> [B, Q] without its ReLU."""
        y = tf.linalg.matmul(x, tf.convert_to_tensor(self.keras.kernel))
        return y + tf.convert_to_tensor(self.keras.bias if self._bias is None else self._bias)

    def monitors(self) -> Monitored:
        """None."""
        return Monitored({}, {})

    @property
    def variables(self) -> list[Variable]:
        """See ``Layer``: kernel [features, units], then bias."""
        return [*self.keras.trainable_variables, *([] if self._bias is None else [self._bias])]
