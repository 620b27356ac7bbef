"""Reading old logs that are pickles, without unpickling them: no code of theirs is imported or called.

A pickle is a program for a small stack machine.  ``pickletools`` lists its instructions; those that build plain values
are carried out here, and the few that NumPy's numbers need are recognized by name.  Any other one is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

LARGEST = 2**28  # bytes of a file
_MARK = object()
_SCALAR = ("numpy.core.multiarray scalar", "numpy._core.multiarray scalar")
_DTYPE, _ORDERED, _ENCODE = "numpy dtype", "collections OrderedDict", "_codecs encode"
_VALUES = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG", "BINFLOAT", "FLOAT", "BINUNICODE", "UNICODE"),
    *("SHORT_BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "SHORT_BINSTRING", "BINSTRING"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}


class Refused(ValueError):
    """A pickle that holds more than plain values; says what."""


class _Name(NamedTuple):
    """A class or function that a pickle names: "module name"."""

    text: str


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
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "STOP":
                return machine.result()
            machine.carry_out(opcode.name, argument)
    except Refused:
        raise
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise Refused(f"it is no whole pickle of plain values: {error}") from error
    raise Refused("it ends early")


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def result(self) -> Any:
        """What is left at the end."""
        if len(self.stack) != 1 or isinstance(self.stack[0], _Name | _Dtype) or self.stack[0] is _MARK:
            raise Refused("it leaves no plain value")
        return self.stack[0]

    def carry_out(self, name: str, argument: Any) -> None:
        """One instruction."""
        stack = self.stack
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
            self.memo[len(self.memo) if name == "MEMOIZE" else int(argument)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(self.memo[int(argument)])
        elif name not in ("PROTO", "FRAME"):
            self._build(name, argument)

    def _build(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "TUPLE":
            stack.append(tuple(self._marked()))
        elif name in ("LIST", "DICT"):
            found = self._marked()
            stack.append(found if name == "LIST" else dict(zip(found[::2], found[1::2], strict=True)))
        elif name in ("APPEND", "APPENDS"):
            items = self._marked() if name == "APPENDS" else [stack.pop()]
            self._last(list).extend(_plain(items))
        elif name in ("SETITEM", "SETITEMS"):
            items = self._marked() if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            self._last(dict).update(zip(items[::2], _plain(items[1::2]), strict=True))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            text = argument if name == "GLOBAL" else " ".join([stack.pop(-2), stack.pop()])
            if text not in (*_SCALAR, _DTYPE, _ORDERED, _ENCODE):
                raise Refused(f"it names {text!r}, which is no plain value")
            stack.append(_Name(text))
        elif name == "REDUCE":
            self._reduce()
        elif name == "BUILD" and isinstance(stack[-2], _Dtype):
            order = stack.pop()[1]
            stack[-1] = _Dtype(f"{order}{stack[-1].text}" if order in ("<", ">") else stack[-1].text)
        else:
            raise Refused(f"it has the instruction {name}, which plain values do not need")

    def _last(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise Refused(f"it adds to what is no {kind.__name__}")
        return self.stack[-1]

    def _marked(self) -> list[Any]:
        """What is above the last mark, which is taken away with it."""
        place = len(self.stack) - 1 - next(i for i, value in enumerate(reversed(self.stack)) if value is _MARK)
        found = self.stack[place + 1 :]
        del self.stack[place:]
        return found

    def _reduce(self) -> None:
        called, arguments = self.stack[-2:]
        if not isinstance(called, _Name) or not isinstance(arguments, tuple):
            raise Refused("it calls something")
        del self.stack[-2:]
        if called.text == _DTYPE:
            self.stack.append(_Dtype(str(arguments[0])))
        elif called.text == _ORDERED and not arguments:
            self.stack.append({})
        elif called.text == _ENCODE and arguments[1:] == ("latin1",):  # how protocol 2 writes bytes
            self.stack.append(str(arguments[0]).encode("latin-1"))
        elif called.text in _SCALAR and isinstance(arguments[0], _Dtype):
            self.stack.append(_number(arguments[0].text, arguments[1]))
        else:
            raise Refused(f"it calls {called.text!r} otherwise than NumPy's numbers do")


def _plain(values: list[Any]) -> list[Any]:
    if any(isinstance(value, _Name | _Dtype) for value in values):
        raise Refused("it holds a type, which is no plain value")
    return values


def _number(kind: str, data: Any) -> int | float | bool:
    """A NumPy number of its type and bytes."""
    raw = data.encode("latin-1") if isinstance(data, str) else bytes(data)
    found = np.dtype(kind)
    if found.kind not in "fiub" or len(raw) != found.itemsize:
        raise Refused(f"it has a NumPy value of type {kind!r}, which is no number")
    value: int | float | bool = np.frombuffer(raw, found)[0].item()
    return value
