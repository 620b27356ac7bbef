"""The residual torso of IMPALA, of any width.

Paper: Espeholt et al. 2018, "IMPALA: Scalable Distributed Deep-RL with Importance Weighted Actor-Learner Architectures"
(arXiv 1802.01561), figure 3, right; with a width as in Schwarzer et al. 2023, "Bigger, Better, Faster" (arXiv
2305.19452), read in google-research/google-research@35c7461 (bigger_better_faster/bbf/spr_networks.py, ImpalaCNN):

    stage_c(x) = block_c(... block_c(pool(conv_c(x)))),      block_c(x) = x + conv_c(relu(conv_c(relu(x))))
    f(s) = relu(stage_{w C3}(stage_{w C2}(stage_{w C1}(s))))

Symbols: conv_c: 3 x 3, stride 1, same padding, c filters and their biases; pool: the maximum over 3 x 3, stride 2; w =
``width``; (C1, C2, C3) = ``channels``; ``blocks`` of them in each stage.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any, Literal

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.adaptive_pool import adaptive_pooling
from dqn_tf.agent.networks.initializers import Initialization, Initializers
from dqn_tf.agent.networks.latents import Latent, latent_layers
from dqn_tf.agent.networks.spectral import spectral
from dqn_tf.checks import ConfigError, expect
from dqn_tf.fields import check_types, setting

if TYPE_CHECKING:
    from dqn_tf.agent.networks.initializers import Fans
    from dqn_tf.types import KerasLayer, ObservationSpec, Tensor, TensorLike

KERNEL, WINDOW, STRIDE = 3, 3, 2
LARGEST_WIDTH = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Impala:
    """Stages of a convolution, a max-pooling and residual blocks, NHWC, then one hidden layer, which the head has.

    Input [B, H, W, C] of bytes, divided by 255 inside, or as ``CNN`` takes it.  A stage halves rows and columns,
    rounded up: 84 x 84 leave 11 x 11.  ``pooling``: where the windows lie: "same" as TensorFlow and Flax pad, so that
    of an even size the first window begins at the first pixel; "centered": one pixel before it, as with PyTorch's
    padding=1.
    """

    KIND = "impala"
    width: int = setting(1, doc="factor on the filters of every stage")
    channels: tuple[int, ...] = setting((16, 32, 32), unit="filters", doc="filters of each stage, at width 1")
    blocks: int = setting(2, doc="residual blocks of a stage")
    pooling: Literal["same", "centered"] = setting("same", doc="where the windows of the max-pooling begin")
    hidden: int = setting(256, unit="units", doc="width of the hidden layer")
    initialization: Initialization = setting("fan_in_uniform", doc="distribution of the initial weights")
    latent: Latent = setting("as_it_is", doc="the last stage's output: as it is, or each state's scaled to 0..1")
    spectral_norm: bool = setting(False, doc="spectral normalization of the blocks' convolutions", later=True)
    pooled_size: int | None = setting(
        None,
        unit="pixels",
        doc="rows and columns after an adaptive max-pooling at the end; none: there is none",
        later=True,
    )

    def __post_init__(self) -> None:
        check_types(self)
        most = f"1 to {LARGEST_WIDTH}"
        expect(1 <= self.width <= LARGEST_WIDTH, most, "network.width", self.width)
        channels = self.channels
        expect(bool(channels) and min(channels) >= 1, "numbers of at least 1", "network.channels", channels)
        expect(self.blocks >= 0, "at least 0 blocks", "network.blocks", self.blocks)
        expect(self.hidden >= 1, "at least 1 unit", "network.hidden", self.hidden)
        size = self.pooled_size
        expect(size is None or size >= 1, "at least 1 pixel or none", "network.pooled_size", size)
        if self.spectral_norm and not self.blocks:
            raise ConfigError(
                "Expected blocks for network.spectral_norm=true, got `network.blocks`=0: only their convolutions are "
                "normalized. Set network.spectral_norm=false, or network.blocks=2."
            )

    def check_observation(self, spec: ObservationSpec) -> None:
        """Check that the observation is an image.

        Raises:
            ConfigError: it is not.
        """
        if len(spec.shape) != 3:
            raise ConfigError(
                f"Expected images [H, W, C] for network=impala, got {spec.dtype} {list(spec.shape)}. Vector "
                "observations take --set network=mlp or the preset dqn_classic."
            )

    def layers(
        self, spec: ObservationSpec, initializers: Initializers
    ) -> tuple[list[KerasLayer], int, tuple[int, ...]]:
        """See ``Torso.layers``."""
        layers: list[KerasLayer] = [tf.keras.layers.Rescaling(*spec.scaling)]
        channels = spec.shape[2]
        for filters in self.filters:
            layers += [_convolution(channels, filters, initializers), _pooling(self.pooling)]
            for _ in range(self.blocks):
                layers.append(residual_block(filters, initializers, self.spectral_norm))
            channels = filters
        layers.append(tf.keras.layers.ReLU())
        if self.pooled_size is not None:
            layers.append(adaptive_pooling(self.pooled_size))
        return [*layers, *latent_layers(self.latent)], prod(self.latent_shape(spec)), (self.hidden,)

    @property
    def filters(self) -> tuple[int, ...]:
        """Of each stage: width times channels."""
        return tuple(self.width * c for c in self.channels)

    def latent_shape(self, spec: ObservationSpec) -> tuple[int, int, int]:
        """[H, W, C] of what the last stage gives of such an observation; flat, they are the features.

        >>> from dqn_tf.types import ObservationSpec
        >>> Impala(width=4).latent_shape(ObservationSpec((84, 84), "uint8", 4))
        (11, 11, 128)
        """
        height, width = spec.shape[:2]
        for _ in self.channels:
            height, width = (-(-x // STRIDE) for x in (height, width))
        size = self.pooled_size
        return (height, width, self.filters[-1]) if size is None else (size, size, self.filters[-1])


def _fans(channels: int, filters: int, initializers: Initializers) -> Fans:
    return initializers.layer(KERNEL**2 * channels, KERNEL**2 * filters)


def _convolution(channels: int, filters: int, initializers: Initializers) -> KerasLayer:
    return tf.keras.layers.Conv2D(filters, KERNEL, 1, "same", **_fans(channels, filters, initializers))


def _pooling(place: str) -> KerasLayer:
    return tf.keras.layers.MaxPooling2D(WINDOW, STRIDE, "same") if place == "same" else _centered_pooling()()


def centered_pool(x: TensorLike) -> Tensor:
    """Graph code: the maximum over 3 x 3 windows with stride 2, the first of which begins one pixel before the image.

    Args:
        x: [B, H, W, C] float32.

    Returns:
        [B, ceil(H / 2), ceil(W / 2), C].

    >>> x = tf.reshape(tf.range(4.0), [1, 2, 2, 1])
    >>> centered_pool(x).numpy().ravel().tolist()
    [3.0]
    >>> tf.keras.layers.MaxPooling2D(3, 2, "same")(tf.reshape(tf.range(16.0), [1, 4, 4, 1])).numpy().ravel().tolist()
    [10.0, 11.0, 14.0, 15.0]
    >>> centered_pool(tf.reshape(tf.range(16.0), [1, 4, 4, 1])).numpy().ravel().tolist()
    [5.0, 7.0, 13.0, 15.0]
    """
    wider = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=x.dtype.min)
    return tf.nn.max_pool2d(wider, WINDOW, STRIDE, "VALID")


@functools.cache
def _centered_pooling() -> Any:
    base: Any = tf.keras.layers.Layer

    class CenteredPooling(base):
        def call(self, inputs: TensorLike) -> Tensor:
            return centered_pool(inputs)

        def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
            batch, height, width, channels = input_shape
            return batch, -(-height // STRIDE), -(-width // STRIDE), channels

    return CenteredPooling


def residual(
    x: TensorLike, first: Callable[[TensorLike], TensorLike], second: Callable[[TensorLike], TensorLike]
) -> Tensor:
    """Graph code: x + conv(relu(conv(relu(x)))).

    Args:
        x: [B, H, W, C] float32.
        first: the inner convolution.
        second: the outer one.

    Returns:
        [B, H, W, C].
    """
    return x + second(tf.nn.relu(first(tf.nn.relu(x))))


def residual_block(filters: int, initializers: Initializers, normalized: bool = False) -> KerasLayer:
    """A residual block of two convolutions.

    Args:
        filters: of what it reads, and of both.
        initializers: of their weights.
        normalized: whether their kernels are, by their largest singular values (spectral.py).

    Returns:
        A Keras layer [B, H, W, C] -> [B, H, W, C], with the attribute ``normalized``: its layers that are.
    """
    convolutions = [_convolution(filters, filters, initializers) for _ in range(2)]
    if normalized:
        convolutions = [spectral(layer, initializers, (filters, filters)) for layer in convolutions]
    block = _residual_block()(convolutions)
    block.normalized = convolutions if normalized else []
    return block


@functools.cache
def _residual_block() -> Any:
    base: Any = tf.keras.layers.Layer

    class ResidualBlock(base):
        def __init__(self, convolutions: list[KerasLayer]) -> None:
            super().__init__()
            self.first, self.second = convolutions

        def build(self, input_shape: tuple[int, ...]) -> None:
            self.first.build(input_shape)
            self.second.build(input_shape)
            self.built = True

        def call(self, inputs: TensorLike) -> Tensor:
            return residual(inputs, self.first, self.second)

        def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
            return input_shape

    return ResidualBlock
