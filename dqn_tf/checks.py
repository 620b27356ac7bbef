"""Errors that say what was expected, what was given, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ConfigError(ValueError):
    """The request itself is wrong: refused before anything is touched (the command line exits with 2)."""


class RunError(RuntimeError):
    """A run cannot go on or be resumed; nothing on disk is changed (the command line exits with 1)."""


class Diverged(RunError):
    """Losses, weights or priorities are no longer finite. The same run would diverge again."""


class EnvironmentFault(RunError):
    """An environment raised, or answered what cannot be used.  The message names it, the episode, the step and what
    came.  Nothing of that step was stored: a run that makes its steps one by one is whole, and can be saved."""


class InexactRestore(RunError):
    """An environment does not repeat an episode that was played: it cannot be restored exactly."""


def nearest(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names that are most similar to ``name``.

    Args:
        name: what was given.
        known: what there is.
        most: how many names to return at most.

    Returns:
        Names out of ``known``, the most similar one first; none if nothing is similar enough.

    >>> nearest("optimizer.lr", ["optimizer.epsilon", "optimizer.learning_rate"])
    ['optimizer.learning_rate']
    """
    wanted = name.lower()
    scored = sorted(((_likeness(wanted, k.lower()), k) for k in dict.fromkeys(known)), key=lambda pair: -pair[0])
    best = scored[0][0] if scored else 0.0
    return [k for score, k in scored[:most] if score >= max(0.6, best - 0.2)]


def _likeness(a: str, b: str) -> float:
    """Similarity of two names, from 0 to 1. Of dotted paths the last part counts most; its initials count as equal."""
    (a_root, _, a_last), (b_root, _, b_last) = a.rpartition("."), b.rpartition(".")
    initials = "".join(word[0] for word in b_last.split("_") if word)
    last = 1.0 if a_last == initials else _ratio(a_last, b_last)
    return max(_ratio(a, b) if "." not in a + b else 0.0, 0.75 * last + 0.25 * _ratio(a_root, b_root))


def _ratio(a: str, b: str) -> float:
    return difflib.SequenceMatcher(None, a, b).ratio()


def unknown(kind: str, name: str, known: Iterable[str], then: str = "") -> ConfigError:
    """The error for an unknown name.

    Args:
        kind: what the name is of: "preset", "option".
        name: what was given.
        known: what there is.
        then: a sentence that says what to do.

    Returns:
        The ConfigError, to be raised by the caller; it names the most similar known names.
    """
    known = list(known)
    close = nearest(name, known)
    hint = f"Did you mean {' or '.join(repr(c) for c in close)}?" if close else f"Known: {', '.join(known)}."
    return ConfigError(f"Unknown {kind} {name!r}. {hint}{' ' + then if then else ''}")


def expect(ok: bool, what: str, name: str, got: object, do: str = "") -> None:
    """Check a value.

    Args:
        ok: whether it is as it should be.
        what: what was expected, in words.
        name: of the value, as its user wrote it.
        got: the value.
        do: a sentence that says what to do.

    Raises:
        ConfigError: not ``ok``: "Expected <what> for `<name>`, got <got>. <do>"
    """
    if not ok:
        raise ConfigError(f"Expected {what} for `{name}`, got {got!r}.{' ' + do if do else ''}")
