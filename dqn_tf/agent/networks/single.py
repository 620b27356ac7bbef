"""One stream from features to outputs: the head of DQN.

Paper: Mnih et al. 2015 (doi 10.1038/nature14236), Methods, "Model architecture".
"""

from __future__ import annotations

import dataclasses

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.contracts import Layer, Layers
from dqn_tf.agent.networks.dense import Bias
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.initializers import Initializers
from dqn_tf.fields import check_types, setting
from dqn_tf.types import Tensor, TensorLike


def stack(
    layers: Layers, features: int, hidden: tuple[int, ...], outputs: int, initializers: Initializers, bias: Bias
) -> list[Layer]:
    """Fully connected layers: hidden ones with ReLU, then one linear layer.

    Args:
        layers: makes each layer.
        features: inputs of the first.
        hidden: widths of the hidden layers.
        outputs: width of the last layer.
        initializers: of the weights.
        bias: of the last layer.

    Returns:
        The layers, in order.
    """
    out = []
    for width in hidden:
        out.append(layers.layer(features, width, initializers, relu=True))
        features = width
    return [*out, layers.layer(features, outputs, initializers, bias=bias)]


def names(stream: str, layers: list[Layer]) -> list[str]:
    """What the layers of a stream are called in the columns of iterations.csv.

    Args:
        stream: what each name begins with.
        layers: of the stream, in order.

    Returns:
        One name for each layer.

    >>> names("value_", [None, None])
    ['value_hidden_0', 'value_output']
    """
    return [*(f"{stream}hidden_{i}" for i in range(len(layers) - 1)), f"{stream}output"]


def run(layers: list[Layer], x: TensorLike, draws: Draws | None) -> Tensor:
    """The layers one after the other.

    Args:
        layers: in order.
        x: [B, inputs of the first].
        draws: of their random numbers; None: they draw none.

    Returns:
        [B, outputs of the last].
    """
    for layer in layers:
        x = layer(x, draws)
    return x


@dataclasses.dataclass(frozen=True, kw_only=True)
class Single:
    """The hidden layer and the output layer of Mnih et al. 2015 (Methods, "Model architecture").

    ``bias``: "shared" is one bias for all outputs of the last layer, as in van Hasselt et al. 2016 (arXiv 1509.06461,
    "Double DQN (tuned)").
    """

    KIND = "single"
    bias: Bias = setting("per_output", doc="biases of the output layer")

    def __post_init__(self) -> None:
        check_types(self)

    def build(
        self, layers: Layers, features: int, hidden: tuple[int, ...], shape: tuple[int, int], initializers: Initializers
    ) -> SingleHead:
        """See ``Head.build``."""
        return SingleHead(stack(layers, features, hidden, shape[0] * shape[1], initializers, self.bias), shape)


class SingleHead:
    """One stack of layers for all actions: features [B, F] to values [B, A, N], N numbers an action."""

    def __init__(self, layers: list[Layer], shape: tuple[int, int]) -> None:
        """
        Args:
            layers: in order.
            shape: (A, N).
        """
        self.layers, self._shape = layers, shape
        self.names = names("", layers)

    @property
    def first_hidden(self) -> list[Layer]:
        """The hidden layer that reads the features, if there is one."""
        return self.layers[:-1][:1]

    def __call__(self, features: TensorLike, draws: Draws | None) -> Tensor:
        """See ``BuiltHead``."""
        return tf.reshape(run(self.layers, features, draws), [-1, *self._shape])
