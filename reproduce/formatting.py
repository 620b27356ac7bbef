"""Numbers as text, and tables as CSV, Markdown and columns for a terminal: the same bytes every time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

NONE = "–"  # in Markdown: no number here


def number(value: Any, digits: int = 4) -> str:
    """A number with at most ``digits`` significant digits, never as 1e+06; whole numbers in groups of three.

    Args:
        value: a number; None and nan become a dash, a text stays as it is.
        digits: significant digits; a number with more digits before the point keeps those.

    Returns:
        The text.

    >>> [number(x) for x in (1.62915, 16269.4, -20.0, 0, 1_000_000, float("nan"), None, "held", 0.00012)]
    ['1.629', '16,269', '-20', '0', '1,000,000', '–', '–', 'held', '0.00012']
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NONE
    if not isinstance(value, int | float):
        return str(value)
    if value == int(value) or abs(value) >= 10 ** (digits - 1):
        return f"{round(value):,}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".")


def interval(low: float, high: float) -> str:
    """An interval as text.

    Args:
        low: lower bound.
        high: upper bound.

    Returns:
        "low to high", or a dash where either is nan.

    >>> interval(1.25, 30.0), interval(float("nan"), float("nan"))
    ('1.25 to 30', '–')
    """
    return NONE if math.isnan(low) or math.isnan(high) else f"{number(low)} to {number(high)}"


def markdown(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str] | None = None) -> str:
    """A Markdown table: numbers right, texts left.

    Args:
        rows: one mapping per row, of plain values.
        columns: key -> heading, in order; by default the keys of the first row.

    Returns:
        The table with a newline at its end; "(no rows)" for none.
    """
    if not rows:
        return "(no rows)\n"
    columns = columns or {key: key for key in rows[0]}
    cells = [[_escape(number(row[key])) for key in columns] for row in rows]
    right = [all(not isinstance(row[key], str) for row in rows) for key in columns]
    lines = [list(columns.values()), ["---:" if r else ":---" for r in right], *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def plain(rows: Iterable[Sequence[str]]) -> str:
    """Columns of text for a terminal, each as wide as its widest cell."""
    table = [list(row) for row in rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in table)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dicts of plain Python values, by column."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV: no index, 10 significant digits, "\\n" line ends, empty cells for nan.

    Args:
        frame: any columns.
        path: the file; its folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False, float_format="%.10g", lineterminator="\n")


def write_text(text: str, path: Path) -> None:
    """Write a text that ends in exactly one newline.

    Args:
        text: newlines at its end are dropped first.
        path: the file; its folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def runs(number: int, of: int | None = None) -> str:
    """A number of runs in words.

    Args:
        number: how many.
        of: how many there are in all; None: not said.

    Returns:
        "1 run", "2 runs", "1 of 2 runs".

    >>> runs(1), runs(3420), runs(1, of=2), runs(2, of=2)
    ('1 run', '3,420 runs', '1 of 2 runs', '2 runs')
    """
    total = number if of is None else of
    return f"{number:,} of " * (number < total) + f"{total:,} run" + "s" * (total != 1)
