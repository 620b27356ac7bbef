"""Presets: one paper's settings per file, every value with its source."""

from __future__ import annotations

import dataclasses
import importlib

from dqn_tf.checks import unknown
from dqn_tf.config import AgentConfig, Evaluation

PRESETS = (
    *("dqn_nature", "dqn_zoo", "dqn_dopamine"),
    *("double_dqn", "dueling", "dueling_double", "prioritized", "prioritized_rank", "noisy"),
    *("c51", "c51_dopamine", "qr_dqn", "iqn", "iqn_dopamine", "fqf", "m_dqn", "m_iqn"),
    *("rainbow", "rainbow_zoo", "rainbow_dopamine", "der", "der_paper", "otrainbow"),
    *("dqn_classic", "double_classic", "dueling_classic", "prioritized_classic", "prioritized_rank_classic"),
    *("noisy_classic", "c51_classic", "qr_dqn_classic", "iqn_classic", "fqf_classic"),
    *("m_dqn_classic", "m_iqn_classic", "rainbow_classic"),
    *("dqn_cleanrl", "c51_cleanrl"),
)


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
