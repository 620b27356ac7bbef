"""QR-DQN: midpoints, the quantile Huber loss, targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.values.expected import Expected
from dqn_tf.agent.values.quantile import Quantile, midpoints, quantile_regression
from dqn_tf.types import ValueOutputs


def losses(value: Any, batch: Any, tensors: Callable[..., Any]) -> Any:
    taus = tf.constant(midpoints(batch.dist.shape[2]))
    return value.losses(
        ValueOutputs(None, tf.constant(batch.dist), taus),
        tensors(batch.transitions),
        ValueOutputs(None, tf.constant(batch.next_dist), taus),
        tensors(batch.terms),
    )


def naive(target: np.ndarray, theta: np.ndarray, kappa: float) -> float:
    """Algorithm 1's loss of one transition, in float64."""
    total, n = 0.0, len(theta)
    for i in range(n):
        tau = (2 * i + 1) / (2 * n)
        for y in target:
            u = float(y) - float(theta[i])
            size = abs(u) if kappa == 0 else (u * u / 2 if abs(u) <= kappa else kappa * (abs(u) - kappa / 2)) / kappa
            total += abs(tau - (u < 0)) * size / len(target)
    return total


def test_by_hand() -> None:
    """theta = (0, 2) at tau = 1/4, 3/4; one target 1, kappa = 1: u = 1, -1.  1/4 * 1/2 + |3/4 - 1| * 1/2 = 1/4."""
    loss = quantile_regression(tf.constant([[1.0]]), tf.constant([[0.0, 2.0]]), tf.constant(midpoints(2)), 1.0)
    assert loss.numpy().tolist() == [0.25]


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("kappa", [0.0, 0.5, 1.0])
def test_losses_equal_the_naive_twin(made_up: Any, tensors: Any, kappa: float, soft: bool) -> None:
    batch = made_up(soft=soft)
    t, terms = batch.transitions, batch.terms
    want, errors = [], []
    for b in range(24):
        backed_up = sum(
            terms.policy[b, a] * (batch.next_dist[b, a].astype(float) + terms.value_bonus[b, a]) for a in range(3)
        )
        y = t.r_t[b] + terms.reward_bonus[b] + float(t.discount_t[b]) * backed_up
        theta = batch.dist[b, t.a_tm1[b]]
        want.append(naive(y, theta, kappa))
        errors.append(y.mean() - theta.mean())
    out = losses(Quantile(quantiles=5, kappa=kappa), batch, tensors)
    np.testing.assert_allclose(out.loss, want, rtol=1e-5)
    np.testing.assert_allclose(out.td_error, errors, atol=1e-5)
    assert np.array_equal(out.priority, out.loss)


def test_one_quantile_is_the_expected_value(made_up: Any, tensors: Any) -> None:
    """tau = 1/2: half the Huber loss of DQN, at the same target."""
    batch = made_up(outputs=1)
    out = losses(Quantile(quantiles=1), batch, tensors)
    q, following = (ValueOutputs(tf.constant(d[:, :, 0])) for d in (batch.dist, batch.next_dist))
    dqn = Expected(loss="huber").losses(q, tensors(batch.transitions), following, tensors(batch.terms))
    np.testing.assert_allclose(2 * out.loss, dqn.loss, rtol=1e-5)
    np.testing.assert_allclose(out.td_error, dqn.td_error, atol=1e-6)


def test_its_minimum_is_the_quantile() -> None:
    """Of 1000 targets, the loss at tau is least at their tau-quantile (kappa = 0)."""
    targets = np.sort(np.random.default_rng(0).normal(size=1000)).astype(np.float32)
    for tau in (0.1, 0.5, 0.9):
        grid = np.linspace(-2, 2, 401).astype(np.float32)
        loss = quantile_regression(
            tf.constant(np.tile(targets, (401, 1))), tf.constant(grid[:, None]), tf.fill((1, 1), tau), 0.0
        )
        assert abs(grid[int(np.argmin(loss))] - np.quantile(targets, tau)) < 0.02


def test_no_gradient_through_the_target_or_the_other_actions(made_up: Any, tensors: Any) -> None:
    batch = made_up()
    dist, following, taus = tf.constant(batch.dist), tf.constant(batch.next_dist), tf.constant(midpoints(5))
    with tf.GradientTape() as tape:
        tape.watch([dist, following])
        out = Quantile(quantiles=5).losses(
            ValueOutputs(None, dist, taus),
            tensors(batch.transitions),
            ValueOutputs(None, following, taus),
            tensors(batch.terms),
        )
        loss = tf.reduce_sum(out.loss)
    gradient, through = tape.gradient(loss, [dist, following])
    taken = np.zeros((24, 3), bool)
    taken[np.arange(24), batch.transitions.a_tm1] = True
    assert through is None and not gradient.numpy()[~taken].any() and gradient.numpy()[taken].any()


def test_q_is_the_mean_of_the_quantiles() -> None:
    out = Quantile(quantiles=2).outputs(None, lambda f, d: tf.constant([[[1.0, 3.0], [0.0, -1.0]]]), [], "act", None)
    assert out.q_values.numpy().tolist() == [[2.0, -0.5]]
    assert out.taus.numpy().tolist() == [[0.25, 0.75]]


@pytest.mark.parametrize(("field", "value"), [("quantiles", 0), ("kappa", -1.0)])
def test_bad_settings(outcome, field: str, value: float) -> None:
    assert f"`value.{field}`" in outcome(Quantile, **{field: value})
