"""Run by test_equations_page.py in a process of its own: each equation's code is made wrong, then its test is run.

    python mutants.py MODULE:NAME=TEST ...

NAME: a function, or a class's method; what it returns is made too large.  Prints a line per mutant: MODULE:NAME and
pytest's exit code, which is 1 where a test has failed.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


def larger(value: Any) -> Any:
    """Every real number in ``value``, times 1.25; whole numbers of arrays plus 1; all else as it is."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(larger, value))
    if isinstance(value, list | tuple):
        return type(value)(map(larger, value))
    if isinstance(value, dict):
        return {key: larger(each) for key, each in value.items()}
    if hasattr(value, "learning_rate"):  # an optimizer
        value.learning_rate.assign(1.25 * value.learning_rate)
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind == "i":
        return value + 1
    real = isinstance(value, float) or "float" in str(getattr(value, "dtype", ""))
    return value * 1.25 if real else value


def wrong(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def mutant(*arguments: Any, **named: Any) -> Any:
        return larger(function(*arguments, **named))

    return mutant


def survives(place: str, test: str) -> int:
    """pytest's exit code for ``test`` while ``place`` (module:name) is wrong."""
    module_name, _, path = place.partition(":")
    *parents, name = path.split(".")
    owner = functools.reduce(getattr, parents, importlib.import_module(module_name))
    right = vars(owner)[name]
    setattr(owner, name, wrong(right))
    try:
        return int(pytest.main([test, "-x", "-q", "-n0", "-p", "no:cacheprovider", "--no-header", "--tb=no"]))
    finally:
        setattr(owner, name, right)


if __name__ == "__main__":
    for word in sys.argv[1:]:
        place, _, test = word.partition("=")
        print(f"\nmutant {place} {survives(place, test)}", flush=True)
