"""How wide a predicted distribution is: by hand, and against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.agent.values.expected import Expected
from dqn_tf.agent.values.fqf import FQF, Proposed
from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.agent.values.quantile import Quantile
from dqn_tf.agent.values.spread import SPREAD, monitors, of_greedy, quantile
from dqn_tf.types import ValueOutputs

STD, IQR = SPREAD


def logits(*probabilities: float) -> np.ndarray:
    return np.log(np.array(probabilities, np.float32))


def test_the_greedy_action_s_distribution() -> None:
    dist = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    values = ValueOutputs(tf.constant([[0.0, 2.0, 1.0], [5.0, 4.0, 3.0]]), dist=tf.constant(dist))
    assert of_greedy(values).numpy().tolist() == [[2, 3], [6, 7]]


@pytest.mark.parametrize(("q", "wanted"), [(0.01, 1), (0.5, 1), (0.51, 4), (0.75, 4), (0.76, 9), (1.0, 9)])
def test_quantiles_by_hand(q: float, wanted: float) -> None:
    """Half the mass at 1, a quarter each at 4 and 9, in any order."""
    found = quantile(tf.constant([[9.0, 1.0, 4.0]]), tf.constant([[0.25, 0.5, 0.25]]), q)
    assert found.numpy().tolist() == [wanted]


def test_against_numpy() -> None:
    random = np.random.default_rng(0)
    returns = random.normal(size=(40, 16)).astype(np.float32)
    even = monitors(tf.constant(returns), tf.fill((40, 16), 1 / 16)).numbers
    np.testing.assert_allclose(even[STD], returns.std(axis=1), rtol=1e-5)
    quartiles = np.quantile(returns, (0.25, 0.75), axis=1, method="inverted_cdf")
    np.testing.assert_allclose(even[IQR], quartiles[1] - quartiles[0], rtol=1e-6)
    p = random.dirichlet(np.ones(16), 40).astype(np.float32)
    found = monitors(tf.constant(returns), tf.constant(p)).numbers[STD]
    mean = (p * returns).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, np.sqrt((p * (returns - mean) ** 2).sum(axis=1)), rtol=1e-5)


def test_categorical_by_hand() -> None:
    """Atoms -1, 0, 1 of the better action: 1/4, 0 (nearly), 3/4.  Mean 1/2, variance 3/4, quartiles -1 and 1."""
    value = Categorical(atoms=3, v_min=-1.0, v_max=1.0)
    dist = np.stack([logits(1, 1e-9, 1e-9), logits(0.25, 1e-9, 0.75)])[None]
    found = value.monitors(ValueOutputs(tf.constant([[-1.0, 0.5]]), dist=tf.constant(dist)))
    np.testing.assert_allclose(found.numbers[STD], [np.sqrt(0.75)], rtol=1e-5)
    assert found.numbers[IQR].numpy().tolist() == [2.0]
    np.testing.assert_allclose(found.numbers["heldout_edge_mass_mean"], [1.0], rtol=1e-6)
    returns, p = found.histograms["heldout_return"]
    assert returns.numpy().tolist() == [[-1, 0, 1]]
    np.testing.assert_allclose(p, [[0.25, 0, 0.75]], atol=1e-6)


@pytest.mark.parametrize("value", [Quantile(quantiles=4), ImplicitQuantile()])
def test_quantiles_of_the_families_by_hand(value: Quantile | ImplicitQuantile) -> None:
    """0, 1, 2, 5 with 1/4 each: mean 2, variance 14/4; at least 1/4 at or below 0, at least 3/4 at or below 2."""
    dist = tf.constant([[[5.0, 1.0, 0.0, 2.0], [9.0, 9.0, 9.0, 9.0]]])
    found = value.monitors(ValueOutputs(tf.constant([[2.0, 1.0]]), dist=dist))
    np.testing.assert_allclose(found.numbers[STD], [np.sqrt(3.5)], rtol=1e-6)
    assert found.numbers[IQR].numpy().tolist() == [2.0]


def test_fqf_by_hand() -> None:
    """Fractions of 1/2, 1/4, 1/4 at 0, 4, 8: mean 3, variance 11; half the mass at 0, three quarters up to 4."""
    tau = tf.constant([[0.0, 0.5, 0.75, 1.0]])
    values = ValueOutputs(tf.constant([[3.0]]), dist=tf.constant([[[0.0, 4.0, 8.0]]]))
    found = FQF(fractions=3).monitors(values._replace(proposal=Proposed(tau, tf.constant([1.25]), None)))
    np.testing.assert_allclose(found.numbers[STD], [np.sqrt(11)], rtol=1e-6)
    assert found.numbers[IQR].numpy().tolist() == [4.0]
    assert found.numbers["heldout_fraction_entropy_nats_mean"].numpy().tolist() == [1.25]


@pytest.mark.parametrize("value", [Categorical(), Quantile(), ImplicitQuantile(), FQF(), Expected()])
def test_every_family_lists_what_it_finds(value: object) -> None:
    """Two states, three actions."""
    random = np.random.default_rng(1)
    n = getattr(value, "atoms", 32)
    tau = tf.constant(np.linspace(0, 1, n + 1, dtype=np.float32)[None].repeat(2, axis=0))
    proposal = Proposed(tau, tf.constant([1.0, 2.0]), None)
    dist = tf.constant(random.normal(size=(2, 3, n)).astype(np.float32))
    found = value.monitors(ValueOutputs(tf.constant(random.normal(size=(2, 3))), dist=dist, proposal=proposal))
    assert tuple(found.numbers) == value.monitored
    assert all(number.shape == (2,) for number in found.numbers.values())
    assert bool(found.histograms) == bool(value.monitored)
