"""The arrays of a file that holds tables inside tables, by one name each."""

from __future__ import annotations

from typing import Any

import numpy as np

MOST_TABLES = 10_000  # of a file: more than any network has; a table may hold another one many times over


def named_arrays(tree: Any) -> dict[str, np.ndarray]:
    """The arrays of a table by name; tables inside tables are joined by dots, and anything else is left out.

    Args:
        tree: a dictionary of arrays, dictionaries and other values.

    Returns:
        Arrays by name, in the order of the table.

    Raises:
        ValueError: it has more entries than any network, counting each as often as it is reached.

    >>> list(named_arrays({"params": {"Dense_0": {"kernel": np.zeros(2)}}, "step": 3}))
    ['params.Dense_0.kernel']
    """
    found: dict[str, np.ndarray] = {}
    waiting = [("", tree)]
    reached = 0
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, np.ndarray):
            found[path] = value
        if not isinstance(value, dict):
            continue
        reached += len(value) + 1
        if reached > MOST_TABLES:
            raise ValueError(f"it has more than {MOST_TABLES:,} entries")
        waiting += [(f"{path}.{name}" if path else str(name), inner) for name, inner in reversed(value.items())]
    return found
