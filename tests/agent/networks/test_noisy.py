"""Noisy layers, shared biases, and the seeds that draws come from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.dense import Dense
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.initializers import Initializers
from dqn_tf.agent.networks.noisy import Noisy, noisy_linear
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.networks.single import Single
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.values.expected import Expected
from dqn_tf.rng import Stream
from dqn_tf.types import ObservationSpec

X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


def draws(counter: int = 0, noiseless: bool = False) -> Draws:
    return Draws(tf.constant(Stream(0, "network/update").seed_of(counter)), noiseless)


def layer(config: Any, features: int = 3, units: int = 2, **more: Any) -> Any:
    return config.layer(features, units, Initializers("fan_in_uniform", Stream(0, "weights")), **more)


def test_by_hand() -> None:
    """x = 2, w = 3 + 0.5 f(4) f(-9) = 3 - 3, b = 1 + 10 f(-9) = -29."""
    c = tf.constant
    y = noisy_linear(c([[2.0]]), (c([[3.0]]), c([1.0])), (c([[0.5]]), c([10.0])), (c([4.0]), c([-9.0])))
    assert y.numpy().tolist() == [[-29.0]]


def test_equals_the_equations_literally() -> None:
    """(8) to (11) with a whole matrix of noise, in float64."""
    random = np.random.default_rng(1)
    mu, sigma = ((random.normal(size=(3, 2)), random.normal(size=2)) for _ in range(2))
    eps = random.normal(size=3), random.normal(size=2)
    f = [np.sign(e) * np.sqrt(abs(e)) for e in eps]
    want = X @ (mu[0] + sigma[0] * np.outer(*f)) + mu[1] + sigma[1] * f[1]
    tensors = tf.nest.map_structure(lambda a: tf.constant(a, tf.float32), (mu, sigma, eps))
    np.testing.assert_allclose(noisy_linear(X, *tensors), want, rtol=1e-4, atol=1e-5)


def test_initial_weights() -> None:
    """mu in U(-1/sqrt(p), 1/sqrt(p)), sigma = sigma_0 / sqrt(p), weights and biases."""
    mu_w, mu_b, sigma_w, sigma_b = (np.asarray(v) for v in layer(Noisy(sigma_0=0.4), 100, 50).variables)
    assert 0.099 < abs(mu_w).max() <= 0.1 and 0 < abs(mu_b).max() <= 0.1
    for sigma in (sigma_w, sigma_b):
        np.testing.assert_allclose(sigma, 0.4 / math.sqrt(100), rtol=1e-6)


def test_without_sigma_it_is_dense() -> None:
    noisy, dense = layer(Noisy(sigma_0=0.0), relu=True), layer(Dense(), relu=True)
    np.testing.assert_allclose(noisy(X, draws()), dense(X, None), rtol=1e-6, atol=1e-7)


def test_noise_is_a_function_of_the_seed() -> None:
    one = layer(Noisy())
    same, again, other = (np.asarray(one(X, draws(c))) for c in (3, 3, 4))
    assert np.array_equal(same, again) and not np.allclose(same, other)
    mean = np.asarray(one(X, None))
    assert np.array_equal(one(X, draws(3, noiseless=True)), mean) and not np.allclose(same, mean)


def test_one_noise_for_the_whole_batch() -> None:
    """Equal rows stay equal."""
    y = np.asarray(layer(Noisy())(np.repeat(X[:1], 4, axis=0), draws()))
    np.testing.assert_allclose(y, y[:1].repeat(4, axis=0), rtol=1e-6)


@pytest.mark.parametrize("distribution", ["normal", "truncated_normal"])
def test_the_noise_has_the_moments_that_it_should(distribution: str) -> None:
    """Through a layer of mu = 0 and a bias of sigma = 1 alone, y = f(eps_j).  E |eps| = sqrt(2 / pi) for a normal;
    less, and no eps beyond 2, for a truncated one."""
    one = layer(Noisy(distribution=distribution), 1, 4000)
    for variable, value in zip(one.variables, (0.0, 0.0, 0.0, 1.0), strict=True):
        variable.assign(np.full(variable.shape, value, np.float32))
    eps = np.sign(f := np.asarray(one(np.ones((1, 1), np.float32), draws()))[0]) * f**2
    assert abs(eps.mean()) < 0.06
    if distribution == "normal":
        assert abs(eps).mean() == pytest.approx(math.sqrt(2 / math.pi), abs=0.05) and abs(eps).max() > 2
    else:
        assert abs(eps).max() <= 2 and abs(eps).mean() < math.sqrt(2 / math.pi) - 0.03


def test_every_layer_and_every_pass_has_noise_of_its_own() -> None:
    one, given = layer(Noisy()), draws()
    assert not np.allclose(one(X, given), one(X, given))
    seeds = [tuple(np.asarray(given.next())) for _ in range(4)]
    assert len(set(seeds)) == 4
    other = Draws(tf.constant(Stream(0, "network/act").seed_of(0)))
    assert tuple(np.asarray(other.next())) not in seeds


def test_the_gradient_reaches_mu_and_sigma() -> None:
    one = layer(Noisy())
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(one(X, draws()) ** 2)
    assert all(np.any(g) for g in tape.gradient(loss, one.variables))


# -- one bias for all actions ------------------------------------------------------------------------------------------
def test_a_shared_bias() -> None:
    """The last layer has one bias; the outputs are those of the same layer without, plus it."""
    q = QNetwork(
        MLP(hidden=(5,)),
        Expected(),
        ObservationSpec((3,), "float32"),
        4,
        Stream(0, "weights"),
        head=Single(bias="shared"),
    )
    assert [tuple(v.shape) for v in q.variables] == [(3, 5), (5,), (5, 4), (1,)]
    hidden, hidden_bias, kernel, bias = (np.asarray(v) for v in q.variables)
    want = np.maximum(0, X @ hidden + hidden_bias) @ kernel + bias
    np.testing.assert_allclose(q(X).q_values, want, rtol=1e-5, atol=1e-6)


def test_noise_must_not_be_negative(outcome) -> None:
    assert "`layers.sigma_0`" in outcome(Noisy, sigma_0=-0.1)


# -- noise that is drawn once ------------------------------------------------------------------------------------------
def test_noise_that_is_never_drawn_anew_is_another_mean() -> None:
    """Whatever the seed of the pass; by hand: mu + sigma f(eps_i) f(eps_j), the noise before the weights."""
    noisy = layer(Noisy(sigma_0=0.4, redraw="never"))
    one, other = (noisy(X, draws(counter)).numpy() for counter in (0, 1))
    assert np.array_equal(one, other)
    mu_w, mu_b, sigma_w, sigma_b = (np.asarray(v, np.float64) for v in noisy.variables)
    eps = [Stream(0, "weights").at(k).standard_normal(n).astype(np.float32) for k, n in ((0, 3), (1, 2))]
    f = [np.sign(e) * np.sqrt(abs(e)) for e in eps]
    want = X @ (mu_w + sigma_w * np.outer(*f)) + mu_b + sigma_b * f[1]
    np.testing.assert_allclose(one, want, rtol=1e-5, atol=1e-6)


def test_two_networks_of_one_stream_have_the_same_noise() -> None:
    """The online and the target network; in another run it is another's."""
    spec, make = ObservationSpec((3,), "float32"), Noisy(sigma_0=0.4, redraw="never")
    nets = [QNetwork(MLP(hidden=(4,)), Expected(), spec, 2, Stream(seed, "weights"), layers=make) for seed in (0, 0, 1)]
    one, other, third = (net(X, draws=draws()).q_values.numpy() for net in nets)
    assert np.array_equal(one, other) and not np.allclose(one, third)


def test_noise_that_is_drawn_once_can_be_turned_off_and_is_normal(outcome) -> None:
    noisy = layer(Noisy(sigma_0=0.4, redraw="never"))
    assert not np.allclose(noisy(X, draws(noiseless=True)), noisy(X, draws()))
    assert "normal with layers.redraw=never" in outcome(Noisy, redraw="never", distribution="truncated_normal")
