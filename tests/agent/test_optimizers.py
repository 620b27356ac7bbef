"""Optimizers against the recurrences they are named after, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.optimizers import Adam, Optimizers, RMSProp

STEPS = 50
RATE = 2.0**-12  # Keras keeps the rate as float32; this one loses nothing, so the arithmetic is float64 throughout
GRADIENTS = np.random.default_rng(0).normal(size=(STEPS, 7)) * np.geomspace(1e-4, 1e2, 7)
TOLERANCE = 1e-12  # float64 sums in another order


def keras_path(optimizer: RMSProp | Adam, gradients: np.ndarray) -> np.ndarray:
    """The variable after every step, [STEPS, n] float64, starting from zeros."""
    variable = tf.keras.Variable(np.zeros(gradients.shape[1]), dtype="float64")
    built, path = optimizer.build([variable]), []
    for gradient in gradients:
        built.apply_gradients([(tf.constant(gradient), variable)])
        path.append(variable.numpy())
    return np.array(path)


def lua_path(rate: float, epsilon: float, gradients: np.ndarray, mean_square: float = 0.0) -> np.ndarray:
    """`deepmind/dqn:dqn/NeuralQLearner.lua`, lines by name:

    g = 0.95 g + 0.05 dw;  g2 = 0.95 g2 + 0.05 dw dw;  tmp = sqrt(g2 - g g + 0.01);  w = w - lr dw / tmp
    """
    w, g, g2 = np.zeros(gradients.shape[1]), 0.0, mean_square
    path = []
    for dw in gradients:
        g = 0.95 * g + 0.05 * dw
        g2 = 0.95 * g2 + 0.05 * dw * dw
        w = w - rate * dw / np.sqrt(g2 - g * g + epsilon)
        path.append(w)
    return np.array(path)


def test_rmsprop_by_hand() -> None:
    """One step from zero with dw = 2, eps = 0.81: g = 0.1, g2 = 0.2, so w = -lr * 2 / sqrt(0.2 - 0.01 + 0.81)."""
    path = keras_path(RMSProp(learning_rate=RATE, epsilon=0.81), np.array([[2.0]]))
    assert path[0, 0] == pytest.approx(-2 * RATE, rel=1e-14)


def test_rmsprop_is_the_recurrence_of_the_original() -> None:
    path = keras_path(RMSProp(learning_rate=RATE, epsilon=0.01), GRADIENTS)
    np.testing.assert_allclose(path, lua_path(RATE, 0.01, GRADIENTS), rtol=TOLERANCE)


def test_rmsprop_of_tensorflow_1_starts_its_mean_square_at_one() -> None:
    path = keras_path(RMSProp(learning_rate=RATE, epsilon=1e-5, initial_mean_square=1.0), GRADIENTS)
    np.testing.assert_allclose(path, lua_path(RATE, 1e-5, GRADIENTS, mean_square=1.0), rtol=TOLERANCE)


def test_the_mean_over_a_batch_with_a_smaller_epsilon_is_the_sum_of_the_original() -> None:
    """The original sums the gradients of 32 transitions and uses 0.01; the default here is 0.01 / 32^2 on means."""
    path = keras_path(RMSProp(learning_rate=RATE), GRADIENTS)
    np.testing.assert_allclose(path, lua_path(RATE, 0.01, 32 * GRADIENTS), rtol=TOLERANCE)
    assert not np.allclose(path, lua_path(RATE, 0.01, GRADIENTS), rtol=1e-3)  # and it is not so without


def test_rmsprop_without_centering_divides_by_the_mean_square() -> None:
    path = keras_path(RMSProp(learning_rate=RATE, epsilon=0.01, centered=False), GRADIENTS[:1])
    np.testing.assert_allclose(path[0], -RATE * GRADIENTS[0] / np.sqrt(0.05 * GRADIENTS[0] ** 2 + 0.01), rtol=TOLERANCE)


@pytest.mark.parametrize("xla", ["none", "optimizer"])
def test_rmsprop_with_its_epsilon_after_the_root(xla: str) -> None:
    """torch.optim.RMSprop: w <- w - lr dw / (sqrt(g2 - g^2) + eps), centered or not; one by hand: g = 0.1, g2 = 0.2."""
    one = RMSProp(learning_rate=RATE, epsilon=0.5, epsilon_place="outside")
    path = keras_path(one, np.array([[2.0]]))
    assert path[0, 0] == pytest.approx(-2 * RATE / (np.sqrt(0.2 - 0.01) + 0.5), rel=1e-12)
    for centered in (True, False):
        optimizer = RMSProp(learning_rate=RATE, epsilon=0.01, epsilon_place="outside", centered=centered)
        variable = tf.keras.Variable(np.zeros(7), dtype="float64")
        built = optimizer.build([variable], xla)
        w, g, g2 = np.zeros(7), 0.0, 0.0
        for dw in GRADIENTS:
            g, g2 = 0.95 * g + 0.05 * dw, 0.95 * g2 + 0.05 * dw * dw
            w = w - RATE * dw / (np.sqrt(g2 - g * g * centered) + 0.01)
            built.apply_gradients([(tf.constant(dw), variable)])
        np.testing.assert_allclose(variable.numpy(), w, rtol=1e-6)  # Keras keeps rho and epsilon as float32


def test_adam_is_its_formula() -> None:
    """Kingma & Ba 2015, algorithm 1, in the order of section 2: alpha_t = alpha sqrt(1 - b2^t) / (1 - b1^t)."""
    m, v, w = np.zeros(7), np.zeros(7), np.zeros(7)
    want = []
    for t, g in enumerate(GRADIENTS, start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        w = w - RATE * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-3)
        want.append(w)
    # Keras computes b1^t and b2^t in float32.
    path = keras_path(Adam(learning_rate=RATE, epsilon=1e-3), GRADIENTS)
    np.testing.assert_allclose(path, want, rtol=1e-5, atol=1e-4 * RATE)


def test_adam_with_its_epsilon_after_the_bias_correction() -> None:
    """Algorithm 1 of the paper, as in PyTorch and Optax: lr m_hat / (sqrt(v_hat) + eps)."""
    w, m, v, want = np.zeros(7), 0.0, 0.0, []
    for t, dw in enumerate(GRADIENTS, start=1):
        m, v = 0.9 * m + 0.1 * dw, 0.999 * v + 0.001 * dw * dw
        w = w - RATE * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-3)
        want.append(w)
    path = keras_path(Adam(learning_rate=RATE, epsilon=1e-3, epsilon_form="corrected"), GRADIENTS)
    np.testing.assert_allclose(path, want, rtol=1e-4)  # Keras computes b1^t and b2^t in float32
    hat = keras_path(Adam(learning_rate=RATE, epsilon=1e-3), GRADIENTS)
    assert not np.allclose(path, hat, rtol=1e-3)


def test_a_part_of_a_network_may_bring_its_own_optimizer() -> None:
    """Each variable moves as its own optimizer alone would move it, whatever the order; the slots are all there."""
    variables = [tf.keras.Variable(np.zeros(2), dtype="float64") for _ in range(3)]
    own = RMSProp(learning_rate=0.5, epsilon=1e-2)
    both = Optimizers(Adam(learning_rate=RATE), variables, [(own, [variables[1]])])
    for gradient in GRADIENTS[:5]:
        both.apply([tf.constant(gradient[i : i + 2]) for i in (0, 2, 4)])
    for i, optimizer in ((0, Adam(learning_rate=RATE)), (1, own), (2, Adam(learning_rate=RATE))):
        alone = keras_path(optimizer, GRADIENTS[:5, 2 * i : 2 * i + 2])
        np.testing.assert_allclose(variables[i], alone[-1], rtol=TOLERANCE)
    assert len(both.variables) == (2 + 2 * 2) + (2 + 2)  # counts and rates; two slots for each variable


@pytest.mark.parametrize("optimizer", [RMSProp(), Adam(), Adam(epsilon_form="corrected")])
def test_slots_exist_before_the_first_step(optimizer: RMSProp | Adam) -> None:
    """Else the first update would make them, in a trace of its own."""
    built = optimizer.build([tf.keras.Variable(np.zeros(3))])
    number = len(built.variables)
    assert built.built and number >= 4


@pytest.mark.parametrize(
    ("kind", "values", "field"),
    [
        (RMSProp, {"learning_rate": 0.0}, "learning_rate"),
        (RMSProp, {"decay": 1.0}, "decay"),
        (RMSProp, {"epsilon": 0.0}, "epsilon"),
        (RMSProp, {"initial_mean_square": -1.0}, "initial_mean_square"),
        (Adam, {"learning_rate": -1e-3}, "learning_rate"),
        (Adam, {"beta_1": 1.0}, "beta_1"),
        (Adam, {"beta_2": -0.1}, "beta_2"),
        (Adam, {"epsilon": 0.0}, "epsilon"),
    ],
)
def test_bad_values(outcome, kind: type, values: dict[str, Any], field: str) -> None:
    assert f"`optimizer.{field}`, got {values[field]!r}" in outcome(kind, **values)
