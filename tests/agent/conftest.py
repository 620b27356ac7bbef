"""Runs of an agent on pictures, for the ideas that need images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dqn_tf import determinism, envs
from dqn_tf.config import AgentConfig, RunConfig
from dqn_tf.envs import ImageProtocol


@pytest.fixture
def on_pictures(monkeypatch: pytest.MonkeyPatch, cartpole: Callable[..., RunConfig]) -> Callable[..., RunConfig]:
    """A function (agent, frames) -> a run of it on pictures of 6 x 5, two of them stacked, in episodes of 7 steps."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "envs")
    monkeypatch.setattr(determinism, "enable", lambda threads, required=True: None)
    environment = envs.identify("pictures:Pictures", {"steps": 7})

    def build(agent: AgentConfig, frames: int) -> RunConfig:
        return cartpole(environment=environment, protocol=ImageProtocol(stack=2), agent=agent, frames=frames)

    return build
