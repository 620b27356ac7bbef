"""The soft-max policy, its entropy, and the log-policy that is added to the reward."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.targets.greedy import Greedy
from dqn_tf.agent.targets.munchausen import Munchausen, scaled_log_policy
from dqn_tf.agent.values.expected import td_target
from dqn_tf.types import TargetTerms, ValueOutputs


def terms(rule: Munchausen, next_q: Any, q: Any, a: Any) -> TargetTerms:
    others = {("target", "s_tm1"): ValueOutputs(tf.constant(q, tf.float32))}
    return rule.terms(ValueOutputs(tf.constant(next_q, tf.float32)), others, tf.constant(a, tf.int32))


def naive(rule: Munchausen, r: float, discount: float, next_q: np.ndarray, q: np.ndarray, a: int) -> float:
    """The paper's equation in float64, one transition."""

    def policy(values: np.ndarray) -> np.ndarray:
        e = np.exp((values - values.max()) / rule.tau)
        return e / e.sum()

    pi, next_pi = policy(q.astype(np.float64)), policy(next_q.astype(np.float64))
    bonus = max(rule.log_policy_min, min(0.0, rule.tau * math.log(pi[a]))) if pi[a] > 0 else rule.log_policy_min
    soft = sum(p * (v - rule.tau * math.log(p)) for p, v in zip(next_pi, next_q, strict=True) if p > 0)
    return r + rule.alpha * bonus + discount * soft


def test_by_hand() -> None:
    """tau = 1, Q(s) = (0, ln 3): pi = (1/4, 3/4).  Q(s') = (0, 0): pi = 1/2 each, worth 0 + ln 2.

    y = 1 + 0.5 * ln(1/4), which is above l0 = -2, + 0.9 * ln 2.
    """
    rule = Munchausen(alpha=0.5, tau=1.0, log_policy_min=-2.0)
    out = terms(rule, [[0.0, 0.0]], [[0.0, math.log(3)]], [0])
    np.testing.assert_allclose(out.policy, [[0.5, 0.5]], rtol=1e-6)
    np.testing.assert_allclose(out.value_bonus, [[math.log(2)] * 2], rtol=1e-6)
    np.testing.assert_allclose(out.reward_bonus, [0.5 * math.log(0.25)], rtol=1e-6)
    y = td_target(tf.constant([1.0]), tf.constant([0.9]), ValueOutputs(tf.constant([[0.0, 0.0]])), out)
    np.testing.assert_allclose(y, [1 + 0.5 * math.log(0.25) + 0.9 * math.log(2)], rtol=1e-6)


@pytest.mark.parametrize("tau", [0.03, 1.0])
def test_equals_the_naive_twin(tau: float) -> None:
    """Tolerance: float32 against float64, with values divided by tau."""
    random, rule = np.random.default_rng(0), Munchausen(tau=tau)
    q, next_q = random.normal(size=(2, 40, 5)).astype(np.float32)
    a, r = random.integers(0, 5, 40), random.normal(size=40).astype(np.float32)
    discount = np.where(random.random(40) < 0.3, 0, 0.99).astype(np.float32)
    out = terms(rule, next_q, q, a)
    got = td_target(tf.constant(r), tf.constant(discount), ValueOutputs(tf.constant(next_q)), out)
    want = [naive(rule, float(r[b]), float(discount[b]), next_q[b], q[b], a[b]) for b in range(40)]
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    clipped = np.isclose(out.reward_bonus, rule.alpha * rule.log_policy_min)
    assert clipped.any() and not clipped.all()


def test_the_online_network_s_policy_in_the_reward() -> None:
    """BTR: the bonus is of other values, all else is as before."""
    q = {"target": [[0.0, 0.0]], "online": [[0.0, math.log(3)]]}
    others = {(network, "s_tm1"): ValueOutputs(tf.constant(values, tf.float32)) for network, values in q.items()}
    found = []
    for network in ("target", "online"):
        rule = Munchausen(alpha=1.0, tau=1.0, log_policy_min=-2.0, reward_network=network)  # type: ignore[arg-type]
        assert rule.states == ((network, "s_tm1"),)
        found.append(rule.terms(ValueOutputs(tf.constant([[1.0, 0.0]])), others, tf.constant([0])))
    assert [float(terms.reward_bonus[0]) for terms in found] == pytest.approx([math.log(1 / 2), math.log(1 / 4)])
    assert np.array_equal(found[0].policy, found[1].policy)


def test_without_alpha_and_as_tau_goes_to_zero_it_is_greedy() -> None:
    q = np.random.default_rng(2).normal(size=(20, 4)).astype(np.float32)
    out = terms(Munchausen(alpha=0.0, tau=1e-6), q, q, [0] * 20)
    greedy = Greedy().terms(ValueOutputs(tf.constant(q)), {}, None)
    np.testing.assert_allclose(out.policy, greedy.policy, atol=1e-6)
    np.testing.assert_allclose(tf.reduce_sum(out.policy * out.value_bonus, 1), np.zeros(20), atol=1e-5)
    assert out.reward_bonus.numpy().tolist() == [0.0] * 20


def test_the_policy_is_one_whatever_the_size_of_the_values() -> None:
    """Also where exp(Q / tau) would overflow."""
    q = tf.constant([[1e6, -1e6, 1e6], [0.0, 0.0, 0.0], [1e-3, 2e-3, 3e-3]])
    scaled = scaled_log_policy(q, 0.03)
    assert np.isfinite(scaled).all() and (scaled.numpy() <= 1e-6).all()
    np.testing.assert_allclose(tf.reduce_sum(tf.exp(scaled / 0.03), axis=1), np.ones(3), rtol=1e-5)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("alpha", 1.5, "a number in [0, 1]"), ("tau", 0.0, "bootstrap=greedy"), ("log_policy_min", 0.1, "a number <= 0")],
)
def test_bad_settings(outcome, field: str, value: float, message: str) -> None:
    text = outcome(Munchausen, **{field: value})
    assert f"`bootstrap.{field}`" in text and message in text
