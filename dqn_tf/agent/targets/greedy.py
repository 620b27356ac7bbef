"""The target network chooses the next action and evaluates it: max_a' Q(s', a'; theta^-).

Paper: Mnih et al. 2015 (doi 10.1038/nature14236), Methods, "Training algorithm for deep Q-networks".
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.targets.legal import of_legal
from dqn_tf.types import Masks, NoMasks, TargetTerms, TensorLike, ValueOutputs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Greedy:
    """The one-hot policy of the target network's argmax, and no bonuses.

    ``states``: the (network, state) pairs that the rule needs besides ("target", "s_t").  ``Objective.gradients``
    (agent/update.py) evaluates the networks for them.  Greedy needs none.
    """

    KIND = "greedy"
    states: ClassVar[tuple[tuple[str, str], ...]] = ()

    def terms(
        self,
        next_outputs: ValueOutputs,
        others: dict[tuple[str, str], ValueOutputs],
        a_tm1: TensorLike,
        masks: Masks | NoMasks = (),
    ) -> TargetTerms:
        """See ``TargetRule.terms``: the argmax is that of next_outputs.q_values [B, A], among the legal actions."""
        q = next_outputs.q_values
        best = tf.argmax(of_legal(q, masks.s_t) if masks else q, axis=-1)
        policy = tf.one_hot(best, q.shape[-1], dtype=q.dtype)
        return TargetTerms(policy=policy, value_bonus=tf.zeros_like(q), reward_bonus=tf.zeros_like(q[:, 0]))
