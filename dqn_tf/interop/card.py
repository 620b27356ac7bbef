"""The card of a packed agent: Markdown with the metadata that model hubs read, from what the run says of itself."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

from dqn_tf import fields, presets
from dqn_tf.checks import ConfigError
from dqn_tf.config import RunConfig


def card(config: RunConfig, about: Mapping[str, Any], score: Mapping[str, Any] | None, scope: Mapping[str, Any]) -> str:
    """The card.

    Args:
        config: of the run.
        about: archive.json: "network", "frames", "origin", "weights_sha256".
        score: the run's evaluation of this network, as in summary.json; None: it has none.
        scope: where the bytes of the run are the same.

    Returns:
        Markdown.
    """
    sections = [
        _metadata(config, score),
        f"# {config.preset} on {config.environment}\n",
        *_agent(config, about),
        *_scores(config, score),
        *_protocol(config),
        *_differences(config),
        *_determinism(scope),
        _CHECK,
    ]
    return "\n".join(sections)


_CHECK = """## How to check

With the name of this archive in the place of FILE:

    dqn-tf verify FILE          # every byte, the weights, and the score: the same episodes are played again
    dqn-tf evaluate FILE --episodes 30 --seed 1

From Python: `dqn_tf.load("FILE")` acts and answers Q-values.
"""


def _metadata(config: RunConfig, score: Mapping[str, Any] | None) -> str:
    """The front matter that hubs read.  Texts are JSON's, which YAML reads as they are."""
    tags = ["reinforcement-learning", "deep-reinforcement-learning", config.preset, config.environment]
    lines = ["---", "library_name: dqn_tf", "pipeline_tag: reinforcement-learning", f"tags: {json.dumps(tags)}"]
    if score is not None and score.get("return_mean") is not None:
        deviation = score.get("return_std") or 0.0
        value = f"{score['return_mean']:.2f} +/- {deviation:.2f}"
        name = json.dumps(config.environment)
        lines += [
            "model-index:",
            f"- name: {json.dumps(config.preset)}",
            "  results:",
            "  - task: {type: reinforcement-learning, name: reinforcement-learning}",
            f"    dataset: {{type: {name}, name: {name}}}",
            f"    metrics: [{{type: mean_reward, name: mean_reward, value: {json.dumps(value)}, verified: false}}]",
        ]
    return "\n".join([*lines, "---", ""])


def _agent(config: RunConfig, about: Mapping[str, Any]) -> Iterator[str]:
    try:
        preset = presets.load(config.preset)
        yield f"{preset.summary} {preset.reference}\n"
    except ConfigError:
        yield "Its settings are those of no preset of this version; they stand in config.json.\n"
    rows = {
        "network": f"the {about['network']} one, after {about['frames']:,} frames of {config.frames:,}"
        if about["frames"]
        else "imported; how long it was trained does not stand in its file",
        "seed": config.seed,
        "configuration": config.hash,
        "weights, SHA-256": about["weights_sha256"],
        "from": about["origin"],
    }
    yield from _table("Agent", "", rows)


def _scores(config: RunConfig, score: Mapping[str, Any] | None) -> Iterator[str]:
    yield "## Score\n"
    if score is None:
        yield "None: nothing is known of how it scores under this program's protocols.\n"
    else:
        mean = "not a number" if score["return_mean"] is None else f"{score['return_mean']:.2f}"
        deviation = "" if score.get("return_std") is None else f", standard deviation {score['return_std']:.2f}"
        yield (
            f"Mean return {mean}{deviation}, over {score['episodes']} episodes with epsilon {score['epsilon']}: raw, "
            "undiscounted.  One run says little: seeds differ.\n"
        )
    yield from _published(config)


def _published(config: RunConfig) -> Iterator[str]:
    """The published scores of an Atari game, if the tables are at hand."""
    from reproduce.records import published

    if not config.environment.startswith("ale:") or not published.available():
        return
    game = config.environment.removeprefix("ale:").split("{")[0]
    table = published.per_game()
    rows = table[table.game == game].sort_values(["agent", "start"])
    if len(rows):
        yield "Published on this game; scores compare only under equal protocols:\n"
        yield "| agent | score | start | frames | paper |\n| --- | ---: | --- | ---: | --- |"
        for row in rows.to_dict("records"):
            frames = "" if row["frames"] != row["frames"] else f"{row['frames']:,.0f}"
            yield f"| {row['agent']} | {row['score']:,.1f} | {row['start']} | {frames} | {row['paper']} |"
        yield ""


def _protocol(config: RunConfig) -> Iterator[str]:
    if config.protocol is not None:
        text = "What stands between the environment and the network."
        yield from _table("Protocol", text, fields.to_json(config.protocol, whole=True))


def _differences(config: RunConfig) -> Iterator[str]:
    """What differs from the preset, and the preset from its paper."""
    yield "## What differs from the paper\n"
    try:
        preset = presets.load(config.preset).at(config.environment)
    except ConfigError:
        yield "Not known: there is no such preset.\n"
        return
    yield from (f"- {line}" for line in preset.deviations or ("The preset names no deviation.",))
    own = {**fields.to_json(config.agent, whole=True), "evaluation": fields.to_json(config.evaluation, whole=True)}
    its = {**fields.to_json(preset.agent, whole=True), "evaluation": fields.to_json(preset.evaluation, whole=True)}
    changed = fields.differences(its, own)
    yield from (f"- `{path}` is {mine!r}; the preset has {theirs!r}" for path, theirs, mine in changed)
    yield "" if changed else "- Every setting of the agent is the preset's.\n"


def _determinism(scope: Mapping[str, Any]) -> Iterator[str]:
    text = "Where all of this is the same, the run and its score come out in every byte; elsewhere statistically."
    yield from _table("Determinism", text, scope or {"scope": "not known"})


def _table(title: str, text: str, rows: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {title}\n"
    if text:
        yield f"{text}\n"
    yield "| | |\n| --- | --- |"
    for name, value in rows.items():
        plain = dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value
        yield f"| {name} | {plain if isinstance(plain, str) else json.dumps(plain)} |"
    yield ""
