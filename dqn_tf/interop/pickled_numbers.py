"""NumPy's numbers in a pickle: what takes the place of the functions that build them (closed_pickle.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dqn_tf.interop.closed_pickle import Refused


class Dtype(NamedTuple):
    """A NumPy type that a pickle builds, "f8"."""

    text: str


def _number(kind: Any, data: Any) -> int | float | bool:
    """A NumPy number of its type and bytes."""
    if not isinstance(kind, Dtype):
        raise Refused("it has a NumPy value of no type")
    raw = data.encode("latin-1") if isinstance(data, str) else bytes(data)
    found = np.dtype(kind.text)
    if found.kind not in "fiub" or len(raw) != found.itemsize:
        raise Refused(f"it has a NumPy value of type {kind.text!r}, which is no number")
    value: int | float | bool = np.frombuffer(raw, found)[0].item()
    return value


def _with_byte_order(dtype: Dtype, state: tuple[Any, ...]) -> Dtype:
    order = state[1]
    return Dtype(f"{order}{dtype.text}" if order in ("<", ">") else dtype.text)


def _encoded(text: str, encoding: str) -> bytes:
    """How protocol 2 writes bytes."""
    if encoding != "latin1":
        raise Refused(f"it encodes a text as {encoding!r}")
    return str(text).encode("latin-1")


CALLS: dict[str, Callable[..., Any]] = {
    "numpy.core.multiarray.scalar": _number,
    "numpy._core.multiarray.scalar": _number,
    "numpy.dtype": lambda kind, *_: Dtype(str(kind)),
    "_codecs.encode": _encoded,
}
BUILDS: dict[type, Callable[[Any, Any], Any]] = {Dtype: _with_byte_order}
