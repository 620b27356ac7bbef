"""Small agents that were never trained: what is tested here does not depend on how well they play."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dqn_tf import envs
from dqn_tf.agent.parameters import build_network
from dqn_tf.config import AgentConfig, RunConfig
from dqn_tf.trained import TrainedAgent

pytestmark = pytest.mark.usefixtures("threads_left_alone")


@pytest.fixture
def agent_of() -> Callable[[RunConfig], TrainedAgent]:
    """A function (configuration) -> an agent of it with its initial weights."""

    def make(config: RunConfig) -> TrainedAgent:
        environment = envs.make(config.environment, config.protocol, config.seed)
        network = build_network(config.agent, environment.spec, config.seed)
        environment.close()
        theta = {f"online/{i:02d}": variable.numpy() for i, variable in enumerate(network.variables)}
        return TrainedAgent(config, "last", 0, theta, config.seed)

    return make


@pytest.fixture
def untrained(
    cartpole: Callable[..., RunConfig], tiny_agent: Callable[..., AgentConfig], agent_of: Callable[..., TrainedAgent]
) -> Callable[..., TrainedAgent]:
    """A function (field=value, ...) of the agent's fields -> such an agent for CartPole."""
    return lambda **ideas: agent_of(cartpole(agent=tiny_agent(**ideas)))


@pytest.fixture
def pictures(
    monkeypatch: pytest.MonkeyPatch, cartpole: Callable[..., RunConfig], agent_of: Callable[..., TrainedAgent]
) -> Callable[..., TrainedAgent]:
    """A function (arguments, protocol) -> such an agent for the pictures of tests/envs/pictures.py."""
    from dqn_tf.agent.networks.torsos import CNN

    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "envs")

    def make(arguments: dict[str, Any], protocol: envs.ImageProtocol) -> TrainedAgent:
        config = cartpole(environment=envs.identify("pictures:Pictures", arguments), protocol=protocol)
        network = CNN(channels=(4,), kernels=(3,), strides=(2,), padding="same", hidden=8)
        return agent_of(dataclasses.replace(config, agent=dataclasses.replace(config.agent, network=network)))

    return make
