"""docs/agents/: one page per agent, from the presets, the docstrings and results/.

agents.toml beside this file says which presets belong to a page, and a few sentences about the idea.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from dqn_tf import envs, equations, explain, fields, presets
from dqn_tf.envs import ImageProtocol, MinAtarProtocol
from reproduce import formatting
from reproduce.places import RESULTS, ROOT
from reproduce.planning import reading
from reproduce.presenting import classic_page, evidence_page
from reproduce.presenting.classic_page import SOLVED_RETURN
from reproduce.records import published

FOLDER = ROOT / "docs" / "agents"
COMMAND = "dqn-tf results docs"
STARTS = {"noop": "no-op starts", "human": "human starts", "sticky": "sticky actions"}
FRAMES = {"atari100k": 400_000}  # budgets of Atari protocols; the others have 200M


@functools.cache
def agents() -> dict[str, dict[str, Any]]:
    """Page -> title, text, presets, published, figures, equations_of."""
    return tomllib.loads((Path(__file__).parent / "agents.toml").read_text())


def pages() -> dict[str, str]:
    """Every page: its path below docs/, and its text."""
    return {"agents/index.md": index(), **{f"agents/{name}.md": page(name) for name in agents()}}


def index() -> str:
    """The list of agents."""
    about = f"Written by `{COMMAND}`. One page per agent: its equations, results, and settings with their sources."
    rows = [
        (f"[{agent['title']}]({name}.md)", presets.load(agent["presets"][0]).reference, _codes(agent["presets"]))
        for name, agent in agents().items()
    ]
    return "\n\n".join(["# Agents", about, _table(("agent", "source of the first preset", "presets"), rows)]) + "\n"


def page(name: str) -> str:
    """One agent's page, with a newline at its end."""
    agent = agents()[name]
    main = presets.load(agent["presets"][0])
    parts = [
        f"# {agent['title']}",
        f"Written by `{COMMAND}` from the presets, the docstrings and `results/`.",
        agent["text"].strip(),
        "\n".join(map(_preset_line, agent["presets"])),
        "\n".join(["```sh", _command(main), "```"]),
        "## Equations",
        *_equations(list(map(presets.load, agent.get("equations_of", agent["presets"][:1])))),
        "## Results",
        *_results(agent),
        "## What a run records",
        _columns(main),
        "## Known differences from the sources",
        *_differences(agent["presets"]),
        "## Settings",
        *_settings(agent["presets"]),
    ]
    return "\n\n".join(parts) + "\n"


def _preset_line(name: str) -> str:
    preset = presets.load(name)
    protocol = f" Atari protocol `{preset.protocol}`." if preset.protocol else ""
    return f"- `{name}`: {preset.summary}. Source: {preset.reference}.{protocol}"


def _command(preset: presets.Preset) -> str:
    if preset.environments:
        environment = envs.short_name(next(iter(preset.environments)))
        frames = 30 * preset.iteration_frames
        return f"dqn-tf train {preset.name} {environment} --seed 1 --frames {frames} --run-dir runs/{preset.name}_1"
    if isinstance(preset.rules, MinAtarProtocol):
        frames = 20 * preset.iteration_frames
        return f"dqn-tf train {preset.name} minatar:breakout --seed 1 --frames {frames} --run-dir runs/{preset.name}_1"
    if isinstance(preset.rules, ImageProtocol):
        environment, frames = "examples.own_images:Catch --protocol image", 5 * preset.iteration_frames
        return f"dqn-tf train {preset.name} {environment} --seed 1 --frames {frames} --run-dir runs/{preset.name}_1"
    frames = FRAMES.get(str(preset.protocol), 200_000_000)
    return f"dqn-tf train {preset.name} breakout --seed 1 --frames {frames} --run-dir runs/{preset.name}_1"


# -- equations --------------------------------------------------------------------------------------------------------
def modules(preset: presets.Preset) -> list[str]:
    """The modules that a preset is made of, in the order of its fields: for example "values/expected"."""
    return list(dict.fromkeys(module for *_, module in fields.owned_leaves(preset.agent)))


def own_modules(preset: presets.Preset) -> list[str]:
    """The modules that plain DQN does not have, and that of n-step returns where n > 1; for DQN itself, all."""
    dqn = presets.load("dqn_nature")
    if preset == dqn:
        return modules(dqn)
    steps = _module_of_n_step() if preset.agent.n_step > 1 else ""
    return [module for module in modules(preset) if module not in modules(dqn) or module == steps]


def _module_of_n_step() -> str:
    return next(
        module for path, *_, module in fields.owned_leaves(presets.load("dqn_nature").agent) if path == "n_step"
    )


def _equations(shown: list[presets.Preset]) -> Iterator[str]:
    used = dict.fromkeys(module for preset in shown for module in own_modules(preset))
    found = [e for e in map(equations.entry, used) if e.paper and e.equations]
    for e in found:
        yield f"**{e.title.rstrip('.')}.** {e.paper}."
        yield f"```text\n{e.equations}\n```"
        yield f"{f'Symbols: {e.symbols} ' if e.symbols else ''}Code: `{e.file}`. Test: `{e.test}`."
    yield "The equations of all parts are in [equations.md](../equations.md)."


# -- results ----------------------------------------------------------------------------------------------------------
def _results(agent: dict[str, Any]) -> Iterator[str]:
    atari = [name for name in agent["presets"] if presets.load(name).protocol]
    compared = [name for name in atari if (RESULTS / "tables" / f"{name}.md").is_file()]
    for name in compared:
        table = f"[table](../../results/tables/{name}.md)"
        yield f"Our runs of `{name}` beside the published curve ({table}):"
        for plot in sorted((RESULTS / "plots").glob(f"{name}_*.png")):
            yield f"![{name}, training returns of ours and published]({_from_folder(plot)})"
    whole = _whole_tables(agent["presets"])
    yield from whole.values()
    missing = [name for name in atari if name not in compared and name not in whole]
    if missing:
        yield f"No Atari run of {_codes(missing)} is in `results/` yet."
    vector = [name for name in agent["presets"] if name not in atari]
    yield from _cartpole(vector)
    if vector and not atari and not whole and not any(_cartpole(vector)):
        yield "No run of these presets is in `results/` yet."
    yield from _published(agent)


def _whole_tables(names: list[str]) -> dict[str, str]:
    """Where a preset's runs stand in the whole table of a protocol: preset -> a sentence."""
    board = evidence_page.board()
    board = board[(board["set"] != evidence_page.CURVES) & board["agent"].isin(names)]
    pairs = dict(zip(board["agent"], board["set"], strict=True))
    link = "[whole table with verdicts](../../results/tables/evidence_{}.md)"
    return {name: f"`{name}`: {link.format(pairs[name])}." for name in names if name in pairs}


def _cartpole(names: list[str]) -> Iterator[str]:
    found, today = _classic_runs()
    for name in names:
        mine = found[found["agent"] == name]
        if len(mine):
            best, last = (f"{(mine[n] >= SOLVED_RETURN).sum()} of {len(mine)}" for n in ("score", "last_network"))
            before = "" if today[mine.index].all() else "; measured before the preset became `fused`"
            yield (
                f"CartPole-v1: with `{name}` the best network of training solves it in {best} seeds, the last network "
                f"in {last} ([all presets](../classic_results.md){before})."
            )


@functools.cache
def _classic_runs() -> tuple[pd.DataFrame, pd.Series[bool]]:
    """The runs in results/classic/, and for each whether it had the settings that its preset has now."""
    planned = classic_page.jobs(reading.load("classic"), Path())
    found = classic_page.found_now(planned)
    return found, classic_page.of_today(planned, found)


def _published(agent: dict[str, Any]) -> Iterator[str]:
    found = published.aggregates()
    rows = formatting.records(found[found["agent"].isin(agent["published"]) & (found["kind"] != "speed")])
    if rows:
        yield "Published summaries of human-normalized scores (HNS), for comparison; none of these runs is ours:"
        yield _table(("agent", "metric", "value", "games", "starts", "paper"), map(_published_row, rows))
    for name, caption in agent.get("figures", {}).items():
        yield f"![{caption}]({_from_folder(RESULTS / 'plots' / 'published' / name)})"
        yield f"*{caption}.*"


def _published_row(row: dict[str, Any]) -> tuple[str, ...]:
    place = row["table"] if row["table"].startswith(row["paper"]) else f"{row['paper']}, {row['table']}"
    value = f"{row['value']} {row['unit'].replace('x human', '× human')}"
    start = STARTS.get(row["start"], "")
    return row["agent"], row["metric"], value, f"{float(row['n_games']):.0f}", start, place


def _from_folder(path: Path) -> str:
    return f"../../{path.relative_to(ROOT).as_posix()}"


# -- metrics, differences, settings -----------------------------------------------------------------------------------
def _columns(preset: presets.Preset) -> str:
    """The columns of iterations.csv that the agent's ideas add."""
    found: list[str] = []
    for module in modules(preset):
        loaded = importlib.import_module(f"dqn_tf.{module.replace('/', '.')}")
        own = [c for c in vars(loaded).values() if inspect.isclass(c) and c.__module__ == loaded.__name__]
        found += [f"{n}_..." if "networks" in module else n for c in own for n in vars(c).get("monitored", ())]
    every = "The columns that every run has are described in [metrics.md](../metrics.md)."
    if not found:
        return f"{every} This agent adds none."
    return f"{every} This agent adds to `iterations.csv`: {', '.join(f'`{name}`' for name in dict.fromkeys(found))}."


def _differences(names: list[str]) -> Iterator[str]:
    differences = {name: presets.load(name).deviations for name in names}
    for name, deviations in differences.items():
        if deviations:
            yield "\n".join([f"`{name}`:", "", *(f"- {text}" for text in deviations)])
    if not any(differences.values()):
        yield "None is known."


def _settings(names: list[str]) -> Iterator[str]:
    first, *others = names
    yield f"All settings of `{first}`, as `dqn-tf explain {first}` shows them with the file and test of each:"
    yield _setting_table(explain.rows(first))
    known = {row.field: row for row in explain.rows(first)}
    for name in others:
        rows = [row for row in explain.rows(name) if row.field not in known or known[row.field].value != row.value]
        yield f"### `{name}`"
        yield f"Where it differs from `{first}`:"
        yield _setting_table(rows)


def _setting_table(rows: list[explain.Row]) -> str:
    values = [row.value if row.value == "none" else f"{row.value} {row.unit}".rstrip() for row in rows]
    cells = [(f"`{row.field}`", value, row.source) for row, value in zip(rows, values, strict=True)]
    return _table(("field", "value", "source"), cells)


# -- Markdown ---------------------------------------------------------------------------------------------------------
def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _codes(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
