"""A step of several frames, worked by hand on a scripted environment."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from dqn_tf.envs.action_masks import LegalActions
from dqn_tf.envs.answers import Answers, InvalidAnswer
from dqn_tf.envs.frame_skip import Step, repeat


class Scripted(gymnasium.Env[Any, Any]):
    """Shows the number of the frame, and pays as it is told; the episode ends after the last reward."""

    observation_space = gymnasium.spaces.Box(0, 9, (1,), np.float32)
    action_space: Any = gymnasium.spaces.Discrete(2)

    def __init__(self, *rewards: float) -> None:
        self.rewards, self.frame = rewards, 0

    def step(self, action: Any) -> Any:
        self.frame += 1
        seen = np.array([self.frame], np.float32)
        return seen, self.rewards[self.frame - 1], self.frame == len(self.rewards), False, {}


def played(rewards: tuple[float, ...], skip: int, pooled: int) -> Step:
    env = Scripted(*rewards)
    return repeat(
        env, 0, Answers(env.observation_space), LegalActions(env, "none", 2), number=0, skip=skip, pooled=pooled
    )


@pytest.mark.parametrize(
    ("frames", "skip", "pooled", "screens"),
    [
        (9, 1, 1, [1]),
        (9, 4, 1, [4]),
        (9, 4, 2, [3, 4]),
        (9, 4, 4, [1, 2, 3, 4]),
        (1, 4, 2, [1]),
        (2, 4, 2, [2]),
        (3, 4, 2, [3]),
        (4, 4, 2, [3, 4]),
    ],
)
def test_which_screens_are_shown(frames: int, skip: int, pooled: int, screens: list[int]) -> None:
    step = played((1.0,) * frames, skip, pooled)
    assert [int(screen[0]) for screen in step.screens] == screens
    assert step.frames == min(frames, skip) == step.answer.reward and step.answer.terminated == (frames <= skip)


def test_rewards_that_are_too_large_together() -> None:
    with pytest.raises(InvalidAnswer, match=r"whose sum over a step's frames fits float32, got 6e\+38"):
        played((3e38, 3e38, 0.0), 2, 1)
    assert played((3e38, -3e38, 0.0), 2, 1).answer.reward == 0.0
