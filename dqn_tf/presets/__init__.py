"""Presets: one paper's settings per file, every value with its source."""

from __future__ import annotations

import dataclasses
import importlib

from dqn_tf.checks import unknown
from dqn_tf.config import AgentConfig, Evaluation

PRESETS = ("dqn_nature", "dqn_zoo", "dqn_dopamine", "dqn_classic")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preset:
    """What one source did.

    ``sources`` maps every path of ``agent`` (and "evaluation.*", "iteration_frames") to where its value stands.
    ``protocol`` is the id of the Atari protocol that goes with it, or None for vector states.
    """

    name: str
    summary: str
    reference: str
    agent: AgentConfig
    evaluation: Evaluation
    iteration_frames: int
    protocol: str | None
    sources: dict[str, str]
    deviations: tuple[str, ...] = ()


def load(name: str) -> Preset:
    """The preset called ``name``.  Raises ConfigError with the nearest names."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS, "`dqn-tf presets` lists them all.")
    preset: Preset = importlib.import_module(f"dqn_tf.presets.{name}").PRESET
    return preset
