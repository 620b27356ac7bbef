"""What stands between the agent and environments that are not Atari games, one field per decision."""

from __future__ import annotations

import dataclasses
from typing import Literal

from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting

TimeLimit = Literal["bootstrap", "terminal"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class GymnasiumProtocol:
    """How an agent meets a Gymnasium environment.

    ``time_limit``: what a time limit means to the learner.  "bootstrap": the episode was cut off, so the target
    bootstraps from its last observation; "terminal": a termination, as if the environment had ended the episode itself.
    """

    KIND = "gymnasium_protocol"
    max_steps_per_episode: int | None = setting(
        None,
        unit="agent steps",
        doc="An episode is cut off here; none: the environment's own limit.",
        at="envs/classic",
    )
    time_limit: TimeLimit = setting("bootstrap", doc="What a time limit means to the learner.", at="envs/classic")
    reward_clip: tuple[float, float] | None = setting(
        None, doc="Lowest and highest reward of a step as the learner sees it.", at="training/run_state"
    )

    def __post_init__(self) -> None:
        check_types(self)
        most = self.max_steps_per_episode
        expect(most is None or most >= 1, "at least 1 step or none", "protocol.max_steps_per_episode", most)
        check_clip(self.reward_clip)

    @property
    def frame_skip(self) -> int:
        """A frame is a step."""
        return 1

    @property
    def stack(self) -> int:
        """An observation is what the environment shows."""
        return 1


def check_clip(clip: tuple[float, ...] | None) -> None:
    """Check bounds of rewards.

    Raises:
        ConfigError: they are neither (lowest, highest) nor none.
    """
    good = clip is None or (len(clip) == 2 and clip[0] < clip[1])
    expect(good, "lowest,highest or none", "protocol.reward_clip", clip)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MinAtarProtocol:
    """How an agent meets a MinAtar game; the defaults are those of its paper (arXiv 1903.03176).

    ``action_set``: "full" is what Gymnasium calls v0 (six actions in every game, as in the published results),
    "minimal" what it calls v1.  They are different tasks, not versions of one.
    """

    KIND = "minatar_protocol"
    action_set: Literal["full", "minimal"] = setting(
        "full", doc="All six actions, or those with an effect.", at="envs/minatar"
    )
    sticky_probability: float = setting(
        0.1, unit="per step", doc="Probability that the action executed last is executed instead.", at="envs/minatar"
    )
    difficulty_ramping: bool = setting(True, doc="Whether games become faster, where they do.", at="envs/minatar")
    max_steps_per_episode: int | None = setting(
        None, unit="agent steps", doc="An episode is cut off (truncated) here; none: never.", at="envs/minatar"
    )
    reward_clip: tuple[float, float] | None = setting(
        None, doc="Lowest and highest reward of a step as the learner sees it.", at="training/run_state"
    )

    def __post_init__(self) -> None:
        check_types(self)
        sticky, most = self.sticky_probability, self.max_steps_per_episode
        expect(0 <= sticky < 1, "a probability in [0, 1)", "protocol.sticky_probability", sticky)
        expect(most is None or most >= 1, "at least 1 step or none", "protocol.max_steps_per_episode", most)
        check_clip(self.reward_clip)

    @property
    def frame_skip(self) -> int:
        """A frame is a step."""
        return 1

    @property
    def stack(self) -> int:
        """An observation is what the game shows."""
        return 1
