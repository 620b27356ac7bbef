"""Layer normalization: by hand, against float64, in fully connected layers and after convolutions."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.initializers import Initializers, cut_normal, orthogonal
from dqn_tf.agent.networks.layer_norm import LayerNorm, normalized_relu
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.networks.torsos import CNN, MLP
from dqn_tf.agent.values.expected import Expected
from dqn_tf.rng import Stream
from dqn_tf.types import ObservationSpec

ATARI, MINATAR = ObservationSpec((84, 84), "uint8", 4), ObservationSpec((10, 10, 4), "bool")
VECTOR = ObservationSpec((4,), "float32")


def network(torso: Any, spec: ObservationSpec, actions: int, layers: Any = LayerNorm()) -> QNetwork:  # noqa: B008
    return QNetwork(torso, Expected(), spec, actions, Stream(0, "weights"), layers=layers)


def size(network: QNetwork) -> int:
    return sum(int(np.prod(v.shape)) for v in network.variables)


def naive(x: np.ndarray, axes: int, g: np.ndarray, b: np.ndarray, epsilon: float) -> np.ndarray:
    over = tuple(range(-axes, 0))
    x = x.astype(np.float64)
    mean, variance = x.mean(over, keepdims=True), x.var(over, keepdims=True)
    return np.maximum(g * (x - mean) / np.sqrt(variance + epsilon) + b, 0)


def test_four_numbers_by_hand() -> None:
    """1, 3, 5, 7 have mean 4 and variance 5; with eps = 4 the deviation is 3: -1, -1/3, 1/3, 1.

    g = 3, b = 1: -2, 0, 2, 4, and ReLU takes the first."""
    layer = normalized_relu(1, 4.0)
    layer.build((None, 4))
    layer.gamma.assign([3.0] * 4)
    layer.beta.assign([1.0] * 4)
    assert layer(tf.constant([[1.0, 3.0, 5.0, 7.0]])).numpy()[0] == pytest.approx([0, 0, 2, 4], abs=1e-6)


@pytest.mark.parametrize("axes", [1, 3])
def test_each_pixel_or_the_image_and_compiled_it_is_the_same(axes: int) -> None:
    """Also backwards, to float32 rounding."""
    random = np.random.default_rng(axes)
    x = random.normal(2, 3, (2, 3, 4, 5)).astype(np.float32)
    layer = normalized_relu(axes, 1e-5)
    layer.build((None, 3, 4, 5))
    for variable in layer.trainable_variables:
        assert tuple(variable.shape) == (3, 4, 5)[3 - axes :]
        variable.assign(random.normal(size=variable.shape))
    found = []
    for compiled in (False, True):
        layer.compiled, given = compiled, tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(given)
            y = layer(given)
            square = y * y
        found.append([y, *tape.gradient(square, [given, *layer.trainable_variables])])
    wanted = naive(x, axes, *(np.asarray(v) for v in layer.trainable_variables), 1e-5)
    np.testing.assert_allclose(found[0][0], wanted, atol=1e-5)
    for plain, by_xla in zip(*found, strict=True):
        np.testing.assert_allclose(plain, by_xla, rtol=1e-4, atol=1e-4)


def test_a_whole_network_against_float64() -> None:
    """Dense, norm, ReLU; dense, norm, ReLU; dense: CleanRL's PQN."""
    one = network(MLP(hidden=(120, 84), in_head="all", initialization="orthogonal"), VECTOR, 2)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    w = [np.asarray(v, np.float64) for v in one.variables]
    assert [v.shape for v in w] == [(4, 120), *[(120,)] * 3, (120, 84), *[(84,)] * 3, (84, 2), (2,)]
    h = naive(x @ w[0] + w[1], 1, w[2], w[3], 1e-5)
    h = naive(h @ w[4] + w[5], 1, w[6], w[7], 1e-5)
    np.testing.assert_allclose(one(x).q_values, h @ w[8] + w[9], rtol=1e-4, atol=1e-5)


def test_parameter_counts_are_the_published_ones() -> None:
    """CleanRL's pqn.py on CartPole and pqn_atari_envpool.py on Breakout, the authors' pqn_atari.py and pqn_minatar.py:
    counted there, by PyTorch and Flax (tests/independent/pqn_answers.py)."""
    cleanrl = MLP(hidden=(120, 84), in_head="all")
    assert size(network(cleanrl, VECTOR, 2)) == 11_342
    authors = CNN(layer_norm="channels", initialization="he_normal")
    assert size(network(authors, ATARI, 4)) == 1_687_524
    whole = dataclasses.replace(authors, layer_norm="image")
    assert size(network(whole, ATARI, 4)) == 1_687_524 + 2 * (20 * 20 * 32 + 9 * 9 * 64 + 7 * 7 * 64 - 160)
    minatar = CNN(channels=(16,), kernels=(3,), strides=(1,), hidden=128, layer_norm="channels")
    assert size(network(minatar, MINATAR, 3)) == 132_467


def test_without_normalization_it_is_the_plain_network() -> None:
    """The same weights from the same draws, the same values: the scale 1 and shift 0 come without a draw."""
    plain = network(CNN(hidden=8), ATARI, 3, layers=LayerNorm())
    normal = network(CNN(hidden=8, layer_norm="channels"), ATARI, 3)
    own = [v for v in normal.variables if v.path.rsplit("/")[-1] not in ("gamma", "beta")]
    kept = [v for v in plain.variables if v.path.rsplit("/")[-1] not in ("gamma", "beta")]
    assert len(own) == len(kept) == 10
    assert all(np.array_equal(a, b) for a, b in zip(own, kept, strict=True))


def test_the_input_s_factor() -> None:
    """The authors divide MinAtar's zeros and ones by 255."""
    bits = np.random.default_rng(0).random((2, 10, 10, 4)) < 0.3
    plain, scaled = (
        network(
            CNN(kernels=(3,), channels=(2,), strides=(1,), hidden=4, input_scale=s),
            MINATAR,
            3,
            layers=LayerNorm(epsilon=1.0),
        )
        for s in (None, 1 / 255)
    )
    np.testing.assert_allclose(scaled.torso.layers[0](bits), np.asarray(plain.torso.layers[0](bits)) / 255)
    assert not np.allclose(plain(bits).q_values, scaled(bits).q_values)


# -- initial weights ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (4, 4), (1, 5)])
def test_orthogonal_rows_or_columns(shape: tuple[int, int]) -> None:
    q = orthogonal(*shape, np.random.default_rng(1))
    product = q.T @ q if shape[0] >= shape[1] else q @ q.T
    assert q.shape == shape and np.abs(product - np.eye(min(shape))).max() < 1e-12


def test_orthogonal_is_what_qr_gives() -> None:
    """Q of numpy.linalg.qr with the signs of R's diagonal, as in PyTorch: every such matrix is equally likely."""
    q, r = np.linalg.qr(np.random.default_rng(3).standard_normal((9, 4)))
    np.testing.assert_allclose(orthogonal(9, 4, np.random.default_rng(3)), q * np.sign(np.diag(r)), atol=1e-12)


def test_kernels_of_the_schemes() -> None:
    stream = Stream(0, "weights")
    scheme = Initializers("orthogonal", stream)
    fans = scheme.layer(3 * 3 * 4, 8)
    kernel = fans["kernel_initializer"]((3, 3, 4, 8)).reshape(36, 8)
    np.testing.assert_allclose(kernel.T @ kernel, 2 * np.eye(8), atol=1e-5)
    assert not fans["bias_initializer"]((8,)).any()
    normal = Initializers("he_normal", stream)
    hidden, output = (normal.layer(100, 400, output=o)["kernel_initializer"]((100, 400)) for o in (False, True))
    assert hidden.var() == pytest.approx(2 / 100, rel=0.02) and output.var() == pytest.approx(1 / 100, rel=0.02)
    assert np.abs(hidden).max() <= 2 * np.sqrt(2 / 100) / 0.8796
    assert np.abs(cut_normal((50_000,), np.random.default_rng(0))).max() <= 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LayerNorm(epsilon=0.0), "Expected a number > 0 for `layers.epsilon`, got 0.0."),
        (lambda: CNN(layer_norm_epsilon=0.0), "Expected a number > 0 for `network.layer_norm_epsilon`, got 0.0."),
        (lambda: CNN(input_scale=0.0), "Expected a number > 0 or none for `network.input_scale`, got 0.0."),
    ],
)
def test_what_is_refused(outcome, call: Any, message: str) -> None:
    assert outcome(call) == message
