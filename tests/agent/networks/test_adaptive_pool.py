"""Adaptive max-pooling: by hand, and from its definition; against PyTorch's: tests/independent/test_btr.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.adaptive_pool import adaptive_max, windows
from dqn_tf.agent.networks.impala import Impala
from dqn_tf.types import ObservationSpec


def test_eleven_to_six_by_hand() -> None:
    """BTR's: 0, 11/6, 22/6, ... rounded down begin, rounded up end."""
    assert windows(11, 6) == [(0, 2), (1, 4), (3, 6), (5, 8), (7, 10), (9, 11)]


@pytest.mark.parametrize(("height", "width", "size"), [(11, 11, 6), (5, 7, 3), (2, 3, 4), (6, 4, 2), (3, 3, 3)])
def test_equals_its_definition(height: int, width: int, size: int) -> None:
    x = np.random.default_rng(0).normal(size=(2, height, width, 3)).astype(np.float32)
    found = adaptive_max(tf.constant(x), size).numpy()
    for i in range(size):
        for j in range(size):
            rows = slice(math.floor(i * height / size), math.ceil((i + 1) * height / size))
            columns = slice(math.floor(j * width / size), math.ceil((j + 1) * width / size))
            assert np.array_equal(found[:, i, j], x[:, rows, columns].max(axis=(1, 2)))
    assert found.shape == (2, size, size, 3) and (size != height or size != width or np.array_equal(found, x))


def test_the_torso_of_btr() -> None:
    """width 2, 6 x 6: 2304 features, as in networks.py: 1152 times model_size."""
    torso = Impala(width=2, pooled_size=6)
    assert torso.latent_shape(ObservationSpec((84, 84), "uint8", 4)) == (6, 6, 64)
