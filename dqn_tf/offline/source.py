"""What a run learns from, as configuration: its own play, or experience that was recorded.

The content of the data, not their place or format, is part of the run's identity.  Importing this does not import
TensorFlow.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from dqn_tf.agent.spr import SPR
from dqn_tf.checks import ConfigError, expect
from dqn_tf.fields import check_types, setting
from dqn_tf.modes import Fused, Interleaved

if TYPE_CHECKING:
    from dqn_tf.config import AgentConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Played:
    """The agent plays, and learns from what it sees: every run without recorded data."""

    KIND = "played"

    def __post_init__(self) -> None:
        check_types(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recorded:
    """The agent learns from a data set alone (training/offline_loop.py), and plays only to be scored.

    The replay is the data set, whole; so `replay.capacity`, `min_replay_steps` and the exploration have no effect.
    """

    KIND = "recorded"
    sha256: str = setting(doc="of the content of the data", at="offline/rows")
    rows: int = setting(unit="rows", doc="of the data: transitions, and the last frame of each episode")
    transitions: int = setting(unit="transitions", doc="of the data")

    def __post_init__(self) -> None:
        check_types(self)
        hexadecimal = re.fullmatch("[0-9a-f]{64}", self.sha256) is not None
        expect(hexadecimal, "64 hexadecimal digits", "data.sha256", self.sha256)
        expect(self.transitions >= 1, "at least 1 transition", "data.transitions", self.transitions)
        expect(self.rows > self.transitions, "more rows than transitions", "data.rows", self.rows)


def check_data(data: Played | Recorded, agent: AgentConfig) -> None:
    """Check that an agent can learn from what a run names.

    Args:
        data: what is learned from.
        agent: that learns.

    Raises:
        ConfigError: it needs steps of its own.
    """
    if isinstance(data, Played):
        return
    if not isinstance(agent.execution, Interleaved | Fused):
        raise ConfigError(
            f"Expected execution=interleaved or fused with recorded data, got {agent.execution.KIND}: its order is one "
            "of steps and updates, and no steps are made."
        )
    if agent.storage.placement != "host":
        raise ConfigError(
            "Expected `replay.placement`=host with recorded data, got device: the data may be larger than its memory."
        )
    if isinstance(agent.auxiliary, SPR):
        raise ConfigError(
            "Expected auxiliary=no_auxiliary with recorded data, got spr: it predicts the last states of episodes too, "
            "which not every format has."
        )
