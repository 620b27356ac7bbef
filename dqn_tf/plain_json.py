"""JSON as its standard has it: no NaN, no infinity, which Python's own module writes and other readers refuse."""

from __future__ import annotations

import json
import math
from typing import Any, TypeAlias

Json: TypeAlias = Any
"Plain nested data: dictionaries by text, lists, numbers, texts, true, false, null."


def dumps(data: Json, indent: int | None = None) -> str:
    """The JSON text of plain nested data; a number that is not finite becomes null, a value that is missing.

    Args:
        data: dictionaries by text, lists, numbers, texts, true, false, None.
        indent: of each level, in spaces; None: one line.

    Returns:
        The text.

    >>> dumps({"mean": float("nan"), "returns": [1.0, float("inf")]})
    '{"mean": null, "returns": [1.0, null]}'
    """
    return json.dumps(_finite(data), indent=indent, allow_nan=False)


def loads(text: str | bytes) -> Json:
    """The inverse; NaN and infinities, which an older version may have written, are read as None.

    >>> loads('{"mean": NaN}')
    {'mean': None}
    """
    return json.loads(text, parse_constant=lambda name: None)


def _finite(data: Json) -> Json:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
