"""The expected return as one number per action: the value family of DQN.

Paper: Mnih et al. 2015 (doi 10.1038/nature14236), Methods, "Training algorithm for deep Q-networks":

    y       = r + gamma * max_a' Q(s', a'; theta^-)
    delta   = y - Q(s, a; theta)
    L(theta) = E[ loss(delta) ],   no gradient through y.

Symbols: s = s_tm1, a = a_tm1, r = r_t, gamma (0 at termination) = discount_t, s' = s_t.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.contracts import HeadFunction, Layer
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.initializers import Initializers
from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting
from dqn_tf.types import LossOutputs, Monitored, Role, TargetTerms, Tensor, TensorLike, Transition, ValueOutputs


def select(q_values: TensorLike, actions: TensorLike) -> Tensor:
    """Q(s, a), by one-hot and sum: a gather's gradient scatters, which adds in an order that may change between runs.

    Args:
        q_values: Q(s, .) [B, A].
        actions: a [B] int32.

    Returns:
        [B].
    """
    return tf.reduce_sum(q_values * tf.one_hot(actions, q_values.shape[-1], dtype=q_values.dtype), axis=-1)


def select_dist(dist: TensorLike, actions: TensorLike) -> Tensor:
    """The distributions of the actions, by one-hot and sum, as in ``select``.

    Args:
        dist: [B, A, N].
        actions: [B] int32.

    Returns:
        [B, N].
    """
    return average(dist, tf.one_hot(actions, dist.shape[1], dtype=dist.dtype))


def average(dist: TensorLike, policy: TensorLike) -> Tensor:
    """sum_a pi(a) dist(a).

    Args:
        dist: [B, A, N].
        policy: pi [B, A].

    Returns:
        [B, N].
    """
    return tf.reduce_sum(dist * policy[:, :, None], axis=1)


def td_target(r_t: TensorLike, discount_t: TensorLike, next_outputs: ValueOutputs, terms: TargetTerms) -> Tensor:
    """y = r + b_r + gamma * sum_a' pi(a') (Q(s', a') + b_v(a')).

    Args:
        r_t: r [B].
        discount_t: gamma [B], 0 at termination.
        next_outputs: of s' by the target network.
        terms: pi, b_v, b_r of the target rule.

    Returns:
        y [B].

    >>> r_t, discount_t, max_q = 2.0, 0.9, 5.0     # the worked example of docs/worked_example.md
    >>> r_t + discount_t * max_q
    6.5
    """
    backed_up = tf.reduce_sum(terms.policy * (next_outputs.q_values + terms.value_bonus), axis=-1)
    return r_t + terms.reward_bonus + discount_t * backed_up


def squared(delta: TensorLike) -> Tensor:
    """delta^2, as in equation (2) of Mnih et al. 2013 (no factor 1/2): delta = 2.5 gives 6.25."""
    return tf.square(delta)


def huber(delta: TensorLike, threshold: float) -> Tensor:
    """delta^2 / 2 up to the threshold k, k (|delta| - k/2) beyond: its gradient is delta clipped to [-k, k].

    This is how the paper clips "the error term [...] to be between -1 and 1" (Methods, "Training details").

    Args:
        delta: of any shape.
        threshold: k > 0.

    Returns:
        The loss, of the shape of delta.
    """
    size = tf.abs(delta)
    inside = tf.minimum(size, threshold)
    return inside * (size - 0.5 * inside)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Expected:
    """One expected return per action, regressed on ``td_target`` by a squared-error or Huber loss."""

    KIND = "expected"
    random: ClassVar[bool] = False
    outputs_per_action: ClassVar[int] = 1
    monitored: ClassVar[tuple[str, ...]] = ()
    loss: Literal["huber", "squared", "half_squared"] = setting("huber", doc="loss of one TD error")
    huber_threshold: float = setting(1.0, unit="return", doc="where the Huber loss becomes linear")
    priority: Literal["td_error", "loss"] = setting(
        "td_error", doc="a transition's priority in prioritized replay: |TD error|, or the loss", later=True
    )

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.huber_threshold > 0, "a number > 0", "value.huber_threshold", self.huber_threshold)

    def parts(self, features: int, initializers: Initializers) -> list[Layer]:
        """See ``ValueFamily.parts``: none."""
        return []

    def outputs(
        self, features: TensorLike, head: HeadFunction, parts: list[Layer], role: Role, draws: Draws | None
    ) -> ValueOutputs:
        """See ``ValueFamily.outputs``: head(features) [B, A, 1] are the Q-values themselves."""
        return ValueOutputs(q_values=tf.squeeze(head(features, draws), axis=-1))

    def monitors(self, outputs: ValueOutputs) -> Monitored:
        """None: the Q-values are monitored for every agent."""
        return Monitored({}, {})

    def of_errors(self, delta: TensorLike) -> Tensor:
        """The loss of TD errors of any shape."""
        if self.loss == "huber":
            return huber(delta, self.huber_threshold)
        return squared(delta) if self.loss == "squared" else 0.5 * squared(delta)

    def losses(
        self, outputs: ValueOutputs, transitions: Transition, next_outputs: ValueOutputs, terms: TargetTerms
    ) -> LossOutputs:
        """See ``ValueFamily.losses``: td_error is delta = y - Q(s, a), priority |delta|, or the loss if so
        configured.
        """
        y = tf.stop_gradient(td_target(transitions.r_t, transitions.discount_t, next_outputs, terms))
        delta = y - select(outputs.q_values, transitions.a_tm1)
        loss = self.of_errors(delta)
        return LossOutputs(loss=loss, td_error=delta, priority=loss if self.priority == "loss" else tf.abs(delta))
