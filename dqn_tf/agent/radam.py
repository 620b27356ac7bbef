"""RAdam: Adam whose adaptive step waits until its second moment is known well enough.

Paper: Liu et al. 2020, "On the Variance of the Adaptive Learning Rate and Beyond" (arXiv 1908.03265), algorithm 2:

    m <- b1 m + (1 - b1) dw,   v <- b2 v + (1 - b2) dw^2,   m_hat = m / (1 - b1^t)
    rho = rho_inf - 2 t b2^t / (1 - b2^t),   rho_inf = 2 / (1 - b2) - 1
    r   = sqrt((rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho))
    w <- w - lr r m_hat sqrt(1 - b2^t) / (sqrt(v) + eps)   where rho > 5,   w <- w - lr m_hat   where it is not

Symbols: lr = ``learning_rate``, eps = ``epsilon``, b1, b2 = ``beta_1``, ``beta_2``, t: number of the update, from 1.
The paper's threshold is 4 (remembered from the paper, not read in a source), that of PyTorch and Optax is 5, as here:
with b2 = 0.999 one update more without the root.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal

from dqn_tf import lazy_tf as tf
from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting
from dqn_tf.types import KerasOptimizer, Tensor, TensorLike, Variable

THRESHOLD = 5.0  # of rho


@dataclasses.dataclass(frozen=True, kw_only=True)
class RAdam:
    """Rectified Adam.

    ``epsilon_form``: "hat" adds epsilon to sqrt(v), as in the equation and in PyTorch; "corrected" to sqrt(v / (1 -
    b2^t)), as in Optax.
    ``decay_updates``: the step size falls linearly from ``learning_rate`` to 0 over so many updates, and stays 0; it
    changes every ``decay_period_updates`` updates.
    """

    KIND = "radam"
    learning_rate: float = setting(2.5e-4, doc="step size lr, at first")
    beta_1: float = setting(0.9, doc="decay of the first moment")
    beta_2: float = setting(0.999, doc="decay of the second moment")
    epsilon: float = setting(1e-8, doc="added to the root")
    epsilon_form: Literal["hat", "corrected"] = setting("hat", doc="before or after the bias correction")
    decay_updates: int | None = setting(
        None, unit="updates", doc="the step size falls linearly to 0 over so many; none: it is constant"
    )
    decay_period_updates: int = setting(1, unit="updates", doc="it changes every so many")

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.learning_rate > 0, "a number > 0", "optimizer.learning_rate", self.learning_rate)
        expect(0 <= self.beta_1 < 1, "a number in [0, 1)", "optimizer.beta_1", self.beta_1)
        # With b2 below 0.6 rho_inf is below 4: it would never be rectified, and r is the root of a negative number.
        expect(0.75 <= self.beta_2 < 1, "a number in [0.75, 1)", "optimizer.beta_2", self.beta_2)
        expect(self.epsilon > 0, "a number > 0", "optimizer.epsilon", self.epsilon)
        decay = self.decay_updates
        expect(decay is None or decay >= 1, "at least 1 update or none", "optimizer.decay_updates", decay)
        period = self.decay_period_updates
        expect(period >= 1, "at least 1 update", "optimizer.decay_period_updates", period)

    def build(self, variables: list[Variable], xla: str = "none") -> KerasOptimizer:
        """See ``Optimizer.build``."""
        optimizer = _radam(xla == "optimizer")(self.learning_rate, self.beta_1, self.beta_2, self.epsilon)
        optimizer.settings = self
        optimizer.build(variables)
        return optimizer


def share_left(update: TensorLike, settings: RAdam) -> Tensor:
    """Which share of the step size is left.

    Args:
        update: number of the update, from 0.
        settings: of the decay.

    Returns:
        float64 [], in [0, 1].

    >>> rule = RAdam(decay_updates=100, decay_period_updates=10)
    >>> [float(share_left(tf.constant(u), rule)) for u in (0, 9, 10, 55, 100, 500)]
    [1.0, 1.0, 0.9, 0.5, 0.0, 0.0]
    """
    if settings.decay_updates is None:
        return tf.constant(1.0, tf.float64)
    period = tf.constant(settings.decay_period_updates, tf.int64)
    begun = tf.cast(tf.cast(update, tf.int64) // period * period, tf.float64)
    return tf.maximum(1.0 - begun / settings.decay_updates, 0.0)


def factors(update: TensorLike, settings: RAdam) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What an update multiplies by, in float64: rho is a small difference of large numbers.

    Args:
        update: its number, from 0.
        settings: of the optimizer.

    Returns:
        rectified [] bool, whether rho > 5; then [] float64: 1 / (1 - b1^t) for the plain step, r sqrt(1 - b2^t) / (1 -
        b1^t) for the rectified one, and the epsilon that is added to sqrt(v).
    """
    t = tf.cast(update, tf.float64) + 1.0
    b1, b2 = (tf.constant(b, tf.float64) for b in (settings.beta_1, settings.beta_2))
    power = tf.pow(b2, t)
    longest = 2.0 / (1.0 - settings.beta_2) - 1.0
    rho = longest - 2.0 * t * power / (1.0 - power)
    known = tf.maximum(rho, THRESHOLD)  # below it r is not used
    r = tf.sqrt((known - 4.0) * (known - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * known))
    plain, root = 1.0 / (1.0 - tf.pow(b1, t)), tf.sqrt(1.0 - power)
    epsilon = settings.epsilon * (root if settings.epsilon_form == "corrected" else tf.ones_like(root))
    return rho > THRESHOLD, plain, plain * r * root, epsilon


@functools.cache
def _radam(compiled: bool) -> Any:
    """Keras's Adam, whose slots it has, with RAdam's step.

    compiled: the step of each variable is compiled by XLA: one pass over memory instead of ten.
    """
    base: Any = tf.keras.optimizers.Adam

    class RectifiedAdam(base):
        settings: RAdam

        def update_step(self, gradient: Tensor, variable: Variable, learning_rate: TensorLike) -> None:
            def step(gradient: Tensor) -> None:
                self._step(gradient, variable, learning_rate)

            (tf.function(step, autograph=False, jit_compile=True) if compiled else step)(gradient)

        def _step(self, gradient: Tensor, variable: Variable, learning_rate: TensorLike) -> None:
            def given(x: TensorLike) -> Tensor:
                return tf.cast(x, variable.dtype)

            place, dw = self._get_variable_index(variable), given(gradient)
            m, v = self._momentums[place], self._velocities[place]
            rectified, plain, adaptive, epsilon = factors(self.iterations, self.settings)
            rate = tf.cast(learning_rate, tf.float64) * share_left(self.iterations, self.settings)
            self.assign(m, self.beta_1 * m + (1 - self.beta_1) * dw)
            self.assign(v, self.beta_2 * v + (1 - self.beta_2) * tf.square(dw))
            with_root = given(rate * adaptive) * m / (tf.sqrt(v) + given(epsilon))
            self.assign_sub(variable, tf.where(rectified, with_root, given(rate * plain) * m))

    return RectifiedAdam
