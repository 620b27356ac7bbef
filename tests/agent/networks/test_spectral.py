"""Spectral normalization: by hand, against NumPy's singular values, as a part of the state, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.impala import Impala
from dqn_tf.agent.networks.initializers import Initializers
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.networks.spectral import power_step, sigma, spectral
from dqn_tf.agent.resets import ShrinkPerturb
from dqn_tf.agent.target_tracking import Averaged
from dqn_tf.agent.values.expected import Expected
from dqn_tf.config import AgentConfig
from dqn_tf.execution.fused import make_learner
from dqn_tf.modes import Fused
from dqn_tf.rng import Stream
from dqn_tf.types import EnvironmentSpec, ObservationSpec, Sample, Transition

SPEC = EnvironmentSpec(ObservationSpec((6, 5), "uint8", 2), ("a", "b", "c"), 1)
SMALL = Impala(channels=(3, 2), blocks=1, hidden=4, spectral_norm=True)


def network(torso: Any = SMALL) -> QNetwork:
    return QNetwork(torso, Expected(), SPEC.observation, 3, Stream(3, "weights"))


def matrix(kernel: Any) -> np.ndarray:
    return np.asarray(kernel, np.float64).reshape(-1, kernel.shape[-1]).T


def batch() -> Sample:
    s_tm1, s_t = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 5, 2)).astype(np.uint8)
    ones, actions = np.ones(4, np.float32), np.int32([0, 1, 2, 0])
    return Sample(Transition(s_tm1, actions, ones, ones, s_t), np.arange(4, dtype=np.int64), ones)


def test_a_step_by_hand() -> None:
    """W = diag(3, 4), v = (1, 1) / sqrt(2): W v is along (3, 4), u = (0.6, 0.8); W^T u = (1.8, 3.2), v along it."""
    kernel = tf.reshape(tf.constant([[3.0, 0.0], [0.0, 4.0]]), [1, 1, 2, 2])
    u, v = power_step(kernel, tf.constant([0.5**0.5, 0.5**0.5]))
    np.testing.assert_allclose(u, [0.6, 0.8], rtol=1e-6)
    np.testing.assert_allclose(v, np.array([1.8, 3.2]) / np.hypot(1.8, 3.2), rtol=1e-6)
    assert float(sigma(kernel, u, v)) == pytest.approx((0.6 * 3 * 1.8 + 0.8 * 4 * 3.2) / np.hypot(1.8, 3.2))


def test_it_comes_to_the_largest_singular_value() -> None:
    """At the start after fifteen steps nearly, after a hundred more to the digits of float32."""
    built = network()
    layers = [part for layer in built.torso.layers for part in getattr(layer, "normalized", [])]
    assert len(layers) == 4 and len(built.power_vectors) == 8
    for more in (0, 100):
        for _ in range(more):
            built.power_step()
        for layer in layers:
            largest = np.linalg.svd(matrix(layer.convolution.kernel), compute_uv=False)[0]
            found = float(sigma(tf.convert_to_tensor(layer.convolution.kernel), layer.u, layer.v))
            assert found == pytest.approx(largest, rel=1e-5 if more else 0.05) and found <= largest * (1 + 1e-6)


def test_a_kernel_already_of_norm_one_stays() -> None:
    """The neutral case: the same numbers as without normalization, to float32 rounding."""
    built, plain = network(), network(Impala(channels=(3, 2), blocks=1, hidden=4))
    for layer in (part for torso in built.torso.layers for part in getattr(torso, "normalized", [])):
        kernel = layer.convolution.kernel
        kernel.assign(kernel / np.float32(np.linalg.svd(matrix(kernel), compute_uv=False)[0]))
    for _ in range(200):
        built.power_step()
    for to, source in zip(plain.variables, built.variables, strict=True):
        to.assign(source)
    np.testing.assert_allclose(
        built(batch().transitions.s_t).q_values, plain(batch().transitions.s_t).q_values, rtol=1e-4
    )


def test_no_gradient_goes_through_the_vectors() -> None:
    """d sigma / d W = u v^T, as in Miyato et al., equation 10."""
    random = np.random.default_rng(1)
    kernel = tf.constant(random.normal(size=(3, 3, 2, 4)))
    u, v = tf.constant(random.normal(size=4)), tf.constant(random.normal(size=18))
    with tf.GradientTape() as tape:
        tape.watch([kernel, u, v])
        found = sigma(kernel, u, v)
    of_kernel, of_u, of_v = tape.gradient(found, [kernel, u, v])
    np.testing.assert_allclose(matrix(of_kernel), np.multiply.outer(u.numpy(), v.numpy()), rtol=1e-12)
    assert of_u is None and of_v is None


@pytest.fixture
def agent(tiny_agent: Callable[..., AgentConfig]) -> Callable[..., AgentConfig]:
    return lambda **more: tiny_agent(**{"network": SMALL, **more})


def test_each_update_makes_a_step_and_all_of_it_is_saved(agent: Callable[..., AgentConfig]) -> None:
    """Gradients and actions change no vector; another learner with the saved state makes the same next update."""
    learner = make_learner(agent(target_tracking=Averaged(tau=0.1)), SPEC, seed=3)
    names = [name for name in learner.parameters.state() if name.startswith("online/")]
    assert len(names) == len(learner.online.variables) + 8
    first = [v.numpy().copy() for v in learner.online.power_vectors]
    learner.gradients(batch())
    learner.act(batch().transitions.s_t[0])
    assert all(map(np.array_equal, first, learner.online.power_vectors))
    before = [v.numpy().copy() for v in learner.target.power_vectors]
    learner.update(batch(), 0)
    assert not any(map(np.array_equal, first, learner.online.power_vectors))
    assert not any(map(np.array_equal, before, learner.target.power_vectors))  # its weights have moved, too
    kernel = next(part for layer in learner.online.torso.layers for part in getattr(layer, "normalized", []))
    u, _ = power_step(tf.convert_to_tensor(kernel.convolution.kernel), tf.constant(first[1]))
    np.testing.assert_allclose(learner.online.power_vectors[0], u, rtol=1e-5)
    other = make_learner(agent(target_tracking=Averaged(tau=0.1)), SPEC, seed=4)
    other.parameters.restore(learner.parameters.state())
    for each in (learner, other):
        each.update(batch(), 1)
    states = [each.parameters.state() for each in (learner, other)]
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])


def test_copies_and_resets_take_the_vectors_along(agent: Callable[..., AgentConfig]) -> None:
    learner = make_learner(agent(resets=ShrinkPerturb(period_steps=8, until_steps=8)), SPEC, seed=3)
    learner.update(batch(), 0)
    learner.parameters.sync_target()
    pairs = zip(learner.online.power_vectors, learner.target.power_vectors, strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert set(learner.parameters.theta()) == {n for n in learner.parameters.state() if n.startswith("online/")}
    learner.parameters.reset(8)
    for layer in (part for torso in learner.target.torso.layers for part in getattr(torso, "normalized", [])):
        largest = np.linalg.svd(matrix(layer.convolution.kernel), compute_uv=False)[0]
        assert float(sigma(tf.convert_to_tensor(layer.convolution.kernel), layer.u, layer.v)) == pytest.approx(
            largest, rel=0.05
        )


def test_what_is_refused(outcome: Callable[..., str], agent: Callable[..., AgentConfig]) -> None:
    assert outcome(Impala, spectral_norm=True, blocks=0).startswith(
        "Expected blocks for network.spectral_norm=true, got `network.blocks`=0"
    )
    frozen = tf.keras.layers.Conv2D(2, 3, padding="same", trainable=False)
    assert outcome(spectral, frozen, Initializers("he_normal", Stream(0, "weights")), (2, 2)).startswith(
        "Expected a convolution that learns for spectral normalization, got one whose kernel is frozen"
    )
    assert outcome(agent, execution=Fused()).startswith("Expected network.spectral_norm=false with execution=fused")
    assert "at least 1 pixel or none for `network.pooled_size`" in outcome(Impala, pooled_size=0)
