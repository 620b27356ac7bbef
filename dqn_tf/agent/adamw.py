"""AdamW: Adam, and beside it a decay of the weights that the moments do not see.

Paper: Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization" (arXiv 1711.05101), algorithm 2, with the step
size on both terms, as in PyTorch and Optax:

    w <- (1 - lr lambda) w - lr m_hat / (sqrt(v_hat) + eps)          where w is of a tensor of rank 2 or more
    w <- w - lr m_hat / (sqrt(v_hat) + eps)                          of biases, and of other vectors

Symbols: lr = ``learning_rate``, lambda = ``weight_decay``, eps = ``epsilon``; m_hat, v_hat: Adam's (optimizers.py).
Vectors are spared in BBF (Schwarzer et al. 2023, arXiv 2305.19452), as read in
google-research/google-research@1d4d2f1 (bigger_better_faster/bbf/agents/spr_agent.py, create_scaling_optimizer).
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.optimizers import fused_adam
from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting
from dqn_tf.types import KerasOptimizer, Tensor, TensorLike, Variable


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdamW:
    """Adam with decoupled weight decay, which spares tensors of rank 1.

    ``epsilon_form``: as in ``Adam``.  With a ``weight_decay`` of 0 it is Adam, to the last bit.
    """

    KIND = "adamw"
    learning_rate: float = setting(1e-4, doc="step size lr")
    beta_1: float = setting(0.9, doc="decay of the first moment")
    beta_2: float = setting(0.999, doc="decay of the second moment")
    epsilon: float = setting(1e-8, doc="added to the root")
    epsilon_form: Literal["hat", "corrected"] = setting("corrected", doc="before or after the bias correction")
    weight_decay: float = setting(0.1, doc="lambda: share of the weights that a step of size 1 would take away")

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.learning_rate > 0, "a number > 0", "optimizer.learning_rate", self.learning_rate)
        for name in ("beta_1", "beta_2"):
            expect(0 <= getattr(self, name) < 1, "a number in [0, 1)", f"optimizer.{name}", getattr(self, name))
        expect(self.epsilon > 0, "a number > 0", "optimizer.epsilon", self.epsilon)
        most = f"a number in [0, 1 / optimizer.learning_rate={1 / self.learning_rate:g}]"
        fits = 0 <= self.weight_decay * self.learning_rate <= 1
        expect(fits, most, "optimizer.weight_decay", self.weight_decay, "Weights would change their signs.")

    def build(self, variables: list[Variable], xla: str = "none") -> KerasOptimizer:
        """See ``Optimizer.build``."""
        optimizer = _decaying_adam()(self.learning_rate, self.beta_1, self.beta_2, self.epsilon)
        optimizer.corrected = self.epsilon_form == "corrected"
        optimizer.share = self.weight_decay
        optimizer.build(variables)
        return optimizer


def decayed(weights: TensorLike, learning_rate: TensorLike, weight_decay: float) -> Tensor:
    """Graph code: (1 - lr lambda) w.

    Args:
        weights: w, of any shape.
        learning_rate: lr [].
        weight_decay: lambda.

    Returns:
        Of the shape of ``weights``.

    >>> decayed(tf.constant([[2.0, -4.0]]), 0.5, 0.25).numpy().tolist()
    [[1.75, -3.5]]
    """
    return weights * (1.0 - learning_rate * weight_decay)


@functools.cache
def _decaying_adam() -> Any:
    base: Any = fused_adam()

    class DecayingAdam(base):
        share = 0.0

        def update_step(self, gradient: Tensor, variable: Variable, learning_rate: TensorLike) -> None:
            if self.share and len(variable.shape) != 1:
                rate = tf.cast(learning_rate, variable.dtype)
                self.assign(variable, decayed(tf.convert_to_tensor(variable), rate, self.share))
            super().update_step(gradient, variable, learning_rate)

    return DecayingAdam
