"""One step of the agent as several steps, frames, of a Gymnasium environment."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dqn_tf.envs import quick_steps
from dqn_tf.envs.action_masks import LegalActions
from dqn_tf.envs.answers import LARGEST, Answer, Answers, InvalidAnswer


class Step(NamedTuple):
    """What the frames of a step came to.

    Attributes:
        screens: the last ``pooled`` observations; of a step that ends before the first of them, the newest alone.
        answer: the last answer, with the sum of the rewards.
        frames: how many there were.
        mask: which actions are legal now, as of ``LegalActions.read``.
    """

    screens: list[np.ndarray]
    answer: Answer
    frames: int
    mask: np.ndarray | None


def repeat(
    env: Any, action: int, answers: Answers, legal: LegalActions, *, number: int, skip: int = 1, pooled: int = 1
) -> Step:
    """Repeat an action, up to where the episode ends or the action is no longer legal.

    Args:
        env: of Gymnasium's interface.
        action: as ``env`` takes it.
        answers: reads its answers.
        legal: reads its masks.
        number: of the action in masks.
        skip: frames of a step.
        pooled: how many of the last of them are kept.

    Returns:
        What came; at least one frame.

    Raises:
        InvalidAnswer: an answer cannot be used, or the rewards of all are too large together.
    """
    if skip == 1 and legal.source == "none" and (known := quick_steps.step(env, action)) is not None:
        return Step([known.observation], known, 1, None)
    screens: list[np.ndarray] = []
    reward = 0.0
    for frame in range(1, skip + 1):
        given = env.step(action)
        answer = answers.step(given)
        mask = legal.read(given[4], answer.terminated)
        reward = answer.reward if frame == 1 else reward + answer.reward
        over = answer.terminated or answer.truncated or not (mask is None or mask[number])
        if over or frame > skip - pooled:
            screens.append(answer.observation)
        if over:
            break
    if not -LARGEST <= reward <= LARGEST:
        raise InvalidAnswer(f"expected rewards whose sum over a step's frames fits float32, got {reward}")
    return Step(screens, answer._replace(reward=reward), frame, mask)
