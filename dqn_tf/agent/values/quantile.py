"""The return's distribution as the values of fixed quantiles: the value family of QR-DQN.

Paper: Dabney et al. 2018, "Distributional Reinforcement Learning with Quantile Regression" (arXiv 1710.10044),
equations (9) and (10) and algorithm 1:

    tau_hat_i    = (2 i - 1) / (2 N),   i = 1 .. N,          Q(s, a) = 1/N sum_i theta_i(s, a),
    T theta_j    = r + gamma theta_j(s', a*; theta^-),
    rho_tau(u)   = |tau - 1{u < 0}| L_kappa(u) / kappa,       L_kappa: the Huber loss,
    loss         = sum_i 1/N' sum_j rho_{tau_hat_i}(T theta_j - theta_i(s, a)),   no gradient through T theta_j.

Symbols: s = s_tm1, a = a_tm1, r = r_t, gamma (0 at termination) = discount_t, s' = s_t, N = N' quantiles.
The division by kappa is that of Dabney et al. 2018b (arXiv 1806.06923, section 2.3); at kappa = 1 both agree.
kappa = 0 is the quantile loss itself, equation (8): |tau - 1{u < 0}| |u|.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.contracts import HeadFunction, Layer
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.initializers import Initializers
from dqn_tf.agent.values import spread
from dqn_tf.agent.values.expected import average, huber, select_dist
from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting
from dqn_tf.types import LossOutputs, Monitored, Role, TargetTerms, Tensor, TensorLike, Transition, ValueOutputs


def midpoints(n: int) -> np.ndarray:
    """tau_hat [1, N] float32.

    >>> midpoints(4).tolist()
    [[0.125, 0.375, 0.625, 0.875]]
    """
    return ((2 * np.arange(n) + 1) / (2 * n)).astype(np.float32)[None]


def target_quantiles(transitions: Transition, next_outputs: ValueOutputs, terms: TargetTerms) -> Tensor:
    """T theta = r + b_r + gamma sum_a' pi(a') (theta(s', a') + b_v(a')).

    Args:
        transitions: r_t, discount_t [B].
        next_outputs: theta(s', .) [B, A, N'], as dist, by the target network.
        terms: pi, b_v, b_r of the target rule.

    Returns:
        [B, N'].
    """
    backed_up = average(next_outputs.dist + terms.value_bonus[:, :, None], terms.policy)
    return (transitions.r_t + terms.reward_bonus)[:, None] + transitions.discount_t[:, None] * backed_up


def quantile_regression(target: TensorLike, theta: TensorLike, taus: TensorLike, kappa: float) -> Tensor:
    """The quantile regression loss: sum_i 1/N' sum_j rho_{tau_i}(target_j - theta_i).

    Args:
        target: [B, N'], without gradient.
        theta: [B, N].
        taus: [B or 1, N], the fractions of theta.
        kappa: where the Huber loss becomes linear; 0: absolute errors.

    Returns:
        [B].

    >>> q = quantile_regression(tf.constant([[0.0, 4.0]]), tf.constant([[1.0]]), tf.constant([[0.25]]), 1.0)
    >>> float(q[0])       # u = -1: 0.75 * 0.5;  u = 3: 0.25 * 2.5;  their mean
    0.5
    """
    u = target[:, None, :] - theta[:, :, None]  # [B, N, N']
    size = huber(u, kappa) / kappa if kappa else tf.abs(u)
    rho = tf.abs(taus[:, :, None] - tf.cast(u < 0, u.dtype)) * size
    return tf.reduce_sum(tf.reduce_mean(rho, axis=2), axis=1)


def quantile_losses(
    outputs: ValueOutputs,
    transitions: Transition,
    next_outputs: ValueOutputs,
    terms: TargetTerms,
    kappa: float,
    absolute_priority: bool = False,
) -> LossOutputs:
    """The losses of every value family of quantiles.

    Args:
        outputs: theta(s, .) as dist [B, A, N], by the online network, and its taus [B or 1, N].
        transitions: a_tm1, r_t, discount_t [B].
        next_outputs: of s' by the target network, dist [B, A, N'].
        terms: pi, b_v, b_r of the target rule.
        kappa: where the Huber loss becomes linear; 0: absolute errors.
        absolute_priority: whether priorities are ``absolute_errors``.

    Returns:
        [B] each; td_error is the difference of the means, priority the loss, unless they are absolute errors.
    """
    y = tf.stop_gradient(target_quantiles(transitions, next_outputs, terms))
    theta = select_dist(outputs.dist, transitions.a_tm1)
    loss = quantile_regression(y, theta, outputs.taus, kappa)
    priority = absolute_errors(y, tf.stop_gradient(theta)) if absolute_priority else loss
    return LossOutputs(loss=loss, td_error=tf.reduce_mean(y, 1) - tf.reduce_mean(theta, 1), priority=priority)


def absolute_errors(target: TensorLike, theta: TensorLike) -> Tensor:
    """sum_i 1/N' sum_j |target_j - theta_i|, as BTR's priorities are.

    Args:
        target: [B, N'].
        theta: [B, N].

    Returns:
        [B].

    >>> float(absolute_errors(tf.constant([[0.0, 4.0]]), tf.constant([[1.0, 2.0]]))[0])    # (1 + 3) / 2 + (2 + 2) / 2
    4.0
    """
    return tf.reduce_sum(tf.reduce_mean(tf.abs(target[:, None, :] - theta[:, :, None]), axis=2), axis=1)


def quantile_monitors(outputs: ValueOutputs) -> Monitored:
    """The spread of N equally probable returns of the greedy action."""
    z = spread.of_greedy(outputs)
    return spread.monitors(z, tf.ones_like(z) / z.shape[-1])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Quantile:
    """The values of ``quantiles`` evenly spaced quantiles per action."""

    KIND = "quantile"
    random: ClassVar[bool] = False
    monitored: ClassVar[tuple[str, ...]] = spread.SPREAD
    quantiles: int = setting(200, unit="quantiles", doc="N: quantiles of the distribution")
    kappa: float = setting(1.0, unit="return", doc="where the Huber loss becomes linear; 0: no Huber loss")

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.quantiles >= 1, "at least 1 quantile", "value.quantiles", self.quantiles)
        expect(self.kappa >= 0, "a number >= 0", "value.kappa", self.kappa)

    @property
    def outputs_per_action(self) -> int:
        """See ``ValueFamily``."""
        return self.quantiles

    def parts(self, features: int, initializers: Initializers) -> list[Layer]:
        """See ``ValueFamily.parts``: none."""
        return []

    def outputs(
        self, features: TensorLike, head: HeadFunction, parts: list[Layer], role: Role, draws: Draws | None
    ) -> ValueOutputs:
        """See ``ValueFamily.outputs``: head(features) [B, A, N] are theta(s, .), the values of the quantiles."""
        theta = head(features, draws)
        return ValueOutputs(tf.reduce_mean(theta, axis=-1), dist=theta, taus=tf.constant(midpoints(self.quantiles)))

    def monitors(self, outputs: ValueOutputs) -> Monitored:
        """The spread of the quantiles of the greedy action."""
        return quantile_monitors(outputs)

    def losses(
        self, outputs: ValueOutputs, transitions: Transition, next_outputs: ValueOutputs, terms: TargetTerms
    ) -> LossOutputs:
        """See ``ValueFamily.losses``: those of ``quantile_losses``."""
        return quantile_losses(outputs, transitions, next_outputs, terms, self.kappa)
