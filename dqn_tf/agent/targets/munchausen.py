"""Munchausen: a soft-max policy with its entropy in the target, and the log-policy of the action taken in the reward.

Paper: Vieillard, Pietquin & Geist 2020, "Munchausen Reinforcement Learning" (arXiv 2007.14430), the target of M-DQN in
section 2 (its number is remembered from the paper, not read in a source), clipped from below as in the authors' code:

    q_mdqn = r + alpha [tau ln pi(a|s)]_{l0}^0 + gamma sum_a' pi(a'|s') (Q(s', a'; theta^-) - tau ln pi(a'|s')),
    pi(.|s) = softmax(Q(s, .; theta^-) / tau).

Symbols: s = s_tm1, a = a_tm1, r = r_t, gamma (0 at termination) = discount_t, s' = s_t.
M-IQN replaces Q(s', a') by the quantiles of Z(s', a'); pi is that of their mean.  BTR takes the online network's
policy at s for the first pi (``reward_network``).
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.targets.legal import of_legal, zeroed
from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting
from dqn_tf.types import Masks, NoMasks, TargetTerms, Tensor, TensorLike, ValueOutputs


def scaled_log_policy(q: TensorLike, tau: float) -> Tensor:
    """tau ln pi = Q - V, V = tau ln sum_a exp(Q(s, a) / tau), with the maximum taken out of the sum.

    Args:
        q: Q(s, .) [B, A]; -inf for illegal actions.
        tau: temperature, > 0.

    Returns:
        [B, A].

    >>> import math
    >>> out = scaled_log_policy(tf.constant([[0.0, math.log(3.0)]]), 1.0)       # pi = 1/4, 3/4
    >>> [round(math.exp(x), 6) for x in out.numpy()[0]]
    [0.25, 0.75]
    """
    above = q - tf.reduce_max(q, axis=-1, keepdims=True)
    return above - tau * tf.reduce_logsumexp(above / tau, axis=-1, keepdims=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Munchausen:
    """The soft-max policy of the target network, its entropy, and the clipped log-policy of the action taken."""

    KIND = "munchausen"
    alpha: float = setting(0.9, doc="scale of the log-policy that is added to the reward")
    tau: float = setting(0.03, unit="return", doc="temperature of the soft-max policy and of its entropy")
    log_policy_min: float = setting(-1.0, unit="return", doc="l0: tau ln pi(a|s) is clipped to [l0, 0]")
    reward_network: Literal["target", "online"] = setting(
        "target", doc="whose policy at s is added to the reward", later=True
    )

    def __post_init__(self) -> None:
        check_types(self)
        expect(0 <= self.alpha <= 1, "a number in [0, 1]", "bootstrap.alpha", self.alpha)
        expect(self.tau > 0, "a number > 0", "bootstrap.tau", self.tau, "For no entropy at all: bootstrap=greedy")
        expect(self.log_policy_min <= 0, "a number <= 0", "bootstrap.log_policy_min", self.log_policy_min)

    @property
    def states(self) -> tuple[tuple[str, str], ...]:
        """See ``TargetRule.states``."""
        return ((self.reward_network, "s_tm1"),)

    def terms(
        self,
        next_outputs: ValueOutputs,
        others: dict[tuple[str, str], ValueOutputs],
        a_tm1: TensorLike,
        masks: Masks | NoMasks = (),
    ) -> TargetTerms:
        """See ``TargetRule.terms``: policy pi(.|s'), value_bonus -tau ln pi(.|s'), reward_bonus alpha [tau ln pi(a|s)].

        Both softmaxes are over the legal actions; the others have probability 0 and no bonus.
        """
        q, next_q = others[self.reward_network, "s_tm1"].q_values, next_outputs.q_values
        if masks:
            q, next_q = of_legal(q, masks.s_tm1), of_legal(next_q, masks.s_t)
        next_log_policy, log_policy = scaled_log_policy(next_q, self.tau), scaled_log_policy(q, self.tau)
        policy = tf.exp(next_log_policy / self.tau)
        if masks:  # of an action of probability 0 the logarithm is -inf, and 0 times that no number
            log_policy, next_log_policy = zeroed(log_policy, masks.s_tm1), zeroed(next_log_policy, masks.s_t)
        taken = tf.reduce_sum(log_policy * tf.one_hot(a_tm1, log_policy.shape[-1], dtype=log_policy.dtype), axis=-1)
        return TargetTerms(
            policy=policy,
            value_bonus=-next_log_policy,
            reward_bonus=self.alpha * tf.clip_by_value(taken, self.log_policy_min, 0.0),
        )
