"""Following a pickle without unpickling it: nothing is imported, and nothing of the file is called.

A pickle is a program for a small stack machine.  ``pickletools`` lists its instructions; those that build plain values
are followed here.  A function that the program names is only a text; where a kind of file needs some, its ``Reader``
says by name what takes their place.  Any other name or instruction is refused, and with it the whole file.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Value = Any
"""What a pickle builds: None, a number, text, bytes, list, tuple, dictionary, set of numbers and texts; or what a
``Reader`` makes of a call."""

_MARK = object()
_GIVEN = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG", "BINFLOAT", "FLOAT", "BINUNICODE", "UNICODE"),
    *("SHORT_BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "SHORT_BINSTRING", "BINSTRING"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Value]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
}
_PUT, _GET = ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"), ("BINGET", "LONG_BINGET", "GET")
_DAMAGE = (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, StopIteration)


class Refused(ValueError):
    """A pickle that is damaged, or holds more than its reader knows; says what."""


class Name(NamedTuple):
    """A class or function that a pickle names: "module.name"."""

    text: str


class Reader(NamedTuple):
    """What a kind of file may hold beside plain values.

    Attributes:
        calls: by "module.name", what is called in the place of a function of that name.
        names: "module.name" of what is named as an argument and never called.
        builds: by type, what a value of it becomes with the state that the file gives it, (value, state) -> value.
        persistent: what an identifier of something outside the pickle stands for; None: such a one is refused.
        inner: types that are parts of other values, and never a value in a list or dictionary, or the result.
        most_operations: more instructions are refused.
    """

    calls: Mapping[str, Callable[..., Value]]
    names: frozenset[str] = frozenset()
    builds: Mapping[type, Callable[[Value, Value], Value]] = {}
    persistent: Callable[[Value], Value] | None = None
    inner: tuple[type, ...] = ()
    most_operations: int = 1_000_000


def follow(program: bytes, reader: Reader) -> Value:
    """The value that a pickle describes.

    Args:
        program: the whole pickle.
        reader: what it may hold beside plain values.

    Returns:
        The value.

    Raises:
        Refused: it is no whole pickle, or it holds anything else.

    >>> import pickle
    >>> follow(pickle.dumps({"returns": [1.0, 2.5], "steps": (7, None)}), Reader(calls={}))
    {'returns': [1.0, 2.5], 'steps': (7, None)}
    """
    machine = _Machine(reader)
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(program)):
            if number >= reader.most_operations:
                raise Refused("it has too many operations")
            if opcode.name == "STOP":
                return machine.result()
            machine.carry_out(opcode.name, argument)
    except Refused:
        raise
    except _DAMAGE as error:
        raise Refused(f"it is no whole pickle: {error}") from error
    raise Refused("it ends early")


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self, reader: Reader) -> None:
        self.reader, self.inner = reader, (Name, *reader.inner)
        self.stack: list[Value] = []
        self.memo: dict[int, Value] = {}

    def result(self) -> Value:
        """What is left at the end."""
        if len(self.stack) != 1 or self.stack[0] is _MARK:
            raise Refused("it leaves no value")
        return self._plain(self.stack)[0]

    def carry_out(self, name: str, argument: Any) -> None:
        """One instruction."""
        stack = self.stack
        if name in _GIVEN:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name == "MARK":
            stack.append(_MARK)
        elif name in _PUT:
            self.memo[len(self.memo) if name == "MEMOIZE" else int(argument)] = stack[-1]
        elif name in _GET:
            stack.append(self.memo[int(argument)])
        elif name not in ("PROTO", "FRAME"):
            self._collect(name, argument)

    def _collect(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "TUPLE":
            stack.append(tuple(self._marked()))
        elif name in ("LIST", "DICT"):
            found = self._marked()
            stack.append(self._plain(found) if name == "LIST" else self._pairs(found))
        elif name in ("APPEND", "APPENDS"):
            items = self._marked() if name == "APPENDS" else [stack.pop()]
            self._last(list).extend(self._plain(items))
        elif name == "ADDITEMS":
            items = self._marked()
            self._last(set).update(self._keys(items))
        elif name in ("SETITEM", "SETITEMS"):
            items = self._marked() if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            self._last(dict).update(self._pairs(items))
        else:
            self._name_or_call(name, argument)

    def _name_or_call(self, name: str, argument: Any) -> None:
        stack, reader = self.stack, self.reader
        if name in ("GLOBAL", "STACK_GLOBAL"):
            parts = argument.split(" ", 1) if name == "GLOBAL" else [stack.pop(-2), stack.pop()]
            text = ".".join(parts)
            if text not in reader.calls and text not in reader.names:
                raise Refused(f"it would need unpickling: it names {text[:100]}")
            stack.append(Name(text))
        elif name == "REDUCE":
            called, arguments = stack[-2:]
            if not isinstance(called, Name) or called.text not in reader.calls or not isinstance(arguments, tuple):
                raise Refused("it would need unpickling: it calls something that it does not name")
            stack[-2:] = [reader.calls[called.text](*arguments)]
        elif name == "BUILD" and type(stack[-2]) in reader.builds:
            value, state = stack[-2:]
            stack[-2:] = [reader.builds[type(value)](value, state)]
        elif name == "BINPERSID" and reader.persistent is not None:
            stack[-1] = reader.persistent(stack[-1])
        else:
            raise Refused(f"it would need unpickling (the instruction {name})")

    def _last(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise Refused(f"it adds to what is no {kind.__name__}")
        return self.stack[-1]

    def _marked(self) -> list[Value]:
        """What is above the last mark, which is taken away with it."""
        place = len(self.stack) - 1 - next(i for i, value in enumerate(reversed(self.stack)) if value is _MARK)
        found = self.stack[place + 1 :]
        del self.stack[place:]
        return found

    def _pairs(self, items: list[Value]) -> dict[Value, Value]:
        """Keys and values by turns.  No key is a tuple: one that holds another many times takes for ever to hash."""
        return dict(zip(self._keys(items[::2]), self._plain(items[1::2]), strict=True))

    @staticmethod
    def _keys(keys: list[Value]) -> list[Value]:
        if not all(key is None or isinstance(key, str | bytes | int | float) for key in keys):
            raise Refused("it has a key that is neither text nor number")
        return keys

    def _plain(self, values: list[Value]) -> list[Value]:
        if any(isinstance(value, self.inner) for value in values):
            raise Refused("it holds the name of a type, or a part of a value, where a value is expected")
        return values
