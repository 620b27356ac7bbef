"""Behavior cloning: the numbers of the actions are the logits of a policy that imitates the data, not values.

Paper: Pomerleau 1991, "Efficient Training of Artificial Neural Networks for Autonomous Navigation"
(doi 10.1162/neco.1991.3.1.88), a baseline of learning from recorded data:

    loss = -log softmax(x(s, .))_a = log sum_b exp x(s, b) - x(s, a)

Symbols: x: the outputs of the network, s = s_tm1, a = a_tm1, the action in the data.  Rewards and next states have no
part in it.  The greedy action is the most probable one.  The same expression is the conservative term of CQL
(agent/conservative.py), there beside the loss of the TD errors.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.contracts import HeadFunction, Layer
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.initializers import Initializers
from dqn_tf.agent.values.expected import select
from dqn_tf.fields import check_types
from dqn_tf.types import LossOutputs, Monitored, Role, TargetTerms, Tensor, TensorLike, Transition, ValueOutputs


def cross_entropy(logits: TensorLike, actions: TensorLike) -> Tensor:
    """-log of the probability of the actions.

    Args:
        logits: x [B, A].
        actions: a [B] int32.

    Returns:
        [B] >= 0.

    >>> float(tf.exp(-cross_entropy(tf.math.log(tf.constant([[1.0, 3.0]])), tf.constant([1])))[0])   # 3 / (1 + 3)
    0.75
    """
    return tf.reduce_logsumexp(logits, axis=-1) - select(logits, actions)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cloning:
    """Logits of the policy that made the data."""

    KIND = "cloning"
    random: ClassVar[bool] = False
    outputs_per_action: ClassVar[int] = 1
    monitored: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        check_types(self)

    def parts(self, features: int, initializers: Initializers) -> list[Layer]:
        """See ``ValueFamily.parts``: none."""
        return []

    def outputs(
        self, features: TensorLike, head: HeadFunction, parts: list[Layer], role: Role, draws: Draws | None
    ) -> ValueOutputs:
        """See ``ValueFamily.outputs``: head(features) [B, A, 1] are the logits, in the place of Q-values."""
        return ValueOutputs(q_values=tf.squeeze(head(features, draws), axis=-1))

    def monitors(self, outputs: ValueOutputs) -> Monitored:
        """None."""
        return Monitored({}, {})

    def losses(
        self, outputs: ValueOutputs, transitions: Transition, next_outputs: ValueOutputs, terms: TargetTerms
    ) -> LossOutputs:
        """See ``ValueFamily.losses``: there is no TD error, so 0 is reported; the priority is the loss."""
        loss = cross_entropy(outputs.q_values, transitions.a_tm1)
        return LossOutputs(loss=loss, td_error=tf.zeros_like(loss), priority=loss)
