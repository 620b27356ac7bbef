"""The online network chooses, the target network evaluates."""

from __future__ import annotations

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.targets.double import Double
from dqn_tf.agent.targets.greedy import Greedy
from dqn_tf.agent.values.expected import td_target
from dqn_tf.types import ValueOutputs


def outputs(q: object) -> ValueOutputs:
    return ValueOutputs(tf.constant(q, tf.float32))


def test_by_hand() -> None:
    """Online (1, 9), target (5, 2): action 1 is chosen and worth 2; y = 1 + 0.5 * 2, where greedy has 1 + 0.5 * 5."""
    following, others = outputs([[5.0, 2.0]]), {("online", "s_t"): outputs([[1.0, 9.0]])}
    r, discount = tf.constant([1.0]), tf.constant([0.5])
    for rule, want in ((Double(), 2.0), (Greedy(), 3.5)):
        terms = rule.terms(following, others, tf.constant([0]))
        assert td_target(r, discount, following, terms).numpy().tolist() == [want]


def test_equals_the_naive_twin() -> None:
    random = np.random.default_rng(0)
    online, following = random.normal(size=(2, 50, 6)).astype(np.float32)
    r, discount = random.normal(size=50), np.where(random.random(50) < 0.3, 0, 0.99)
    want = [r[b] + discount[b] * float(following[b, max(range(6), key=lambda a, b=b: online[b, a])]) for b in range(50)]
    terms = Double().terms(outputs(following), {("online", "s_t"): outputs(online)}, None)
    got = td_target(tf.constant(r, tf.float32), tf.constant(discount, tf.float32), outputs(following), terms)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_with_equal_networks_it_is_greedy() -> None:
    q = outputs(np.random.default_rng(1).normal(size=(20, 4)))
    double, greedy = Double().terms(q, {("online", "s_t"): q}, None), Greedy().terms(q, {}, None)
    for a, b in zip(double, greedy, strict=True):
        assert np.array_equal(a, b)
