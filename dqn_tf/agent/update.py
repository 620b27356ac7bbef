"""The update: the last lines of algorithm 1, as pure functions of a batch and of the networks.

Paper: Mnih et al. 2015 (doi 10.1038/nature14236), algorithm 1:

    y     = r + gamma max_a' Q^(s', a'; theta^-),    y = r where the episode ends at s'
    loss  = (y - Q(s, a; theta))^2,   its mean over a minibatch;   a gradient step on it, with respect to theta.

Symbols: s = s_tm1, a = a_tm1, r = r_t, gamma (0 where the episode ends) = discount_t, s' = s_t; Q^ (with theta^-): the
target network, Q (with theta): the online network.

Where the environment tells which actions are legal, max and policy are over the legal actions of s' alone.

An episode that a time limit cuts off has not ended in this sense: discount_t stays gamma, and y bootstraps from s'.
(Where a paper counts it as an end, ``protocol.time_limit`` is "terminal", and discount_t is 0: "Revisiting Rainbow".)

The code is more general than this line, so that every idea of the family has its place.  A target rule (targets/) gives
the policy by which the actions at s' are averaged, and bonuses; a value family (values/) computes y from these, and the
loss of each transition.  With the rule ``Greedy`` and the family ``Expected`` it specializes to the paper's line:

    next_outputs.q_values         Q^(s', .; theta^-)                                                  [B, A]
    terms.policy                 1 for argmax_a' Q^(s', a'; theta^-), 0 for the others               [B, A]
    y (values/expected.py)       r_t + discount_t * sum_a' policy(a') Q^(s', a') = r + gamma max Q^   [B]
    losses.td_error              delta = y - Q(s, a; theta)                                          [B]
    losses.loss                  delta^2, or Huber's of delta, whose slope is delta clipped to 1     [B]
    loss                         the mean of weights * losses.loss; the weights of uniform replay are 1
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.contracts import GradientStep
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.spr import SPR
from dqn_tf.config import AgentConfig
from dqn_tf.types import Sample, Tensor, TensorLike


class Gradients(NamedTuple):
    """The first half of an update.

    Attributes:
        gradients: d loss / d theta, one tensor for each variable.
        loss: [], weighted mean over the batch.
        td_error: delta [B].
        priority: [B] >= 0, of the batch's transitions.
        q_values: Q(s_tm1, .) [B, A] of the online network.
    """

    gradients: list[Tensor]
    loss: Tensor
    td_error: Tensor
    priority: Tensor
    q_values: Tensor


class UpdateOutputs(NamedTuple):
    """What one update reports.

    Attributes:
        loss: [], weighted mean over the batch.
        td_error: delta [B].
        priority: [B] >= 0, of the batch's transitions.
        grad_norm: [], the global norm of the gradients before clipping.
        q_values: Q(s_tm1, .) [B, A] of the online network, before the update.
    """

    loss: TensorLike
    td_error: TensorLike
    priority: TensorLike
    grad_norm: TensorLike
    q_values: TensorLike


def compute_gradients(
    agent: AgentConfig,
    online_network: QNetwork,
    target_network: QNetwork,
    sample: Sample,
    draws: Draws | None,
    theta: list[Tensor] | None = None,
) -> Gradients:
    """The gradients of the batch's loss with respect to theta; none goes through the target network.

    Args:
        agent: the target rule (``bootstrap``) and the value family (``value``).
        online_network: Q, whose parameters are theta.
        target_network: Q^, whose parameters are theta^-.
        sample: transitions [B, ...], their importance weights [B], where actions are masked the legal ones [B, A], and
            what followed where an auxiliary loss predicts it.
        draws: random numbers for noise, sampled fractions and views of images; None where the agent has none of them.
        theta: tensors that the online network reads instead of its variables, in their order; None: none.

    Returns:
        One gradient for each variable, and what is reported of the batch.
    """
    networks = {"online": online_network, "target": target_network}
    transitions = agent.augmentation.views(sample.transitions, draws)
    next_outputs = target_network(transitions.s_t, "target", draws)
    others = {
        (network, state): networks[network](getattr(transitions, state), "act", draws)
        for network, state in agent.bootstrap.states
    }
    masks = (sample.masks,) if sample.masks else ()
    terms = agent.bootstrap.terms(next_outputs, others, transitions.a_tm1, *masks)
    with tf.GradientTape() as tape:
        tape.watch(theta or [])
        features = online_network.features(transitions.s_tm1)
        outputs = online_network.outputs(features, "predict", draws)
        losses = agent.value.losses(outputs, transitions, next_outputs, terms)
        each = losses.loss
        if sample.future and isinstance(agent.auxiliary, SPR):
            view = functools.partial(agent.augmentation.view, draws=draws)
            each += agent.auxiliary.loss(online_network, target_network, features, sample.future, view)
        loss = tf.reduce_mean(sample.weights * each)
    gradients = tape.gradient(loss, theta or online_network.variables)
    return Gradients(
        gradients=gradients,
        loss=loss,
        td_error=losses.td_error,
        priority=losses.priority,
        q_values=outputs.q_values,
    )


def apply_gradients(
    optimizer: GradientStep,
    gradients: list[Tensor],
    max_grad_norm: float | None,
    apart: list[list[int]] | None = None,
) -> Tensor:
    """One step of the optimizer on theta, by clipped gradients.

    Args:
        optimizer: of the online network's variables.
        gradients: one for each variable, as ``optimizer`` takes them.
        max_grad_norm: the global norm that they are clipped to; None: they are not clipped.
        apart: places of gradients that are clipped to it group by group, the others not at all; None: all as one.

    Returns:
        The global norm [] before clipping.
    """
    grad_norm = optimizer.global_norm(gradients)
    if max_grad_norm is not None and apart is not None:
        gradients = list(gradients)
        for group in apart:
            norm = optimizer.global_norm([gradients[i] for i in group])
            for i in group:
                gradients[i] *= max_grad_norm / tf.maximum(norm, max_grad_norm)
    elif max_grad_norm is not None:
        scale = max_grad_norm / tf.maximum(grad_norm, max_grad_norm)
        gradients = [gradient * scale for gradient in gradients]
    optimizer.apply(gradients)
    return grad_norm
