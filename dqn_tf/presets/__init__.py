"""Presets: one paper's settings per file, every value with its source."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping

from dqn_tf.checks import ConfigError, unknown
from dqn_tf.config import AgentConfig, Evaluation
from dqn_tf.envs.image_protocol import ImageProtocol
from dqn_tf.envs.simple_protocols import GymnasiumProtocol, MinAtarProtocol

PRESETS = (
    *("dqn_nature", "dqn_zoo", "dqn_dopamine"),
    *("double_dqn", "dueling", "dueling_double", "prioritized", "prioritized_rank", "noisy"),
    *("c51", "c51_dopamine", "qr_dqn", "iqn", "iqn_dopamine", "fqf", "m_dqn", "m_iqn"),
    *("rainbow", "rainbow_zoo", "rainbow_dopamine", "der", "der_paper", "otrainbow", "drq", "drq_eps"),
    *("spr", "spr_dopamine", "sr_spr", "bbf", "bbf_rr2", "btr", "btr_beta"),
    *("dqn_classic", "double_classic", "dueling_classic", "prioritized_classic", "prioritized_rank_classic"),
    *("noisy_classic", "c51_classic", "qr_dqn_classic", "iqn_classic", "fqf_classic"),
    *("m_dqn_classic", "m_iqn_classic", "rainbow_classic"),
    *("dqn_cleanrl", "c51_cleanrl"),
    *("cql", "rem", "cql_classic", "rem_classic", "cloning_classic"),
    *("dqn_minatar", "dqn_image"),
    *("pqn_classic", "pqn_minatar", "pqn_atari"),
    *("rr_dqn", "rr_dqn_double", "rr_dqn_prioritized", "rr_dqn_dueling", "rr_dqn_multi_step", "rr_dqn_distributional"),
    *("rr_dqn_noisy", "rr_dqn_munchausen", "rr_rainbow", "rr_rainbow_no_double", "rr_rainbow_no_prioritized"),
    *("rr_rainbow_no_dueling", "rr_rainbow_no_multi_step", "rr_rainbow_no_distributional", "rr_rainbow_no_noisy"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preset:
    """What one source did.

    ``sources`` maps every path of ``agent`` (and "evaluation.*", "iteration_frames") to where its value stands.
    ``protocol`` is the id of the Atari protocol that goes with it, or None for others.  ``rules``: the protocol of
    others, and ``rules_sources``: where its values stand.  ``environments``: by canonical id, where a source has
    different values for different environments, and no others; this preset is that of the first.
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
    rules: GymnasiumProtocol | MinAtarProtocol | ImageProtocol | None = None
    rules_sources: Mapping[str, str] = dataclasses.field(default_factory=dict)
    environments: Mapping[str, Preset] = dataclasses.field(default_factory=dict)

    def at(self, environment: str) -> Preset:
        """The preset with the values that its source has for ``environment`` (a canonical id).

        Raises:
            ConfigError: the source has none; it names the environments for which it does.
        """
        if not self.environments:
            return self
        if environment not in self.environments:
            known = ", ".join(map(_short_name, self.environments))
            raise ConfigError(
                f"Expected one of {known} for the preset {self.name}, got {_short_name(environment)}: its source "
                "has values of their own for each of these, and for no other."
            )
        return self.environments[environment]


def _short_name(environment: str) -> str:
    from dqn_tf import envs

    return envs.short_name(environment)


def load(name: str) -> Preset:
    """The preset called ``name``.

    Raises:
        ConfigError: there is none; it gives the nearest names.
    """
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS, "`dqn-tf presets` lists them all.")
    if name.startswith("rr_"):
        from dqn_tf.presets.revisiting_rainbow import preset

        return preset(name)
    loaded: Preset = importlib.import_module(f"dqn_tf.presets.{name}").PRESET
    return loaded
