"""What an agent is made of, as contracts: what a class must offer to be one of its parts in a configuration.

    observation [B, ...] -> Torso -> features [B, F] -> Head of Layers -> numbers [B, A, N] -> ValueFamily -> Q [B, A]
    TargetRule: the policy and the bonuses of the target that the loss regresses on
    SamplingRule (replay/sampler.py): which transitions are drawn

Each part is a frozen dataclass with the methods of its contract, whose fields are plain values (``fields.setting``).
The built-in ones stand in values/, targets/ and networks/; a class of your own may come from any module:

    AgentConfig(value=my_project.MyFamily(), ...)         # or: --set value=my_project:MyFamily

Its place ("my_project:MyFamily") and the values of its fields become part of the run's identity.  Nothing has to be
inherited; docs/guides shows one of each.

Axes: B batch, A actions, N numbers per action (atoms, quantiles), F features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from dqn_tf.types import Tensor, TensorLike, Variable

if TYPE_CHECKING:
    from dqn_tf.agent.adamw import AdamW
    from dqn_tf.agent.networks.dense import Bias, Dense
    from dqn_tf.agent.networks.draws import Draws
    from dqn_tf.agent.networks.dueling import Dueling
    from dqn_tf.agent.networks.impala import Impala
    from dqn_tf.agent.networks.initializers import Initialization, Initializers
    from dqn_tf.agent.networks.layer_norm import LayerNorm
    from dqn_tf.agent.networks.noisy import Noisy
    from dqn_tf.agent.networks.single import Single
    from dqn_tf.agent.networks.torsos import CNN, MLP, NatureCNN
    from dqn_tf.agent.optimizers import Adam, RMSProp
    from dqn_tf.agent.radam import RAdam
    from dqn_tf.agent.targets.double import Double
    from dqn_tf.agent.targets.greedy import Greedy
    from dqn_tf.agent.targets.munchausen import Munchausen
    from dqn_tf.agent.values.categorical import Categorical
    from dqn_tf.agent.values.cloning import Cloning
    from dqn_tf.agent.values.expected import Expected
    from dqn_tf.agent.values.fqf import FQF
    from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
    from dqn_tf.agent.values.quantile import Quantile
    from dqn_tf.agent.values.random_ensemble import RandomEnsemble
    from dqn_tf.types import (
        KerasLayer,
        KerasOptimizer,
        LossOutputs,
        Masks,
        Monitored,
        NoMasks,
        ObservationSpec,
        Role,
        TargetTerms,
        Transition,
        ValueOutputs,
    )


HeadFunction: TypeAlias = "Callable[[TensorLike, Draws | None], Tensor]"
"Graph code: features [B, F] float32 -> [B, A, N] float32."


# -- what is built -----------------------------------------------------------------------------------------------------
class Layer(Protocol):
    """One fully connected layer, built: [B, P] -> [B, Q]."""

    @property
    def monitored(self) -> tuple[str, ...]:
        """Names of the numbers that ``monitors`` gives; may be empty."""

    @property
    def variables(self) -> list[Variable]:
        """Its part of theta, always in the same order."""

    def __call__(self, x: TensorLike, draws: Draws | None) -> Tensor:
        """Graph code.

        Args:
            x: [B, P] float32.
            draws: seeds of its random numbers, in a fixed order; None: it draws none, and gives its mean.

        Returns:
            [B, Q] float32.
        """

    def monitors(self) -> Monitored:
        """Its columns of iterations.csv, computed once per iteration; numbers only."""


class BuiltHead(Protocol):
    """A head, built: [B, F] -> [B, A, N]."""

    @property
    def layers(self) -> list[Layer]:
        """All its layers, always in the same order."""

    @property
    def names(self) -> list[str]:
        """What they are called in the columns of iterations.csv, one each."""

    def __call__(self, features: TensorLike, draws: Draws | None) -> Tensor:
        """Graph code.

        Args:
            features: [B, F] float32.
            draws: seeds of the layers' random numbers; None: they draw none.

        Returns:
            [B, A, N] float32.
        """


# -- what a configuration holds ----------------------------------------------------------------------------------------
class Torso(Protocol):
    """From an observation to features (``AgentConfig.network``)."""

    @property
    def initialization(self) -> Initialization:
        """How the initial weights of the whole network are drawn."""

    def check_observation(self, spec: ObservationSpec) -> None:
        """Check that it can read such observations.

        Raises:
            ConfigError: it cannot.
        """

    def layers(
        self, spec: ObservationSpec, initializers: Initializers
    ) -> tuple[list[KerasLayer], int, tuple[int, ...]]:
        """What the network begins with.

        Args:
            spec: the observation; the layers read [B, *spec.shape] of spec.dtype.
            initializers: whose ``layer(fan_in, fan_out)`` gives initializers to each layer that has weights, in order.

        Returns:
            Keras layers in sequence; F, the number of features [B, F] float32 that they give; and the widths of the
            hidden layers after them, which belong to the head.
        """


class Layers(Protocol):
    """The kind of all fully connected layers after the torso (``AgentConfig.layers``)."""

    @property
    def random(self) -> bool:
        """Whether they draw random numbers."""

    @property
    def noiseless_when_scored(self) -> bool:
        """Whether they draw none where the agent is scored."""

    def layer(
        self, features: int, units: int, initializers: Initializers, *, relu: bool = False, bias: Bias = "per_output"
    ) -> Layer:
        """One layer from [B, features] to [B, units].

        Args:
            features: inputs of the layer.
            units: its outputs.
            initializers: of its weights.
            relu: whether its outputs pass through a ReLU; else they are linear.
            bias: "per_output": [units]; "shared": one number for all outputs.

        Returns:
            The layer, with its variables made.
        """


class Head(Protocol):
    """From features to N numbers per action (``AgentConfig.head``)."""

    def build(
        self, layers: Layers, features: int, hidden: tuple[int, ...], shape: tuple[int, int], initializers: Initializers
    ) -> BuiltHead:
        """A head of these layers.

        Args:
            layers: makes each layer.
            features: F.
            hidden: widths of the hidden layers, which are ReLU.
            shape: (A, N).
            initializers: to be handed to ``layers.layer``.

        Returns:
            The head, with its variables made.
        """


class ValueFamily(Protocol):
    """How a return is represented, predicted and regressed (``AgentConfig.value``)."""

    @property
    def random(self) -> bool:
        """Whether ``outputs`` draws random numbers."""

    @property
    def outputs_per_action(self) -> int:
        """N: the numbers that the head gives for each action."""

    @property
    def monitored(self) -> tuple[str, ...]:
        """Names of the numbers that ``monitors`` gives, columns of iterations.csv; may be empty."""

    def parts(self, features: int, initializers: Initializers) -> list[Layer]:
        """Layers of its own beside the head.

        Args:
            features: F, of the torso.
            initializers: of their weights.

        Returns:
            The layers, whose variables belong to theta; may be none.
        """

    def outputs(
        self, features: TensorLike, head: HeadFunction, parts: list[Layer], role: Role, draws: Draws | None
    ) -> ValueOutputs:
        """Graph code: what the network predicts for B states.

        Args:
            features: [B, F] float32, from the torso.
            head: [B, F] -> [B, A, N]; to be called with ``draws``.
            parts: what ``parts`` made.
            role: what the outputs are for.
            draws: seeds of random numbers; None: nothing is drawn.

        Returns:
            q_values [B, A] float32, and whatever ``losses`` needs.
        """

    def monitors(self, outputs: ValueOutputs) -> Monitored:
        """Graph code: its columns of iterations.csv, from outputs for "predict"; a number per state [B] each."""

    def losses(
        self, outputs: ValueOutputs, transitions: Transition, next_outputs: ValueOutputs, terms: TargetTerms
    ) -> LossOutputs:
        """Graph code: the loss of each transition, not yet weighted; no gradient may go through the target.

        Args:
            outputs: of s_tm1 by the online network, for "predict".
            transitions: r_t, discount_t [B] float32, a_tm1 [B] int32.
            next_outputs: of s_t by the target network, for "target".
            terms: policy and bonuses of the target rule.

        Returns:
            loss, td_error, priority: [B] float32.
        """


class Optimizer(Protocol):
    """How a gradient changes theta (``AgentConfig.optimizer``)."""

    def build(self, variables: list[Variable], xla: str = "none") -> KerasOptimizer:
        """A Keras optimizer of these variables, its own variables made; they are part of the run's state.

        Args:
            variables: those of theta that it changes.
            xla: "optimizer": the step of each variable is to be compiled by XLA.

        Returns:
            The optimizer.
        """


class GradientStep(Protocol):
    """Optimizers, built: they change theta by its gradients (``Optimizers``, or vectors in place of variables)."""

    def global_norm(self, gradients: list[Tensor]) -> Tensor:
        """Graph code: the norm [] of all these gradients together."""

    def apply(self, gradients: list[Tensor]) -> None:
        """Graph code: one step.

        Args:
            gradients: one for each of the tensors that make up theta, in order.
        """


class TargetRule(Protocol):
    """The policy over next actions that the target averages by, and bonuses (``AgentConfig.bootstrap``)."""

    @property
    def states(self) -> tuple[tuple[str, str], ...]:
        """The (network, state) pairs whose Q-values it needs besides ("target", "s_t"): of "online" and "target",
        "s_tm1" and "s_t"."""

    def terms(
        self,
        next_outputs: ValueOutputs,
        others: dict[tuple[str, str], ValueOutputs],
        a_tm1: TensorLike,
        masks: Masks | NoMasks = (),
    ) -> TargetTerms:
        """Graph code: policy and bonuses.

        Args:
            next_outputs: of s_t by the target network; q_values [B, A] float32.
            others: what ``states`` asks for, by the same names; q_values only.
            a_tm1: [B] int32, the actions taken.
            masks: given only for environments with masks of legal actions (a rule without this argument is refused
                there): s_tm1, s_t [B, A] bool.  Illegal actions are to have probability 0 and a finite bonus.

        Returns:
            policy [B, A] float32 over the next actions, value_bonus [B, A] and reward_bonus [B] float32.
        """


if TYPE_CHECKING:  # type checkers hold every built-in part against its contract
    _torsos: list[Torso] = [NatureCNN(), CNN(), Impala(), MLP()]
    _layers: list[Layers] = [Dense(), Noisy(), LayerNorm()]
    _heads: list[Head] = [Single(), Dueling()]
    _values: list[ValueFamily] = [Expected(), Categorical(), Quantile(), ImplicitQuantile(), FQF()]
    _optimizers: list[Optimizer] = [RMSProp(), Adam(), AdamW(), RAdam()]
    _offline_values: list[ValueFamily] = [RandomEnsemble(), Cloning()]
    _targets: list[TargetRule] = [Greedy(), Double(), Munchausen()]
