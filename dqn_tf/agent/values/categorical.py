"""The return's distribution on fixed atoms: the value family of C51.

Paper: Bellemare, Dabney & Munos 2017, "A Distributional Perspective on Reinforcement Learning" (arXiv 1707.06887),
equation (7) and algorithm 1:

    z_i     = V_min + i dz,  dz = (V_max - V_min) / (N - 1),   p_i(s, a; theta) = softmax_i(theta(s, a)),
    Q(s, a) = sum_i z_i p_i(s, a),
    T z_j   = r + gamma z_j,
    m_i     = sum_j [1 - |[T z_j]_{V_min}^{V_max} - z_i| / dz]_0^1  p_j(s', a*; theta^-),
    loss    = -sum_i m_i log p_i(s, a; theta),   no gradient through m.

Symbols: s = s_tm1, a = a_tm1, r = r_t, gamma (0 at termination) = discount_t, s' = s_t, N atoms, m [B, N].

A target rule whose policy is not one-hot averages the distributions of the actions by that policy and shifts the atoms
by the mean of its bonus.  With a one-hot policy and no bonus this is the paper's a*.
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
from dqn_tf.agent.values.expected import average, select_dist
from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting
from dqn_tf.types import LossOutputs, Monitored, Role, TargetTerms, Tensor, TensorLike, Transition, ValueOutputs


def evenly(low: float, high: float, number: int) -> np.ndarray:
    """Evenly spaced numbers.

    Args:
        low: the first.
        high: the last.
        number: N.

    Returns:
        [N] float32.
    """
    return np.linspace(low, high, number).astype(np.float32)


def contains_zero(support: np.ndarray) -> bool:
    """Whether 0 lies between the ends of the support.  No atom is then larger than the distance of the ends."""
    return bool(support[0] <= 0 <= support[-1])


def project(atoms: TensorLike, probabilities: TensorLike, support: np.ndarray) -> Tensor:
    """The projection of a distribution onto the support: algorithm 1, with a matrix product in place of a scatter.

    On a support that does not contain 0, distances are measured from its lowest atom, because far from 0 float32
    rounds the atoms too coarsely.

    Args:
        atoms: [B, M], where the mass is.
        probabilities: [B, M], the mass.
        support: [N], evenly spaced.

    Returns:
        m [B, N]: the mass of each atom, moved to its two neighbors.

    >>> project(tf.constant([[0.25, 9.0]]), tf.constant([[0.4, 0.6]]), np.float32([0, 1, 2])).numpy().round(6).tolist()
    [[0.30000001192092896, 0.10000000149011612, 0.6000000238418579]]
    """
    if not contains_zero(support):
        low, high = float(support[0]), float(support[-1])
        return project(atoms - low, probabilities, evenly(0.0, high - low, len(support)))
    dz = float(support[1] - support[0])
    clipped = tf.clip_by_value(atoms, float(support[0]), float(support[-1]))
    near = 1.0 - tf.abs(clipped[:, None, :] - support[None, :, None]) / dz  # [B, N, M]
    return tf.linalg.matvec(tf.clip_by_value(near, 0.0, 1.0), probabilities)


def cross_entropy(m: TensorLike, logits: TensorLike, clip: float = 0.0) -> Tensor:
    """-sum_i m_i log p_i with p = softmax(logits).

    Args:
        m: [B, N].
        logits: [B, N].
        clip: p_i is clipped to [clip, 1 - clip] before the logarithm, without a gradient beyond; 0: it is not.

    Returns:
        [B].
    """
    if clip == 0:
        return -tf.reduce_sum(m * tf.nn.log_softmax(logits), axis=-1)
    p = tf.clip_by_value(tf.nn.softmax(logits), clip, 1 - clip)
    return -tf.reduce_sum(m * tf.math.log(p), axis=-1)


def divergence(m: TensorLike, logits: TensorLike) -> Tensor:
    """KL(m, p) = sum_i m_i (log m_i - log p_i) with p = softmax(logits): the cross-entropy without the entropy of m.

    Args:
        m: [B, N].
        logits: [B, N].

    Returns:
        [B] >= 0: what float32 rounds to less is 0.
    """
    return tf.maximum(cross_entropy(m, logits) + tf.reduce_sum(tf.math.xlogy(m, m), axis=-1), 0.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Categorical:
    """The probabilities of ``atoms`` evenly spaced returns from ``v_min`` to ``v_max``, for each action."""

    KIND = "categorical"
    random: ClassVar[bool] = False
    monitored: ClassVar[tuple[str, ...]] = (*spread.SPREAD, "heldout_edge_mass_mean")
    atoms: int = setting(51, unit="atoms", doc="N: atoms of the distribution")
    v_min: float = setting(-10.0, unit="return", doc="return of the lowest atom")
    v_max: float = setting(10.0, unit="return", doc="return of the highest atom")
    log_clip: float = setting(
        0.0, doc="probabilities are clipped to [x, 1 - x] before the logarithm of the loss; 0: not", later=True
    )

    divergence_priority: bool = setting(
        False, doc="priorities are the loss without the target's own entropy, KL(m, p)", later=True
    )

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.atoms >= 2, "at least 2 atoms", "value.atoms", self.atoms)
        expect(self.v_min < self.v_max, f"less than value.v_max={self.v_max}", "value.v_min", self.v_min)
        with np.errstate(over="ignore", invalid="ignore"):
            apart = bool((np.diff(self.support) > 0).all())
        expect(
            apart,
            f"{self.atoms} atoms that float32 can tell apart from `value.v_min` on",
            "value.v_max",
            self.v_max,
            f"From {self.v_min} on, some are the same number: rewards nearer to 0 are needed.",
        )
        expect(0 <= self.log_clip < 0.5, "a number in [0, 0.5)", "value.log_clip", self.log_clip)

    @property
    def outputs_per_action(self) -> int:
        """See ``ValueFamily``."""
        return self.atoms

    @property
    def support(self) -> np.ndarray:
        """z [N] float32."""
        return evenly(self.v_min, self.v_max, self.atoms)

    @property
    def _origin(self) -> float:
        """The return from which distances are measured: 0, or the lowest atom if the support does not contain 0."""
        return 0.0 if contains_zero(self.support) else self.v_min

    @property
    def _distances(self) -> np.ndarray:
        """z - origin [N] float32."""
        return evenly(self.v_min - self._origin, self.v_max - self._origin, self.atoms)

    def _mean(self, logits: TensorLike) -> Tensor:
        """sum_i (z_i - origin) p_i: [..., N] -> [...]."""
        return tf.reduce_sum(tf.nn.softmax(logits) * self._distances, axis=-1)

    def parts(self, features: int, initializers: Initializers) -> list[Layer]:
        """See ``ValueFamily.parts``: none."""
        return []

    def outputs(
        self, features: TensorLike, head: HeadFunction, parts: list[Layer], role: Role, draws: Draws | None
    ) -> ValueOutputs:
        """See ``ValueFamily.outputs``: head(features) [B, A, N] are the logits."""
        logits = head(features, draws)
        mean = self._mean(logits)
        return ValueOutputs(mean + self._origin if self._origin else mean, dist=logits)

    def monitors(self, outputs: ValueOutputs) -> Monitored:
        """The spread of the greedy action's distribution, and the probability of its lowest and highest atom.

        The latter is large where returns do not fit between v_min and v_max.
        """
        p = tf.nn.softmax(spread.of_greedy(outputs))
        return spread.monitors(tf.broadcast_to(self.support, tf.shape(p)), p, heldout_edge_mass_mean=p[:, 0] + p[:, -1])

    def losses(
        self, outputs: ValueOutputs, transitions: Transition, next_outputs: ValueOutputs, terms: TargetTerms
    ) -> LossOutputs:
        """See ``ValueFamily.losses``: td_error is the difference of the means, priority the loss, or KL(m, p)."""
        bonus = tf.reduce_sum(terms.policy * terms.value_bonus, axis=-1, keepdims=True)
        r_t = (transitions.r_t + terms.reward_bonus)[:, None]
        discount_t = transitions.discount_t[:, None]
        if self._origin:  # r + gamma z - origin, without a sum that is large beside it
            r_t -= (1.0 - discount_t) * self._origin
        atoms = r_t + discount_t * (self._distances + bonus)
        m = project(atoms, average(tf.nn.softmax(next_outputs.dist), terms.policy), self._distances)
        m = tf.stop_gradient(m)
        logits = select_dist(outputs.dist, transitions.a_tm1)
        loss = cross_entropy(m, logits, self.log_clip)
        td_error = tf.reduce_sum((m - tf.nn.softmax(logits)) * self._distances, axis=-1)
        priority = divergence(m, logits) if self.divergence_priority else loss
        return LossOutputs(loss=loss, td_error=td_error, priority=priority)
