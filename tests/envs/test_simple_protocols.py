"""Protocols of Gymnasium environments: another time limit, what it means, rewards clipped for the learner alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest

from dqn_tf import envs
from dqn_tf.config import RunConfig
from dqn_tf.envs import GymnasiumProtocol
from dqn_tf.envs.classic import GymnasiumEnvironment
from dqn_tf.training.interleaved_loop import InterleavedLoop
from dqn_tf.training.records import EpisodeRecord
from dqn_tf.types import StepType

CAR, PARKED = "MountainCar-v0", 1  # without pushing, the car never leaves its valley


class Rich(gymnasium.Env[np.ndarray, Any]):
    """Rewards of 7, -0.5 and -9, and an end after the third step."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return np.zeros(2, np.float32), (7.0, -0.5, -9.0)[self.steps - 1], self.steps == 3, False, {}


@pytest.fixture
def rich() -> Any:
    gymnasium.register("DqnRich-v0", entry_point=Rich)
    yield "gym:DqnRich-v0"
    del gymnasium.registry["DqnRich-v0"]


def parked(protocol: GymnasiumProtocol | None, steps: int) -> GymnasiumEnvironment:
    env = GymnasiumEnvironment(CAR, 0, protocol=protocol)
    env.reset()
    for _ in range(steps):
        env.step(PARKED)
    return env


@pytest.mark.parametrize(
    ("protocol", "length"),
    [(None, 200), (GymnasiumProtocol(), 200), (GymnasiumProtocol(max_steps_per_episode=600), 600)],
)
def test_where_an_episode_is_cut_off(protocol: GymnasiumProtocol | None, length: int) -> None:
    before = parked(protocol, length - 1)
    assert before.last.step_type == StepType.MID
    last = before.step(PARKED)
    assert last.step_type == StepType.LAST and last.truncated and last.episode_over


@pytest.mark.parametrize(("meaning", "discount"), [("bootstrap", 1.0), ("terminal", 0.0)])
def test_what_a_time_limit_means(meaning: Any, discount: float) -> None:
    last = parked(GymnasiumProtocol(max_steps_per_episode=3, time_limit=meaning), 3).last
    assert last.discount == discount and last.truncated


def test_an_end_of_the_environment_s_own_is_terminal_under_both(rich: str) -> None:
    for meaning in ("bootstrap", "terminal"):
        env = envs.make(rich, GymnasiumProtocol(time_limit=meaning), 0)
        env.reset()
        assert [env.step(0).discount for _ in range(3)] == [1.0, 1.0, 0.0]
        assert not env.last.truncated


def test_a_restored_environment_has_the_protocol_s_limit() -> None:
    protocol = GymnasiumProtocol(max_steps_per_episode=5, time_limit="terminal")
    one, other = parked(protocol, 4), GymnasiumEnvironment(CAR, 0, protocol=protocol)
    other.restore(one.state())
    assert (one.step(PARKED).discount, other.step(PARKED).discount) == (0.0, 0.0)
    np.testing.assert_array_equal(one.last.observation, other.last.observation)


def test_rewards_are_clipped_for_the_learner_alone(rich: str, cartpole: Callable[..., RunConfig]) -> None:
    rules = GymnasiumProtocol(reward_clip=(-1.0, 1.0))
    config = dataclasses.replace(cartpole(), environment=rich, protocol=rules, frames=30, iteration_frames=30)
    trainer = InterleavedLoop(config)
    try:
        records = [r for r in trainer.records(lambda: None) if isinstance(r, EpisodeRecord)]
        assert {r.return_raw for r in records} == {7.0 - 0.5 - 9.0}
        sample = trainer.run.replay.sample(64, 0)
        assert {round(float(r), 6) for r in np.asarray(sample.transitions.r_t)} == {1.0, -0.5, -1.0}
    finally:
        trainer.close()


def test_the_protocol_is_part_of_the_run_s_identity(cartpole: Callable[..., RunConfig]) -> None:
    config = cartpole()
    other = dataclasses.replace(config, protocol=GymnasiumProtocol())
    assert other.hash != config.hash and other.with_settings(["protocol.time_limit=terminal"]).hash != other.hash
    assert RunConfig.from_json(other.to_json()) == other and (other.frame_skip, other.steps) == (1, config.steps)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_steps_per_episode": 0}, "Expected at least 1 step or none for `protocol.max_steps_per_episode`, got 0."),
        ({"reward_clip": (1.0, -1.0)}, "Expected lowest,highest or none for `protocol.reward_clip`, got (1.0, -1.0)."),
    ],
)
def test_bad_values(outcome, values: dict[str, Any], message: str) -> None:
    assert outcome(GymnasiumProtocol, **values) == message


def test_an_atari_game_needs_one_of_its_own(outcome) -> None:
    assert "got gymnasium_protocol. Choose one of" in outcome(envs.make, "pong", GymnasiumProtocol(), 0)
