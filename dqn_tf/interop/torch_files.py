"""The arrays of a PyTorch file, without PyTorch and without executing anything of it.

Such a file is a ZIP archive: `data.pkl` says, as a pickle, which tensors there are, and each storage is a member of
plain bytes.  A pickle is a program.  Here it is not run: ``pickletools`` lists its operations, and those that build
dictionaries, lists, numbers, texts and tensors are followed on a stack; a name in it is only a text, and nothing is
imported or called.  Any other operation or name is refused, so a file that would need unpickling is not read at all.
"""

from __future__ import annotations

import io
import math
import pickletools
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dqn_tf.checks import ConfigError

LARGEST = 2**30  # bytes that a member, and all tensors together, may have
MOST_OPERATIONS = 1_000_000
DTYPES: dict[str, np.dtype[Any]] = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch HalfStorage": np.dtype("<f2"),
    "torch LongStorage": np.dtype("<i8"),
    "torch IntStorage": np.dtype("<i4"),
    "torch ShortStorage": np.dtype("<i2"),
    "torch CharStorage": np.dtype("i1"),
    "torch ByteStorage": np.dtype("u1"),
    "torch BoolStorage": np.dtype("?"),
}
_TENSOR, _ORDERED = "torch._utils _rebuild_tensor_v2", "collections OrderedDict"
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RecursionError, EOFError),
    *(ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError),
)
Value = Any
"""What a pickle builds: a number, text, list, tuple, dictionary, array, ``_Name`` or ``_Storage``."""


class _Name(NamedTuple):
    text: str  # module and name


class _Storage(NamedTuple):
    dtype: np.dtype
    data: bytes


class Refused(Exception):
    """Why a file is not read."""


def state_dict(data: bytes, whose: str) -> dict[str, np.ndarray]:
    """The tensors of a PyTorch file by name; tables inside tables are joined by dots, and anything else is left out.

    Args:
        data: the file's bytes.
        whose: the file, for messages.

    Returns:
        Arrays of the file's own.

    Raises:
        ConfigError: it is no such file, is damaged, or would need unpickling.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = {member.filename: member.file_size for member in archive.infolist()}
            if max(sizes.values(), default=0) > LARGEST or sum(sizes.values()) > 2 * LARGEST:
                raise Refused("it claims more bytes than any network of this kind has")
            roots = [name.removesuffix("data.pkl") for name in sizes if name.endswith("/data.pkl")]
            if len(roots) != 1:
                raise Refused("it has no data.pkl: files of PyTorch before 1.6 must be saved anew by a newer one")
            if f"{roots[0]}byteorder" in sizes and archive.read(f"{roots[0]}byteorder") != b"little":
                raise Refused("its numbers are not little-endian")
            tree = _Reader(lambda key: archive.read(f"{roots[0]}data/{key}")).run(archive.read(f"{roots[0]}data.pkl"))
            return _flat(tree, "")
    except Refused as reason:
        raise ConfigError(
            f"Expected a PyTorch file of tensors alone, got {whose}: {reason}. It was not opened."
        ) from reason
    except _DAMAGE as error:
        raise ConfigError(f"Expected a PyTorch file, got {whose}, which cannot be read: {error!r}.") from error


def _flat(tree: Value, path: str) -> dict[str, np.ndarray]:
    if isinstance(tree, np.ndarray):
        return {path: tree}
    if not isinstance(tree, dict):
        return {}
    found: dict[str, np.ndarray] = {}
    for name, value in tree.items():
        found |= _flat(value, f"{path}.{name}" if path else str(name))
    return found


class _Reader:
    """Follows the operations of a pickle that build plain values and tensors."""

    def __init__(self, storage: Callable[[str], bytes]) -> None:
        """storage: gives the bytes of a storage by its key."""
        self._bytes_of, self._read, self._total = storage, dict[str, _Storage](), 0
        self._stack: list[Value] = []
        self._marks: list[int] = []
        self._memo: dict[int, Value] = {}

    def run(self, program: bytes) -> Value:
        for number, (operation, argument, _) in enumerate(pickletools.genops(program)):
            if number > MOST_OPERATIONS:
                raise Refused("it has too many operations")
            if operation.name == "STOP":
                return self._stack.pop()
            follow = getattr(self, f"_{operation.name.lower()}", None)
            if operation.name in _NEW:
                self._stack.append(_NEW[operation.name]())
            elif operation.name in _GIVEN:
                self._stack.append(argument)
            elif follow is not None and operation.name in _FOLLOWED:
                follow(argument)
            else:
                raise Refused(f"it would need unpickling ({operation.name})")
        raise Refused("its pickle does not end")

    # -- operations ------------------------------------------------------------------------------------------------
    def _proto(self, argument: int) -> None:
        pass

    def _mark(self, argument: None) -> None:
        self._marks.append(len(self._stack))

    def _since_mark(self) -> list[Value]:
        start = self._marks.pop()
        values, self._stack[start:] = self._stack[start:], []
        return values

    def _global(self, argument: str) -> None:
        if argument not in (_TENSOR, _ORDERED, *DTYPES):
            raise Refused(f"it would need unpickling: it names {argument.replace(' ', '.')[:100]}")
        self._stack.append(_Name(argument))

    def _put(self, argument: int) -> None:
        self._memo[int(argument)] = self._stack[-1]

    _binput = _long_binput = _put

    def _memoize(self, argument: None) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _binget(self, argument: int) -> None:
        self._stack.append(self._memo[argument])

    _long_binget = _binget

    def _tuple(self, argument: None) -> None:
        self._stack.append(tuple(self._since_mark()))

    def _last(self, count: int) -> None:
        values, self._stack[-count:] = tuple(self._stack[-count:]), []
        self._stack.append(values)

    def _tuple1(self, argument: None) -> None:
        self._last(1)

    def _tuple2(self, argument: None) -> None:
        self._last(2)

    def _tuple3(self, argument: None) -> None:
        self._last(3)

    def _append(self, argument: None) -> None:
        value = self._stack.pop()
        self._stack[-1].append(value)

    def _appends(self, argument: None) -> None:
        values = self._since_mark()
        self._stack[-1].extend(values)

    def _setitem(self, argument: None) -> None:
        (key, value), self._stack[-2:] = self._stack[-2:], []
        self._stack[-1][key] = value

    def _setitems(self, argument: None) -> None:
        values = self._since_mark()
        self._stack[-1].update(zip(values[::2], values[1::2], strict=True))

    def _build(self, argument: None) -> None:
        """The state of an object: of a table, its ``_metadata``, which is not needed."""
        self._stack.pop()

    def _binpersid(self, argument: None) -> None:
        kind, name, key, _, count = self._stack.pop()
        if kind != "storage" or not isinstance(name, _Name) or name.text not in DTYPES:
            raise Refused("it has storages of an unknown kind")
        if key not in self._read:
            data, dtype = self._bytes_of(str(key)), DTYPES[name.text]
            if len(data) != int(count) * dtype.itemsize:
                raise Refused(f"storage {key} has {len(data)} bytes, and claims {count} numbers")
            self._read[key] = _Storage(dtype, data)
        self._stack.append(self._read[key])

    def _reduce(self, argument: None) -> None:
        (name, given), self._stack[-2:] = self._stack[-2:], []
        if not isinstance(name, _Name) or name.text not in (_TENSOR, _ORDERED):
            raise Refused("it would need unpickling (a call)")
        self._stack.append({} if name.text == _ORDERED else self._tensor(*given[:4]))

    def _tensor(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
        numbers = np.frombuffer(storage.data, storage.dtype)
        reach = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) + 1
        empty = 0 in shape
        if min((offset, *shape, *strides)) < 0 or (not empty and reach > len(numbers)):
            raise Refused("a tensor reaches beyond its storage")
        self._total += math.prod(shape) * storage.dtype.itemsize
        if self._total > LARGEST:
            raise Refused("its tensors are larger than any network of this kind")
        steps = [stride * storage.dtype.itemsize for stride in strides]
        return np.array(np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps, writeable=False))


_NEW: dict[str, Callable[[], Value]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
}
_GIVEN = frozenset("BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE BINUNICODE8".split())
_FOLLOWED = frozenset(
    "PROTO MARK GLOBAL BINPUT LONG_BINPUT MEMOIZE BINGET LONG_BINGET TUPLE TUPLE1 TUPLE2 TUPLE3 APPEND APPENDS SETITEM "
    "SETITEMS BUILD BINPERSID REDUCE".split()
)
