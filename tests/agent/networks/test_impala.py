"""IMPALA's torso: by hand, a naive twin in float64, its width as a factor, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.impala import Impala, centered_pool, residual
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.values.expected import Expected
from dqn_tf.rng import Stream
from dqn_tf.types import ObservationSpec

SPEC = ObservationSpec((7, 6), "uint8", 2)
SMALL = Impala(channels=(3, 2), blocks=1, hidden=4)


def network(torso: Any, spec: ObservationSpec = SPEC) -> QNetwork:
    return QNetwork(torso, Expected(), spec, 2, Stream(3, "weights"))


def test_a_block_by_hand() -> None:
    """One pixel of one channel: x + second(relu(first(relu(x)))), first = 2 x - 3, second = 10 x + 1."""
    for x, want in ((4.0, 4 + 10 * 5 + 1), (1.0, 1 + 1), (-2.0, -2 + 1)):
        found = residual(tf.constant([[[[x]]]]), lambda y: 2 * y - 3, lambda y: 10 * y + 1)
        assert float(tf.squeeze(found)) == want


def convolved(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """3 x 3, same padding, one picture [H, W, C], from the definition."""
    height, width, _ = x.shape
    out = np.zeros((height, width, len(bias))) + bias
    for i in range(height):
        for j in range(width):
            for di in (-1, 0, 1):
                for dj in (-1, 0, 1):
                    if 0 <= i + di < height and 0 <= j + dj < width:
                        out[i, j] += x[i + di, j + dj] @ kernel[di + 1, dj + 1]
    return out


def pooled(x: np.ndarray, pooling: str) -> np.ndarray:
    """The maximum of windows of 3, every 2; "same": what is missing of the last window lies evenly on both sides."""
    out = np.zeros((-(-x.shape[0] // 2), -(-x.shape[1] // 2), x.shape[2]))
    before = [1 if pooling == "centered" else ((-(-size // 2) - 1) * 2 + 3 - size) // 2 for size in x.shape[:2]]
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            top, left = 2 * i - before[0], 2 * j - before[1]
            out[i, j] = x[max(0, top) : top + 3, max(0, left) : left + 3].max(axis=(0, 1))
    return out


@pytest.mark.parametrize("pooling", ["same", "centered"])
def test_equals_a_naive_twin(pooling: Any) -> None:
    ours = network(dataclasses.replace(SMALL, pooling=pooling))
    pictures = np.random.default_rng(0).integers(0, 256, (2, 7, 6, 2)).astype(np.uint8)
    weights = [np.asarray(v, np.float64) for v in ours.torso.trainable_variables]
    assert len(weights) == 12
    for picture, found in zip(pictures, ours.features(pictures), strict=True):
        x = picture / 255.0
        for stage in range(2):
            first, inner, outer = (weights[6 * stage + 2 * k : 6 * stage + 2 * k + 2] for k in range(3))
            x = pooled(convolved(x, *first), pooling)
            x = x + convolved(np.maximum(convolved(np.maximum(x, 0), *inner), 0), *outer)
        np.testing.assert_allclose(found, np.maximum(x, 0).ravel(), rtol=1e-4, atol=1e-6)  # float32


def test_the_two_poolings_differ_where_a_size_is_even() -> None:
    """PyTorch's padding=1 begins at -1; TensorFlow's "same" adds a row and a column at the end of an even size, one on
    each side of an odd one."""
    same = tf.keras.layers.MaxPooling2D(3, 2, "same")
    x = tf.constant(np.random.default_rng(1).normal(size=(1, 6, 5, 2)), tf.float32)
    assert not np.array_equal(centered_pool(x), same(x)) and centered_pool(x).shape == same(x).shape == (1, 3, 3, 2)
    assert np.array_equal(centered_pool(x[:, :5]), same(x[:, :5]))
    assert np.array_equal(centered_pool(-1 - tf.square(x))[:, :5] < 0, np.ones((1, 3, 3, 2), bool))  # no zeros come in


def test_width_is_a_factor_on_the_channels() -> None:
    wide, same = network(Impala(width=2, channels=(2, 3), hidden=4)), network(Impala(channels=(4, 6), hidden=4))
    assert Impala(width=2, channels=(2, 3)).filters == (4, 6) and Impala(width=4).filters == (64, 128, 128)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 7, 6, 2)).astype(np.uint8)
    assert np.array_equal(wide(pictures).q_values, same(pictures).q_values)
    assert [v.shape for v in wide.variables] == [v.shape for v in same.variables]


def test_the_published_sizes() -> None:
    """Espeholt et al. 2018, figure 3: three stages of 16, 32 and 32 filters, 15 convolutions; 84 x 84 -> 11 x 11."""
    assert Impala().latent_shape(ObservationSpec((84, 84), "uint8", 4)) == (11, 11, 32)
    torso = network(Impala(hidden=4), ObservationSpec((9, 8), "uint8", 4)).torso.trainable_variables
    assert [v.shape[-1] for v in torso] == [16] * 10 + [32] * 20
    assert sum(int(np.prod(v.shape)) for v in torso) == 9 * (4 * 16 + 4 * 16**2 + 16 * 32 + 9 * 32**2) + 400


def test_names_tell_the_variables_apart() -> None:
    ours = network(SMALL)
    assert len(ours.named_variables) == len(ours.variables)


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("width", 0, "Expected 1 to 64 for `network.width`, got 0"),
        ("width", -4, "Expected 1 to 64 for `network.width`, got -4"),
        ("channels", (), "Expected numbers of at least 1 for `network.channels`"),
        ("channels", (16, -32), "Expected numbers of at least 1 for `network.channels`"),
        ("blocks", -1, "Expected at least 0 blocks for `network.blocks`, got -1"),
        ("hidden", 0, "Expected at least 1 unit for `network.hidden`, got 0"),
        ("pooling", "valid", "one of same, centered"),
    ],
)
def test_what_is_refused(outcome: Callable[..., str], field: str, value: Any, text: str) -> None:
    assert text in outcome(Impala, **{field: value})


def test_vectors_are_refused(outcome: Callable[..., str]) -> None:
    assert outcome(network, SMALL, ObservationSpec((3,), "float32")).startswith(
        "Expected images [H, W, C] for network=impala, got float32 [3]. Vector observations take"
    )
