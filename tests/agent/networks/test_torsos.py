"""The networks: shapes, initial weights, what they refuse."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.initializers import Initializers
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.networks.torsos import CNN, MLP, NatureCNN
from dqn_tf.agent.values.expected import Expected
from dqn_tf.rng import Stream
from dqn_tf.types import ObservationSpec

ATARI = ObservationSpec((84, 84), "uint8", 4)
VECTOR = ObservationSpec((3,), "float32")


def network(torso: Any, spec: ObservationSpec, actions: int, seed: int = 0) -> QNetwork:
    return QNetwork(torso, Expected(), spec, actions, Stream(seed, "weights"))


@pytest.fixture(scope="module")
def nature() -> QNetwork:
    """The Nature network for four actions."""
    return network(NatureCNN(), ATARI, 4)


def digest(variables: list[Any]) -> str:
    sha = hashlib.sha256()
    for variable in variables:
        sha.update(np.asarray(variable).tobytes())
    return sha.hexdigest()[:16]


# -- the Nature CNN ----------------------------------------------------------------------------------------------------
def test_layers_of_the_nature_network(nature: QNetwork) -> None:
    """Mnih et al. 2015, Methods: 32 of 8x8/4, 64 of 4x4/2, 64 of 3x3/1, 512, and one output per action."""
    shapes = [tuple(layer.output.shape[1:]) for layer in nature.torso.layers]
    assert shapes == [(84, 84, 4), (20, 20, 32), (9, 9, 64), (7, 7, 64), (3136,)]
    assert [layer.keras.units for layer in nature.head.layers] == [512, 4]
    assert sum(int(np.prod(v.shape)) for v in nature.variables) == 1_686_180


def test_same_padding_gives_dopamine_s_7744_features() -> None:
    torso = network(NatureCNN(padding="same", hidden=2), ATARI, 4).torso
    assert [tuple(layer.output.shape[1:]) for layer in torso.layers][1:5] == [
        (21, 21, 32),
        (11, 11, 64),
        (11, 11, 64),
        (7744,),
    ]


def test_initial_weights_and_biases_are_uniform_in_the_fan_in(nature: QNetwork) -> None:
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)): fan_in = 8 * 8 * 4, 4 * 4 * 32, 3 * 3 * 64, 3136, 512."""
    for i, fan_in in enumerate((256, 512, 576, 3136, 512)):
        limit = 1 / math.sqrt(fan_in)
        kernel, bias = (np.asarray(v) for v in nature.variables[2 * i : 2 * i + 2])
        assert kernel.dtype == bias.dtype == np.float32
        assert 0.99 * limit < abs(kernel).max() <= limit
        assert 0 < abs(bias).max() <= limit
        spread = limit / math.sqrt(3)  # standard deviation of that distribution
        assert kernel.std() == pytest.approx(spread, rel=5 / math.sqrt(kernel.size))
        assert abs(kernel.mean()) < 5 * spread / math.sqrt(kernel.size)


def test_initial_weights_are_the_same_on_every_machine(nature: QNetwork) -> None:
    """Golden digest; change it only with the CHANGELOG."""
    assert digest(nature.variables) == "8f82bf4eeb58423f"


def test_the_kth_variable_draws_from_counter_k() -> None:
    """Worked by hand: the first layer's bias is draw number 1 of stream "weights"."""
    first_bias = network(MLP(hidden=(2,)), VECTOR, 2, seed=7).variables[1]
    want = Stream(7, "weights").at(1).uniform(-1 / math.sqrt(3), 1 / math.sqrt(3), (2,)).astype(np.float32)
    assert np.array_equal(first_bias, want)


def test_bytes_are_scaled_inside_the_network(nature: QNetwork) -> None:
    scaling, *rest = nature.torso.layers
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    np.testing.assert_allclose(scaling(levels), levels / np.float32(255), rtol=1e-6)  # times 1/255, rounded
    assert float(tf.reduce_max(scaling(levels))) == 1.0
    images = np.random.default_rng(0).integers(0, 256, (2, 84, 84, 4), dtype=np.uint8)
    hidden = tf.constant(images / np.float32(255))
    for layer in (*rest, *(layer.keras for layer in nature.head.layers)):
        hidden = layer(hidden)
    np.testing.assert_allclose(nature(images).q_values, hidden, rtol=1e-5, atol=1e-6)


def test_a_batch_is_its_observations_one_by_one(nature: QNetwork) -> None:
    """Tolerance: the matrix products of one row and of three are summed in another order."""
    images = np.random.default_rng(1).integers(0, 256, (3, 84, 84, 4), dtype=np.uint8)
    values = nature(images).q_values
    assert values.shape == (3, 4) and values.dtype == tf.float32
    singly = np.concatenate([nature(images[i : i + 1]).q_values for i in range(3)])
    np.testing.assert_allclose(values, singly, atol=1e-6)


# -- convolutions of any size ------------------------------------------------------------------------------------------
def test_its_defaults_are_the_nature_network(nature: QNetwork) -> None:
    general = network(CNN(), ATARI, 4)
    assert digest(general.variables) == digest(nature.variables)
    images = np.random.default_rng(2).integers(0, 256, (2, 84, 84, 4), dtype=np.uint8)
    assert np.array_equal(general(images).q_values, nature(images).q_values)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_sizes_are_those_of_the_layers(padding: Any) -> None:
    torso = CNN(channels=(3, 2), kernels=(4, 3), strides=(3, 2), padding=padding, hidden=5)
    spec = ObservationSpec((17, 20, 3), "float32")
    layers = network(torso, spec, 2).torso.layers
    assert [tuple(layer.output.shape[1:3]) for layer in layers[:-1]] == torso.sizes(spec)
    height, width = torso.sizes(spec)[-1]
    assert layers[-1].output.shape[1] == height * width * 2


def test_the_data_efficient_network() -> None:
    """Kaixhin/Rainbow's model.py, architecture data-efficient: 576 features from two 5 x 5 convolutions of stride 5."""
    torso = CNN(channels=(32, 64), kernels=(5, 5), strides=(5, 5), hidden=256)
    shapes = [tuple(layer.output.shape[1:]) for layer in network(torso, ATARI, 4).torso.layers]
    assert shapes == [(84, 84, 4), (16, 16, 32), (3, 3, 64), (576,)]


def test_planes_of_bits_are_zeros_and_ones() -> None:
    """One kernel of one weight w on one plane: relu(w x) is w where the bit is set, and 0 elsewhere."""
    torso = network(
        CNN(channels=(1,), kernels=(1,), strides=(1,), hidden=2), ObservationSpec((2, 2, 1), "bool"), 2
    ).torso
    kernel, bias = torso.trainable_variables
    kernel.assign([[[[7.0]]]])
    bias.assign([0.0])
    bits = np.array([[[[True], [False]], [[False], [True]]]])
    assert torso(bits).numpy().tolist() == [[7.0, 0.0, 0.0, 7.0]]


def test_without_a_hidden_layer_the_head_reads_the_features() -> None:
    q = network(
        CNN(channels=(2,), kernels=(3,), strides=(1,), padding="same", hidden=None),
        ObservationSpec((10, 10, 4), "bool"),
        3,
    )
    assert [tuple(v.shape) for v in q.variables] == [(3, 3, 4, 2), (2,), (200, 3), (3,)]


def test_convolutions_that_make_no_sense_are_refused(outcome) -> None:
    assert outcome(CNN, channels=(8, 8)) == (
        "Expected a number for each convolution in `network.channels`, `network.kernels` and `network.strides`, got 2, "
        "3 and 3."
    )
    assert "`network.strides`" in outcome(CNN, strides=(4, 0, 1)) and "`network.hidden`" in outcome(CNN, hidden=0)
    small = CNN(channels=(8,), kernels=(5,), strides=(1,))
    assert "leave nothing" in outcome(small.check_observation, ObservationSpec((4, 9), "uint8", 4))
    assert "got float32 [3]" in outcome(small.check_observation, VECTOR)


# -- the MLP -----------------------------------------------------------------------------------------------------------
def test_layers_of_the_mlp() -> None:
    q = network(MLP(), ObservationSpec((4,), "float32"), 2)
    assert [v.shape for v in q.variables] == [(4, 128), (128,), (128, 128), (128,), (128, 2), (2,)]
    layers = [*q.torso.layers, *(layer.keras for layer in q.head.layers)]
    assert [layer.activation.__name__ for layer in layers] == ["relu", "relu", "linear"]


def test_the_mlp_by_hand() -> None:
    """x = (1, 2, 3): two hidden units 1 - 2 = -1 -> 0 and 3; Q = (2 * 3 + 1, -3)."""
    q = network(MLP(hidden=(2,)), VECTOR, 2)
    weights = [[[1, 0], [-1, 0], [0, 1]], [0, 0], [[5, 5], [2, -1]], [1, 0]]
    for variable, values in zip(q.variables, weights, strict=True):
        variable.assign(np.float32(values))
    assert q(np.float32([[1, 2, 3]])).q_values.numpy().tolist() == [[7.0, -3.0]]


def test_inputs_between_bounds() -> None:
    """low (0, -2), high (4, 2): (4, -2) becomes (1, -1) and (2, 1) becomes (0, 0.5); beyond the bounds it goes on."""
    mlp = MLP(hidden=(2,), input_low=(0.0, -2.0), input_high=(4.0, 2.0))
    (scaling,) = network(mlp, ObservationSpec((2,), "float32"), 2).torso.layers
    seen = scaling(np.float32([[4, -2], [2, 1], [8, 4]])).numpy()
    np.testing.assert_allclose(seen, [[1, -1], [0, 0.5], [3, 2]], atol=1e-6)


def test_all_hidden_layers_in_the_head() -> None:
    """The same network, whose layers are all the head's: noise then has all of them, and shared streams share all."""
    whole, usual = network(MLP(in_head="all"), VECTOR, 2), network(MLP(), VECTOR, 2)
    assert digest(whole.variables) == digest(usual.variables)
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    assert np.array_equal(whole(x).q_values, usual(x).q_values)
    assert (len(whole.head.layers), len(usual.head.layers)) == (3, 2)


def test_bounds_that_do_not_fit_are_refused(outcome) -> None:
    assert "got [0.0] and []" in outcome(MLP, input_low=(0.0,))
    assert "`network.input_low` below" in outcome(MLP, input_low=(0.0, 1.0), input_high=(1.0, 1.0))
    bounds = MLP(input_low=(0.0,), input_high=(1.0,))
    assert "Expected 3 numbers for `network.input_low`" in outcome(bounds.check_observation, VECTOR)


# -- initial weights ---------------------------------------------------------------------------------------------------
def test_equal_streams_give_equal_networks() -> None:
    one, other = (network(MLP(), VECTOR, 2) for _ in range(2))
    assert digest(one.variables) == digest(other.variables)
    assert digest(one.variables) != digest(network(MLP(), VECTOR, 2, seed=1).variables)


def test_glorot_draws_by_both_fans_and_starts_biases_at_zero() -> None:
    fans = Initializers("glorot_uniform", Stream(0, "weights")).layer(fan_in=100, fan_out=50)
    kernel = fans["kernel_initializer"]((100, 50))
    assert 0.99 * 0.2 < abs(kernel).max() <= 0.2  # sqrt(6 / 150)
    assert not fans["bias_initializer"]((50,)).any()


# -- what does not fit -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("torso", "spec", "message"),
    [
        (NatureCNN(), VECTOR, "for network=nature_cnn, got float32 [3]. Vector observations take --set network=mlp"),
        (NatureCNN(), ObservationSpec((35, 84), "uint8", 4), "at least 36 x 36"),
        (
            NatureCNN(),
            ObservationSpec((7, 7, 3), "uint8"),
            "got uint8 [7, 7, 3]. Smaller images take the preset dqn_im",
        ),
        (
            CNN(),
            VECTOR,
            "Expected images [H, W, C] for network=cnn, got float32 [3]. Vector observations take --set netw",
        ),
        (MLP(), ATARI, "Expected vector observations [D] for network=mlp, got [84, 84, 4]. Images take"),
    ],
)
def test_observations_of_another_kind_are_refused(outcome, torso: Any, spec: ObservationSpec, message: str) -> None:
    assert message in outcome(torso.check_observation, spec)


def test_the_smallest_image_works() -> None:
    torso = network(NatureCNN(hidden=2), ObservationSpec((36, 36), "uint8", 1), 2).torso
    assert tuple(torso.layers[3].output.shape[1:]) == (1, 1, 64)


@pytest.mark.parametrize(("torso", "hidden"), [(NatureCNN, 0), (MLP, (8, 0))])
def test_widths_must_be_positive(outcome, torso: type, hidden: Any) -> None:
    assert "`network.hidden`" in outcome(torso, hidden=hidden)
