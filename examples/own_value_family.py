"""A value family of one's own: DQN's expected return, regressed by the logarithm of the hyperbolic cosine.

python examples/own_value_family.py runs/log_cosh --frames 20000
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from typing import Any, ClassVar

import tensorflow as tf

import dqn_tf
from dqn_tf.agent.values.expected import select, td_target
from dqn_tf.types import LossOutputs, Monitored, ValueOutputs


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogCosh:
    """log cosh(delta / scale) * scale^2: half the square of small TD errors, linear in large ones, smooth between."""

    random: ClassVar[bool] = False  # nothing is drawn to predict
    outputs_per_action: ClassVar[int] = 1  # N: the head gives one number per action
    monitored: ClassVar[tuple[str, ...]] = ()  # no column of its own in iterations.csv
    scale: float = dqn_tf.setting(1.0, unit="return", doc="where the loss becomes linear")

    def parts(self, features: int, initializers: Any) -> list[Any]:
        return []  # no layers of its own

    def outputs(self, features: Any, head: Any, parts: list[Any], role: str, draws: Any) -> ValueOutputs:
        return ValueOutputs(q_values=tf.squeeze(head(features, draws), axis=-1))  # [B, A, 1] -> [B, A]

    def monitors(self, outputs: ValueOutputs) -> Monitored:
        return Monitored({}, {})

    def losses(self, outputs: ValueOutputs, transitions: Any, next_outputs: ValueOutputs, terms: Any) -> LossOutputs:
        y = tf.stop_gradient(td_target(transitions.r_t, transitions.discount_t, next_outputs, terms))
        delta = y - select(outputs.q_values, transitions.a_tm1)
        x = tf.abs(delta) / self.scale
        log_cosh = x + tf.math.softplus(-2.0 * x) - math.log(2.0)  # does not overflow
        return LossOutputs(loss=self.scale**2 * log_cosh, td_error=delta, priority=tf.abs(delta))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("run_dir")
    parser.add_argument("--frames", type=int, default=20_000)
    given = parser.parse_args()
    config = dqn_tf.make_config("dqn_classic", "CartPole-v1", frames=given.frames, agent={"value": LogCosh(scale=2.0)})
    summary = dqn_tf.train(config, given.run_dir)
    print(config.to_json()["agent"]["value"], summary["final_evaluation"]["return_mean"])
