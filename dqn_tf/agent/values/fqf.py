"""The return's quantile function at fractions that a second network proposes: the value family of FQF.

Paper: Yang et al. 2019, "Fully Parameterized Quantile Function for Distributional Reinforcement Learning" (arXiv
1911.02140), sections 3.2 and 3.4, equations (2) to (6); the equations' numbers are remembered from the paper, not read
in a source:

    tau_i      = sum_{j < i} q_j,   q = softmax(w1 . psi(s)),   tau_hat_i = (tau_i + tau_{i+1}) / 2,
    Q(s, a)    = sum_{i=0}^{N-1} (tau_{i+1} - tau_i) Z_{tau_hat_i}(s, a),
    dW/dtau_i  = 2 Z_{tau_i} - Z_{tau_hat_i} - Z_{tau_hat_{i-1}},   0 < i < N   (a = the action taken),
    loss(w1)   = sum_i [dW/dtau_i] tau_i - c H(q),   [.] without gradient,   H(q): the entropy,
    loss(w2)   = the quantile regression of QR-DQN and IQN at tau_hat, without gradient into w1.

Symbols: psi: the torso, w1: ``Proposal``, w2: everything else, Z: as in IQN (implicit_quantile.py), c = ``entropy``.
The proposal has an optimizer of its own, and its gradient goes neither into the torso nor into Z.

Settings and the two points below are those of Tianshou (`thu-ml/tianshou`: `tianshou/policy/modelfree/fqf.py`,
`examples/atari/atari_fqf.py`), as the authors' own code was not found.
Deviation: the target's fractions are proposed by the target network for s'; the paper takes those of s.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal, NamedTuple

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.contracts import HeadFunction, Layer
from dqn_tf.agent.networks.dense import DenseLayer
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.initializers import Initializers
from dqn_tf.agent.optimizers import RMSProp
from dqn_tf.agent.values import spread
from dqn_tf.agent.values.expected import select_dist
from dqn_tf.agent.values.implicit_quantile import quantile_values
from dqn_tf.agent.values.quantile import quantile_losses
from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting
from dqn_tf.types import LossOutputs, Monitored, Role, TargetTerms, Tensor, TensorLike, Transition, ValueOutputs


class Proposed(NamedTuple):
    """The proposed fractions.

    Attributes:
        tau: [B, N + 1].
        entropy: H(q) [B].
        edges: Z at tau_1 .. tau_{N-1} [B, A, N - 1] without gradient; None where it is not needed.
    """

    tau: Tensor
    entropy: Tensor
    edges: Tensor


def fractions(logits: TensorLike) -> tuple[Tensor, Tensor, Tensor]:
    """tau [B, N + 1], tau_hat [B, N] and H(q) [B] of logits [B, N].

    >>> tau, tau_hat, entropy = fractions(tf.zeros((1, 4)))
    >>> tau.numpy().tolist(), tau_hat.numpy().tolist(), round(float(entropy[0]), 4)
    ([[0.0, 0.25, 0.5, 0.75, 1.0]], [[0.125, 0.375, 0.625, 0.875]], 1.3863)
    """
    log_q = tf.nn.log_softmax(logits)
    q = tf.exp(log_q)
    tau = tf.concat([tf.zeros_like(q[:, :1]), tf.cumsum(q, axis=1)], axis=1)
    return tau, (tau[:, :-1] + tau[:, 1:]) / 2, -tf.reduce_sum(q * log_q, axis=1)


def fraction_loss(tau: TensorLike, edges: TensorLike, middles: TensorLike) -> Tensor:
    """The loss of the proposal, sum_i [dW/dtau_i] tau_i.

    Args:
        tau: [B, N + 1].
        edges: Z at tau_1 .. tau_{N-1} [B, N - 1].
        middles: Z at tau_hat [B, N].

    Returns:
        [B].

    >>> tau = tf.constant([[0.0, 0.5, 1.0]])
    >>> float(fraction_loss(tau, tf.constant([[3.0]]), tf.constant([[1.0, 4.0]]))[0])      # (2 * 3 - 4 - 1) * 0.5
    0.5
    """
    slope = 2 * edges - middles[:, 1:] - middles[:, :-1]
    return tf.reduce_sum(tf.stop_gradient(slope) * tau[:, 1:-1], axis=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FQF:
    """The quantile function of the return at ``fractions`` proposed fractions."""

    KIND = "fqf"
    random: ClassVar[bool] = False
    outputs_per_action: ClassVar[int] = 1
    monitored: ClassVar[tuple[str, ...]] = (*spread.SPREAD, "heldout_fraction_entropy_nats_mean")
    fractions: int = setting(32, unit="quantiles", doc="N: proposed fractions")
    cosines: int = setting(64, unit="units", doc="n: size of the embedding of a fraction")
    first_cosine: Literal[0, 1] = setting(1, doc="the i that the sum over cos(pi i tau) begins with")
    kappa: float = setting(1.0, unit="return", doc="where the Huber loss becomes linear; 0: no Huber loss")
    entropy: float = setting(10.0, doc="c: weight of the entropy of the proposal")
    optimizer: RMSProp = setting(
        RMSProp(learning_rate=2.5e-9, decay=0.99, epsilon=1e-8, centered=False), doc="gradient step of the proposal"
    )

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.fractions >= 2, "at least 2 fractions", "value.fractions", self.fractions)
        expect(self.cosines >= 1, "at least 1", "value.cosines", self.cosines)
        expect(self.kappa >= 0, "a number >= 0", "value.kappa", self.kappa)
        expect(self.entropy >= 0, "a number >= 0", "value.entropy", self.entropy)

    def parts(self, features: int, initializers: Initializers) -> list[Layer]:
        """See ``ValueFamily.parts``: the layer of phi, as in IQN, and the proposal w1."""
        phi = DenseLayer(
            self.cosines, features, initializers.layer(self.cosines, features), relu=True, bias="per_output"
        )
        return [phi, Proposal(features, self.fractions, initializers, self.optimizer)]

    def outputs(
        self, features: TensorLike, head: HeadFunction, parts: list[Layer], role: Role, draws: Draws | None
    ) -> ValueOutputs:
        """See ``ValueFamily.outputs``: dist [B, A, N] is Z at tau_hat."""
        tau, tau_hat, entropy = fractions(parts[1](tf.stop_gradient(features), draws))

        def z(taus: TensorLike) -> Tensor:
            taus = tf.stop_gradient(taus)
            return quantile_values(features, taus, head, parts[0], self.cosines, self.first_cosine, draws)

        middles = z(tau_hat)
        q_values = tf.reduce_sum(tf.stop_gradient(tau[:, 1:] - tau[:, :-1])[:, None] * middles, axis=-1)
        edges = tf.stop_gradient(z(tau[:, 1:-1])) if role == "predict" else None
        return ValueOutputs(
            q_values, dist=middles, taus=tf.stop_gradient(tau_hat), proposal=Proposed(tau, entropy, edges)
        )

    def monitors(self, outputs: ValueOutputs) -> Monitored:
        """The spread of the greedy action's values, weighted by their fractions; H(q), ln N if these are even."""
        tau, entropy, _ = outputs.proposal
        return spread.monitors(
            spread.of_greedy(outputs), tau[:, 1:] - tau[:, :-1], heldout_fraction_entropy_nats_mean=entropy
        )

    def losses(
        self, outputs: ValueOutputs, transitions: Transition, next_outputs: ValueOutputs, terms: TargetTerms
    ) -> LossOutputs:
        """See ``ValueFamily.losses``: priority is the loss of the quantile regression alone."""
        out = quantile_losses(outputs, transitions, next_outputs, terms, self.kappa)
        tau, entropy, edges = outputs.proposal
        edges, middles = (select_dist(z, transitions.a_tm1) for z in (edges, outputs.dist))
        return out._replace(loss=out.loss + fraction_loss(tau, edges, middles) - self.entropy * entropy)


class Proposal(DenseLayer):
    """The network w1 that proposes fractions: features [B, F] -> logits [B, N].

    Its initial weights are a hundredth of Glorot's, as in Tianshou (`tianshou/utils/net/discrete.py`), so fractions are
    nearly even at first, however large the features are.
    """

    def __init__(self, features: int, fractions: int, initializers: Initializers, optimizer: RMSProp) -> None:
        """
        Args:
            features: F, of the torso.
            fractions: N.
            initializers: of its weights.
            optimizer: its own.
        """
        super().__init__(
            features, fractions, initializers.glorot(features, fractions, gain=0.01), relu=False, bias="per_output"
        )
        self.optimizer = optimizer
