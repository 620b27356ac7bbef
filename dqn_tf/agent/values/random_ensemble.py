"""An ensemble of Q-values whose random convex combinations are all to be right: the value family of REM.

Paper: Agarwal et al. 2020, "An Optimistic Perspective on Offline Reinforcement Learning" (arXiv 1907.04543), section
3.2 (Random Ensemble Mixture), with K heads on one torso:

    alpha'_k ~ U(0, 1),   alpha_k = alpha'_k / sum_i alpha'_i,     one draw for each minibatch
    delta    = r + gamma max_a' sum_k alpha_k Q_k(s', a'; theta^-) - sum_k alpha_k Q_k(s, a; theta)
    loss     = Huber(delta),   no gradient through the target
    Q(s, a)  = 1/K sum_k Q_k(s, a)   where actions are chosen

Symbols: s = s_tm1, a = a_tm1, r = r_t, gamma (0 at termination) = discount_t, s' = s_t.  The same alpha weighs both
networks.  With K = 1, alpha is 1, and this is DQN to the bit.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.contracts import HeadFunction, Layer
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.initializers import Initializers
from dqn_tf.agent.values.expected import Expected
from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting
from dqn_tf.types import LossOutputs, Monitored, Role, TargetTerms, Tensor, TensorLike, Transition, ValueOutputs

SMALLEST = 1e-6  # of alpha', so that one head alone has weight 1 whatever is drawn


def weights(drawn: TensorLike) -> Tensor:
    """alpha of alpha': a point of the simplex.

    Args:
        drawn: alpha' [K], in [0, 1).

    Returns:
        [K], >= 0, with sum 1.

    >>> weights(tf.constant([0.25, 0.75])).numpy().tolist()
    [0.25, 0.75]
    """
    positive = tf.maximum(drawn, SMALLEST)
    return positive / tf.reduce_sum(positive)


def mixed(heads: TensorLike, alpha: TensorLike) -> Tensor:
    """sum_k alpha_k Q_k(s, a).

    Args:
        heads: Q_k(s, a) [B, A, K].
        alpha: [K].

    Returns:
        [B, A].
    """
    return tf.reduce_sum(heads * alpha, axis=-1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomEnsemble:
    """``heads`` expected returns per action, mixed at random in each update, averaged to act."""

    KIND = "random_ensemble"
    random: ClassVar[bool] = True
    monitored: ClassVar[tuple[str, ...]] = ()
    heads: int = setting(200, doc="K: Q-values of the ensemble")
    loss: Literal["huber", "squared", "half_squared"] = setting("huber", doc="loss of one TD error")
    huber_threshold: float = setting(1.0, unit="return", doc="where the Huber loss becomes linear")

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.heads >= 1, "at least 1 head", "value.heads", self.heads)
        expect(self.huber_threshold > 0, "a number > 0", "value.huber_threshold", self.huber_threshold)

    @property
    def outputs_per_action(self) -> int:
        """See ``ValueFamily``."""
        return self.heads

    def parts(self, features: int, initializers: Initializers) -> list[Layer]:
        """See ``ValueFamily.parts``: none."""
        return []

    def outputs(
        self, features: TensorLike, head: HeadFunction, parts: list[Layer], role: Role, draws: Draws | None
    ) -> ValueOutputs:
        """See ``ValueFamily.outputs``: head(features) [B, A, K] are Q_k; to act, and without draws, their mean."""
        heads = head(features, draws)
        if role == "act" or draws is None:
            return ValueOutputs(q_values=tf.reduce_mean(heads, axis=-1))
        alpha = weights(tf.random.stateless_uniform([self.heads], draws.same_for_all_networks()))
        return ValueOutputs(q_values=mixed(heads, alpha))

    def monitors(self, outputs: ValueOutputs) -> Monitored:
        """None: the Q-values are monitored for every agent."""
        return Monitored({}, {})

    def losses(
        self, outputs: ValueOutputs, transitions: Transition, next_outputs: ValueOutputs, terms: TargetTerms
    ) -> LossOutputs:
        """See ``ValueFamily.losses``: those of DQN (values/expected.py), of the mixed Q-values."""
        one = Expected(loss=self.loss, huber_threshold=self.huber_threshold)
        return one.losses(outputs, transitions, next_outputs, terms)
