"""The target backs up the target network's best action."""

from __future__ import annotations

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.targets.greedy import Greedy
from dqn_tf.types import ValueOutputs


def test_all_on_the_largest_value_and_no_bonus() -> None:
    next_outputs = ValueOutputs(tf.constant([[1.0, 3.0, 2.0], [-1.0, -3.0, -2.0]]))
    terms = Greedy().terms(next_outputs, {}, tf.constant([0, 0]))
    assert terms.policy.numpy().tolist() == [[0, 1, 0], [1, 0, 0]]
    assert terms.value_bonus.numpy().tolist() == [[0.0] * 3] * 2
    assert terms.reward_bonus.numpy().tolist() == [0.0, 0.0]


def test_one_action_where_several_are_equal() -> None:
    """The backed-up value is the maximum either way; the policy must not count it twice."""
    terms = Greedy().terms(ValueOutputs(tf.constant([[2.0, 2.0]])), {}, tf.constant([0]))
    assert terms.policy.numpy().tolist() == [[1.0, 0.0]]


def test_looks_at_nothing_but_the_target_network() -> None:
    assert Greedy.states == ()
