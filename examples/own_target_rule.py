"""A target rule of your own: Expected SARSA, whose target follows the agent's own policy instead of the greedy one.

    python examples/own_target_rule.py runs/expected_sarsa --frames 20000

Paper: van Seijen, van Hasselt, Whiteson & Wiering 2009, "A theoretical and empirical analysis of Expected Sarsa"
(doi 10.1109/ADPRL.2009.4927542):

    y = r + gamma sum_a' pi(a'|s') Q(s', a'; theta^-),   pi: epsilon-greedy.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, ClassVar

import tensorflow as tf

import dqn_tf
from dqn_tf.types import TargetTerms, ValueOutputs


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExpectedSarsa:
    """The epsilon-greedy policy of the target network, and no bonuses.  epsilon = 0 is DQN's rule."""

    states: ClassVar[tuple[tuple[str, str], ...]] = ()  # nothing but Q(s_t, .; theta^-) is looked at
    epsilon: float = dqn_tf.setting(0.1, doc="probability of a random action")

    def terms(self, next_outputs: ValueOutputs, others: dict[tuple[str, str], Any], a_tm1: Any) -> TargetTerms:
        q = next_outputs.q_values  # [B, A]
        actions = q.shape[-1]
        greedy = tf.one_hot(tf.argmax(q, axis=-1), actions, dtype=q.dtype)
        policy = (1.0 - self.epsilon) * greedy + self.epsilon / actions
        return TargetTerms(policy, value_bonus=tf.zeros_like(q), reward_bonus=tf.zeros_like(q[:, 0]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("run_dir")
    parser.add_argument("--frames", type=int, default=20_000)
    given = parser.parse_args()
    config = dqn_tf.make_config("dqn_classic", "CartPole-v1", frames=given.frames, agent={"bootstrap": ExpectedSarsa()})
    summary = dqn_tf.train(config, given.run_dir)
    print(config.to_json()["agent"]["bootstrap"], summary["final_evaluation"]["return_mean"])
