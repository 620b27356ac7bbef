"""Targets, TD errors and losses of the expected return."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.targets.greedy import Greedy
from dqn_tf.agent.values.expected import Expected, huber, select, squared
from dqn_tf.types import LossOutputs, Transition, ValueOutputs


def losses(value: Expected, q: Any, a: Any, r: Any, discount: Any, next_q: Any) -> LossOutputs:
    """The losses of a batch of which only the Q-values matter; q and next_q [B, A]."""
    q, next_q = tf.constant(q, tf.float32), tf.constant(next_q, tf.float32)
    transitions = Transition(
        None, tf.constant(a, tf.int32), tf.constant(r, tf.float32), tf.constant(discount, tf.float32), None
    )
    following = ValueOutputs(next_q)
    return value.losses(ValueOutputs(q), transitions, following, Greedy().terms(following, {}, transitions.a_tm1))


def naive(q: np.ndarray, a: np.ndarray, r: np.ndarray, discount: np.ndarray, next_q: np.ndarray) -> np.ndarray:
    """TD errors, one transition after the other, in float64."""
    out = []
    for b in range(len(a)):
        target = float(r[b])
        if discount[b] > 0:
            target += float(discount[b]) * max(float(v) for v in next_q[b])
        out.append(target - float(q[b, a[b]]))
    return np.array(out)


def test_the_worked_example() -> None:
    """r = 2, gamma = 0.9, max target Q = 5, Q(s, a) = 4: y = 2 + 0.9 * 5 = 6.5, delta = 2.5, delta^2 = 6.25."""
    out = losses(Expected(loss="squared"), [[4.0, 1.0]], [0], [2.0], [0.9], [[3.0, 5.0]])
    assert (out.td_error.numpy().tolist(), out.loss.numpy().tolist()) == ([2.5], [6.25])
    assert out.priority.numpy().tolist() == [2.5]


def test_the_worked_example_with_the_clipped_error() -> None:
    """Huber with threshold 1: |2.5| - 1/2."""
    out = losses(Expected(loss="huber"), [[4.0, 1.0]], [0], [2.0], [0.9], [[3.0, 5.0]])
    assert out.loss.numpy().tolist() == [2.0]


def test_the_priority_is_the_size_of_the_error() -> None:
    out = losses(Expected(), [[4.0]], [0], [0.0], [0.5], [[2.0]])
    assert (out.td_error.numpy().tolist(), out.priority.numpy().tolist()) == ([-3.0], [3.0])


@pytest.mark.parametrize("loss", ["huber", "squared"])
def test_equals_the_naive_twin(loss: str) -> None:
    """Random batches with terminations.  Tolerance: float32 against float64."""
    random = np.random.default_rng(0)
    q, next_q = random.normal(size=(2, 64, 6)).astype(np.float32) * 3
    a = random.integers(0, 6, 64)
    r = random.normal(size=64).astype(np.float32)
    discount = np.where(random.random(64) < 0.3, 0, 0.99).astype(np.float32)
    delta = naive(q, a, r, discount, next_q)
    want = delta**2 if loss == "squared" else np.where(abs(delta) <= 1, delta**2 / 2, abs(delta) - 0.5)
    out = losses(Expected(loss=loss), q, a, r, discount, next_q)
    np.testing.assert_allclose(out.td_error, delta, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(out.loss, want, rtol=1e-5, atol=1e-5)


def test_a_terminal_transition_ignores_what_comes_next() -> None:
    """discount = 0: the target is the reward, however large the next values."""
    next_q = [[0.0, 0.0], [3e38, -3e38]]
    out = losses(Expected(loss="squared"), [[1.0, 0.0]] * 2, [0, 0], [3.0, 3.0], [0.0, 0.0], next_q)
    assert out.td_error.numpy().tolist() == [2.0, 2.0]


def test_select_takes_the_value_of_the_action() -> None:
    assert select(tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), tf.constant([2, 0])).numpy().tolist() == [3.0, 4.0]


# -- the Huber loss is the paper's clipped error -----------------------------------------------------------------------
def gradient(function: Any, delta: Any) -> list[float]:
    delta = tf.constant(delta, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(delta)
        loss = function(delta)
    return list(tape.gradient(loss, delta).numpy())


def test_the_gradient_of_huber_is_the_clipped_error() -> None:
    delta = np.linspace(-3, 3, 49, dtype=np.float32)
    assert gradient(lambda d: huber(d, 1.0), delta) == np.clip(delta, -1, 1).tolist()
    assert gradient(lambda d: huber(d, 0.5), delta) == np.clip(delta, -0.5, 0.5).tolist()


def test_huber_is_smooth_at_its_threshold() -> None:
    """At |delta| = k both branches give k^2 / 2 and the slope k."""
    for k in (0.5, 1.0, 2.0):
        assert huber(tf.constant([k, -k]), k).numpy().tolist() == [k * k / 2] * 2
        assert gradient(lambda d, k=k: huber(d, k), [k, -k]) == [k, -k]


def test_huber_with_a_huge_threshold_is_half_the_squared_error() -> None:
    delta = tf.constant(np.random.default_rng(0).normal(size=100).astype(np.float32))
    assert np.array_equal(2 * huber(delta, 1e9), squared(delta))


def test_huber_of_no_error_is_nothing() -> None:
    assert huber(tf.constant([0.0]), 1.0).numpy().tolist() == [0.0]
    assert gradient(lambda d: huber(d, 1.0), [0.0]) == [0.0]


@pytest.mark.parametrize("threshold", [0.0, -1.0])
def test_a_threshold_must_be_positive(outcome, threshold: float) -> None:
    assert outcome(Expected, huber_threshold=threshold).startswith("Expected a number > 0 for `value.huber_threshold`")


def test_what_prioritized_replay_is_told() -> None:
    """delta = 3: its size, or its loss: 9 squared, 2.5 by Huber."""
    arguments = ([[1.0, 0.0]], [0], [4.0], [0.0], [[0.0, 0.0]])
    told = {
        (loss, priority): losses(Expected(loss=loss, priority=priority), *arguments).priority.numpy().tolist()
        for loss in ("squared", "huber")
        for priority in ("td_error", "loss")
    }
    assert told == {
        ("squared", "td_error"): [3.0],
        ("huber", "td_error"): [3.0],
        ("squared", "loss"): [9.0],
        ("huber", "loss"): [2.5],
    }
