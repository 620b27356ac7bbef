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

import dataclasses

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.clipping import clipped
from dqn_tf.agent.contracts import GradientStep
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.config import AgentConfig
from dqn_tf.types import Gradients, Sample, Tensor


@dataclasses.dataclass(frozen=True)
class Objective:
    """What an agent minimizes: the mean loss of a batch, as a function of theta, with its gradients.

    Attributes:
        agent: the target rule (``bootstrap``), the value family (``value``), and what the batch's images and loss may
            have besides (``augmentation``, ``auxiliary``).
        online_network: Q, whose parameters are theta.
        target_network: Q^, whose parameters are theta^-.
        theta: tensors that the online network reads instead of its variables, in their order; None: none.
    """

    agent: AgentConfig
    online_network: QNetwork
    target_network: QNetwork
    theta: list[Tensor] | None = None

    def gradients(self, sample: Sample, *seeds: Tensor) -> Gradients:
        """Graph code: the gradients of the batch's loss with respect to theta; none goes through the target network.

        Args:
            sample: transitions [B, ...], their importance weights [B], where actions are masked the legal ones [B, A],
                and what followed where an auxiliary loss predicts it.
            *seeds: [2] int64, of noise, sampled fractions and views of images; none where the agent has none of them.

        Returns:
            One gradient for each variable, and what is reported of the batch.
        """
        agent, networks = self.agent, {"online": self.online_network, "target": self.target_network}
        draws = Draws(*seeds) if seeds else None
        transitions = agent.augmentation.views(sample.transitions, draws)
        next_outputs = self.target_network(transitions.s_t, "target", draws)
        others = {
            (name, state): networks[name](getattr(transitions, state), "act", draws)
            for name, state in agent.bootstrap.states
        }
        masks = (sample.masks,) if sample.masks else ()
        terms = agent.bootstrap.terms(next_outputs, others, transitions.a_tm1, *masks)
        with tf.GradientTape() as tape:
            tape.watch(self.theta or [])
            features = self.online_network.features(transitions.s_tm1)
            outputs = self.online_network.outputs(features, "predict", draws)
            losses = agent.value.losses(outputs, transitions, next_outputs, terms)
            each = agent.auxiliary.total_loss(losses.loss, self, features, outputs.q_values, sample, draws)
            loss = tf.reduce_mean(sample.weights * each)
        gradients = tape.gradient(loss, self.theta or self.online_network.variables)
        return Gradients(gradients, loss, losses.td_error, losses.priority, outputs.q_values)


def apply_gradients(
    optimizer: GradientStep,
    gradients: list[Tensor],
    max_grad_norm: float | None,
    apart: list[list[int]] | None = None,
) -> Tensor:
    """Graph code: one step of the optimizer on theta, by clipped gradients (clipping.py).

    Args:
        optimizer: of the online network's variables.
        gradients: one for each variable, as ``optimizer`` takes them.
        max_grad_norm: the norm that they are clipped to; None: they are not clipped.
        apart: groups of gradients that are clipped by norms of their own; None: all are clipped as one.

    Returns:
        The norm [] of all of them before clipping.
    """
    grad_norm = optimizer.global_norm(gradients)
    optimizer.apply(clipped(optimizer.global_norm, gradients, grad_norm, max_grad_norm, apart))
    return grad_norm
