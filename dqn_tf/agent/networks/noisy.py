"""Noisy networks: layers whose weights carry learned Gaussian noise, in place of epsilon-greedy exploration.

Paper: Fortunato et al. 2018, "Noisy Networks for Exploration" (arXiv 1706.10295), section 3, equations (8)-(11), with
factorized noise:

    y       = (mu^w + sigma^w * eps^w) x + mu^b + sigma^b * eps^b
    eps^w_ij = f(eps_i) f(eps_j),   eps^b_j = f(eps_j),   f(x) = sgn(x) sqrt(|x|)

    mu ~ U(-1/sqrt(p), 1/sqrt(p)),   sigma = sigma_0 / sqrt(p)   at the start (section 3.2).

Symbols: p inputs, q outputs; eps_i [P] and eps_j [Q] are standard normal, one draw for a whole batch; * is elementwise.
As the noise is a product, sigma^w * eps^w needs no matrix of noise: (x f(eps_i)) sigma^w f(eps_j).
"""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar, Literal

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.dense import Bias
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.initializers import Initializers
from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting
from dqn_tf.types import Monitored, Tensor, TensorLike


def f(x: TensorLike) -> Tensor:
    """sgn(x) sqrt(|x|)."""
    return tf.sign(x) * tf.sqrt(tf.abs(x))


def noisy_linear(
    x: TensorLike,
    mu: tuple[TensorLike, TensorLike],
    sigma: tuple[TensorLike, TensorLike],
    eps: tuple[TensorLike, TensorLike],
) -> Tensor:
    """Equation (9).

    Args:
        x: [B, P].
        mu: means of the weights [P, Q] and of the biases [Q].
        sigma: factors on their noise, of the same shapes.
        eps: standard normal numbers: eps_i [P] and eps_j [Q].

    Returns:
        y [B, Q].

    >>> y = noisy_linear(tf.constant([[2.0]]), (tf.constant([[3.0]]), tf.constant([1.0])),
    ...                  (tf.constant([[0.5]]), tf.constant([10.0])), (tf.constant([4.0]), tf.constant([-9.0])))
    >>> float(y[0, 0])      # f(4) = 2, f(-9) = -3: (3 + 0.5 * 2 * -3) * 2 + 1 + 10 * -3
    -29.0
    """
    in_noise, out_noise = f(eps[0]), f(eps[1])
    mean = tf.linalg.matmul(x, mu[0]) + mu[1]
    return mean + (tf.linalg.matmul(x * in_noise, sigma[0]) + sigma[1]) * out_noise


@dataclasses.dataclass(frozen=True, kw_only=True)
class Noisy:
    """All layers after the torso carry noise, drawn anew for every action and for every pass of every update.

    ``redraw``: "never" draws it once with the initial weights, the same for the online and the target network: then it
    explores nothing.  No paper asks for it; `JohanSamir/revisiting_rainbow` does it.
    """

    KIND = "noisy"
    random: ClassVar[bool] = True
    sigma_0: float = setting(0.5, doc="initial noise, times sqrt of the layer's inputs")
    distribution: Literal["normal", "truncated_normal"] = setting("normal", doc="of eps; truncated at 2 deviations")
    scoring: Literal["noisy", "mean"] = setting("noisy", doc="weights when the agent is scored")
    redraw: Literal["always", "never"] = setting(
        "always", doc="when noise is drawn: for every pass, or once with the initial weights", later=True
    )

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.sigma_0 >= 0, "a number >= 0", "layers.sigma_0", self.sigma_0)
        if self.redraw == "never":
            expect(
                self.distribution == "normal",
                "normal with layers.redraw=never",
                "layers.distribution",
                "truncated_normal",
            )

    @property
    def noiseless_when_scored(self) -> bool:
        """See ``Layers``."""
        return self.scoring == "mean"

    def layer(
        self, features: int, units: int, initializers: Initializers, *, relu: bool = False, bias: Bias = "per_output"
    ) -> NoisyLayer:
        """See ``Layers.layer``."""
        return NoisyLayer(self, features, units, initializers, relu)


class NoisyLayer:
    """One layer: mu^w, mu^b, sigma^w, sigma^b."""

    monitored: ClassVar[tuple[str, ...]] = ("sigma_w_abs_mean",)

    def __init__(self, config: Noisy, features: int, units: int, initializers: Initializers, relu: bool) -> None:
        """
        Args:
            config: sigma_0 and the distribution of the noise.
            features: p, inputs.
            units: q, outputs.
            initializers: of mu^w and mu^b: U(-1/sqrt(p), 1/sqrt(p)), whatever their scheme.
            relu: whether the outputs pass through a ReLU.
        """
        sigma = config.sigma_0 / math.sqrt(features)
        self._shapes, self._relu = (features, units), relu
        self._normal = getattr(tf.random, f"stateless_{config.distribution}")
        self._eps = None if config.redraw == "always" else tuple(map(initializers.normal, (features, units)))
        weights, bias = initializers.fan_in(features), initializers.fan_in(features)
        constant = tf.keras.initializers.Constant(sigma)
        makers = (
            ((features, units), weights, "mu_w"),
            ((units,), bias, "mu_b"),
            ((features, units), constant, "sigma_w"),
            ((units,), constant, "sigma_b"),
        )
        self.variables = [tf.keras.Variable(make, shape=shape, name=name) for shape, make, name in makers]

    def monitors(self) -> Monitored:
        """The mean of |sigma^w|: how much noise is left."""
        return Monitored({"sigma_w_abs_mean": float(tf.reduce_mean(tf.abs(self.variables[2])))}, {})

    def linear(self, x: TensorLike) -> Tensor:
        """Graph code: the layer [B, P] -> [B, Q] without noise and without its ReLU."""
        mu_w, mu_b, *_ = (tf.convert_to_tensor(v) for v in self.variables)
        return tf.linalg.matmul(x, mu_w) + mu_b

    def __call__(self, x: TensorLike, draws: Draws | None) -> Tensor:
        """See ``Layer``."""
        mu_w, mu_b, sigma_w, sigma_b = (tf.convert_to_tensor(v) for v in self.variables)
        if draws is None or draws.noiseless:
            y = tf.linalg.matmul(x, mu_w) + mu_b
        else:
            eps_i, eps_j = self._eps or (self._normal([size], draws.next()) for size in self._shapes)
            y = noisy_linear(x, (mu_w, mu_b), (sigma_w, sigma_b), (eps_i, eps_j))
        return tf.nn.relu(y) if self._relu else y
