"""The online network chooses the action at s', the target network evaluates it.

Paper: van Hasselt, Guez & Silver 2016, "Deep Reinforcement Learning with Double Q-learning" (arXiv 1509.06461), the
target of Double DQN (section "Double DQN"):

    Y = R + gamma Q(S', argmax_a Q(S', a; theta); theta^-).

Symbols: R = r_t, gamma (0 at termination) = discount_t, S' = s_t, theta the online, theta^- the target network.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.targets.legal import of_legal
from dqn_tf.types import Masks, NoMasks, TargetTerms, TensorLike, ValueOutputs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Double:
    """The one-hot policy of the online network's argmax, and no bonuses."""

    KIND = "double"
    states: ClassVar[tuple[tuple[str, str], ...]] = (("online", "s_t"),)

    def terms(
        self,
        next_outputs: ValueOutputs,
        others: dict[tuple[str, str], ValueOutputs],
        a_tm1: TensorLike,
        masks: Masks | NoMasks = (),
    ) -> TargetTerms:
        """See ``TargetRule.terms``: the argmax is that of others["online", "s_t"].q_values [B, A], among the legal
        actions.
        """
        q = others["online", "s_t"].q_values
        best = tf.argmax(of_legal(q, masks.s_t) if masks else q, axis=-1)
        policy = tf.one_hot(best, q.shape[-1], dtype=q.dtype)
        return TargetTerms(policy=policy, value_bonus=tf.zeros_like(q), reward_bonus=tf.zeros_like(q[:, 0]))
