"""``dqn-tf explain``: every field of a preset with its value, unit and source."""

from __future__ import annotations

from typing import Any

from dqn_tf import envs, fields, presets


def rows(name: str) -> list[tuple[str, str, str, str]]:
    """(path, value, unit, source) of every field of a preset: agent, evaluation, iteration, protocol."""
    preset = presets.load(name)
    parts: list[tuple[str, Any]] = [("", preset.agent), ("evaluation.", preset.evaluation)]
    out = [
        (path, _text(value), field.metadata.get("unit", ""), preset.sources[path])
        for prefix, config in parts
        for path, value, field in fields.leaves(config, prefix)
    ]
    out.append(("iteration_frames", _text(preset.iteration_frames), "frames", preset.sources["iteration_frames"]))
    if preset.protocol:
        sources = envs.protocols.SOURCES[preset.protocol]
        for path, value, field in fields.leaves(envs.PROTOCOLS[preset.protocol]):
            out.append((f"protocol.{path}", _text(value), field.metadata.get("unit", ""), sources.get(path, "")))
    return out


def explain(name: str) -> str:
    """A page of text.  Raises ConfigError for an unknown preset, with the nearest names."""
    preset, table = presets.load(name), rows(name)
    widths = [max(len(row[i]) for row in table) for i in range(3)]
    lines = [f"{preset.name}: {preset.summary}", f"Source: {preset.reference}", ""]
    header = ("field", "value", "unit", "source")
    widths = [max(w, len(h)) for w, h in zip(widths, header, strict=False)]
    for row in (header, tuple("-" * w for w in (*widths, 6)), *table):
        lines.append("  ".join([*(f"{cell:{w}}" for cell, w in zip(row, widths, strict=False)), row[3]]).rstrip())
    if preset.deviations:
        lines += ["", "Known deviations:", *(f"- {d}" for d in preset.deviations)]
    return "\n".join(lines)


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
