"""IQN: the embedding of fractions, what each role asks for, and that QR-DQN is its special case."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile, cosines
from dqn_tf.agent.values.quantile import Quantile, midpoints
from dqn_tf.rng import Stream
from dqn_tf.types import ObservationSpec, ValueOutputs

VALUE = ImplicitQuantile(samples=3, target_samples=4, policy_samples=5, cosines=6)
STATES = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)


def network(value: Any = VALUE) -> QNetwork:
    return QNetwork(MLP(hidden=(4, 5)), value, ObservationSpec((3,), "float32"), 2, Stream(0, "weights"))


def draws(counter: int = 0) -> Draws:
    return Draws(tf.constant(Stream(0, "network/update").seed_of(counter)))


def naive(q: QNetwork, state: np.ndarray, tau: float, first: int) -> np.ndarray:
    """Z_tau(s, .) [A] of one state in float64, from the network's variables in their order."""
    w = [np.asarray(v, np.float64) for v in q.variables]
    (torso, torso_bias), (phi, phi_bias), (hidden, hidden_bias), (out, out_bias) = zip(w[::2], w[1::2], strict=True)
    psi = np.maximum(0, state @ torso + torso_bias)
    embedding = np.array([math.cos(math.pi * i * tau) for i in range(first, first + len(phi))])
    merged = psi * np.maximum(0, embedding @ phi + phi_bias)
    return np.maximum(0, merged @ hidden + hidden_bias) @ out + out_bias


@pytest.mark.parametrize("first", [0, 1])
def test_the_network_equals_the_naive_twin(first: int) -> None:
    """Both conventions of the cosine's index."""
    q = network(ImplicitQuantile(samples=3, cosines=6, first_cosine=first))
    out = q(STATES, "predict", draws())
    assert out.dist.shape == (2, 2, 3) and out.taus.shape == (2, 3)
    for b in range(2):
        for n in range(3):
            want = naive(q, STATES[b], float(out.taus[b, n]), first)
            np.testing.assert_allclose(out.dist[b, :, n], want, rtol=1e-4, atol=1e-6)


def test_cosines_by_hand() -> None:
    """tau = 1/2: cos(0), cos(pi/2), cos(pi) from 0; cos(pi/2), cos(pi), cos(3 pi / 2) from 1."""
    half = tf.constant([[0.5]])
    np.testing.assert_allclose(cosines(half, 3, 0)[0, 0], [1, 0, -1], atol=1e-6)
    np.testing.assert_allclose(cosines(half, 3, 1)[0, 0], [0, -1, 0], atol=1e-6)


def test_every_role_asks_for_its_own_number_of_fractions() -> None:
    q = network()
    act, predict, target = (q(STATES, role, draws()) for role in ("act", "predict", "target"))
    assert act.dist is None and act.q_values.shape == (2, 2)
    assert predict.dist.shape == (2, 2, 3) and target.dist.shape == (2, 2, 4)
    np.testing.assert_allclose(predict.q_values, tf.reduce_mean(predict.dist, -1), rtol=1e-6)
    assert not np.allclose(target.q_values, tf.reduce_mean(target.dist, -1))  # K fractions of their own


def test_fractions_are_a_function_of_the_seed_and_fill_the_unit_interval() -> None:
    q = network(ImplicitQuantile(samples=2000))
    one, again, other = (q(STATES, "predict", draws(c)) for c in (3, 3, 4))
    assert np.array_equal(one.dist, again.dist) and not np.array_equal(one.taus, other.taus)
    taus = one.taus.numpy()
    assert 0 <= taus.min() < 0.01 and 0.99 < taus.max() < 1 and abs(taus.mean() - 0.5) < 0.02
    assert not np.array_equal(taus[0], taus[1])  # every row has its own


def test_at_fixed_midpoints_it_is_qr_dqn(made_up: Callable[..., Any], tensors: Callable[..., Any]) -> None:
    """Without draws the fractions are the midpoints; with the same values there, the losses are the same."""
    assert np.array_equal(network()(STATES, "target").taus, midpoints(4))
    batch, taus = made_up(), tf.constant(midpoints(5))
    arguments = (
        ValueOutputs(None, tf.constant(batch.dist), taus),
        tensors(batch.transitions),
        ValueOutputs(None, tf.constant(batch.next_dist), taus),
        tensors(batch.terms),
    )
    iqn, qr = ImplicitQuantile().losses(*arguments), Quantile(quantiles=5).losses(*arguments)
    for a, b in zip(iqn, qr, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("field", ["samples", "target_samples", "policy_samples", "cosines"])
def test_counts_must_be_positive(outcome, field: str) -> None:
    assert f"`value.{field}`" in outcome(ImplicitQuantile, **{field: 0})
