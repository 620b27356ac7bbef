"""What stands between the agent and the images of a Gymnasium environment, one field per decision."""

from __future__ import annotations

import dataclasses
from typing import Literal

from dqn_tf.checks import expect
from dqn_tf.envs.simple_protocols import TimeLimit, check_clip
from dqn_tf.fields import check_types, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageProtocol:
    """How an agent meets the images of a Gymnasium environment; with the defaults, it sees them as they are.

    A frame is one step of the environment, a step of the agent ``frame_skip`` of them.  In this order: the pixelwise
    maximum of a step's last frames, luminance, the resize, the stack.

    ``channels``: of [H, W, C] or [C, H, W]; "auto" knows them where one end alone is at most 4, and refuses the rest.
    ``low``, ``high``: the numbers that networks see as 0 and 1.  ``time_limit``: as in ``GymnasiumProtocol``.

    Raises ConfigError: a value of the wrong type or out of range, or two values that exclude each other.
    """

    KIND = "image_protocol"
    key: str | None = setting(
        None,
        doc="Of observations that are a Dict, the entry that is the image; the others are not seen.",
        at="envs/classic",
    )
    channels: Literal["auto", "first", "last"] = setting(
        "auto", doc="Which axis of a three-dimensional observation holds the channels.", at="envs/images"
    )
    low: float | None = setting(
        None, doc="The number that networks see as 0; none: the observation space's lowest.", at="envs/images"
    )
    high: float | None = setting(
        None, doc="The number that networks see as 1; none: the observation space's highest.", at="envs/images"
    )
    float16: bool = setting(
        False, doc="Round images of floats to 16 bits, for the network and the replay (else float32).", at="envs/images"
    )
    gray: bool = setting(
        False, doc="Luminance 0.299 R + 0.587 G + 0.114 B, rounded, of RGB images of bytes.", at="envs/images"
    )
    resize: Literal["area", "bilinear", "bilinear_antialias"] = setting(
        "area", doc="How images of bytes are resized, where a size is set (as for Atari games).", at="envs/resize"
    )
    frame_height: int | None = setting(
        None, unit="pixels", doc="Rows that the agent sees; none: as many as the environment shows.", at="envs/images"
    )
    frame_width: int | None = setting(
        None, unit="pixels", doc="Columns that the agent sees; none: as the environment shows.", at="envs/images"
    )
    frame_skip: int = setting(
        1, unit="frames", doc="Steps of the environment per agent step; the action is repeated.", at="envs/images"
    )
    max_frames_pooled: int = setting(
        1, unit="frames", doc="The last frames of a step whose pixelwise maximum is shown.", at="envs/images"
    )
    stack: int = setting(
        1, unit="frames shown", doc="Frames in one observation, one per agent step, the newest last.", at="envs/images"
    )
    stack_padding: Literal["zeros_before", "zeros_after", "repeat_first"] = setting(
        "repeat_first", doc="How a stack is completed while the episode is younger than it.", at="envs/images"
    )
    max_frames_per_episode: int | None = setting(
        None, unit="frames", doc="An episode is cut off here; none: the environment's own limit.", at="envs/classic"
    )
    time_limit: TimeLimit = setting("bootstrap", doc="What a time limit means to the learner.", at="envs/classic")
    reward_clip: tuple[float, float] | None = setting(
        None, doc="Lowest and highest reward of a step as the learner sees it.", at="training/run_state"
    )

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("frame_skip", "max_frames_pooled", "stack"):
            expect(getattr(self, name) >= 1, "at least 1", f"protocol.{name}", getattr(self, name))
        for name in ("frame_height", "frame_width", "max_frames_per_episode"):
            value = getattr(self, name)
            expect(value is None or value >= 1, "at least 1 or none", f"protocol.{name}", value)
        expect(self.stack <= 256, "at most 256 frames", "protocol.stack", self.stack)
        skip, pooled = self.frame_skip, self.max_frames_pooled
        expect(pooled <= skip, f"at most frame_skip ({skip})", "protocol.max_frames_pooled", pooled)
        if self.low is not None and self.high is not None:
            expect(self.low < self.high, f"more than protocol.low ({self.low})", "protocol.high", self.high)
        check_clip(self.reward_clip)


# By the names that --protocol takes.  "image": everything as the environment shows it, the defaults above.
# "image_atari": as the papers on Atari games show theirs (protocols.py), where rewards may be of any size, too.
IMAGE_PROTOCOLS = {
    "image": ImageProtocol(),
    "image_atari": ImageProtocol(
        gray=True,
        frame_height=84,
        frame_width=84,
        frame_skip=4,
        max_frames_pooled=2,
        stack=4,
        stack_padding="zeros_before",
        reward_clip=(-1.0, 1.0),
    ),
}
