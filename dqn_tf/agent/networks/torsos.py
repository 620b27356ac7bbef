"""Torsos: from an observation to features.  Each is a frozen description with one method that builds its layers.

Paper: Mnih et al. 2015 (doi 10.1038/nature14236), Methods, "Model architecture".
"""

from __future__ import annotations

import dataclasses
from math import prod
from typing import TYPE_CHECKING, Any, Literal

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.initializers import Initialization, Initializers
from dqn_tf.checks import ConfigError, expect
from dqn_tf.fields import check_types, setting

if TYPE_CHECKING:
    from dqn_tf.types import ObservationSpec

# (filters, kernel, stride) of the three convolutions: Mnih et al. 2015, Methods, "Model architecture".
CONVOLUTIONS = ((32, 8, 4), (64, 4, 2), (64, 3, 1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class NatureCNN:
    """The network of Mnih et al. 2015 (Methods, "Model architecture"), NHWC.

    Input [B, H, W, C] uint8, divided by 255 inside; three convolutions, one hidden layer, all ReLU.
    With 84 x 84 input, "valid" padding leaves 7 x 7 x 64 = 3136 features, "same" 11 x 11 x 64 = 7744 (Dopamine).

    The hidden layer is part of the head, which may have it twice (agent/networks/dueling.py).

    Deviation: the paper's released code pads its first convolution by one pixel (`convnet_atari3.lua`); the paper
    does not say so, and it leaves the 3136 features as they are.
    """

    KIND = "nature_cnn"
    padding: Literal["valid", "same"] = setting("valid", doc="padding of the convolutions")
    hidden: int = setting(512, unit="units", doc="width of the hidden layer")
    initialization: Initialization = setting("fan_in_uniform", doc="distribution of the initial weights")

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.hidden >= 1, "at least 1 unit", "network.hidden", self.hidden)

    def check_observation(self, spec: ObservationSpec) -> None:
        """Raises ConfigError unless the observation is an image of bytes that the convolutions can cover."""
        if len(spec.shape) != 3 or spec.dtype != "uint8" or min(spec.shape[:2]) < 36:
            raise ConfigError(
                f"Expected images [H, W, C] of uint8, at least 36 x 36, for network=nature_cnn, got {spec.dtype} "
                f"{list(spec.shape)}. Vector observations take --set network=mlp or the preset dqn_classic."
            )

    def layers(self, spec: ObservationSpec, initializers: Initializers) -> tuple[list[Any], int, tuple[int, ...]]:
        """The Keras layers, the number of features they give, and the widths of the head's hidden layers."""
        layers: list[Any] = [tf.keras.layers.Rescaling(1.0 / 255.0)]
        (height, width, channels) = spec.shape
        for filters, kernel, stride in CONVOLUTIONS:
            fans = initializers.layer(kernel * kernel * channels, kernel * kernel * filters)
            layers.append(tf.keras.layers.Conv2D(filters, kernel, stride, self.padding, activation="relu", **fans))
            height, width = (self._size(x, kernel, stride) for x in (height, width))
            channels = filters
        return [*layers, tf.keras.layers.Flatten()], height * width * channels, (self.hidden,)

    def _size(self, x: int, kernel: int, stride: int) -> int:
        return -(-x // stride) if self.padding == "same" else (x - kernel) // stride + 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class MLP:
    """Fully connected ReLU layers for vector observations [B, D] float32; the last one is part of the head."""

    KIND = "mlp"
    hidden: tuple[int, ...] = setting((128, 128), unit="units", doc="widths of the hidden layers")
    initialization: Initialization = setting("fan_in_uniform", doc="distribution of the initial weights")

    def __post_init__(self) -> None:
        check_types(self)
        expect(all(h >= 1 for h in self.hidden), "widths of at least 1", "network.hidden", self.hidden)

    def check_observation(self, spec: ObservationSpec) -> None:
        """Raises ConfigError unless the observation is a vector."""
        if len(spec.shape) != 1:
            raise ConfigError(
                f"Expected vector observations [D] for network=mlp, got {list(spec.shape)}. "
                "Images take --set network=nature_cnn or one of the Atari presets."
            )

    def layers(self, spec: ObservationSpec, initializers: Initializers) -> tuple[list[Any], int, tuple[int, ...]]:
        """The Keras layers, the number of features they give, and the widths of the head's hidden layers: the last."""
        layers, features = [], prod(spec.shape)
        for width in self.hidden[:-1]:
            fans = initializers.layer(features, width)
            layers.append(tf.keras.layers.Dense(width, activation="relu", **fans))
            features = width
        return layers, features, self.hidden[-1:]
