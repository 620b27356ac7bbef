"""A fused update beside the plain one of the same agent, and the vectors beside the variables."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.networks.single import Single
from dqn_tf.agent.networks.torsos import CNN, MLP
from dqn_tf.agent.optimizers import Adam, RMSProp
from dqn_tf.agent.targets.double import Double
from dqn_tf.agent.targets.munchausen import Munchausen
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.agent.values.expected import Expected
from dqn_tf.agent.values.fqf import FQF
from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.agent.values.quantile import Quantile
from dqn_tf.checks import ConfigError
from dqn_tf.execution import compiled, host
from dqn_tf.execution.fused import FusedLearner
from dqn_tf.execution.learner import Learner
from dqn_tf.execution.updates_together import UpdatesTogether
from dqn_tf.modes import Fused, Interleaved
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform
from dqn_tf.types import EnvironmentSpec, ObservationSpec, Sample, Transition

BATCH = 6
IDEAS: dict[str, dict[str, Any]] = {
    "dqn": {},
    "squared, clipped": {"value": Expected(loss="squared"), "max_grad_norm": 0.05},
    "rmsprop": {"optimizer": RMSProp(learning_rate=1e-3, initial_mean_square=1.0)},
    "rmsprop, not centered": {"optimizer": RMSProp(learning_rate=1e-3, centered=False)},
    "adam, corrected": {"optimizer": Adam(epsilon=1e-3, epsilon_form="corrected")},
    "double, dueling": {"bootstrap": Double(), "head": Dueling()},
    "munchausen": {"bootstrap": Munchausen()},
    "noisy": {"layers": Noisy()},
    "c51": {"value": Categorical(atoms=11)},
    "qr": {"value": Quantile(quantiles=7)},
    "iqn": {"value": ImplicitQuantile(samples=4, target_samples=5, policy_samples=6, cosines=8)},
    "fqf, two optimizers": {"value": FQF(fractions=4, cosines=8)},
    "one bias": {"head": Single(bias="shared")},
    "no hidden layer": {"network": MLP(hidden=())},
}


def batch(seed: int, shape: tuple[int, ...] = (3,), dtype: str = "float32") -> Sample:
    """Random transitions, some of them terminal, with weights."""
    random = np.random.default_rng(seed)
    states = random.normal(size=(2, BATCH, *shape)) if dtype == "float32" else random.integers(0, 2, (2, BATCH, *shape))
    s_tm1, s_t = states.astype(dtype)
    discount = np.where(random.random(BATCH) < 0.3, 0, 0.9).astype(np.float32)
    rewards, weights = random.normal(size=(2, BATCH)).astype(np.float32)
    transitions = Transition(s_tm1, random.integers(0, 2, BATCH).astype(np.int32), rewards, discount, s_t)
    return Sample(transitions, np.arange(BATCH, dtype=np.int64), np.abs(weights))


@pytest.fixture
def pair(tiny_agent: Callable[..., Any], vectors: Callable[..., Any]) -> Callable[..., tuple[Learner, FusedLearner]]:
    """A function (xla, field=value, ...) -> a plain and a fused learner of the same agent and seed."""

    def make(xla: str = "none", **changes: Any) -> tuple[Learner, FusedLearner]:
        agent = tiny_agent(**{"batch_size": BATCH, "network": MLP(hidden=(8, 7)), **changes})
        plain = dataclasses.replace(agent, execution=Interleaved(xla=xla, threads=1))
        fused = dataclasses.replace(agent, execution=Fused(xla=xla))
        return Learner(plain, vectors(), seed=5), FusedLearner(fused, vectors(), seed=5)

    return make


def assert_close(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    """Equal up to the order of float32 sums; Adam and RMSProp divide by roots that are near 0 at first."""
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_allclose(other[name], array, rtol=2e-3, atol=2e-5, err_msg=name)


def learn(learner: Any, updates: int, first: int = 0) -> Any:
    """Updates on batches of their own, the target network renewed after the second; what the last one reports."""
    for number in range(first, first + updates):
        out = learner.update(batch(number), number)
        if number == 1:
            learner.parameters.sync_target()
    return out


@pytest.mark.parametrize("idea", IDEAS)
def test_fused_updates_are_the_plain_ones(idea: str, pair: Callable[..., tuple[Learner, FusedLearner]]) -> None:
    """theta, theta^-, every slot and count, and what is reported: after one update and after four."""
    plain, fused = pair(**IDEAS[idea])
    assert_close(plain.parameters.state(), fused.parameters.state())
    for first, number in ((0, 1), (1, 3)):
        one, other = learn(plain, number, first), learn(fused, number, first)
        assert_close(plain.parameters.state(), fused.parameters.state())
        for name, told in one._asdict().items():
            np.testing.assert_allclose(getattr(other, name), np.asarray(told), rtol=2e-3, atol=2e-5, err_msg=name)
    assert fused.traces == 1
    observation = batch(9).transitions.s_t[0]
    np.testing.assert_allclose(fused.act(observation, 3), plain.act(observation, 3), rtol=2e-3, atol=2e-5)
    scores = (np.asarray(x.scorer("evaluation/0")(batch(9).transitions.s_t)) for x in (plain, fused))
    np.testing.assert_allclose(next(scores), next(scores), rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("idea", ["dqn", "noisy", "fqf, two optimizers"])
def test_compiled_by_xla_too(idea: str, pair: Callable[..., tuple[Learner, FusedLearner]]) -> None:
    plain, fused = pair("update", **IDEAS[idea])
    learn(plain, 3), learn(fused, 3)
    assert_close(plain.parameters.state(), fused.parameters.state())


@pytest.mark.parametrize("idea", ["dqn", "double, dueling", "fqf, two optimizers"])
def test_state_and_restore_give_the_same_future_bits(
    idea: str, pair: Callable[..., tuple[Learner, FusedLearner]]
) -> None:
    (_, one), (_, other) = pair(**IDEAS[idea]), pair(**IDEAS[idea])
    learn(one, 3), learn(other, 1)  # the other one has a history of its own
    other.act(batch(0).transitions.s_t[0])
    other.parameters.restore(one.parameters.state())
    for learner in (one, other):
        learn(learner, 2, first=3)
    states = one.parameters.state(), other.parameters.state()
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
    observation = batch(1).transitions.s_t[0]
    assert np.array_equal(one.act(observation), other.act(observation))


def test_looking_changes_no_bit(pair: Callable[..., tuple[Learner, FusedLearner]]) -> None:
    """Settling between updates, as evaluations and checkpoints do."""
    (_, one), (_, other) = pair(), pair()
    for number in range(4):
        learn(one, 1, number), learn(other, 1, number)
        other.sync_variables()
        other.parameters.theta()
        other.scorer("evaluation/1")(batch(2).transitions.s_t)
    states = one.parameters.state(), other.parameters.state()
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])


def test_other_weights_for_a_while(pair: Callable[..., tuple[Learner, FusedLearner]]) -> None:
    """As when the best network plays: actions and scores are of the weights that were set."""
    _, fused = pair()
    early, observation = fused.parameters.theta(), batch(3).transitions.s_t
    values = fused.act(observation[0])
    learn(fused, 4)
    late = fused.parameters.theta()
    assert not np.allclose(fused.act(observation[0]), values, atol=1e-4)
    fused.parameters.set_theta(early)
    assert np.array_equal(fused.act(observation[0]), values)
    np.testing.assert_allclose(np.asarray(fused.scorer("x")(observation))[0], values, rtol=1e-5, atol=1e-6)
    fused.parameters.set_theta(late)
    assert all(np.array_equal(fused.parameters.theta()[name], late[name]) for name in late)


@pytest.mark.parametrize("dtype", ["float32", "bool", "uint8"])
def test_images(dtype: str, tiny_agent: Callable[..., Any]) -> None:
    """Observations that are not vectors, or not of float32, go beside the packed numbers."""
    spec = EnvironmentSpec(ObservationSpec((6, 6, 2), dtype), ("a", "b"), 1)
    network = CNN(channels=(4,), kernels=(3,), strides=(1,), hidden=8)
    agent = tiny_agent(batch_size=BATCH, network=network)
    plain = Learner(dataclasses.replace(agent, execution=Interleaved(xla="none", threads=1)), spec, seed=5)
    fused = FusedLearner(dataclasses.replace(agent, execution=Fused(xla="none")), spec, seed=5)
    for number in range(2):
        sample = batch(number, spec.observation.shape, dtype)
        plain.update(sample, number), fused.update(sample, number)
    assert_close(plain.parameters.state(), fused.parameters.state())
    state = batch(7, spec.observation.shape, dtype).transitions.s_t[0]
    np.testing.assert_allclose(fused.act(state), plain.act(state), rtol=2e-3, atol=2e-5)


def test_where_tensorflow_has_no_direct_way_the_trace_is_called(
    pair: Callable[..., tuple[Learner, FusedLearner]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release that has moved the module: the same bits."""
    observation, direct = batch(3).transitions.s_t[0], pair(layers=Noisy())[1]
    told, q_values = learn(direct, 2), direct.act(observation, 5)
    monkeypatch.setitem(sys.modules, "tensorflow.python.eager.context", None)
    monkeypatch.delattr(importlib.import_module("tensorflow.python.eager"), "context")
    traced, usual = pair(layers=Noisy())[1], []
    kind = type(traced._update._compiled.trace)
    call = kind.__call__
    with monkeypatch.context() as counting:
        counting.setattr(kind, "__call__", lambda *given: usual.append(1) or call(*given))
        for name, value in learn(traced, 2)._asdict().items():
            assert np.array_equal(value, getattr(told, name)), name
        assert np.array_equal(traced.act(observation, 5), q_values)
        assert len(usual) == 3  # two updates and an action
        learn(direct, 1, first=2)
        assert len(usual) == 3
    learn(traced, 1, first=2)
    states = direct.parameters.state(), traced.parameters.state()
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])


def test_a_trace_without_its_name_is_called_too() -> None:
    """A release whose traces have no ``_inference_function``; results are flat, as the direct way returns them."""

    class Trace:
        structured_outputs, captured_inputs = [0, (1,)], ()

        def __call__(self, *tensors: int) -> Any:
            return [sum(tensors), (-sum(tensors),)]

    assert compiled._direct(Trace())(1, 2) == [3, -3]


def test_a_pass_by_hand() -> None:
    """Two layers: relu(1 * 2 + 0 * -1 + 1) = 3 and relu(1 * -5 + 0 * 4) = 0; 3 * 10 + 0 * 7 - 1 = 29."""
    weights = [np.float32([[2, -5], [-1, 4]]), np.float32([1, 0]), np.float32([[10], [7]]), np.float32([-1])]
    assert host.q_values(weights, np.float32([1, 0])).tolist() == [29.0]


@pytest.mark.parametrize("number", [1, 2, 3, 8])
def test_passes_of_many_networks_are_those_of_each(number: int) -> None:
    """To the last bit, whatever K is."""
    random, shapes = np.random.default_rng(number), [(4, 128), (128,), (128, 37), (37,), (37, 3), (3,)]
    for _ in range(20):
        weights = [random.normal(size=(number, *shape)).astype(np.float32) for shape in shapes]
        observations = random.normal(size=(number, 4)).astype(np.float32)
        together = host.q_values_of_many(weights, observations)
        for k in range(number):
            assert together[k].tobytes() == host.q_values([w[k] for w in weights], observations[k]).tobytes()


@pytest.mark.parametrize("xla", ["none", "update"])
def test_updates_of_several_learners_in_one_call_are_those_of_each(
    xla: str, tiny_agent: Callable[..., Any], vectors: Callable[..., Any]
) -> None:
    """Every bit of their states, and what is reported; compiled once.  A smaller group goes on from there."""
    agent = tiny_agent(batch_size=BATCH, network=MLP(hidden=(8, 7)), execution=Fused(xla=xla), max_grad_norm=0.5)
    alone, ours = ([FusedLearner(agent, vectors(), seed) for seed in range(3)] for _ in range(2))
    for learner in alone[1:]:
        learner.share(alone[0])
    for first, members in ((0, (0, 1, 2)), (3, (1, 2))):
        together = UpdatesTogether([ours[k] for k in members])
        for number in range(first, first + 3):
            batches = {k: batch(10 * number + k) for k in members}
            packed = np.stack([together.packing.pack(batches[k])[0] for k in members])
            reported, weights = together.update(packed)
            for i, k in enumerate(members):
                ours[k].parameters.note_update(None, [w[i] for w in weights])
                expected = alone[k].update(batches[k], number)
                for name, value in together.packing.outputs(reported[i])._asdict().items():
                    assert value.tobytes() == np.asarray(getattr(expected, name)).tobytes(), name
            if number == 1:
                for learner in (*alone, *ours):
                    learner.parameters.sync_target()
        for k in members:
            one, other = alone[k].parameters.state(), ours[k].parameters.state()
            assert [one[name].tobytes() for name in one] == [other[name].tobytes() for name in one]
            host_weights = alone[k].parameters.weights_on_host(), ours[k].parameters.weights_on_host()
            assert [w.tobytes() for w in host_weights[0]] == [w.tobytes() for w in host_weights[1]]
    assert [learner.traces for learner in (*alone, *ours)] == [1, 0, 0] * 2


@pytest.mark.parametrize(
    ("changes", "stands_in"),
    [
        ({}, True),
        ({"network": MLP(hidden=())}, True),
        ({"layers": Noisy()}, False),
        ({"head": Dueling()}, False),
        ({"value": Quantile(quantiles=7)}, False),
        ({"head": Single(bias="shared")}, False),
    ],
)
def test_the_host_stands_in_for_plain_networks_only(
    changes: dict[str, Any], stands_in: bool, pair: Callable[..., tuple[Learner, FusedLearner]]
) -> None:
    plain, _ = pair(**changes)
    assert host.supports(plain.config, plain.spec.observation) == stands_in


def test_a_network_with_variables_that_are_not_keras_s(
    pair: Callable[..., tuple[Learner, FusedLearner]], monkeypatch: pytest.MonkeyPatch, vectors: Callable[..., Any]
) -> None:
    _, fused = pair()
    network = type(fused.online)
    monkeypatch.setattr(network, "variables", property(lambda self: [tf.Variable(1.0, name="own")]))
    with pytest.raises(ConfigError, match="execution=fused, got"):
        FusedLearner(fused.config, vectors(), seed=5)


def test_the_replay_is_on_the_host(tiny_agent: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="a fused update is given its batch"):
        tiny_agent(execution=Fused(), replay=Uniform(), storage=Storage(placement="device"))


@pytest.mark.parametrize("in_head", ["last", "all"])
def test_inputs_between_bounds_are_scaled_on_the_host_too(pair: Callable[..., Any], in_head: Any) -> None:
    """Without it, actions would be those of another network: found when "Revisiting Rainbow" was run fused."""
    bounds = {"input_low": (-5.0, -1.0, 0.0), "input_high": (5.0, 3.0, 2.0)}
    plain, fused = pair(network=MLP(hidden=(8, 7), in_head=in_head, **bounds))
    for seed in range(5):
        observation = np.random.default_rng(seed).normal(size=3).astype(np.float32)
        np.testing.assert_allclose(fused.act(observation), plain.act(observation), rtol=1e-5, atol=1e-6)
