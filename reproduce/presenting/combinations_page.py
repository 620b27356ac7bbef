"""docs/combinations.md: which ideas combine, found by making the configuration of every combination."""

from __future__ import annotations

import itertools
import typing
from typing import Any

from dqn_tf import fields
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.optimizers import Adam
from dqn_tf.checks import ConfigError
from dqn_tf.config import AgentConfig

SEAMS = ("value", "bootstrap", "head", "layers")


def cells() -> dict[tuple[str, ...], dict[str, Any]]:
    """Every legal combination of a value family, a bootstrap rule, a head and its layers: kinds -> parts."""
    return {kinds: parts for kinds, parts in _all().items() if _refusal(parts) is None}


def _all() -> dict[tuple[str, ...], dict[str, Any]]:
    hints = typing.get_type_hints(AgentConfig)
    options = [list(fields.choices(hints[seam]).items()) for seam in SEAMS]
    return {
        tuple(kind for kind, _ in chosen): {seam: cls() for seam, (_, cls) in zip(SEAMS, chosen, strict=True)}
        for chosen in itertools.product(*options)
    }


def _refusal(parts: dict[str, Any]) -> str | None:
    try:
        AgentConfig(network=MLP(), optimizer=Adam(), **parts)
    except ConfigError as error:
        return str(error)
    return None


def page() -> str:
    """The page's text."""
    everything, legal = _all(), cells()
    columns = list(dict.fromkeys(kinds[2:] for kinds in everything))
    samplers = fields.choices(typing.get_type_hints(AgentConfig)["replay"])
    lines = [
        "# Which ideas combine",
        "",
        "Written by `dqn-tf results docs` from the configuration; a test trains every cell that says yes",
        "(`tests/agent/test_combinations.py`). Each combines with every replay "
        f"({', '.join(samplers)}), every `n_step` and all torsos: the update does not see which of these it has.",
        "",
        "| value | bootstrap | " + " | ".join(" + ".join(c) for c in columns) + " |",
        "|---" * (2 + len(columns)) + "|",
    ]
    for row in dict.fromkeys(kinds[:2] for kinds in everything):
        marks = ["yes" if (*row, *column) in legal else "no" for column in columns]
        lines.append(f"| {' | '.join(row)} | {' | '.join(marks)} |")
    refused = [
        ("layers=noisy", "head.bias=shared", "a bias that all outputs share has no noisy form in any paper"),
        ("head=dueling, head.hidden=shared", "network.hidden=()", "there is no hidden layer to share"),
        ("augmentation=pad_and_crop", "network=mlp", "a vector has no neighbors to shift to"),
        ("augmentation=pad_and_crop", "execution=rollouts", "targets are computed before, from states as they were"),
        ("auxiliary=spr", "network=mlp", "the transition model is made of convolutions"),
        ("auxiliary=spr", "layers=layer_norm", "the hidden layer that projects latents is linear before its ReLU"),
        ("auxiliary=spr", "execution=fused", "an update there is not given what followed"),
        ("auxiliary=spr", "execution=rollouts", "there is no replay to draw what followed from"),
        ("returns=annealed_n_step", "replay.placement=device", "compiled code gathers returns as they were stored"),
        ("returns=annealed_n_step", "execution=rollouts", "there is no replay whose steps could be summed"),
        ("resets=shrink_perturb", "execution=concurrent", "a reset needs a moment with no update under way"),
        ("resets=shrink_perturb", "execution=fused", "theta lies in a vector"),
        ("network.spectral_norm=true", "execution=fused", "an update there does not step the power iterations"),
        ("network.spectral_norm=true", "execution=rollouts", "an update there does not step the power iterations"),
        ("acts_with=target", "execution=fused", "the weights at hand are theta"),
        ("target_tracking=averaged", "execution=concurrent", "theta^- chooses actions meanwhile: it must rest"),
        ("target_tracking=averaged", "execution=fused", "theta^- is a part of one vector, which is copied whole"),
        ("target_tracking=averaged", "execution=rollouts", "there is no target network"),
    ]
    lines += ["", "Refused, as settings of these:", "", "| with | not | because |", "|---|---|---|"]
    lines += [f"| `{a}` | `{b}` | {why} |" for a, b, why in refused]
    return "\n".join(lines) + "\n"
