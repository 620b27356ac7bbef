"""Dueling streams: the value of a state and the advantages of its actions, added.

Paper: Wang et al. 2016, "Dueling Network Architectures" (arXiv 1511.06581v3), equation (9):

    Q(s, a; theta, alpha, beta) = V(s; theta, beta) + (A(s, a; theta, alpha) - 1/|A| sum_a' A(s, a'; theta, alpha)).

Symbols: theta: the torso; alpha, beta: the two streams.  With a value family of N outputs per action the equation holds
for each of the N (Hessel et al. 2018, arXiv 1710.02298, section "The Integrated Agent").
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.contracts import Layer, Layers
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.initializers import Initializers
from dqn_tf.agent.networks.single import names, run, stack
from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting
from dqn_tf.types import Tensor, TensorLike


def combine(value: TensorLike, advantage: TensorLike) -> Tensor:
    """Equation (9).

    Args:
        value: V [B, 1, N].
        advantage: A [B, A, N].

    Returns:
        Q [B, A, N].

    >>> combine(tf.constant([[[10.0]]]), tf.constant([[[1.0], [2.0], [6.0]]])).numpy().ravel().tolist()
    [8.0, 9.0, 13.0]
    """
    return value + (advantage - tf.reduce_mean(advantage, axis=1, keepdims=True))


def scale_gradient(x: TensorLike, scale: float) -> Tensor:
    """The identity, whose gradient is scaled.

    Args:
        x: of any shape.
        scale: factor on its gradient.

    Returns:
        x.
    """
    return x if scale == 1 else scale * x + (1 - scale) * tf.stop_gradient(x)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dueling:
    """Two streams.

    hidden: "separate" if each stream has hidden layers of its own, as in the paper; "shared" if they have them in
    common, as in Dopamine (`dopamine/jax/networks.py`, FullRainbowNetwork).
    torso_gradient: factor on the gradient that enters the torso; 1/sqrt(2) in the paper's Atari experiments.
    """

    KIND = "dueling"
    hidden: Literal["separate", "shared"] = setting("separate", doc="hidden layers of the two streams")
    torso_gradient: float = setting(1.0, doc="factor on the gradient that enters the torso")

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.torso_gradient > 0, "a number > 0", "head.torso_gradient", self.torso_gradient)

    def build(
        self, layers: Layers, features: int, hidden: tuple[int, ...], shape: tuple[int, int], initializers: Initializers
    ) -> DuelingHead:
        """See ``Head.build``."""
        shared, own = (hidden, ()) if self.hidden == "shared" else ((), hidden)
        common = []
        for width in shared:
            common.append(layers.layer(features, width, initializers, relu=True))
            features = width
        value = stack(layers, features, own, shape[1], initializers, "per_output")
        advantage = stack(layers, features, own, shape[0] * shape[1], initializers, "per_output")
        return DuelingHead(common, value, advantage, shape, self.torso_gradient)


class DuelingHead:
    """A value and an advantage stream, joined: features [B, F] to values [B, A, N], N numbers an action."""

    def __init__(
        self, common: list[Layer], value: list[Layer], advantage: list[Layer], shape: tuple[int, int], scale: float
    ) -> None:
        """
        Args:
            common: hidden layers of both streams; may be none.
            value: the layers of V, from the last common one.
            advantage: the layers of A, from the last common one.
            shape: (A, N).
            scale: factor on the gradient that enters the torso.
        """
        self.layers = [*common, *value, *advantage]
        shared = [f"shared_hidden_{i}" for i in range(len(common))]
        self.names = [*shared, *names("value_", value), *names("advantage_", advantage)]
        self._common, self._value, self._advantage, self._shape, self._scale = common, value, advantage, shape, scale

    @property
    def first_hidden(self) -> list[Layer]:
        """The hidden layers that read the features: the shared one, or that of the value and that of the advantages."""
        return self._common[:1] or [stream[0] for stream in (self._value, self._advantage) if len(stream) > 1]

    def __call__(self, features: TensorLike, draws: Draws | None) -> Tensor:
        """See ``BuiltHead``."""
        x = run(self._common, scale_gradient(features, self._scale), draws)
        value = tf.reshape(run(self._value, x, draws), [-1, 1, self._shape[1]])
        advantage = tf.reshape(run(self._advantage, x, draws), [-1, *self._shape])
        return combine(value, advantage)
