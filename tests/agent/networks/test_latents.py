"""Latents scaled to 0..1: by hand, and in the torsos."""

from __future__ import annotations

import numpy as np
import pytest

from dqn_tf.agent.networks.latents import min_max
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.networks.torsos import CNN, NatureCNN
from dqn_tf.agent.values.expected import Expected
from dqn_tf.rng import Stream
from dqn_tf.types import ObservationSpec


def test_each_row_by_itself() -> None:
    z = np.float32([[0, 1, 3], [5, 5, 5], [-2, 0, 2]])
    assert min_max(z).numpy() == pytest.approx(np.float32([[0, 1 / 3, 1], [0, 0, 0], [0, 0.5, 1]]), abs=1e-5)


@pytest.mark.parametrize("torso", [CNN(channels=(3, 4), kernels=(3, 2), strides=(2, 1), hidden=8), NatureCNN(hidden=8)])
def test_a_torso_s_features_are_scaled_or_not(torso: CNN | NatureCNN) -> None:
    """The same weights; the plain features, scaled by hand, are the scaled ones.  Its shape is that of the latents."""
    spec = ObservationSpec((40, 38), "uint8", 2)
    images = np.random.default_rng(0).integers(0, 256, (2, *spec.shape), dtype=np.uint8)
    plain, scaled = (
        QNetwork(type(torso)(**{**torso.__dict__, "latent": latent}), Expected(), spec, 3, Stream(0, "weights"))
        for latent in ("as_it_is", "min_max")
    )
    z, found = (np.asarray(network.features(images)).astype(np.float64) for network in (plain, scaled))
    low, high = z.min(axis=1, keepdims=True), z.max(axis=1, keepdims=True)
    np.testing.assert_allclose(found, (z - low) / (high - low + 1e-5), rtol=1e-5, atol=1e-6)
    height, width, channels = torso.latent_shape(spec)
    assert found.shape[1] == height * width * channels and channels == (64 if isinstance(torso, NatureCNN) else 4)
