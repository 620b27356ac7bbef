"""Protocols as data: what a paper ran, in a TOML file that is checked before anything is started.

A file says which agents play which games on which seeds for how long (``[[grid]]``), what differs from the paper
(``[[deviations]]``), what the paper's numbers are (``[[claims]]``), and how to see in minutes that all of it works
(``[[smoke]]``, grids of their own).  docs/reproduce.md explains every key.
"""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
import typing
from pathlib import Path
from typing import Any, Literal, TypeVar

from dqn_tf import envs, fields, presets
from dqn_tf.checks import ConfigError, nearest, unknown
from dqn_tf.envs import games
from reproduce.places import PROTOCOLS

SCHEMA = 1
T = TypeVar("T")

Convention = Literal["training_return", "final_window", "best_checkpoint", "best_phase", "final_evaluation"]
AFTER_TRAINING = ("best_checkpoint", "final_evaluation")  # conventions of episodes that were played then
WINDOWED = ("training_return", "final_window")  # conventions that are means over the last ``window_frames``


@dataclasses.dataclass(frozen=True, kw_only=True)
class Paper:
    """Where the protocol stands.  reference: "arXiv 1812.06110" or "doi 10...".  place: table or figure."""

    title: str
    reference: str
    place: str
    note: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Agent:
    """A preset, changed where ``settings`` ("path=value") say so."""

    preset: str
    settings: tuple[str, ...] = ()
    note: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grid:
    """Every agent on every environment with every seed.

    agents: names in ``[agents.*]`` or presets.  suite: a key of ``games.SUITES``, or environments: their names.
    atari_protocol: a key of ``envs.PROTOCOLS``; "" is each preset's own.
    """

    agents: tuple[str, ...]
    suite: str = ""
    environments: tuple[str, ...] = ()
    seeds: tuple[int, ...]
    budget_frames: int
    checkpoint_frames: int = 1_000_000
    atari_protocol: str = ""
    settings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    """Which number of a run stands for it (never mixed with another).

    window_frames: how much of training it is a mean over, where the convention has a window (``WINDOWED``).
    """

    convention: Convention
    window_frames: int | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Deviation:
    what: str
    why: str
    expected_effect: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
    """A published number, where it stands, and when ours agrees with it (``reproduce.analysis.claims`` judges).

    metric: over all games of the agent's grids, human-normalized by ``normalization`` (a key of
    ``published.NORMALIZATIONS``), or "score" in ``environment``, raw.  frames: where in training, by the convention of
    ``[score]``; none: at the end.  published: in ``unit``.  rule: "within": ours lies in published +- allowed;
    "at_least": not below published - allowed; allowed = tolerance * |published|.  why_tolerance: who chose it, and by
    what.  data: file, column and the cells that name the row of results/published that the number was read from.
    remembered: the number was not read in a source.
    """

    id: str
    agent: str
    metric: Literal["score", "median_normalized", "mean_normalized", "iqm_normalized"]
    environment: str = ""
    normalization: str = ""
    frames: int | None = None
    published: float
    unit: Literal["percent", "fraction", "return"]
    place: str
    rule: Literal["within", "at_least"]
    tolerance: float
    why_tolerance: str
    data: dict = dataclasses.field(default_factory=dict)
    remembered: bool = False
    note: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Protocol:
    """A protocol file, read and checked; ``awaiting``: presets that this version of dqn_tf does not have yet."""

    schema: int
    id: str
    title: str
    any_agent: bool = False
    awaiting: tuple[str, ...] = ()
    paper: Paper
    score: Score
    agents: dict[str, Agent]
    grid: tuple[Grid, ...]
    smoke: tuple[Grid, ...]
    deviations: tuple[Deviation, ...] = ()
    claims: tuple[Claim, ...] = ()
    path: Path
    twin: bool = False

    def agent(self, name: str) -> Agent:
        """The agent called ``name``: one of the file's, or a preset as it is."""
        return self.agents.get(name) or Agent(preset=name)

    def waits(self, name: str) -> bool:
        """Whether an agent has to wait for its preset."""
        return self.agent(name).preset not in presets.PRESETS

    @property
    def named(self) -> tuple[str, ...]:
        """Every agent of the grids."""
        return tuple(dict.fromkeys(a for grid in self.grid for a in grid.agents))

    def grids_of(self, agent: str) -> tuple[Grid, ...]:
        """The grids in which ``agent`` stands."""
        return tuple(grid for grid in self.grid if agent in grid.agents)

    def smoke_twin(self) -> Protocol:
        """The protocol that runs the smoke grids, under a name of its own."""
        return dataclasses.replace(self, id=f"{self.id}-smoke", grid=self.smoke, claims=(), twin=True)

    def with_frames(self, frames: int) -> Protocol:
        """The same with another budget."""
        return dataclasses.replace(self, grid=tuple(dataclasses.replace(g, budget_frames=frames) for g in self.grid))

    def identity(self) -> dict[str, Any]:
        """What decides the runs; prose and claims may be corrected without touching it."""
        agents = {name: fields.to_json(self.agents[name]) for name in sorted(self.agents)}
        for agent in agents.values():
            agent.pop("note")
        grids = {f"grid {i}": fields.to_json(grid) for i, grid in enumerate(self.grid, start=1)}
        return {"schema": self.schema, "id": self.id, "agents": agents, **grids}


def names() -> list[str]:
    """The protocols of this version."""
    return sorted(path.stem for path in PROTOCOLS.glob("*.toml"))


def load(name: str) -> Protocol:
    """A protocol by name, or from the file ``name`` if it ends in ".toml".

    Raises ConfigError: unknown name, malformed TOML, an unknown, missing or ill-typed key, or names in it that do not
    exist; with file, line, key and the nearest names.
    """
    path = Path(name) if name.endswith(".toml") else PROTOCOLS / f"{name}.toml"
    if not name.endswith(".toml") and name not in names():
        raise unknown("protocol", name, names(), "Or give the path of a .toml file.")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Expected a protocol in {path}: {error}") from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}.") from error
    return _Reader(path, text).protocol(data)


# -- reading -----------------------------------------------------------------------------------------------------------
class _Reader:
    """Turns a file's tables into the classes above; knows on which line each key stands."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.lines = path, _lines(text)

    def wrong(self, key: str, message: object) -> ConfigError:
        """An error at ``key``, or at the table it is missing from."""
        at = key
        while at and at not in self.lines:
            at = at.rpartition(".")[0]
        line = f", line {self.lines[at]}" if at else ""
        return ConfigError(f"{self.path}{line}, key `{key}`: {message}")

    def protocol(self, data: dict[str, Any]) -> Protocol:
        if data.get("schema") != SCHEMA:
            got = data.get("schema")
            raise self.wrong("schema", f"Expected schema {SCHEMA}, got {got!r}. Another version of dqn_tf reads this.")
        tables: dict[str, Any] = {
            "paper": self.table(Paper, data, "paper"),
            "score": self.table(Score, data, "score"),
            "agents": {n: self.read(Agent, v, f"agents.{n}") for n, v in self.named(data, "agents").items()},
            "grid": self.tables(Grid, data, "grid"),
            "smoke": self.tables(Grid, data, "smoke"),
            "deviations": self.tables(Deviation, data, "deviations"),
            "claims": self.tables(Claim, data, "claims"),
        }
        rest = {k: v for k, v in data.items() if k not in tables}
        protocol = self.read(Protocol, {**rest, **tables}, "", made={*tables, "path"}, own={"path", "twin"})
        self.check(protocol)
        return protocol

    def table(self, cls: type[T], data: dict[str, Any], name: str) -> T:
        if name not in data:
            raise self.wrong(name, f"Expected a table [{name}], got none.")
        return self.read(cls, data[name], name)

    def tables(self, cls: type[T], data: dict[str, Any], name: str) -> tuple[T, ...]:
        found = data.get(name, [])
        if not isinstance(found, list):
            raise self.wrong(name, f"Expected tables [[{name}]], got {_kind(found)}.")
        return tuple(self.read(cls, value, f"{name}[{i}]") for i, value in enumerate(found, start=1))

    def named(self, data: dict[str, Any], name: str) -> dict[str, Any]:
        found = data.get(name, {})
        if not isinstance(found, dict):
            raise self.wrong(name, f"Expected tables [{name}.NAME], got {_kind(found)}.")
        return found

    def read(self, cls: type[T], data: Any, key: str, made: set[str] | None = None, own: set[str] | None = None) -> T:
        """An instance from one table.  made: fields that are read already; own: fields that no file has."""
        if not isinstance(data, dict):
            raise self.wrong(key, f"Expected a table, got {_kind(data)}.")
        hints, dot = typing.get_type_hints(cls), f"{key}." if key else ""
        known = {f.name: f for f in dataclasses.fields(cls) if f.name not in (own or ())}  # type: ignore[arg-type]
        for name in data:
            if name not in known:
                raise self.wrong(dot + name, unknown("key", name, known))
        values: dict[str, Any] = {"path": self.path} if "path" in (own or ()) else {}
        for name, field in known.items():
            if name in data:
                values[name] = tuple(data[name]) if isinstance(data[name], list) else data[name]
                if name not in (made or ()):
                    self.check_type(hints[name], values[name], dot + name)
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                raise self.wrong(dot + name, "Expected a value, got none.")
        return cls(**values)

    def check_type(self, annotation: Any, value: Any, key: str) -> None:
        if typing.get_origin(annotation) is tuple:
            inner = typing.get_args(annotation)[0]
            if not isinstance(value, tuple) or not all(type(v) is inner for v in value):
                got = list(value) if isinstance(value, tuple) else value
                raise self.wrong(
                    key, f"Expected a list of {'texts' if inner is str else 'whole numbers'}, got {got!r}."
                )
            return
        try:
            fields.check_type(annotation, value, key)
        except ConfigError as error:
            raise self.wrong(key, error) from error

    # -- meaning -------------------------------------------------------------------------------------------------------
    def check(self, p: Protocol) -> None:
        """Names that exist, numbers in range, no run twice."""
        if not re.fullmatch(r"[a-z][a-z0-9_]*", p.id):
            raise self.wrong("id", f"Expected a plain name of small letters, digits and _, got {p.id!r}.")
        for name in p.agents:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise self.wrong(f"agents.{name}", "Expected a plain name of small letters, digits and _.")
            self.check_preset(p, p.agents[name].preset, f"agents.{name}.preset")
        for table, grids in (("grid", p.grid), ("smoke", p.smoke)):
            if not grids:
                raise self.wrong(table, f"Expected at least one table [[{table}]], got none.")
            runs: dict[tuple[str, str], int] = {}
            for i, grid in enumerate(grids, start=1):
                self.check_grid(p, grid, f"{table}[{i}]")
                for pair in ((a, e) for a in grid.agents for e in environments(grid)):
                    if runs.setdefault(pair, i) != i:
                        raise self.wrong(
                            f"{table}[{i}]", f"{pair[0]} on {pair[1]} stands in {table}[{runs[pair]}] too."
                        )
        if (p.score.convention in WINDOWED) != bool(p.score.window_frames):
            told = f"Expected it for {' and '.join(WINDOWED)}, and for them only; the convention is"
            raise self.wrong("score.window_frames", f"{told} {p.score.convention}.")
        self.check_claims(p)

    def check_preset(self, p: Protocol, preset: str, key: str) -> None:
        if preset not in presets.PRESETS and preset not in p.awaiting:
            then = "A preset that is still to come stands in `awaiting`."
            raise self.wrong(key, unknown("preset", preset, (*presets.PRESETS, *p.awaiting), then))

    def check_grid(self, p: Protocol, grid: Grid, key: str) -> None:
        for name in ("agents", "seeds"):
            values = getattr(grid, name)
            if not values or len(set(values)) < len(values):
                raise self.wrong(f"{key}.{name}", f"Expected different values, at least one, got {list(values)}.")
        for agent in grid.agents:
            if agent not in p.agents:
                self.check_preset(p, agent, f"{key}.agents")
        for name in ("budget_frames", "checkpoint_frames"):
            if getattr(grid, name) < 1:
                raise self.wrong(f"{key}.{name}", f"Expected at least 1 frame, got {getattr(grid, name)}.")
        if min(grid.seeds) < 0:
            raise self.wrong(f"{key}.seeds", f"Expected seeds of at least 0, got {min(grid.seeds)}.")
        if grid.atari_protocol and grid.atari_protocol not in envs.PROTOCOLS:
            raise self.wrong(f"{key}.atari_protocol", unknown("protocol", grid.atari_protocol, envs.PROTOCOLS))
        if bool(grid.suite) == bool(grid.environments):
            raise self.wrong(key, "Expected one of `suite` and `environments`.")
        if grid.suite and grid.suite not in games.SUITES:
            raise self.wrong(f"{key}.suite", unknown("suite", grid.suite, games.SUITES))
        try:
            found = environments(grid)
        except ConfigError as error:
            raise self.wrong(f"{key}.environments", error) from error
        if len(set(found)) < len(found):
            raise self.wrong(f"{key}.environments", "Expected each environment once.")

    def check_claims(self, p: Protocol) -> None:
        seen: set[str] = set()
        for i, claim in enumerate(p.claims, start=1):
            key = f"claims[{i}]"
            if claim.id in seen:
                raise self.wrong(f"{key}.id", f"Expected an id of its own, got {claim.id!r} again.")
            seen.add(claim.id)
            if claim.agent not in p.named:
                raise self.wrong(f"{key}.agent", unknown("agent", claim.agent, p.named))
            for name in ("place", "why_tolerance"):
                if not getattr(claim, name).strip():
                    raise self.wrong(f"{key}.{name}", "Expected words, got none.")
            if not 0 <= claim.tolerance < math.inf:
                raise self.wrong(f"{key}.tolerance", f"Expected at least 0, got {claim.tolerance}.")
            if not math.isfinite(claim.published) or (claim.tolerance and not claim.published):
                why = "a number of which the tolerance can be a share" if claim.published == 0 else "a finite number"
                raise self.wrong(f"{key}.published", f"Expected {why}, got {claim.published}.")
            self.check_metric(p, claim, key)
            self.check_when(p, claim, key)

    def check_metric(self, p: Protocol, claim: Claim, key: str) -> None:
        """What is measured, where, and in which unit."""
        raw = claim.metric == "score"
        played = [e for grid in p.grids_of(claim.agent) for e in environments(grid)]
        if raw and claim.environment not in played:
            raise self.wrong(f"{key}.environment", unknown("environment", claim.environment, played))
        if not raw and claim.environment:
            raise self.wrong(f"{key}.environment", f"Expected none for a metric over games, got {claim.environment!r}.")
        if raw == bool(claim.normalization):
            raise self.wrong(f"{key}.normalization", "Expected it for normalized metrics, and for them only.")
        if raw != (claim.unit == "return"):
            raise self.wrong(f"{key}.unit", f"Expected return for a score, percent or fraction else, got {claim.unit}.")
        if not raw:
            from reproduce.records import published  # pandas takes a second to import

            if claim.normalization not in published.NORMALIZATIONS:
                then = unknown("normalization", claim.normalization, published.NORMALIZATIONS)
                raise self.wrong(f"{key}.normalization", then)
            if claim.metric == "mean_normalized" and published.available():
                try:
                    published.check_means(claim.normalization)
                except ConfigError as error:
                    raise self.wrong(f"{key}.normalization", error) from error

    def check_when(self, p: Protocol, claim: Claim, key: str) -> None:
        """Within training, and not where the convention has no number."""
        budget = max(grid.budget_frames for grid in p.grids_of(claim.agent))
        if claim.frames is None:
            return
        if p.score.convention in AFTER_TRAINING:
            raise self.wrong(f"{key}.frames", f"Expected none: {p.score.convention} is of episodes after training.")
        if not (p.score.window_frames or 1) <= claim.frames <= budget:
            raise self.wrong(f"{key}.frames", f"Expected a place within {budget:,} frames, got {claim.frames:,}.")


def environments(grid: Grid) -> tuple[str, ...]:
    """The environments of a grid by the names of their folders: "breakout", "CartPole-v1".

    Raises ConfigError: unknown, with the nearest names.
    """
    return games.SUITES[grid.suite] if grid.suite else tuple(plain_environment(name) for name in grid.environments)


def plain_environment(name: str) -> str:
    """The name of an environment's folder, from any of its spellings.  Raises ConfigError if there is none."""
    return envs.check_environment(name).partition(":")[2]


def find_environment(name: str, known: tuple[str, ...], where: str) -> str:
    """The one of ``known`` that ``name`` spells.  Raises ConfigError, with the nearest names."""
    try:
        found = plain_environment(name)
    except ConfigError:
        if close := nearest(name, known):
            raise ConfigError(f"Unknown environment {name!r}. Did you mean {' or '.join(map(repr, close))}?") from None
        raise
    if found not in known:
        raise ConfigError(f"Expected environments of {where}, got {found!r}. It has: {', '.join(known)}.")
    return found


def _kind(value: Any) -> str:
    return "a table" if isinstance(value, dict) else "a list" if isinstance(value, list | tuple) else repr(value)


def _lines(text: str) -> dict[str, int]:
    """Where each table and key stands: "grid[2]" and "grid[2].seeds", counted from 1."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\[\s*([\w.-]+)\s*\]\]", line):
            name = header[1]
            counts[name] = counts.get(name, 0) + 1
            table = f"{name}[{counts[name]}]"
            found[table] = number
        elif header := re.match(r"\s*\[\s*([\w.-]+)\s*\]\s*(?:#.*)?$", line):
            table = header[1]
            found[table] = number
        elif key := re.match(r"\s*\"?([\w-]+)\"?\s*=", line):
            found.setdefault(f"{table}.{key[1]}" if table else key[1], number)
    return found
