"""Conservative Q-learning: values of actions that the data do not have are pushed down, beside any value family's loss.

Paper: Kumar et al. 2020, "Conservative Q-Learning for Offline Reinforcement Learning" (arXiv 2006.04779), equation (4),
CQL(H), of discrete actions:

    min_Q  alpha E_{s ~ D}[ log sum_a exp Q(s, a) - E_{a ~ pi_beta(.|s)}[Q(s, a)] ]  +  the loss of the TD errors

Symbols: s = s_tm1, D: the data, pi_beta: the policy that made them, so that E_{a ~ pi_beta} is the action in the data,
a_tm1.  The gradient with respect to Q(s, .) is alpha (softmax Q(s, .) - one_hot(a)): what is raised is the value of the
action taken, as in the cross entropy of a policy whose logits are Q.

In the authors' program for Atari (aviralkumar2907/CQL@25c9984: atari/batch_rl/multi_head/quantile_agent.py) Q is the
mean of QR-DQN's quantiles and alpha is `minq_weight`.  Importance weights, where replay has such, weight the whole sum
here, and the TD errors alone there; with uniform replay both are the same.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.values.expected import select
from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting
from dqn_tf.types import Tensor, TensorLike

if TYPE_CHECKING:
    from dqn_tf.agent.networks.draws import Draws
    from dqn_tf.agent.networks.q_network import QNetwork
    from dqn_tf.agent.update import Objective
    from dqn_tf.types import Sample


def gap(q_values: TensorLike, actions: TensorLike) -> Tensor:
    """log sum_a exp Q(s, a) - Q(s, a_data): 0 where the data's action is valued above all others by far.

    Args:
        q_values: Q(s, .) [B, A].
        actions: of the data [B] int32.

    Returns:
        [B] >= 0.

    >>> values = tf.math.log(tf.constant([[1.0, 2.0, 5.0]]))     # exp Q = 1, 2, 5, whose sum is 8
    >>> float(tf.exp(gap(values, tf.constant([1])))[0])          # 8 / 2
    4.0
    """
    return tf.reduce_logsumexp(q_values, axis=-1) - select(q_values, actions)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Conservative:
    """CQL(H): ``alpha`` times ``gap`` is added to the loss of each transition; at 0 nothing is.

    ``future_steps``: 0: no batch has what followed its first states.
    """

    KIND = "conservative"
    future_steps: ClassVar[int] = 0
    alpha: float = setting(1.0, doc="weight of the conservative term")

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.alpha >= 0, "a number >= 0", "auxiliary.alpha", self.alpha)

    def total_loss(
        self,
        loss: TensorLike,
        objective: Objective,
        features: TensorLike,
        q_values: TensorLike,
        sample: Sample,
        draws: Draws | None,
    ) -> TensorLike:
        """See ``SPR.total_loss``: alpha times the gap is added."""
        return loss + self.loss(q_values, sample.transitions.a_tm1) if self.alpha else loss

    def clipped_apart(self, network: QNetwork) -> None:
        """See ``SPR.clipped_apart``: all gradients are clipped as one."""

    def loss(self, q_values: TensorLike, actions: TensorLike) -> Tensor:
        """Graph code: what is added.

        Args:
            q_values: Q(s, .) [B, A] of the online network.
            actions: of the data [B] int32.

        Returns:
            [B].
        """
        return self.alpha * gap(q_values, actions)
