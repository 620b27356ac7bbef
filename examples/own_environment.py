"""An environment of one's own: a corridor in the dark, whose length is an argument.

python examples/own_environment.py runs/corridor --frames 8000
"""

from __future__ import annotations

import argparse
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

import dqn_tf


class Corridor(gymnasium.Env[np.ndarray, int]):
    """Places in a row.  The last one pays 1 and ends the episode, the first one pays 0.1 and ends it, too."""

    def __init__(self, length: int = 9) -> None:
        self.length = length
        self.observation_space = spaces.Box(0, 1, (length,), np.float32)
        self.action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)  # makes self.np_random anew, from the seed: nothing else may be drawn from
        self.place, self.steps = int(self.np_random.integers(1, self.length - 1)), 0
        return self.seen(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.place += 1 if action == 1 else -1
        self.steps += 1
        reward = {0: 0.1, self.length - 1: 1.0}.get(self.place, 0.0)
        return self.seen(), reward, reward > 0, self.steps >= 50, {}  # terminated, or cut off by a time limit

    def seen(self) -> np.ndarray:
        return np.eye(self.length, dtype=np.float32)[self.place]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("run_dir")
    parser.add_argument("--frames", type=int, default=8_000)
    given = parser.parse_args()
    config = dqn_tf.make_config(
        "dqn_classic",
        "own_environment:Corridor",  # by where any program can import it from
        environment_arguments={"length": 9},
        frames=given.frames,
    )
    summary = dqn_tf.train(config, given.run_dir)
    print(config.environment, summary["final_evaluation"]["return_mean"])  # the best is 1
