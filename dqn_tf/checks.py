"""Errors that say what was expected, what came, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class ConfigError(ValueError):
    """The request itself is wrong: refused before anything is touched (the command line exits with 2)."""


class RunError(RuntimeError):
    """A run cannot go on or be resumed; what is on disk is left as it is (exit 1)."""


def nearest(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names most like ``name``, best first; may be empty."""
    by_lower = {k.lower(): k for k in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=most, cutoff=0.5)
    return [by_lower[f] for f in found]


def unknown(kind: str, name: str, known: Iterable[str], then: str = "") -> ConfigError:
    """A ConfigError for a name that is not among ``known``, with the nearest ones, and what to do then."""
    known = list(known)
    close = nearest(name, known)
    hint = f"Did you mean {' or '.join(repr(c) for c in close)}?" if close else f"Known: {', '.join(known)}."
    return ConfigError(f"Unknown {kind} {name!r}. {hint}{' ' + then if then else ''}")


def expect(ok: bool, what: str, name: str, got: Any, do: str = "") -> None:
    """Raise ConfigError "Expected <what> for `<name>`, got <got>. <do>" unless ``ok``."""
    if not ok:
        raise ConfigError(f"Expected {what} for `{name}`, got {got!r}.{' ' + do if do else ''}")
