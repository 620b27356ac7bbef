"""`ending_screen`=left_out against Gymnasium's AtariPreprocessing itself, byte for byte."""

from __future__ import annotations

import dataclasses
from typing import Any

import ale_py
import gymnasium
import numpy as np
import pytest

from dqn_tf.envs.atari import AtariEnvironment
from dqn_tf.envs.protocols import DOPAMINE, AtariProtocol

GYMNASIUM = dataclasses.replace(DOPAMINE, sticky_probability=0.0, stack=1, ending_screen="left_out")


def theirs(game: str, protocol: AtariProtocol) -> Any:
    gymnasium.register_envs(ale_py)
    made = gymnasium.make(
        f"ALE/{game}-v5",
        frameskip=1,
        repeat_action_probability=0.0,
        max_num_frames_per_episode=protocol.max_frames_per_episode,
        disable_env_checker=True,
    )
    size = (protocol.frame_width, protocol.frame_height)
    return gymnasium.wrappers.AtariPreprocessing(made, noop_max=0, frame_skip=protocol.frame_skip, screen_size=size)


def compared(game: str, episodes: int, seed: int = 0, **changes: Any) -> tuple[list[int], list[bool]]:
    """Random play of both: the largest difference of each observation; whether each last one is the one before."""
    protocol = dataclasses.replace(GYMNASIUM, **changes)
    ours, other = AtariEnvironment(game.lower(), protocol, 0), theirs(game, protocol)
    actions, differences, repeated = np.random.default_rng(seed), [], []

    def compare(a: np.ndarray, b: np.ndarray) -> None:
        differences.append(int(np.abs(a.astype(int) - b).max()))

    for _ in range(episodes):
        seen, (b, _) = ours.reset().frame, other.reset(seed=0)
        compare(seen, b)
        over = False
        while not over:
            before, action = seen, int(actions.integers(ours.spec.num_actions))
            step, (b, reward, terminated, truncated, _) = ours.step(action), other.step(action)
            seen, over = step.frame, step.episode_over
            assert (step.reward, over, step.truncated) == (reward, terminated or truncated, truncated)
            compare(seen, b)
        repeated.append(bool((seen == before).all()))
    return differences, repeated


@pytest.mark.parametrize("changes", [{"frame_height": 210, "frame_width": 160}, {}], ids=["whole", "84 by 84"])
def test_every_observation_of_breakout_is_theirs(changes: dict[str, int]) -> None:
    differences, repeated = compared("Breakout", 2, **changes)
    assert max(differences) == 0 and len(differences) > 150
    assert repeated == [True, True]
    shown, _ = compared("Breakout", 1, **changes, ending_screen="shown")
    assert max(shown[:-1]) == 0 and shown[-1] > 0, "the switch is what makes them equal"


@pytest.mark.parametrize("frames", [120, 121, 122, 123])
def test_a_time_limit_at_each_frame_of_a_step(frames: int) -> None:
    """Pong moves in every frame, so that each of the four ends shows something of its own."""
    differences, _ = compared("Pong", 1, frame_height=210, frame_width=160, max_frames_per_episode=frames)
    assert max(differences) == 0 and len(differences) == 1 + -(-frames // 4)
