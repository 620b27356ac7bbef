"""The arrays of a PyTorch file, without PyTorch and without executing anything of it.

Such a file is a ZIP archive: `data.pkl` says, as a pickle, which tensors there are, and each storage is a member of
plain bytes.  The pickle is followed, not run (closed_pickle.py), and a file that would need unpickling is refused.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dqn_tf.checks import ConfigError
from dqn_tf.interop.closed_pickle import Name, Reader, Refused, follow
from dqn_tf.interop.named_arrays import named_arrays
from dqn_tf.interop.zip_files import DAMAGE

LARGEST = 2**30  # bytes that a member, and all tensors together, may have
DTYPES: dict[str, np.dtype[Any]] = {
    "torch.FloatStorage": np.dtype("<f4"),
    "torch.DoubleStorage": np.dtype("<f8"),
    "torch.HalfStorage": np.dtype("<f2"),
    "torch.LongStorage": np.dtype("<i8"),
    "torch.IntStorage": np.dtype("<i4"),
    "torch.ShortStorage": np.dtype("<i2"),
    "torch.CharStorage": np.dtype("i1"),
    "torch.ByteStorage": np.dtype("u1"),
    "torch.BoolStorage": np.dtype("?"),
}


class _Storage(NamedTuple):
    dtype: np.dtype
    data: bytes


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
            tensors = _Tensors(lambda key: archive.read(f"{roots[0]}data/{key}"))
            return named_arrays(follow(archive.read(f"{roots[0]}data.pkl"), tensors.reader))
    except (*DAMAGE, KeyError) as error:
        raise ConfigError(f"Expected a PyTorch file, got {whose}, which cannot be read: {error!r}.") from error
    except ValueError as reason:
        raise ConfigError(
            f"Expected a PyTorch file of tensors alone, got {whose}: {reason}. It was not opened."
        ) from reason


class _Tensors:
    """What such a pickle holds beside plain values."""

    def __init__(self, storage: Callable[[str], bytes]) -> None:
        """storage: gives the bytes of a storage by its key."""
        self._bytes_of, self._read, self._total = storage, dict[str, _Storage](), 0
        self.reader = Reader(
            calls={"torch._utils._rebuild_tensor_v2": self._tensor, "collections.OrderedDict": dict},
            names=frozenset(DTYPES),
            builds={dict: lambda table, _: table},  # the state of a table is its ``_metadata``, which is not needed
            persistent=self._storage,
            inner=(_Storage,),
        )

    def _storage(self, identifier: tuple[Any, ...]) -> _Storage:
        kind, name, key, _, count = identifier
        if kind != "storage" or not isinstance(name, Name) or name.text not in DTYPES:
            raise Refused("it has storages of an unknown kind")
        if key not in self._read:
            data, dtype = self._bytes_of(str(key)), DTYPES[name.text]
            if len(data) != int(count) * dtype.itemsize:
                raise Refused(f"storage {key} has {len(data)} bytes, and claims {count} numbers")
            self._read[key] = _Storage(dtype, data)
        return self._read[key]

    def _tensor(
        self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
    ) -> np.ndarray:
        """offset, strides: in numbers, not bytes."""
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
