"""REM: random mixtures of heads, the same for both networks; one head is DQN to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.targets.greedy import Greedy
from dqn_tf.agent.values.expected import Expected
from dqn_tf.agent.values.random_ensemble import RandomEnsemble, mixed, weights
from dqn_tf.checks import ConfigError
from dqn_tf.config import AgentConfig
from dqn_tf.execution.learner import Learner
from dqn_tf.rng import Stream
from dqn_tf.types import EnvironmentSpec, ObservationSpec, Sample, Transition, ValueOutputs

SPEC = EnvironmentSpec(ObservationSpec((3,), "float32"), ("left", "right"), 1)


def batch(random: np.random.Generator, size: int = 4) -> Sample:
    states = random.normal(size=(2, size, 3)).astype(np.float32)
    actions, rewards = random.integers(0, 2, size).astype(np.int32), random.normal(size=size).astype(np.float32)
    transitions = Transition(states[0], actions, rewards, np.full(size, 0.9, np.float32), states[1])
    return Sample(transitions=transitions, indices=np.arange(size), weights=np.ones(size, np.float32))


def alpha_of(value: RandomEnsemble, counter: int) -> np.ndarray:
    """The weights of an update, as both networks use them: read off heads that are unit vectors."""
    draws = Draws(tf.constant(Stream(1, "network/update").seed_of(counter)))
    heads = tf.eye(value.heads)[:, None, :]  # of K states and one action: head k of state k is 1
    return np.asarray(value.outputs(heads, lambda x, d: x, [], "predict", draws).q_values)[:, 0]


def test_a_worked_example() -> None:
    """alpha' = 1, 3: alpha = 1/4, 3/4.  Q(s, .) = (1/4 * 4 + 3/4 * 0, 1/4 * 0 + 3/4 * 8) = (1, 6)."""
    alpha = weights(tf.constant([1.0, 3.0]))
    assert alpha.numpy().tolist() == [0.25, 0.75]
    heads = tf.constant([[[4.0, 0.0], [0.0, 8.0]]])
    assert mixed(heads, alpha).numpy().tolist() == [[1.0, 6.0]]
    # The greedy action of the mixture is 1, so r = 2, gamma = 1/2 give y = 2 + 6 / 2 = 5; Q(s, a=0) = 1: delta = 4.
    one = ValueOutputs(mixed(heads, alpha))
    transitions = Transition(None, tf.constant([0]), tf.constant([2.0]), tf.constant([0.5]), None)
    out = RandomEnsemble(heads=2).losses(one, transitions, one, Greedy().terms(one, {}, transitions.a_tm1))
    assert (out.td_error.numpy().tolist(), out.loss.numpy().tolist()) == ([4.0], [3.5])


def test_weights_are_a_point_of_the_simplex_and_new_in_each_update() -> None:
    value = RandomEnsemble(heads=5)
    first, second = alpha_of(value, 0), alpha_of(value, 1)
    assert first.sum() == pytest.approx(1, rel=1e-6) and (first > 0).all()
    assert not np.array_equal(first, second) and np.array_equal(first, alpha_of(value, 0))


def test_both_networks_have_the_same_weights_and_acting_has_the_mean() -> None:
    value, draws = RandomEnsemble(heads=3), Draws(tf.constant([7, 1], tf.int64))
    heads = tf.constant(np.random.default_rng(0).normal(size=(2, 2, 3)).astype(np.float32))
    by_role = {
        role: np.asarray(value.outputs(heads, lambda x, d: x, [], role, draws).q_values)  # type: ignore[arg-type]
        for role in ("predict", "target", "act")
    }
    assert np.array_equal(by_role["predict"], by_role["target"])
    np.testing.assert_allclose(by_role["act"], heads.numpy().mean(axis=-1), rtol=1e-6)  # float32 sums
    undrawn = value.outputs(heads, lambda x, d: x, [], "predict", None).q_values
    assert np.array_equal(undrawn, by_role["act"])


def test_its_draw_is_that_of_no_other_part() -> None:
    draws = Draws(tf.constant([7, 1], tf.int64))
    others = [draws.next().numpy().tolist() for _ in range(50)]
    assert draws.same_for_all_networks().numpy().tolist() not in others


def test_equals_the_naive_twin_in_float64(tiny_agent: Callable[..., AgentConfig]) -> None:
    """Loss and TD errors of an update, from the heads of both networks.  Tolerance: float32 against float64."""
    value = RandomEnsemble(heads=6)
    learner = Learner(tiny_agent(value=value), SPEC, seed=1)
    for number in range(3):  # so that the two networks differ
        learner.update(batch(np.random.default_rng(number)), number)
    sample, alpha = batch(np.random.default_rng(9)), alpha_of(value, 3).astype(np.float64)
    heads = {}
    for name, network, states in (
        ("online", learner.online, sample.transitions.s_tm1),
        ("target", learner.target, sample.transitions.s_t),
    ):
        heads[name] = np.asarray(network.head(network.features(tf.constant(states)), None), np.float64)
    wanted = []
    for b, (a, r) in enumerate(zip(sample.transitions.a_tm1, sample.transitions.r_t, strict=True)):
        following = max(sum(alpha[k] * heads["target"][b, c, k] for k in range(6)) for c in range(2))
        now = sum(alpha[k] * heads["online"][b, a, k] for k in range(6))
        wanted.append(float(r) + 0.9 * following - now)
    outputs = learner.update(sample, 3)
    np.testing.assert_allclose(outputs.td_error, wanted, rtol=1e-4, atol=1e-5)
    huber = [0.5 * d * d if abs(d) <= 1 else abs(d) - 0.5 for d in wanted]
    assert float(outputs.loss) == pytest.approx(np.mean(huber), rel=1e-4)


def test_the_gradient_of_each_head_is_its_weight() -> None:
    alpha = weights(tf.constant([0.2, 0.5, 0.3]))
    heads = tf.constant(np.ones((1, 1, 3), np.float32))
    with tf.GradientTape() as tape:
        tape.watch(heads)
        q = mixed(heads, alpha)
    assert tape.gradient(q, heads).numpy()[0, 0].tolist() == alpha.numpy().tolist()


@pytest.mark.parametrize("loss", ["huber", "squared"])
def test_one_head_is_dqn_to_the_bit(loss: Any, tiny_agent: Callable[..., AgentConfig]) -> None:
    states = []
    for value in (Expected(loss=loss), RandomEnsemble(heads=1, loss=loss), RandomEnsemble(heads=2, loss=loss)):
        learner = Learner(tiny_agent(value=value), SPEC, seed=1)
        for number in range(4):
            learner.update(batch(np.random.default_rng(number)), number)
        states.append(learner.parameters.state())
    dqn, one, two = states
    assert all(np.array_equal(dqn[name], one[name]) for name in dqn)
    assert any(dqn[name].shape != two[name].shape for name in dqn)


def test_one_head_has_weight_one_even_if_zero_is_drawn() -> None:
    assert weights(tf.constant([0.0])).numpy().tolist() == [1.0]


@pytest.mark.parametrize(("settings", "message"), [({"heads": 0}, "1 head"), ({"huber_threshold": 0.0}, "> 0")])
def test_bad_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RandomEnsemble(**settings)
