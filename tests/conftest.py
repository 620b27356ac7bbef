"""Small agents and runs for every test; nothing here imports TensorFlow."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from dqn_tf import determinism, fields
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.optimizers import Adam
from dqn_tf.config import AgentConfig, Evaluation, RunConfig
from dqn_tf.modes import Interleaved
from dqn_tf.presets import PRESETS, load
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform
from dqn_tf.types import EnvironmentSpec, ObservationSpec

TINY_AGENT = AgentConfig(
    network=MLP(hidden=(8,)),
    replay=Uniform(),
    storage=Storage(capacity=64),
    optimizer=Adam(),
    batch_size=4,
    min_replay_steps=8,
    target_update_steps=20,
    execution=Interleaved(xla="none", threads=1),
)
CARTPOLE = RunConfig(
    preset="dqn_classic",
    agent=TINY_AGENT,
    environment="gym:CartPole-v1",
    evaluation=Evaluation(epsilon=0.0, episodes=2, final_episodes=2),
    frames=100,
    iteration_frames=40,
    heldout_states=5,
)


def ideas(preset: str) -> tuple[Any, ...]:
    """What a preset is made of, whatever the numbers in it: the kind of each part, and whether returns have n > 1."""
    agent = load(preset).agent
    parts = (agent.value, agent.bootstrap, agent.head, agent.layers, agent.replay, agent.optimizer, agent.exploration)
    return (*map(fields.kind, parts), agent.n_step > 1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of ``preset_of_ideas`` runs for the first preset of every combination of ideas that any preset has."""
    if "preset_of_ideas" in metafunc.fixturenames:
        first = {ideas(preset): preset for preset in reversed(PRESETS)}
        metafunc.parametrize("preset_of_ideas", [preset for preset in PRESETS if preset in first.values()])


@pytest.fixture(scope="module")
def threads_left_alone() -> Iterator[None]:
    """For tests that train in their own process: TensorFlow's threads can only be pinned before its first operation,
    which an earlier test may have made.  Pinning itself has its tests in tests/determinism."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(determinism, "enable", lambda threads, required=True: None)
        yield


@pytest.fixture
def tiny_agent() -> Callable[..., AgentConfig]:
    """A function (field=value, ...) -> an agent with one hidden layer of 8 and batches of 4, nothing compiled."""
    return lambda **changes: dataclasses.replace(TINY_AGENT, **changes)


@pytest.fixture(scope="module")
def cartpole_of_module() -> RunConfig:
    """The same run, for what several tests share."""
    return CARTPOLE


@pytest.fixture
def cartpole() -> Callable[..., RunConfig]:
    """A function (field=value, ...) -> that agent on CartPole for 100 steps, in iterations of 40."""
    return lambda **changes: dataclasses.replace(CARTPOLE, **changes)


@pytest.fixture
def vectors() -> Callable[..., EnvironmentSpec]:
    """A function (size, actions) -> the agent's side of an environment with vector states."""

    def build(size: int = 3, actions: int = 2) -> EnvironmentSpec:
        return EnvironmentSpec(ObservationSpec((size,), "float32"), tuple(map(str, range(actions))), 1)

    return build


@pytest.fixture
def outcome() -> Callable[..., str]:
    """A function (call, *arguments) -> the message of the ConfigError or RunError that it raises."""

    def message(call: Callable[..., Any], *arguments: Any, **more: Any) -> str:
        from dqn_tf.checks import ConfigError, RunError

        with pytest.raises((ConfigError, RunError)) as caught:
            call(*arguments, **more)
        return str(caught.value)

    return message


@pytest.fixture
def misbehaving(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """A function "NanReward" -> the id of that environment of tests/envs/misbehaving.py."""
    monkeypatch.syspath_prepend(Path(__file__).parent / "envs")
    return lambda name: f"misbehaving:{name}-v0"
