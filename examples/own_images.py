"""An environment of one's own that shows images: catch the ball that falls askew.

python examples/own_images.py runs/catch --frames 20000
"""

from __future__ import annotations

import argparse
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

import dqn_tf


class Catch(gymnasium.Env[np.ndarray, int]):
    """A ball falls through a square, a row and at most a column at a time; below it a paddle, which must catch it."""

    def __init__(self, size: int = 8) -> None:
        self.size = size
        self.observation_space = spaces.Box(
            0, 1, (size, size), np.float32
        )  # the bounds say what networks see as 0 and 1
        self.action_space = spaces.Discrete(3)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.ball = np.array([0, int(self.np_random.integers(self.size))])
        self.drift, self.paddle = int(self.np_random.integers(-1, 2)), self.size // 2
        return self.seen(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.paddle = min(max(self.paddle + int(action) - 1, 0), self.size - 1)
        self.ball = np.clip(self.ball + np.array([1, self.drift]), 0, self.size - 1)
        landed = bool(self.ball[0] == self.size - 1)
        reward = 0.0 if not landed else 1.0 if abs(self.ball[1] - self.paddle) <= 1 else -1.0
        return self.seen(), reward, landed, False, {}

    def seen(self) -> np.ndarray:
        picture = np.zeros((self.size, self.size), np.float32)
        picture[-1, self.paddle], picture[tuple(self.ball)] = 0.5, 1.0
        return picture


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("run_dir")
    parser.add_argument("--frames", type=int, default=20_000)
    given = parser.parse_args()
    config = dqn_tf.make_config(
        "dqn_image",
        "own_images:Catch",
        protocol="image",  # a stack of two: one picture does not show which way the ball falls
        frames=given.frames,
        settings=["protocol.stack=2", "optimizer.learning_rate=1e-3", "exploration.decay_steps=5000"],
    )
    summary = dqn_tf.train(config, given.run_dir)
    print(config.environment, summary["final_evaluation"]["return_mean"])  # the best is 1
