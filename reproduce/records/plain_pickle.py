"""Reading old logs that are pickles of plain values and NumPy's numbers, without unpickling them (closed_pickle.py)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dqn_tf.interop.closed_pickle import Reader, Refused, follow

LARGEST = 2**28  # bytes of a file

__all__ = ["LARGEST", "Refused", "loads"]


class _Dtype(NamedTuple):
    """A NumPy type that a pickle builds, "f8"."""

    text: str


def loads(data: bytes) -> Any:
    """The plain value in a pickle: dicts, lists, tuples, texts, bytes, numbers, NumPy's numbers among them.

    Args:
        data: the whole pickle.

    Returns:
        The value; NumPy's numbers as Python's.

    Raises:
        Refused: it is no whole pickle, or it holds anything else.

    >>> import pickle
    >>> loads(pickle.dumps({"returns": [1.0, np.float64(2.5)], "steps": (np.int64(7), None)}))
    {'returns': [1.0, 2.5], 'steps': (7, None)}
    """
    if len(data) > LARGEST:
        raise Refused(f"it has {len(data):,} bytes, more than any log")
    return follow(data, _LOGS)


def _number(kind: Any, data: Any) -> int | float | bool:
    """A NumPy number of its type and bytes."""
    if not isinstance(kind, _Dtype):
        raise Refused("it has a NumPy value of no type")
    raw = data.encode("latin-1") if isinstance(data, str) else bytes(data)
    found = np.dtype(kind.text)
    if found.kind not in "fiub" or len(raw) != found.itemsize:
        raise Refused(f"it has a NumPy value of type {kind.text!r}, which is no number")
    value: int | float | bool = np.frombuffer(raw, found)[0].item()
    return value


def _with_byte_order(dtype: _Dtype, state: tuple[Any, ...]) -> _Dtype:
    order = state[1]
    return _Dtype(f"{order}{dtype.text}" if order in ("<", ">") else dtype.text)


def _ordered(*arguments: Any) -> dict[Any, Any]:
    if arguments:
        raise Refused("it builds an OrderedDict otherwise than pickle does")
    return {}


def _encoded(text: str, encoding: str) -> bytes:
    """How protocol 2 writes bytes."""
    if encoding != "latin1":
        raise Refused(f"it encodes a text as {encoding!r}")
    return str(text).encode("latin-1")


_LOGS = Reader(
    calls={
        "numpy.core.multiarray.scalar": _number,
        "numpy._core.multiarray.scalar": _number,
        "numpy.dtype": lambda kind, *_: _Dtype(str(kind)),
        "collections.OrderedDict": _ordered,
        "_codecs.encode": _encoded,
    },
    builds={_Dtype: _with_byte_order},
    inner=(_Dtype,),
)
