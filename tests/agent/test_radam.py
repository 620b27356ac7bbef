"""RAdam against its recurrence in float64; against PyTorch's and Optax's: tests/independent/test_pqn.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.radam import RAdam, factors, share_left

STEPS = 40
RATE = 2.0**-12  # exact in the float32 that Keras keeps it in
GRADIENTS = np.random.default_rng(0).normal(size=(STEPS, 7)) * np.geomspace(1e-4, 1e2, 7)


def keras_path(optimizer: RAdam, gradients: np.ndarray, xla: str = "none", dtype: str = "float64") -> np.ndarray:
    """The variable after every step, starting from zeros."""
    variable = tf.keras.Variable(np.zeros(gradients.shape[1]), dtype=dtype)
    built, path = optimizer.build([variable], xla), []
    step = tf.function(lambda gradient: built.apply_gradients([(gradient, variable)]), autograph=False)
    for gradient in gradients:
        step(tf.constant(gradient, dtype))
        path.append(variable.numpy())
    return np.array(path)


def naive(gradients: np.ndarray, b1: float, b2: float, epsilon: float, form: str = "hat") -> np.ndarray:
    """Algorithm 2 line by line, with the threshold of the libraries."""
    w = m = v = np.zeros(gradients.shape[1])
    path, longest = [], 2 / (1 - b2) - 1
    for t, dw in enumerate(gradients, start=1):
        m, v = b1 * m + (1 - b1) * dw, b2 * v + (1 - b2) * dw**2
        m_hat, rho = m / (1 - b1**t), longest - 2 * t * b2**t / (1 - b2**t)
        if rho > 5:
            r = math.sqrt((rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho))
            root = np.sqrt(1 - b2**t)
            inverse = root / (np.sqrt(v) + epsilon) if form == "hat" else 1 / (np.sqrt(v) / root + epsilon)
            w = w - RATE * r * m_hat * inverse
        else:
            w = w - RATE * m_hat
        path.append(w)
    return np.array(path)


def test_the_first_step_by_hand() -> None:
    """From zero with dw = 2: m_hat = 2, rho_1 = 1, so w = -2 lr: the size of the gradient, where Adam takes lr."""
    assert keras_path(RAdam(learning_rate=RATE), np.array([[2.0]]))[0, 0] == pytest.approx(-2 * RATE, rel=1e-14)


@pytest.mark.parametrize("xla", ["none", "optimizer"])
@pytest.mark.parametrize(("b1", "b2", "form"), [(0.9, 0.999, "hat"), (0.5, 0.8, "corrected")])
def test_the_recurrence(b1: float, b2: float, form: Any, xla: str) -> None:
    rule = RAdam(learning_rate=RATE, beta_1=b1, beta_2=b2, epsilon=1e-3, epsilon_form=form)
    found = keras_path(rule, GRADIENTS, xla)
    # float64 sums in another order; rho is a difference of numbers 1 / (1 - b2) times as large.
    np.testing.assert_allclose(found, naive(GRADIENTS, b1, b2, 1e-3, form), rtol=1e-9)


def test_when_it_is_rectified() -> None:
    """With b2 = 0.999 from the sixth update on, as in PyTorch, whose rho is float64 too; in float32 rho is off by 0.1
    there, and the fifth could be either."""
    found = [bool(factors(tf.constant(u), RAdam())[0]) for u in range(8)]
    assert found == [False] * 5 + [True] * 3


def test_in_the_end_it_is_adam() -> None:
    """r -> 1 where t is large: the step is Adam's."""
    _, plain, adaptive, _ = factors(tf.constant(10**6), RAdam())
    assert float(adaptive) == pytest.approx(float(plain), rel=1e-6) and float(plain) == pytest.approx(1, rel=1e-6)


def test_the_step_size_falls_to_zero() -> None:
    """CleanRL's schedule: constant within a rollout of 4 updates, 1 - (i - 1) / 3 in rollout i of 3; then nothing."""
    rule = RAdam(learning_rate=RATE, decay_updates=12, decay_period_updates=4)
    shares = [float(share_left(tf.constant(u), rule)) for u in range(16)]
    assert shares == pytest.approx([1.0] * 4 + [2 / 3] * 4 + [1 / 3] * 4 + [0.0] * 4)
    ones = np.ones((16, 1))
    steps = -np.diff(keras_path(rule, ones)[:, 0], prepend=0)
    constant = -np.diff(keras_path(RAdam(learning_rate=RATE), ones)[:, 0], prepend=0)
    np.testing.assert_allclose(steps, constant * shares, rtol=1e-9)


def test_float32_is_float64_rounded() -> None:
    """Where the steps add up to little beside each of them, the rounding of one is a larger share of the sum."""
    found = keras_path(RAdam(learning_rate=RATE), GRADIENTS, dtype="float32")
    np.testing.assert_allclose(found, naive(GRADIENTS, 0.9, 0.999, 1e-8), rtol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 0.0}, "Expected a number > 0 for `optimizer.learning_rate`, got 0.0."),
        ({"beta_1": 1.0}, "Expected a number in [0, 1) for `optimizer.beta_1`, got 1.0."),
        ({"beta_2": 0.5}, "Expected a number in [0.75, 1) for `optimizer.beta_2`, got 0.5."),
        ({"epsilon": 0.0}, "Expected a number > 0 for `optimizer.epsilon`, got 0.0."),
        ({"decay_updates": 0}, "Expected at least 1 update or none for `optimizer.decay_updates`, got 0."),
        ({"decay_period_updates": 0}, "Expected at least 1 update for `optimizer.decay_period_updates`, got 0."),
    ],
)
def test_what_is_refused(outcome, changes: dict[str, Any], message: str) -> None:
    assert outcome(RAdam, **changes) == message
