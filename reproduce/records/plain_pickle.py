"""Reading old logs that are pickles of plain values and NumPy's numbers, without unpickling them (closed_pickle.py)."""

from __future__ import annotations

from typing import Any

from dqn_tf.interop import pickled_numbers
from dqn_tf.interop.closed_pickle import Reader, Refused, follow

LARGEST = 2**28  # bytes of a file

__all__ = ["LARGEST", "Refused", "loads"]


def loads(data: bytes) -> Any:
    """The plain value in a pickle: dicts, lists, tuples, texts, bytes, numbers, NumPy's numbers among them.

    Args:
        data: the whole pickle.

    Returns:
        The value; NumPy's numbers as Python's.

    Raises:
        Refused: it is no whole pickle, or it holds anything else.

    >>> import numpy, pickle
    >>> loads(pickle.dumps({"returns": [1.0, numpy.float64(2.5)], "steps": (numpy.int64(7), None)}))
    {'returns': [1.0, 2.5], 'steps': (7, None)}
    """
    if len(data) > LARGEST:
        raise Refused(f"it has {len(data):,} bytes, more than any log")
    return follow(data, _LOGS)


def _ordered(*arguments: Any) -> dict[Any, Any]:
    if arguments:
        raise Refused("it builds an OrderedDict otherwise than pickle does")
    return {}


_LOGS = Reader(
    calls={**pickled_numbers.CALLS, "collections.OrderedDict": _ordered},
    builds=pickled_numbers.BUILDS,
    inner=(pickled_numbers.Dtype,),
)
