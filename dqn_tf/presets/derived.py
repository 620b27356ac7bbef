"""Presets of papers whose own code was not found: another preset's settings, and what the paper changes."""

from __future__ import annotations

import dataclasses
from typing import Any

from dqn_tf.presets import Preset, sources


def preset(
    base: Preset,
    name: str,
    summary: str,
    reference: str,
    agent: dict[str, Any],
    own: dict[str, str],
    deviations: tuple[str, ...] = (),
    evaluation: dict[str, Any] | None = None,
) -> Preset:
    """``base`` with other values; what is not in ``own`` keeps its source, marked with the base's name.

    Args:
        base: another preset.
        name: of the preset.
        summary: one line.
        reference: the paper.
        agent: values of fields of ``AgentConfig``.
        own: sources of these values, by path.
        deviations: from the paper, beside those of ``base``.
        evaluation: values of fields of ``Evaluation``.

    Returns:
        The preset.
    """
    changed = dataclasses.replace(base.agent, **agent)
    scoring = dataclasses.replace(base.evaluation, **(evaluation or {}))
    kept = {
        path: text if text.startswith(("DQN", "ours", "not used")) else f"as in {base.name}: {text}"
        for path, text in base.sources.items()
    }
    return dataclasses.replace(
        base,
        name=name,
        summary=summary,
        reference=reference,
        agent=changed,
        evaluation=scoring,
        sources=sources.complete(changed, scoring, sources.DQN, kept, own),
        deviations=(*base.deviations, *deviations),
    )
