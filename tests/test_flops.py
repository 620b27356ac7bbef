"""The arithmetic of an update and of an action, against counts by hand; a multiply-add is two operations."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import bench, flops
from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.networks.torsos import MLP, NatureCNN
from dqn_tf.agent.targets.double import Double
from dqn_tf.agent.targets.munchausen import Munchausen
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.agent.values.fqf import FQF
from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.agent.values.quantile import Quantile
from dqn_tf.config import RunConfig
from dqn_tf.execution.learner import Learner
from dqn_tf.presets import load
from dqn_tf.training.interleaved_loop import InterleavedLoop
from dqn_tf.types import EnvironmentSpec, ObservationSpec

B, S, F, H, A = 4, 3, 5, 8, 2  # batch, size of a state, features of the torso, hidden units of the head, actions
TORSO, HIDDEN, OUTPUT = 2 * S * F, 2 * F * H, 2 * H * A  # one state through one layer


@pytest.fixture
def counted(tiny_agent: Callable[..., Any], vectors: Callable[..., Any]) -> Callable[..., tuple[float, float]]:
    """A function (agent field=value, ...) -> operations of an update and of an action."""

    def build(**agent: Any) -> tuple[float, float]:
        learner = Learner(tiny_agent(**{"network": MLP(hidden=(F, H)), **agent}), vectors(S, A), seed=0)
        update, action = map(flops.count, learner.graphs())
        assert learner.traces == 1
        return update, action

    return build


def backward(*layers: float, first: float = TORSO) -> float:
    """Twice the forward pass: gradients of the weights and of the inputs; not of the inputs of the first layer."""
    return 2 * sum(layers) - first


def test_a_plain_network(counted: Callable[..., tuple[float, float]]) -> None:
    forward = TORSO + HIDDEN + OUTPUT
    assert counted() == (B * (2 * forward + backward(TORSO, HIDDEN, OUTPUT)), forward)


def test_double_and_munchausen_pass_once_more(counted: Callable[..., tuple[float, float]]) -> None:
    forward = TORSO + HIDDEN + OUTPUT
    for bootstrap in (Double(), Munchausen()):
        assert counted(bootstrap=bootstrap) == (B * (3 * forward + backward(TORSO, HIDDEN, OUTPUT)), forward)


def test_noise_doubles_the_layers_that_have_it(counted: Callable[..., tuple[float, float]]) -> None:
    """x mu and (x f(eps)) sigma, and both once more for either gradient.  An action is chosen with noise too."""
    head = 2 * (HIDDEN + OUTPUT)
    forward = TORSO + head
    assert counted(layers=Noisy()) == (B * (2 * forward + backward(TORSO, head)), forward)


def test_two_streams(counted: Callable[..., tuple[float, float]]) -> None:
    """Each with hidden units of its own; the value has one output."""
    head = 2 * HIDDEN + 2 * H * 1 + OUTPUT
    assert counted(head=Dueling()) == (B * (2 * (TORSO + head) + backward(TORSO, head)), TORSO + head)


def test_quantiles_multiply_the_last_layer(counted: Callable[..., tuple[float, float]]) -> None:
    forward = TORSO + HIDDEN + 7 * OUTPUT
    update, action = counted(value=Quantile(quantiles=7))
    assert (update, action) == (B * (2 * forward + backward(TORSO, HIDDEN, 7 * OUTPUT)), forward)


def test_the_projection_on_atoms_is_a_product_too(counted: Callable[..., tuple[float, float]]) -> None:
    forward = TORSO + HIDDEN + 7 * OUTPUT
    project = 2 * 7 * 7
    update, action = counted(value=Categorical(atoms=7))
    assert (update, action) == (B * (2 * forward + backward(TORSO, HIDDEN, 7 * OUTPUT) + project), forward)


def test_samples_multiply_the_head(counted: Callable[..., tuple[float, float]]) -> None:
    """The torso runs once, the embedding [n, F] and the head once for each fraction: K = 3 to choose, N' = 5 of the
    target, N = 6 that are regressed.  The gradient stops at the cosines and at the state."""
    n = 10
    each = 2 * n * F + HIDDEN + OUTPUT
    update, action = counted(value=ImplicitQuantile(samples=6, target_samples=5, policy_samples=3, cosines=n))
    assert action == TORSO + 3 * each
    into_weights_and_inputs = TORSO + 6 * (2 * n * F) + 6 * 2 * (HIDDEN + OUTPUT)
    assert update == B * ((TORSO + (3 + 5) * each) + (TORSO + 6 * each) + into_weights_and_inputs)


def test_samples_and_noise_together(counted: Callable[..., tuple[float, float]]) -> None:
    """The embedding has no noise."""
    n = 10
    each = 2 * n * F + 2 * (HIDDEN + OUTPUT)
    value = ImplicitQuantile(samples=6, target_samples=5, policy_samples=3, cosines=n)
    update, action = counted(value=value, layers=Noisy())
    assert action == TORSO + 3 * each
    assert update == B * (2 * TORSO + 14 * each + TORSO + 6 * 2 * n * F + 6 * 2 * 2 * (HIDDEN + OUTPUT))


def test_fqf(counted: Callable[..., tuple[float, float]]) -> None:
    """N = 4 middles, 3 edges that are only looked at when predicting, and a proposal whose gradient ends in itself."""
    n, proposal = 10, 2 * F * 4
    each = 2 * n * F + HIDDEN + OUTPUT
    update, action = counted(value=FQF(fractions=4, cosines=n))
    assert action == TORSO + proposal + 4 * each
    into_weights_and_inputs = TORSO + proposal + 4 * (2 * n * F) + 4 * 2 * (HIDDEN + OUTPUT)
    predict = TORSO + proposal + (4 + 3) * each
    assert update == B * ((TORSO + proposal + 4 * each) + predict + into_weights_and_inputs)


@pytest.mark.parametrize(("padding", "sides"), [("valid", (20, 9, 7)), ("same", (21, 11, 11))])
def test_the_nature_network(tiny_agent: Callable[..., Any], padding: Any, sides: tuple[int, ...]) -> None:
    """docs/speed.md: 2.2 and 3.9 GFLOP for a batch of 32."""
    spec = EnvironmentSpec(ObservationSpec((84, 84), "uint8", 4), tuple("abcd"), 4)
    learner = Learner(tiny_agent(network=NatureCNN(padding=padding), batch_size=32), spec, seed=0)
    kernels = (8 * 8 * 4 * 32, 4 * 4 * 32 * 64, 3 * 3 * 64 * 64)
    layers = [2 * side**2 * kernel for side, kernel in zip(sides, kernels, strict=True)]
    forward = sum(layers) + 2 * sides[-1] ** 2 * 64 * 512 + 2 * 512 * 4
    update, action = map(flops.count, learner.graphs())
    assert (update, action) == (32 * (4 * forward - layers[0]), forward)
    assert round(update / 1e9, 1) == {"valid": 2.2, "same": 3.9}[padding]


def test_data_efficient_rainbow_of_its_paper() -> None:
    """Four actions: 776,414 weights; 4.0 MFLOP for an action, 0.59 GFLOP for a batch of 32.  By hand, x mu and x sigma
    apart in the noisy layers: both streams have 576 x 256, and 51 atoms for the value and for each action."""
    spec = EnvironmentSpec(ObservationSpec((84, 84), "uint8", 4), tuple("abcd"), 4)
    execution = dataclasses.replace(load("der_paper").agent.execution, xla="none")
    agent = dataclasses.replace(load("der_paper").agent, execution=execution)
    learner = Learner(agent, spec, seed=0)
    convolutions = [2 * 16**2 * 5 * 5 * 4 * 32, 2 * 3**2 * 5 * 5 * 32 * 64]
    noisy = 2 * (2 * 2 * 576 * 256 + 2 * 256 * 51 * (1 + 4))
    forward = sum(convolutions) + noisy
    project = 2 * 51 * 51
    update, action = map(flops.count, learner.graphs())
    assert action == forward == 4_000_768
    assert update == 32 * (3 * forward + 2 * forward - convolutions[0] + project)
    weights = (5 * 5 * 4 + 1) * 32 + (5 * 5 * 32 + 1) * 64 + 2 * (2 * (576 + 1) * 256 + (256 + 1) * 51 * (1 + 4))
    assert sum(int(np.prod(v.shape)) for v in learner.online.variables) == weights == 776_414


def test_what_cannot_be_read_is_refused(outcome) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 3])], autograph=False)
    def unknown(x: Any) -> Any:
        return tf.linalg.matmul(x, tf.ones((3, 2)))

    @tf.function(input_signature=[tf.TensorSpec([4, 3])], autograph=False)
    def nested(x: Any) -> Any:
        return unknown(x)

    @tf.function(input_signature=[tf.TensorSpec([4, 3])], autograph=False)
    def einsum(x: Any) -> Any:
        return tf.einsum("bi,ij->bj", x, tf.ones((3, 2)))

    assert "Expected fully known shapes" in outcome(flops.count, unknown.get_concrete_function())
    assert "got PartitionedCall" in outcome(flops.count, nested.get_concrete_function())
    assert "got Einsum" in outcome(flops.count, einsum.get_concrete_function())


def test_the_floor_counts_all_updates_of_a_block(cartpole: Callable[..., RunConfig], monkeypatch: Any) -> None:
    """Three updates every two steps, two cores at 1 MFLOP/s together, no emulator or one of 10 frames/s: by hand."""
    config = cartpole()
    execution = dataclasses.replace(config.agent.execution, threads=2)
    agent = dataclasses.replace(config.agent, execution=execution, updates_at_once=3, steps_per_update=2)
    trainer = InterleavedLoop(dataclasses.replace(config, agent=agent))
    monkeypatch.setattr(bench, "matmul_rate", lambda number: {2: 1e6}[number])
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    floor, emulating = (bench.floor(trainer, rate) for rate in (math.inf, 10.0))
    trainer.environment.close()
    update, action = floor["update_flop"], floor["action_flop"]
    assert action == 2 * (4 * 8 + 8 * 2) and update == 4 * (4 * action - 2 * 4 * 8)
    assert floor["floor_frames_per_s"] == pytest.approx(2 / ((3 * update + 2 * action) / 1e6))
    assert floor["floor_update_seconds"] == pytest.approx(update / 1e6)
    assert np.isfinite(list(floor.values())).all()
    shared = (3 * update + 2 * action) / 1e6 + 2 / 10 / 2  # both threads have half of the frames
    assert emulating["floor_frames_per_s"] == pytest.approx(2 / shared)
