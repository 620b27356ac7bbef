"""The return's quantile function, evaluated at sampled fractions: the value family of IQN.

Paper: Dabney et al. 2018, "Implicit Quantile Networks for Distributional Reinforcement Learning" (arXiv 1806.06923),
equations (2) to (4):

    Z_tau(s, a)  = f(psi(s) * phi(tau))_a,      phi_j(tau) = ReLU(sum_{i=0}^{n-1} cos(pi i tau) w_ij + b_j),
    Q(s, a)      = 1/K sum_k Z_{tau_k}(s, a),   tau_k ~ U([0, 1]),
    delta_ij     = r + gamma Z_{tau'_j}(s', a*; theta^-) - Z_{tau_i}(s, a; theta),
    loss         = sum_{i=1}^{N} 1/N' sum_{j=1}^{N'} rho^kappa_{tau_i}(delta_ij),   no gradient through the target.

Symbols: psi: the torso, f: the head, * elementwise, s = s_tm1, a = a_tm1, r = r_t, gamma (0 at termination) =
discount_t, s' = s_t, n = ``cosines``; N, N', K = ``samples``, ``target_samples``, ``policy_samples``.
"""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar, Literal

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.contracts import HeadFunction, Layer
from dqn_tf.agent.networks.dense import DenseLayer
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.initializers import Initializers
from dqn_tf.agent.values import spread
from dqn_tf.agent.values.quantile import midpoints, quantile_losses, quantile_monitors
from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting
from dqn_tf.types import LossOutputs, Monitored, Role, TargetTerms, Tensor, TensorLike, Transition, ValueOutputs


def cosines(taus: TensorLike, n: int, first: int) -> Tensor:
    """cos(pi i tau) for i = first .. first + n - 1.

    Args:
        taus: [B, T].
        n: how many.
        first: the first i.

    Returns:
        [B, T, n].

    >>> cosines(tf.constant([[1.0]]), 3, first=0).numpy().ravel().tolist()
    [1.0, -1.0, 1.0]
    """
    return tf.cos(math.pi * np.arange(first, first + n, dtype=np.float32) * taus[:, :, None])


def quantile_values(
    features: TensorLike,
    taus: TensorLike,
    head: HeadFunction,
    embedding: Layer,
    n: int,
    first: int,
    draws: Draws | None,
) -> Tensor:
    """The quantile values Z_tau(s, .).

    Args:
        features: psi(s) [B, F].
        taus: [B or 1, T].
        head: f, from [B, F] to [B, A, 1].
        embedding: the layer of phi, from [B, n] to [B, F].
        n: cosines of the embedding.
        first: the i of the first cosine.
        draws: of random numbers in head and embedding; None: they draw none.

    Returns:
        [B, A, T].
    """
    count = taus.shape[1]
    basis = tf.reshape(cosines(taus, n, first), [-1, n])
    phi = tf.reshape(embedding(basis, draws), [-1, count, features.shape[-1]])
    merged = tf.reshape(features[:, None, :] * phi, [-1, features.shape[-1]])
    z = tf.squeeze(head(merged, draws), axis=-1)  # [B T, A]
    return tf.transpose(tf.reshape(z, [-1, count, z.shape[-1]]), [0, 2, 1])


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImplicitQuantile:
    """The quantile function of the return, at fractions that are sampled in every forward pass."""

    KIND = "implicit_quantile"
    random: ClassVar[bool] = True
    outputs_per_action: ClassVar[int] = 1
    monitored: ClassVar[tuple[str, ...]] = spread.SPREAD
    samples: int = setting(64, unit="quantiles", doc="N: fractions that are regressed")
    target_samples: int = setting(64, unit="quantiles", doc="N': fractions of the target")
    policy_samples: int = setting(32, unit="quantiles", doc="K: fractions whose mean is Q, to act and to choose a*")
    cosines: int = setting(64, unit="units", doc="n: size of the embedding of a fraction")
    first_cosine: Literal[0, 1] = setting(0, doc="the i that the sum over cos(pi i tau) begins with")
    kappa: float = setting(1.0, unit="return", doc="where the Huber loss becomes linear; 0: no Huber loss")
    absolute_priority: bool = setting(False, doc="priorities are absolute errors, not the loss", later=True)

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("samples", "target_samples", "policy_samples", "cosines"):
            expect(getattr(self, name) >= 1, "at least 1", f"value.{name}", getattr(self, name))
        expect(self.kappa >= 0, "a number >= 0", "value.kappa", self.kappa)

    def parts(self, features: int, initializers: Initializers) -> list[Layer]:
        """See ``ValueFamily.parts``: the layer of phi, from n cosines to F features."""
        return [
            DenseLayer(self.cosines, features, initializers.layer(self.cosines, features), relu=True, bias="per_output")
        ]

    def outputs(
        self, features: TensorLike, head: HeadFunction, parts: list[Layer], role: Role, draws: Draws | None
    ) -> ValueOutputs:
        """See ``ValueFamily.outputs``.  "act": Q from K fractions.  "predict": Z at N fractions.  "target": Z at N',
        and Q from K others.
        """

        def sampled(count: int) -> tuple[TensorLike, TensorLike]:
            if draws is None:
                taus = tf.constant(midpoints(count))
            else:
                taus = tf.random.stateless_uniform([tf.shape(features)[0], count], draws.next())
            return taus, quantile_values(features, taus, head, parts[0], self.cosines, self.first_cosine, draws)

        q_values = None if role == "predict" else tf.reduce_mean(sampled(self.policy_samples)[1], axis=-1)
        if role == "act":
            return ValueOutputs(q_values)
        taus, z = sampled(self.samples if role == "predict" else self.target_samples)
        return ValueOutputs(tf.reduce_mean(z, axis=-1) if q_values is None else q_values, dist=z, taus=taus)

    def monitors(self, outputs: ValueOutputs) -> Monitored:
        """The spread of the greedy action's values at evenly spaced fractions."""
        return quantile_monitors(outputs)

    def losses(
        self, outputs: ValueOutputs, transitions: Transition, next_outputs: ValueOutputs, terms: TargetTerms
    ) -> LossOutputs:
        """See ``ValueFamily.losses``: those of ``quantile_losses``."""
        return quantile_losses(outputs, transitions, next_outputs, terms, self.kappa, self.absolute_priority)
