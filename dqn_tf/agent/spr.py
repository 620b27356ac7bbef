"""SPR, the auxiliary loss: the latent of a state and the actions that followed predict the latents that came of them.

Paper: Schwarzer et al. 2021, "Data-Efficient Reinforcement Learning with Self-Predictive Representations" (arXiv
2007.05929), section 2; as read in mila-iqia/spr@0b9dd4e (src/models.py) and in google/dopamine@5873f54
(labs/atari_100k/spr_agent.py, spr_networks.py):

    z_0 = f(s_t; theta),    z_k = h(z_{k-1}, a_{t+k-1}; theta)                            k = 1, ..., K
    y_k = q(g(z_k; theta)),   target_k = g(f(s_{t+k}; theta^-); theta^-),   no gradient through the targets
    loss_SPR = 1/K sum_k m_k |y_k / |y_k| - target_k / |target_k||^2,     loss = loss_value + ``weight`` loss_SPR

Symbols: f: the torso, whose latents z [H, W, C] are scaled to 0..1 (networks/latents.py); h: the transition model; g:
the projection, the head's first hidden layers without noise and without ReLU; q: the predictor, linear; m: the mask
(replay/trajectories.py).  The transition model is two 3 x 3 convolutions with ReLU, which read the latent and a plane
for each action, ones for the one taken; its output is scaled to 0..1, too.  |y/|y| - x/|x||^2 is 2 - 2 cos(y, x).

With K = 0, or with weight 0, an update is that of the agent without SPR.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.latents import min_max
from dqn_tf.checks import ConfigError, expect
from dqn_tf.fields import check_types, setting

if TYPE_CHECKING:
    from dqn_tf.agent.contracts import BuiltHead
    from dqn_tf.agent.networks.draws import Draws
    from dqn_tf.agent.networks.initializers import Initializers
    from dqn_tf.agent.networks.q_network import QNetwork
    from dqn_tf.agent.update import Objective
    from dqn_tf.types import Future, Sample, Tensor, TensorLike, Variable

KERNEL = 3
BATCH_NORM_EPSILON = 1e-5


def normalized(x: TensorLike, floor: float) -> Tensor:
    """Graph code: vectors of length 1.

    Args:
        x: [..., P].
        floor: shorter ones are divided by this instead of by their length.

    Returns:
        [..., P].
    """
    squares = tf.reduce_sum(tf.square(x), axis=-1, keepdims=True)
    return x * tf.math.rsqrt(tf.maximum(squares, floor**2))


def distance(predictions: TensorLike, targets: TensorLike, mask: TensorLike, floor: float) -> Tensor:
    """Graph code: loss_SPR.

    Args:
        predictions: y [B, K, P].
        targets: [B, K, P].
        mask: m [B, K].
        floor: see ``normalized``.

    Returns:
        [B], in [0, 4].

    >>> y = tf.constant([[[3.0, 4.0], [0.0, 2.0]]])         # directions (0.6, 0.8) and (0, 1)
    >>> x = tf.constant([[[5.0, 0.0], [1.0, 0.0]]])         # and (1, 0), twice
    >>> [round(float(distance(y, x, tf.constant([m]), 1e-3)[0]), 6) for m in ([1.0, 1.0], [1.0, 0.0])]
    [1.4, 0.4]
    """
    apart = normalized(predictions, floor) - normalized(targets, floor)
    return tf.reduce_mean(mask * tf.reduce_sum(tf.square(apart), axis=-1), axis=-1)


def project(head: BuiltHead, features: TensorLike) -> Tensor:
    """Graph code: g.

    Args:
        head: whose first hidden layers are the projection.
        features: [N, F], the torso's.

    Returns:
        [N, P], P being the sum of their widths.
    """
    parts = [layer.linear(features) for layer in head.first_hidden]  # type: ignore[attr-defined]  # build has checked
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis=-1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SPR:
    """Self-predictive representations: latents ahead are predicted, and regressed on those of the target network.

    ``batch_norm``: the transition model's first layer is normalized over the batch after its ReLU, as in the authors'
    code, not in Dopamine's.  ``norm_floor``: shorter vectors are divided by this.  ``clip_apart``: ``max_grad_norm`` is
    for torso, head and the value family's parts together, and once more for the transition model by itself, as in the
    authors' code; the predictor's gradient is not clipped.
    """

    KIND = "spr"
    steps: int = setting(5, unit="agent steps", doc="K: how many states ahead are predicted; 0: none")
    weight: float = setting(5.0, doc="factor on the auxiliary loss")
    batch_norm: bool = setting(False, doc="batch normalization in the transition model")
    norm_floor: float = setting(1e-3, doc="smallest length by which a projection is divided")
    clip_apart: bool = setting(False, doc="whether the transition model's gradient is clipped by itself")

    def __post_init__(self) -> None:
        check_types(self)
        expect(0 <= self.steps <= 255, "0 to 255 steps", "auxiliary.steps", self.steps)
        expect(self.weight >= 0, "a number >= 0", "auxiliary.weight", self.weight)
        expect(1e-15 <= self.norm_floor <= 1, "a number in [1e-15, 1]", "auxiliary.norm_floor", self.norm_floor)

    @property
    def future_steps(self) -> int:
        """So many steps of what followed each state are part of a batch."""
        return self.steps

    def build(
        self, latent: tuple[int, int, int], head: BuiltHead, num_actions: int, initializers: Initializers
    ) -> SelfPrediction:
        """Its part of theta.

        Args:
            latent: [H, W, C].
            head: of the network.
            num_actions: A.
            initializers: of the weights, by the network's scheme.

        Returns:
            Transition model and predictor.

        Raises:
            ConfigError: the head has no layer that could be the projection.
        """
        hidden = getattr(head, "first_hidden", [])
        if not hidden or not all(hasattr(layer, "linear") for layer in hidden):
            raise ConfigError(
                "Expected a head with a hidden layer for auxiliary=spr, whose `linear` projects latents, got none. "
                "Give the network hidden layers, and set layers=dense or layers=noisy."
            )
        return SelfPrediction(self, latent, num_actions, sum(_width(layer) for layer in hidden), initializers)

    def total_loss(
        self,
        loss: TensorLike,
        objective: Objective,
        features: TensorLike,
        q_values: TensorLike,
        sample: Sample,
        draws: Draws | None,
    ) -> TensorLike:
        """Graph code: the loss of each transition, with its auxiliary loss where it has one.

        Args:
            loss: of the value family, [B] float32.
            objective: of the update: its two networks, and its views of images.
            features: of s_tm1 by the online network, [B, F].
            q_values: Q(s_tm1, .) of the online network, [B, A].
            sample: the batch, as the replay gave it; what followed is in it, or () with K = 0.
            draws: of the update.

        Returns:
            [B] float32.
        """
        if not sample.future:
            return loss
        view = functools.partial(objective.agent.augmentation.view, draws=draws)
        return loss + self.loss(objective.online_network, objective.target_network, features, sample.future, view)

    def clipped_apart(self, network: QNetwork) -> list[list[int]] | None:
        """Places of the gradients that are clipped by norms of their own; None: all are clipped as one.

        Args:
            network: the online network.
        """
        return network.clipped_apart if self.clip_apart else None

    def loss(
        self,
        online: QNetwork,
        target: QNetwork,
        features: TensorLike,
        future: Future,
        view: Callable[[TensorLike], TensorLike],
    ) -> Tensor:
        """Graph code: the auxiliary loss of each transition, times ``weight``; no gradient goes through the targets.

        Args:
            online: with theta.
            target: with theta^-.
            features: of s_tm1 by ``online``, [B, F].
            future: what followed.
            view: an update's view of images [N, ...] (augmentation.py).

        Returns:
            [B] float32.
        """
        batch, steps = future.mask.shape
        prediction = online.prediction
        states = tf.reshape(future.states, [batch * steps, *future.states.shape[2:]])
        targets = project(target.head, target.features(view(states)))
        latents = prediction.rollout(features, future.actions)
        predictions = prediction.predictor(project(online.head, tf.reshape(latents, [batch * steps, -1])))
        y, x = (tf.reshape(part, [batch, steps, -1]) for part in (predictions, tf.stop_gradient(targets)))
        return self.weight * distance(y, x, future.mask, self.norm_floor)


def _width(layer: object) -> int:
    return int(layer.variables[0].shape[1])  # type: ignore[attr-defined]  # its kernel [P, Q]


class SelfPrediction:
    """Transition model and predictor, built."""

    def __init__(
        self, config: SPR, latent: tuple[int, int, int], num_actions: int, projected: int, initializers: Initializers
    ) -> None:
        """
        Args:
            config: of the auxiliary loss.
            latent: [H, W, C].
            num_actions: A.
            projected: P, width of the projection.
            initializers: of the weights.
        """
        height, width, channels = latent
        self._latent, self._actions, self._batch_norm = latent, num_actions, config.batch_norm
        self._convolutions = []
        for inputs in (channels + num_actions, channels):
            fans = initializers.layer(KERNEL**2 * inputs, KERNEL**2 * channels)
            layer = tf.keras.layers.Conv2D(channels, KERNEL, 1, "same", activation="relu", **fans)
            layer.build((None, height, width, inputs))
            self._convolutions.append(layer)
        ones, zeros = (tf.keras.initializers.Constant(x) for x in (1.0, 0.0))
        makers = ((ones, "gamma"), (zeros, "beta")) if config.batch_norm else ()
        self._normalization = [tf.keras.Variable(make, shape=(channels,), name=name) for make, name in makers]
        self.predictor = tf.keras.layers.Dense(projected, **initializers.layer(projected, projected))
        self.predictor.build((None, projected))

    @property
    def transition_variables(self) -> list[Variable]:
        """Those of the transition model, in the order of its layers."""
        first, second = (layer.trainable_variables for layer in self._convolutions)
        return [*first, *self._normalization, *second]

    @property
    def variables(self) -> list[Variable]:
        """All of them: the transition model's, then the predictor's."""
        return [*self.transition_variables, *self.predictor.trainable_variables]

    def rollout(self, features: TensorLike, actions: TensorLike) -> Tensor:
        """Graph code: z_1 to z_K.

        Args:
            features: z_0, flat [B, H W C].
            actions: [B, K] int32.

        Returns:
            [B, K, H W C].
        """
        out = []
        z = tf.reshape(features, [-1, *self._latent])
        for k in range(actions.shape[1]):
            z = self._step(z, actions[:, k])
            out.append(tf.reshape(z, [-1, prod(self._latent)]))
        return tf.stack(out, axis=1)

    def _step(self, z: TensorLike, actions: TensorLike) -> Tensor:
        """h: [B, H, W, C], [B] -> [B, H, W, C]."""
        height, width, _ = self._latent
        planes = tf.one_hot(actions, self._actions)[:, None, None, :]
        x = tf.concat([z, tf.tile(planes, [1, height, width, 1])], axis=-1)
        x = self._convolutions[0](x)
        if self._batch_norm:
            mean, variance = tf.nn.moments(x, [0, 1, 2])
            gamma, beta = (tf.convert_to_tensor(v) for v in self._normalization)
            x = (x - mean) * tf.math.rsqrt(variance + BATCH_NORM_EPSILON) * gamma + beta
        x = self._convolutions[1](x)
        return tf.reshape(min_max(tf.reshape(x, [-1, prod(self._latent)])), tf.shape(x))
