"""What stands between the emulator and the agent, one field per decision, and the protocols of the papers.

Two results are comparable only if their protocols are: the same agent scores differently with sticky actions, with
lives as episodes, or with another resize.  Values and where each was read: ``PROTOCOLS`` and ``SOURCES``.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from dqn_tf.checks import ConfigError, expect
from dqn_tf.envs.protocol_sources import SOURCES
from dqn_tf.fields import check_types, setting

__all__ = ["PROTOCOLS", "SOURCES", "AtariProtocol", "LifeLoss"]

LifeLoss = Literal["ignore", "discount", "episode", "episode_noop"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AtariProtocol:
    """How an agent meets an Atari game.

    Life loss: "ignore"; "discount" = discount 0, as at a termination, but episode and stack go on; "episode" = the
    agent's episode ends (discount 0, LAST, the step cut short, no emulator reset) and its next one begins at the same
    frame with its history cut; "episode_noop" = as "episode", but the next one begins with one no-op step, and a loss
    of the last life waits for the game's own end.

    Raises ConfigError: a value of the wrong type or out of range, or two values that exclude each other.
    """

    frame_skip: int = setting(
        unit="frames", doc="Emulator frames per agent step; the action is held for all of them.", at="envs/atari"
    )
    stack: int = setting(
        unit="frames shown", doc="Frames in one observation, one per step, the newest last.", at="envs/atari"
    )
    stack_padding: Literal["zeros_before", "zeros_after", "repeat_first"] = setting(
        doc="How a stack is completed while the agent's episode is younger than it.", at="envs/atari"
    )
    sticky_probability: float = setting(
        unit="per emulator frame",
        doc="Probability that the action executed last is executed once more instead.",
        at="envs/atari",
    )
    noops_min: int = setting(unit="noops_unit", doc="Fewest no-ops before a game's first observation.", at="envs/atari")
    noops_max: int = setting(
        unit="noops_unit", doc="Most no-ops (inclusive); their number is drawn uniformly.", at="envs/atari"
    )
    life_noops_min: int = setting(
        unit="noops_unit", doc="As noops_min, where a lost life began the episode.", at="envs/atari"
    )
    life_noops_max: int = setting(
        unit="noops_unit", doc="As noops_max, where a lost life began the episode.", at="envs/atari"
    )
    noops_unit: Literal["frames", "steps"] = setting(
        doc="What a no-op lasts: a frame, or a step of frame_skip frames.", at="envs/atari"
    )
    pool_noops: bool = setting(
        doc="No-ops in frames: the first frame pools the last of them (else it shows the newest).", at="envs/atari"
    )
    fire_on_reset: bool = setting(
        doc="Begin each of the agent's episodes with one step of FIRE, where FIRE exists.", at="envs/atari"
    )
    life_loss_training: LifeLoss = setting(doc="What a lost life means in training.")
    life_loss_evaluation: LifeLoss = setting(doc="What a lost life means in evaluation.")
    max_frames_pooled: int = setting(
        unit="frames", doc="The last frames of a step whose pixelwise maximum is shown.", at="envs/frames"
    )
    pool_order: Literal["max_then_luminance", "luminance_then_max"] = setting(
        doc="Whether the maximum is taken over RGB or over luminance.", at="envs/frames"
    )
    luminance: Literal["ale_palette", "rec601"] = setting(
        doc="The emulator's own gray palette, or 0.299 R + 0.587 G + 0.114 B (another picture in Air Raid only).",
        at="envs/frames",
    )
    luminance_rounding: Literal["truncate", "round", "none"] = setting(
        doc="How luminance becomes a whole number before the resize; none: it stays real until after it.",
        at="envs/frames",
    )
    resize: Literal["area", "bilinear", "bilinear_antialias"] = setting(
        doc="area: mean over the covered box (OpenCV INTER_AREA, Torch); bilinear: four neighbours (OpenCV "
        "INTER_LINEAR); bilinear_antialias: triangle as wide as the scale (Pillow BILINEAR).",
        at="envs/resize",
    )
    pixel_rounding: Literal["round", "truncate"] = setting(doc="How a resized pixel becomes a byte.", at="envs/frames")
    frame_height: int = setting(unit="pixels", doc="Rows of a frame that the agent sees.", at="envs/frames")
    frame_width: int = setting(unit="pixels", doc="Columns of a frame that the agent sees.", at="envs/frames")
    reward_clip: tuple[float, float] | None = setting(
        doc="Lowest and highest reward of a step as the learner sees it (the sum over its frames is clamped). Applied "
        "to the learner's view only: environments always report raw rewards.",
        at="training/run_state",
    )
    max_frames_per_episode: int = setting(unit="frames", doc="A game is cut off (truncated) here, no-ops included.")
    max_frames_per_evaluation_episode: int = setting(unit="frames", doc="The same in evaluation.")
    action_set: Literal["minimal", "full"] = setting(
        doc="The actions that the game uses, or all 18 of the joystick.", at="envs/atari"
    )
    mode: int | None = setting(
        None,
        doc="The game's mode, one of its own list (`dqn-tf games GAME`); none: what the emulator starts with.",
        later=True,
        at="envs/variants",
    )
    difficulty: int | None = setting(None, doc="The game's difficulty, likewise.", later=True, at="envs/variants")
    ending_screen: Literal["shown", "left_out"] = setting(
        "shown",
        doc="What a step shows in which the game ends.  shown: its last screens; left_out: the screen of the frame "
        "that ends it is not read, and the maximum is over what this step and the one before had read, as in "
        "Gymnasium's AtariPreprocessing.",
        later=True,
        at="envs/frames",
    )

    def __post_init__(self) -> None:
        check_types(self)
        for name, least in _LEAST.items():
            expect(getattr(self, name) >= least, f"at least {least}", name, getattr(self, name))
        expect(self.stack <= 256, "at most 256 frames", "stack", self.stack)
        _expect_range(self, "noops_min", "noops_max")
        _expect_range(self, "life_noops_min", "life_noops_max")
        expect(
            0 <= self.sticky_probability < 1, "a probability in [0, 1)", "sticky_probability", self.sticky_probability
        )
        expect(
            self.max_frames_pooled <= self.frame_skip,
            f"at most frame_skip ({self.frame_skip})",
            "max_frames_pooled",
            self.max_frames_pooled,
        )
        if self.reward_clip is not None:
            expect(self.reward_clip[0] < self.reward_clip[1], "low < high", "reward_clip", self.reward_clip)
        self._check_image_path()
        lives = (self.life_loss_training, self.life_loss_evaluation)
        if self.ending_screen == "left_out" and ("episode" in lives or "episode_noop" in lives):
            raise ConfigError(
                "Expected a lost life to be ignored, or a discount, with `ending_screen`=left_out, got "
                f"{lives[0]} in training and {lives[1]} in evaluation: where a life ends an episode, the next one "
                "begins with the screen that was left out. Set `ending_screen`=shown, or life_loss_... =discount."
            )

    def _check_image_path(self) -> None:
        """The combinations that no byte-exact meaning could be given to."""
        if self.luminance == "ale_palette":
            what = "for luminance ale_palette"
            expect(
                self.luminance_rounding == "round",
                f"round {what}",
                "luminance_rounding",
                self.luminance_rounding,
                "The palette holds whole numbers, already rounded.",
            )
            expect(
                self.pool_order == "luminance_then_max",
                f"luminance_then_max {what}",
                "pool_order",
                self.pool_order,
                "A maximum over RGB need not be a color of the palette.",
            )
        if self.resize == "bilinear_antialias":
            what = "for resize bilinear_antialias"
            expect(
                self.luminance_rounding != "none",
                f"truncate or round {what}",
                "luminance_rounding",
                "none",
                "Pillow resizes bytes.",
            )
            expect(
                self.pixel_rounding == "round", f"round {what}", "pixel_rounding", self.pixel_rounding, "Pillow rounds."
            )

    def life_loss(self, training: bool) -> LifeLoss:
        """What a lost life means."""
        return self.life_loss_training if training else self.life_loss_evaluation

    def cap_frames(self, training: bool) -> int:
        """After how many frames a game is cut off."""
        return self.max_frames_per_episode if training else self.max_frames_per_evaluation_episode


_LEAST = {
    "frame_skip": 1,
    "stack": 1,
    "noops_min": 0,
    "life_noops_min": 0,
    "max_frames_pooled": 1,
    "frame_height": 1,
    "frame_width": 1,
    "max_frames_per_episode": 1,
    "max_frames_per_evaluation_episode": 1,
}


def _expect_range(protocol: AtariProtocol, low: str, high: str) -> None:
    least, most = getattr(protocol, low), getattr(protocol, high)
    expect(least <= most, f"at least {low} ({least})", high, most)


# DeepMind's Lua code of Mnih et al. 2015 with alewrap.
NATURE2015 = AtariProtocol(
    frame_skip=4,
    stack=4,
    stack_padding="zeros_before",
    sticky_probability=0.0,
    noops_min=1,
    noops_max=30,
    life_noops_min=2,
    life_noops_max=31,
    noops_unit="frames",
    pool_noops=True,
    fire_on_reset=False,
    life_loss_training="episode",
    life_loss_evaluation="ignore",
    max_frames_pooled=2,
    pool_order="max_then_luminance",
    luminance="rec601",
    luminance_rounding="none",
    resize="area",
    pixel_rounding="truncate",
    frame_height=84,
    frame_width=84,
    reward_clip=(-1.0, 1.0),
    max_frames_per_episode=108_000,
    max_frames_per_evaluation_episode=18_000,
    action_set="minimal",
)

# The JAX reimplementation behind DQN Zoo's 57-game curves.
DQN_ZOO = dataclasses.replace(
    NATURE2015,
    stack_padding="zeros_after",
    life_noops_min=0,
    life_noops_max=0,
    pool_noops=False,
    life_loss_training="discount",
    life_loss_evaluation="discount",
    luminance_rounding="truncate",
    resize="bilinear_antialias",
    pixel_rounding="round",
    max_frames_per_evaluation_episode=108_000,
)

# Dopamine's defaults (what its published sticky-action curves used).
DOPAMINE = AtariProtocol(
    frame_skip=4,
    stack=4,
    stack_padding="zeros_before",
    sticky_probability=0.25,
    noops_min=0,
    noops_max=0,
    life_noops_min=0,
    life_noops_max=0,
    noops_unit="steps",
    pool_noops=False,
    fire_on_reset=False,
    life_loss_training="ignore",
    life_loss_evaluation="ignore",
    max_frames_pooled=2,
    pool_order="luminance_then_max",
    luminance="ale_palette",
    luminance_rounding="round",
    resize="area",
    pixel_rounding="round",
    frame_height=84,
    frame_width=84,
    reward_clip=(-1.0, 1.0),
    max_frames_per_episode=108_000,
    max_frames_per_evaluation_episode=108_000,
    action_set="minimal",
)

# Machado et al. 2018 (arXiv 1709.06009): every action, five minutes; image path as Dopamine's.
MACHADO2018 = dataclasses.replace(
    DOPAMINE, action_set="full", max_frames_per_episode=18_000, max_frames_per_evaluation_episode=18_000
)

# The 100k benchmark as Dopamine's labs run it.
ATARI100K = dataclasses.replace(
    DOPAMINE, sticky_probability=0.0, noops_max=29, life_loss_training="episode", life_loss_evaluation="episode"
)

# EnvPool's Atari with lives as episodes and clipped rewards, as PQN's authors and CleanRL play it.
ENVPOOL = dataclasses.replace(
    DOPAMINE,
    stack_padding="repeat_first",
    sticky_probability=0.0,
    noops_min=0,
    noops_max=29,
    life_noops_min=0,
    life_noops_max=29,
    noops_unit="frames",
    fire_on_reset=True,
    life_loss_training="episode",
    life_loss_evaluation="episode",
)

PROTOCOLS: dict[str, AtariProtocol] = {
    "nature2015": NATURE2015,
    "dqn_zoo": DQN_ZOO,
    "dopamine": DOPAMINE,
    "machado2018": MACHADO2018,
    "atari100k": ATARI100K,
    "envpool": ENVPOOL,
}
