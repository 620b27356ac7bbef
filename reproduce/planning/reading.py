"""Reading a protocol's file: TOML into the classes of protocol.py, every error with its file, line and key."""

from __future__ import annotations

import dataclasses
import re
import tomllib
import typing
from pathlib import Path
from typing import Any, TypeVar

from dqn_tf import fields
from dqn_tf.checks import ConfigError, unknown
from reproduce.places import PROTOCOLS
from reproduce.planning import validation
from reproduce.planning.protocol import (
    SCHEMA,
    Agent,
    Claim,
    Deviation,
    Grid,
    Order,
    Paper,
    Protocol,
    Rank,
    Score,
    Tried,
)

T = TypeVar("T")


def names() -> list[str]:
    """The protocols of this version."""
    return sorted(path.stem for path in PROTOCOLS.glob("*.toml"))


def load(name: str) -> Protocol:
    """A protocol by name, or from a file.

    Args:
        name: one of ``names()``, or a path that ends in ".toml".

    Returns:
        The protocol, checked.

    Raises:
        ConfigError: unknown name, malformed TOML, an unknown, missing or ill-typed key, or names in it that do not
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


class _Reader:
    """Turns a file's tables into the classes of protocol.py; knows on which line each key stands."""

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
            "orders": self.tables(Order, data, "orders"),
            "ranks": self.tables(Rank, data, "ranks"),
            "tried": self.tables(Tried, data, "tried"),
        }
        rest = {k: v for k, v in data.items() if k not in tables}
        protocol = self.read(Protocol, {**rest, **tables}, "", made={*tables, "path"}, own={"path"})
        validation.check(protocol, self.wrong)
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
        """A ``cls`` from one table.  made: fields that were read before; own: fields that no file has."""
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
