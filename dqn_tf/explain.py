"""``dqn-tf explain``: every field of a preset with its value, unit and source, and where the code carries it out."""

from __future__ import annotations

import csv
import io
import itertools
import textwrap
from collections.abc import Mapping
from typing import Any, NamedTuple

from dqn_tf import envs, equations, fields, plain_json, presets
from dqn_tf.presets.sources import MEMORY

LEAST_WIDTH = 80  # of a page, in characters


class Row(NamedTuple):
    """One field of a preset.

    Attributes:
        field: its path.
        value: as text.
        unit: "" if it has none.
        meaning: in a few words.
        source: where the value stands.
        file: of the code that carries it out.
        equation: the paper and the place that the file follows, "" if it names none.
        test: the file of its test.
        remembered: whether the value is remembered and was not read in a source.
    """

    field: str
    value: str
    unit: str
    meaning: str
    source: str
    file: str
    equation: str
    test: str
    remembered: bool


def _load(name: str, environment: str | None) -> presets.Preset:
    loaded = presets.load(name)
    return loaded if environment is None else loaded.at(envs.check_environment(environment))


def rows(name: str, environment: str | None = None) -> list[Row]:
    """Every field of a preset: of the agent, the evaluation, the protocol, and the iteration's length.

    Args:
        name: the preset.
        environment: whose values, where they differ between environments (``Preset.environments``); None: the first's.

    Returns:
        One row for each field.

    Raises:
        ConfigError: the preset is unknown, or has no values for the environment.
    """
    preset = _load(name, environment)
    parts: list[tuple[str, Any, dict[str, str]]] = [
        ("", preset.agent, preset.sources),
        ("evaluation.", preset.evaluation, preset.sources),
    ]
    if preset.protocol:
        said = {f"protocol.{path}": source for path, source in envs.protocols.SOURCES[preset.protocol].items()}
        parts.append(("protocol.", envs.PROTOCOLS[preset.protocol], said))
    if preset.rules:
        parts.append(("protocol.", preset.rules, {f"protocol.{k}": v for k, v in preset.rules_sources.items()}))
    out = [
        _row(path, value, field.metadata.get("unit", ""), field.metadata.get("doc", ""), sources.get(path, ""), module)
        for prefix, config, sources in parts
        for path, value, field, module in fields.owned_leaves(config, prefix)
    ]
    meaning = "length of one reporting block"
    source = preset.sources["iteration_frames"]
    return [*out, _row("iteration_frames", preset.iteration_frames, "frames", meaning, source, "config")]


def _row(path: str, value: object, unit: str, meaning: str, source: str, module: str) -> Row:
    entry = equations.entry(module)
    source = source.replace(" [mem]", f" ({MEMORY})")
    return Row(
        field=path,
        value=_text(value),
        unit=unit,
        meaning=meaning,
        source=source,
        file=entry.file,
        equation=entry.paper,
        test=entry.test,
        remembered="remembered" in source,
    )


def explain(name: str, width: int = 120, environment: str | None = None) -> str:
    """A page of text: the fields file by file.

    Args:
        name: the preset.
        width: of the page, in characters; longer where words do not fit.
        environment: as for ``rows``.

    Returns:
        The page.

    Raises:
        ConfigError: as ``rows``.
    """
    preset, table, width = _load(name, environment), rows(name, environment), max(LEAST_WIDTH, width)
    lines = [*_wrapped("", f"{preset.name}: {preset.summary}", width), *_wrapped("Source: ", preset.reference, width)]
    order = {file: i for i, file in reversed(list(enumerate(row.file for row in table)))}
    table = sorted(table, key=lambda row: order[row.file])
    for _, group in itertools.groupby(table, key=lambda row: row.file):
        lines += ["", *_group(list(group), width)]
    remembered = [row.field for row in table if row.remembered]
    if remembered:
        text = f"{len(remembered)} of {len(table)} values, {MEMORY}: {', '.join(remembered)}."
        lines += ["", *_wrapped("", text, width)]
    if others := presets.load(name).environments:
        names = ", ".join(map(envs.short_name, others))
        text = f"These are the values for {_environment(preset, others)}. There are others for each of: {names}."
        lines += ["", *_wrapped("", text, width)]
    if preset.deviations:
        lines += ["", "Known deviations:", *(line for d in preset.deviations for line in _wrapped("- ", d, width))]
    return "\n".join(lines)


def _environment(preset: presets.Preset, environments: Mapping[str, presets.Preset]) -> str:
    """Which environment the values of ``preset`` are for."""
    return next(envs.short_name(name) for name, values in environments.items() if values.agent is preset.agent)


def _group(group: list[Row], width: int) -> list[str]:
    """The fields of one file: field, value with unit, source."""
    first = group[0]
    lines = [first.file, *(_wrapped("  equation: ", first.equation, width) if first.equation else [])]
    lines.append(f"  test: {first.test}")
    values = [row.value if row.value == "none" else f"{row.value} {row.unit}".rstrip() for row in group]
    place = 4 + max(len(row.field) for row in group)
    indent = min(place + 2 + max(map(len, values)), width // 2)
    for row, value in zip(group, values, strict=True):
        head = f"    {row.field:{place - 4}}  {value}"
        lines += _wrapped(f"{head:{indent}}  ", row.source, width, indent + 2)
    return lines


def _wrapped(head: str, text: str, width: int, indent: int | None = None) -> list[str]:
    """``head`` and then ``text``, whose further lines are indented; a head that is too long has a line of its own."""
    space = " " * (len(head) if indent is None else indent)
    whole = textwrap.TextWrapper(width, subsequent_indent=space, break_long_words=False, break_on_hyphens=False)
    whole.initial_indent = head if len(head) <= len(space) else space
    lines = whole.wrap(text)
    return lines if len(head) <= len(space) else [head.rstrip(), *lines]


def as_json(name: str, environment: str | None = None) -> str:
    """The fields of a preset as one line of JSON.

    Args:
        name: the preset.
        environment: as for ``rows``.

    Returns:
        preset, summary, reference, fields (objects), deviations.

    Raises:
        ConfigError: as ``rows``.
    """
    preset = _load(name, environment)
    table = [row._asdict() for row in rows(name, environment)]
    whole = {"preset": name, "summary": preset.summary, "reference": preset.reference, "fields": table}
    return plain_json.dumps({**whole, "deviations": list(preset.deviations)})


def as_csv(name: str, environment: str | None = None) -> str:
    """The fields of a preset as CSV.

    Args:
        name: the preset.
        environment: as for ``rows``.

    Returns:
        A header and one line for each field, without the last newline.

    Raises:
        ConfigError: as ``rows``.
    """
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([Row._fields, *rows(name, environment)])
    return out.getvalue().rstrip("\n")


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()  # "none", as it is written in a setting
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, tuple):
        return ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
