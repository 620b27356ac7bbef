"""Torsos: from an observation to features.  Each is a frozen description with one method that builds its layers.

Paper: Mnih et al. 2015 (doi 10.1038/nature14236), Methods, "Model architecture".
"""

from __future__ import annotations

import dataclasses
from math import prod
from typing import TYPE_CHECKING, Literal

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.initializers import Initialization, Initializers
from dqn_tf.agent.networks.latents import Latent, latent_layers
from dqn_tf.agent.networks.layer_norm import Over, normalized_relu
from dqn_tf.checks import ConfigError, expect
from dqn_tf.fields import check_types, setting

if TYPE_CHECKING:
    from dqn_tf.types import KerasLayer, ObservationSpec

# (filters, kernel, stride) of the three convolutions: Mnih et al. 2015, Methods, "Model architecture".
CONVOLUTIONS = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
LATENT = "the last convolution's output: as it is, or each state's scaled to 0..1"


@dataclasses.dataclass(frozen=True, kw_only=True)
class NatureCNN:
    """The network of Mnih et al. 2015 (Methods, "Model architecture"), NHWC.

    Input [B, H, W, C] uint8, divided by 255 inside; three convolutions, one hidden layer, all ReLU.  Images of other
    types and ranges are scaled to 0..1 instead (``ObservationSpec.scaling``).
    With 84 x 84 input, "valid" padding leaves 7 x 7 x 64 = 3136 features, "same" 11 x 11 x 64 = 7744 (Dopamine).

    The hidden layer is part of the head, which may have it twice (agent/networks/dueling.py).

    Deviation: the paper's released code pads its first convolution by one pixel (`convnet_atari3.lua`); the paper
    does not say so, and it leaves the 3136 features as they are.
    """

    KIND = "nature_cnn"
    padding: Literal["valid", "same"] = setting("valid", doc="padding of the convolutions")
    hidden: int = setting(512, unit="units", doc="width of the hidden layer")
    initialization: Initialization = setting("fan_in_uniform", doc="distribution of the initial weights")
    latent: Latent = setting("as_it_is", doc=LATENT, later=True)

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.hidden >= 1, "at least 1 unit", "network.hidden", self.hidden)

    def check_observation(self, spec: ObservationSpec) -> None:
        """Check that the observation is an image that the convolutions can cover.

        Raises:
            ConfigError: it is not.
        """
        image = len(spec.shape) == 3
        if not image or min(spec.shape[:2]) < 36:
            other = (
                "Smaller images take the preset dqn_image, or --set network=cnn with smaller kernels."
                if image
                else "Vector observations take --set network=mlp or the preset dqn_classic."
            )
            raise ConfigError(
                f"Expected images [H, W, C] of at least 36 x 36 for network=nature_cnn, got {spec.dtype} "
                f"{list(spec.shape)}. {other}"
            )

    def layers(
        self, spec: ObservationSpec, initializers: Initializers
    ) -> tuple[list[KerasLayer], int, tuple[int, ...]]:
        """See ``Torso.layers``."""
        layers: list[KerasLayer] = [tf.keras.layers.Rescaling(*spec.scaling)]
        channels = spec.shape[2]
        for filters, kernel, stride in CONVOLUTIONS:
            fans = initializers.layer(kernel * kernel * channels, kernel * kernel * filters)
            layers.append(tf.keras.layers.Conv2D(filters, kernel, stride, self.padding, activation="relu", **fans))
            channels = filters
        return [*layers, *latent_layers(self.latent)], prod(self.latent_shape(spec)), (self.hidden,)

    def latent_shape(self, spec: ObservationSpec) -> tuple[int, int, int]:
        """[H, W, C] of what the last convolution gives of such an observation; flat, they are the features."""
        height, width = spec.shape[:2]
        for _, kernel, stride in CONVOLUTIONS:
            height, width = (_size(x, kernel, stride, self.padding) for x in (height, width))
        return height, width, CONVOLUTIONS[-1][0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CNN:
    """Convolutions of any number and size, NHWC, then one hidden layer, all ReLU.

    Input [B, H, W, C]: uint8, divided by 255 inside; bool, as 0 and 1; or floats, whose range becomes 0..1 (that of the
    observation space, ``ObservationSpec.scaling``).  ``channels``, ``kernels`` and ``strides`` have a number for each
    convolution.  The hidden layer is part of the head, as in ``NatureCNN``;
    none: the head's output layers read the features.

    ``layer_norm``: whether a convolution's output is normalized before its ReLU, and over what (layer_norm.py); the
    head's layers are normalized by `layers=layer_norm`.
    """

    KIND = "cnn"
    channels: tuple[int, ...] = setting((32, 64, 64), unit="filters", doc="filters of each convolution")
    kernels: tuple[int, ...] = setting((8, 4, 3), unit="pixels", doc="side of each convolution's square kernel")
    strides: tuple[int, ...] = setting((4, 2, 1), unit="pixels", doc="stride of each convolution")
    padding: Literal["valid", "same"] = setting("valid", doc="padding of the convolutions")
    hidden: int | None = setting(512, unit="units", doc="width of the hidden layer; none: there is no such layer")
    initialization: Initialization = setting("fan_in_uniform", doc="distribution of the initial weights")
    layer_norm: Over = setting("none", doc="what of a convolution is normalized before its ReLU", later=True)
    layer_norm_epsilon: float = setting(1e-5, doc="added to the variance there", later=True)
    input_scale: float | None = setting(
        None, doc="factor on the input; none: 1/255 of bytes, 1 of other numbers", later=True
    )
    latent: Latent = setting("as_it_is", doc=LATENT, later=True)

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.layer_norm_epsilon > 0, "a number > 0", "network.layer_norm_epsilon", self.layer_norm_epsilon)
        scale = self.input_scale
        expect(scale is None or scale > 0, "a number > 0 or none", "network.input_scale", scale)
        for name in ("channels", "kernels", "strides"):
            values = getattr(self, name)
            expect(bool(values) and min(values) >= 1, "numbers of at least 1", f"network.{name}", values)
        if not len(self.channels) == len(self.kernels) == len(self.strides):
            raise ConfigError(
                "Expected a number for each convolution in `network.channels`, `network.kernels` and "
                f"`network.strides`, got {len(self.channels)}, {len(self.kernels)} and {len(self.strides)}."
            )
        expect(self.hidden is None or self.hidden >= 1, "at least 1 unit or none", "network.hidden", self.hidden)

    def check_observation(self, spec: ObservationSpec) -> None:
        """Check that the observation is an image that the convolutions can cover.

        Raises:
            ConfigError: it is not.
        """
        if len(spec.shape) != 3:
            raise ConfigError(
                f"Expected images [H, W, C] for network=cnn, got {spec.dtype} {list(spec.shape)}. Vector observations "
                "take --set network=mlp or the preset dqn_classic."
            )
        if self.padding == "valid" and min(*self.sizes(spec)[-1]) < 1:
            raise ConfigError(
                f"Expected images that the convolutions cover for network=cnn, got {list(spec.shape)}: kernels of "
                f"{list(self.kernels)} with strides of {list(self.strides)} leave nothing. Make them smaller, or set "
                "network.padding=same."
            )

    def sizes(self, spec: ObservationSpec) -> list[tuple[int, int]]:
        """(rows, columns) of the image and after each convolution; below 1 where a kernel does not fit."""
        sizes = [(spec.shape[0], spec.shape[1])]
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            height, width = (_size(x, kernel, stride, self.padding) for x in sizes[-1])
            sizes.append((height, width))
        return sizes

    def layers(
        self, spec: ObservationSpec, initializers: Initializers
    ) -> tuple[list[KerasLayer], int, tuple[int, ...]]:
        """See ``Torso.layers``."""
        scale, offset = spec.scaling if self.input_scale is None else (self.input_scale, 0.0)
        layers: list[KerasLayer] = [tf.keras.layers.Rescaling(scale, offset)]
        channels, normalized = spec.shape[2], self.layer_norm != "none"
        for filters, kernel, stride in zip(self.channels, self.kernels, self.strides, strict=True):
            fans = initializers.layer(kernel * kernel * channels, kernel * kernel * filters)
            relu = None if normalized else "relu"
            layers.append(tf.keras.layers.Conv2D(filters, kernel, stride, self.padding, activation=relu, **fans))
            if normalized:
                layers.append(normalized_relu(1 if self.layer_norm == "channels" else 3, self.layer_norm_epsilon))
            channels = filters
        hidden = () if self.hidden is None else (self.hidden,)
        return [*layers, *latent_layers(self.latent)], prod(self.latent_shape(spec)), hidden

    def latent_shape(self, spec: ObservationSpec) -> tuple[int, int, int]:
        """[H, W, C] of what the last convolution gives of such an observation; flat, they are the features."""
        return (*self.sizes(spec)[-1], self.channels[-1])


def _size(x: int, kernel: int, stride: int, padding: str) -> int:
    """Rows or columns of a convolution's output."""
    return -(-x // stride) if padding == "same" else (x - kernel) // stride + 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class MLP:
    """Fully connected ReLU layers for vector observations [B, D] float32; the last one is part of the head.

    ``in_head``: all of the hidden layers may be, so that all of them carry noise (``Noisy``) or stand in both streams
    (``Dueling``).  ``input_low``, ``input_high``: where D numbers each are given, the network sees
    2 (x - low) / (high - low) - 1.
    """

    KIND = "mlp"
    hidden: tuple[int, ...] = setting((128, 128), unit="units", doc="widths of the hidden layers")
    initialization: Initialization = setting("fan_in_uniform", doc="distribution of the initial weights")
    in_head: Literal["last", "all"] = setting("last", doc="which hidden layers are part of the head", later=True)
    input_low: tuple[float, ...] = setting(
        (), doc="what of each input becomes -1; nothing: inputs as they are", later=True
    )
    input_high: tuple[float, ...] = setting((), doc="what of each input becomes 1", later=True)

    def __post_init__(self) -> None:
        check_types(self)
        expect(all(h >= 1 for h in self.hidden), "widths of at least 1", "network.hidden", self.hidden)
        low, high = self.input_low, self.input_high
        if len(low) != len(high) or any(a >= b for a, b in zip(low, high, strict=False)):
            raise ConfigError(
                "Expected `network.input_low` below `network.input_high` in as many places, got "
                f"{list(low)} and {list(high)}."
            )

    def check_observation(self, spec: ObservationSpec) -> None:
        """Check that the observation is a vector, of as many numbers as there are bounds.

        Raises:
            ConfigError: it is not.
        """
        if len(spec.shape) != 1:
            raise ConfigError(
                f"Expected vector observations [D] for network=mlp, got {list(spec.shape)}. "
                "Images take the preset dqn_image, or, from 36 x 36 on, one of the Atari presets (dqn_nature)."
            )
        if self.input_low and len(self.input_low) != spec.shape[0]:
            raise ConfigError(
                f"Expected {spec.shape[0]} numbers for `network.input_low`, one of each input, got "
                f"{len(self.input_low)}. Other environments have other bounds; --set network.input_low= "
                "--set network.input_high= takes inputs as they are."
            )

    def layers(
        self, spec: ObservationSpec, initializers: Initializers
    ) -> tuple[list[KerasLayer], int, tuple[int, ...]]:
        """See ``Torso.layers``; the head has the last hidden layer, or all of them (``in_head``)."""
        bounds = self.scaling()
        scaled = [] if bounds is None else [tf.keras.layers.Rescaling(bounds[0].tolist(), bounds[1].tolist())]
        layers, features = scaled, prod(spec.shape)
        outside = len(self.hidden) - 1 if self.in_head == "last" else 0
        for width in self.hidden[: max(0, outside)]:
            fans = initializers.layer(features, width)
            layers.append(tf.keras.layers.Dense(width, activation="relu", **fans))
            features = width
        return layers, features, self.hidden[max(0, outside) :]

    def scaling(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(scale, offset), [D] each: the network sees scale * x + offset; None: x itself."""
        if not self.input_low:
            return None
        low, high = (np.array(bound, np.float64) for bound in (self.input_low, self.input_high))
        return 2 / (high - low), -(high + low) / (high - low)
