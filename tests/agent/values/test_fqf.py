"""FQF: proposed fractions, their loss, and which gradient goes where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.initializers import Initialization, Initializers
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.values.fqf import FQF, Proposed, fraction_loss, fractions
from dqn_tf.agent.values.quantile import midpoints, quantile_losses
from dqn_tf.rng import Stream
from dqn_tf.types import ObservationSpec, ValueOutputs

VALUE = FQF(fractions=4, cosines=6, entropy=0.5)
STATES = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)


def network() -> QNetwork:
    return QNetwork(MLP(hidden=(4, 5)), VALUE, ObservationSpec((3,), "float32"), 3, Stream(0, "weights"))


def test_fractions_by_hand() -> None:
    """q = (1/2, 1/4, 1/4): tau = 0, 1/2, 3/4, 1; tau_hat = 1/4, 5/8, 7/8."""
    tau, tau_hat, entropy = fractions(tf.math.log(tf.constant([[2.0, 1.0, 1.0]])))
    np.testing.assert_allclose(tau, [[0, 0.5, 0.75, 1]], rtol=1e-6)
    np.testing.assert_allclose(tau_hat, [[0.25, 0.625, 0.875]], rtol=1e-6)
    np.testing.assert_allclose(entropy, [1.5 * np.log(2)], rtol=1e-6)


def test_fractions_rise_from_zero_to_one() -> None:
    tau, tau_hat, entropy = fractions(tf.constant(5 * np.random.default_rng(0).normal(size=(50, 8)), tf.float32))
    assert (np.diff(tau, axis=1) >= 0).all() and not tau[:, 0].numpy().any()
    np.testing.assert_allclose(tau[:, -1], np.ones(50), atol=1e-6)
    assert ((tau_hat >= tau[:, :-1]).numpy() & (tau_hat <= tau[:, 1:]).numpy()).all()
    assert (entropy.numpy() >= 0).all() and (entropy.numpy() <= np.log(8) + 1e-6).all()


def test_the_fraction_loss_descends_the_wasserstein_distance() -> None:
    """Z = tau^2.  The 1-Wasserstein distance to the steps Z(tau_hat_i), integrated numerically, has the gradient that
    the paper says, 2 Z(tau_i) - Z(tau_hat_i) - Z(tau_hat_{i-1}); and so has the loss."""
    tau = np.array([0.0, 0.2, 0.7, 1.0])

    def distance(inner: np.ndarray) -> float:
        edges = np.array([0.0, *inner, 1.0])
        grid = (np.arange(400_000) + 0.5) / 400_000
        steps = ((edges[:-1] + edges[1:]) / 2) ** 2
        return float(abs(grid**2 - steps[np.searchsorted(edges, grid) - 1]).mean())

    numeric = [
        (distance(tau[1:-1] + d) - distance(tau[1:-1] - d)) / 2e-3 for d in (np.array([1e-3, 0]), np.array([0, 1e-3]))
    ]
    middles = ((tau[:-1] + tau[1:]) / 2) ** 2
    variable = tf.constant(tau[None], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        loss = fraction_loss(
            variable, tf.constant(tau[None, 1:-1] ** 2, tf.float32), tf.constant(middles[None], tf.float32)
        )
    gradient = tape.gradient(loss, variable).numpy()[0, 1:-1]
    np.testing.assert_allclose(gradient, 2 * tau[1:-1] ** 2 - middles[1:] - middles[:-1], rtol=1e-5)
    np.testing.assert_allclose(gradient, numeric, atol=1e-3)


@pytest.mark.parametrize("scheme", ["fan_in_uniform", "glorot_uniform", "dopamine_uniform"])
def test_the_first_fractions_are_nearly_even_however_large_the_features(scheme: Initialization) -> None:
    """The proposal's first weights are 0.01 of Glorot's in every scheme, its biases 0: 0.01 sqrt(6 / 160)."""
    _, proposal = FQF(fractions=32).parts(128, Initializers(scheme, Stream(0, "weights")))
    kernel, bias = (v.numpy() for v in proposal.variables)
    assert 0.99 * 0.001936 < abs(kernel).max() <= 0.001937 and not bias.any()
    features = 20 * np.abs(np.random.default_rng(0).normal(size=(64, 128))).astype(np.float32)
    _, _, entropy = fractions(proposal(tf.constant(features), None))
    assert entropy.numpy().min() > 0.95 * np.log(32)


def test_q_weighs_the_values_by_the_fractions() -> None:
    out = network()(STATES, "act")
    tau = out.proposal.tau.numpy()
    np.testing.assert_allclose(
        out.q_values, ((tau[:, 1:] - tau[:, :-1])[:, None] * out.dist.numpy()).sum(-1), rtol=1e-5
    )


def test_the_loss_is_its_three_parts(made_up: Callable[..., Any], tensors: Callable[..., Any]) -> None:
    batch = made_up(outputs=4)
    random = np.random.default_rng(1)
    tau, _, entropy = fractions(tf.constant(random.normal(size=(24, 4)).astype(np.float32)))
    edges = random.normal(size=(24, 3, 3)).astype(np.float32)
    values = ValueOutputs(
        None, tf.constant(batch.dist), tf.constant(midpoints(4)), Proposed(tau, entropy, tf.constant(edges))
    )
    others = tensors(batch.transitions), ValueOutputs(None, tf.constant(batch.next_dist)), tensors(batch.terms)
    out, regression = VALUE.losses(values, *others), quantile_losses(values, *others, kappa=1.0)
    want = []
    for b, a in enumerate(batch.transitions.a_tm1):
        z, e = batch.dist[b, a], edges[b, a]
        want.append(sum((2 * e[i] - z[i + 1] - z[i]) * tau[b, i + 1] for i in range(3)) - 0.5 * entropy[b])
    np.testing.assert_allclose(out.loss - regression.loss, want, rtol=1e-4, atol=1e-5)
    assert np.array_equal(out.priority, regression.loss)


def test_the_proposal_and_the_rest_are_trained_apart(made_up: Callable[..., Any], tensors: Callable[..., Any]) -> None:
    """Its own loss reaches the proposal alone; the quantile regression reaches everything but the proposal."""
    q, batch = network(), made_up(outputs=4)
    ((_, proposal),) = q.own_optimizers
    rest = [v for v in q.variables if all(v is not p for p in proposal)]
    assert len(proposal) == 2 and len(rest) == len(q.variables) - 2
    with tf.GradientTape(persistent=True) as tape:
        values = q(STATES, "predict")
        arguments = tensors(batch.transitions), ValueOutputs(None, tf.constant(batch.next_dist)), tensors(batch.terms)
        whole = tf.reduce_sum(VALUE.losses(values, *arguments).loss)
        regression = tf.reduce_sum(quantile_losses(values, *arguments, kappa=1.0).loss)
    assert tape.gradient(regression, proposal) == [None, None]
    assert all(np.any(g) for g in tape.gradient(whole, proposal))
    for a, b in zip(tape.gradient(whole, rest), tape.gradient(regression, rest), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("field", "value"), [("fractions", 1), ("cosines", 0), ("kappa", -1.0), ("entropy", -1.0)])
def test_bad_settings(outcome, field: str, value: float) -> None:
    assert f"`value.{field}`" in outcome(FQF, **{field: value})
