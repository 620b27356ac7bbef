"""Optimizers as configuration; Keras and TensorFlow do the arithmetic.

Paper: RMSProp: Mnih et al. 2015 (doi 10.1038/nature14236), Extended Data Table 1, and its code `NeuralQLearner.lua`;
Adam: Kingma & Ba 2015 (arXiv 1412.6980), algorithm 1:

    RMSProp:  g <- rho g + (1 - rho) dw,   g2 <- rho g2 + (1 - rho) dw^2,   w <- w - lr dw / sqrt(g2 - g^2 + eps)
    Adam:     m <- b1 m + (1 - b1) dw,     v <- b2 v + (1 - b2) dw^2,       w <- w - lr m_hat / (sqrt(v_hat) + eps)
              m_hat = m / (1 - b1^t),      v_hat = v / (1 - b2^t)

Symbols: lr = ``learning_rate``, eps = ``epsilon``, rho = ``decay``, b1, b2 = ``beta_1``, ``beta_2``, t: number of the
update, from 1.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any, Literal

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.contracts import Optimizer
from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting
from dqn_tf.types import KerasOptimizer, Tensor, TensorLike, Variable


@dataclasses.dataclass(frozen=True, kw_only=True)
class RMSProp:
    """Centered RMSProp: the optimizer of Mnih et al. 2015.

    Extended Data Table 1's "gradient momentum" 0.95 is the decay rho of the mean gradient g, not heavy-ball momentum.
    ``epsilon`` stands inside the root.  The original sums the gradients of a batch of B and uses 0.01; our losses are
    means, so the same update takes 0.01 / B^2.
    ``initial_mean_square``: the start of g2: 0 in the original, 1 in TensorFlow 1's RMSPropOptimizer (Dopamine).
    ``epsilon_place``: "outside" is w <- w - lr dw / (sqrt(g2 - g^2) + eps), as in PyTorch.
    """

    KIND = "rmsprop"
    learning_rate: float = setting(2.5e-4, doc="step size lr")
    decay: float = setting(0.95, doc="rho: decay of the mean gradient and the mean square")
    epsilon: float = setting(0.01 / 32**2, doc="added to the variance, where epsilon_place says")
    centered: bool = setting(True, doc="subtract the squared mean gradient")
    initial_mean_square: float = setting(0.0, doc="start value of the mean square")
    epsilon_place: Literal["inside", "outside"] = setting("inside", doc="inside the root, or after it", later=True)

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.learning_rate > 0, "a number > 0", "optimizer.learning_rate", self.learning_rate)
        expect(0 <= self.decay < 1, "a number in [0, 1)", "optimizer.decay", self.decay)
        expect(self.epsilon > 0, "a number > 0", "optimizer.epsilon", self.epsilon)
        expect(
            self.initial_mean_square >= 0, "a number >= 0", "optimizer.initial_mean_square", self.initial_mean_square
        )

    def build(self, variables: list[Variable], xla: str = "none") -> KerasOptimizer:
        """See ``Optimizer.build``: its slots are made, so that the first update is already the only trace."""
        optimizer = _rmsprop(self.epsilon_place, xla == "optimizer")(
            self.learning_rate, rho=self.decay, epsilon=self.epsilon, centered=self.centered
        )
        optimizer.build(variables)
        for slot in optimizer.variables:
            if slot.path.endswith("velocity"):
                slot.assign(tf.fill(slot.shape, self.initial_mean_square))
        return optimizer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adam:
    """Adam.

    ``epsilon_form``: "corrected" is algorithm 1, as in PyTorch and Optax; "hat" is the form at the end of section 2,
    w <- w - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps), as in TensorFlow and Keras.  They differ by the factor
    sqrt(1 - b2^t) on epsilon, which matters in the first thousands of updates and where epsilon is large.
    """

    KIND = "adam"
    learning_rate: float = setting(1e-3, doc="step size alpha")
    beta_1: float = setting(0.9, doc="decay of the first moment")
    beta_2: float = setting(0.999, doc="decay of the second moment")
    epsilon: float = setting(1e-8, doc="added to the root")
    epsilon_form: Literal["hat", "corrected"] = setting("hat", doc="before or after the bias correction", later=True)

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.learning_rate > 0, "a number > 0", "optimizer.learning_rate", self.learning_rate)
        for name in ("beta_1", "beta_2"):
            expect(0 <= getattr(self, name) < 1, "a number in [0, 1)", f"optimizer.{name}", getattr(self, name))
        expect(self.epsilon > 0, "a number > 0", "optimizer.epsilon", self.epsilon)

    def build(self, variables: list[Variable], xla: str = "none") -> KerasOptimizer:
        """See ``Optimizer.build``."""
        optimizer = fused_adam()(self.learning_rate, self.beta_1, self.beta_2, self.epsilon)
        optimizer.corrected = self.epsilon_form == "corrected"
        optimizer.build(variables)
        return optimizer


@functools.cache
def _rmsprop(epsilon_place: str, compiled: bool) -> Any:
    """Keras's RMSprop, or the same with its epsilon after the root.

    compiled: the step of each variable is compiled by XLA: one pass over memory instead of ten, begun as soon as the
    variable's gradient is known.
    """
    base: Any = tf.keras.optimizers.RMSprop if epsilon_place == "inside" else _outside_rmsprop()
    if not compiled:
        return base

    class CompiledRMSprop(base):
        def update_step(self, gradient: Tensor, variable: Variable, learning_rate: TensorLike) -> None:
            def step(gradient: Tensor) -> None:
                super(CompiledRMSprop, self).update_step(gradient, variable, learning_rate)

            tf.function(step, autograph=False, jit_compile=True)(gradient)

    return CompiledRMSprop


@functools.cache
def _outside_rmsprop() -> Any:
    base: Any = tf.keras.optimizers.RMSprop

    class OutsideRMSprop(base):
        def update_step(self, gradient: Tensor, variable: Variable, learning_rate: TensorLike) -> None:
            rho, epsilon = (tf.constant(x, variable.dtype) for x in (self.rho, self.epsilon))
            place, dw = self._get_variable_index(variable), tf.cast(gradient, variable.dtype)
            g2, g = self._velocities[place], self._average_gradients[place] if self.centered else None
            self.assign(g2, rho * g2 + (1 - rho) * tf.square(dw))
            variance = tf.convert_to_tensor(g2)
            if g is not None:
                self.assign(g, rho * g + (1 - rho) * dw)
                variance = tf.maximum(variance - tf.square(g), 0.0)  # rounding may leave a little less than 0
            self.assign_sub(variable, tf.cast(learning_rate, variable.dtype) * dw / (tf.sqrt(variance) + epsilon))

    return OutsideRMSprop


@functools.cache
def fused_adam() -> Any:
    """Keras's Adam with TensorFlow's own kernel for the arithmetic: in place, and 2.5 times as fast as Keras's
    operations compiled by XLA where there are millions of weights (docs/speed.md).

    Returns:
        A class of Keras optimizers.
    """
    base: Any = tf.keras.optimizers.Adam

    class FusedAdam(base):
        corrected = False

        def update_step(self, gradient: Tensor, variable: Variable, learning_rate: TensorLike) -> None:
            def given(x: TensorLike) -> Tensor:
                return tf.cast(x, variable.dtype)

            place, t = self._get_variable_index(variable), given(self.iterations + 1)
            beta_1, beta_2 = given(self.beta_1), given(self.beta_2)
            epsilon = given(self.epsilon)
            tf.raw_ops.ResourceApplyAdam(
                var=handle_of(variable),
                m=handle_of(self._momentums[place]),
                v=handle_of(self._velocities[place]),
                beta1_power=tf.pow(beta_1, t),
                beta2_power=tf.pow(beta_2, t),
                lr=given(learning_rate),
                beta1=beta_1,
                beta2=beta_2,
                epsilon=epsilon * tf.sqrt(1 - tf.pow(beta_2, t)) if self.corrected else epsilon,
                grad=given(gradient),
            )

    return FusedAdam


class Optimizers:
    """An optimizer for most of a network's variables, and others for parts that bring their own."""

    def __init__(
        self,
        config: Optimizer,
        variables: list[Variable],
        own: Iterable[tuple[Optimizer, list[Variable]]],
        xla: str = "none",
    ) -> None:
        """
        Args:
            config: the optimizer of all variables that are not in ``own``.
            variables: of the online network, in order.
            own: (configuration, variables) of parts with an optimizer of their own.
            xla: "optimizer": XLA compiles the step of each variable, where TensorFlow has no kernel for it.
        """
        own = list(own)
        taken = {id(v) for _, group in own for v in group}
        groups = [(config, [v for v in variables if id(v) not in taken]), *own]
        places = {id(v): i for i, v in enumerate(variables)}
        self._configs = [c for c, _ in groups]
        self._groups = [(c.build(group, xla), [places[id(v)] for v in group], group) for c, group in groups]

    @property
    def groups(self) -> list[tuple[Any, Any, list[Any]]]:
        """(configuration, Keras optimizer, its variables) of each optimizer."""
        return [(c, optimizer, group) for c, (optimizer, _, group) in zip(self._configs, self._groups, strict=True)]

    @staticmethod
    def global_norm(gradients: list[Tensor]) -> Tensor:
        """The norm [] of all gradients together."""
        norm: Tensor = tf.linalg.global_norm(gradients)
        return norm

    def apply(self, gradients: list[Tensor]) -> None:
        """One step; gradients in the order of the network's variables."""
        for optimizer, places, group in self._groups:
            optimizer.apply_gradients(zip([gradients[i] for i in places], group, strict=True))

    @property
    def variables(self) -> list[Variable]:
        """Slots, counts and rates."""
        return [v for optimizer, _, _ in self._groups for v in optimizer.variables]


def handle_of(variable: Variable) -> Tensor:
    """The resource behind a variable of Keras or of TensorFlow."""
    return (variable.value if isinstance(variable, tf.keras.Variable) else variable).handle
