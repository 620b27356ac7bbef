"""The arrays of a file that Flax wrote (`flax.serialization.to_bytes`): MessagePack, which executes nothing."""

from __future__ import annotations

import numpy as np

from dqn_tf.checks import ConfigError
from dqn_tf.interop.named_arrays import named_arrays

DTYPES = {name: np.dtype(name) for name in ("float16", "float32", "float64", "int32", "int64", "uint8", "bool")}
_ARRAY = 1  # Flax's number of the extension that holds an array


def arrays(data: bytes, whose: str) -> dict[str, np.ndarray]:
    """The arrays by name; tables inside tables are joined by dots.

    Args:
        data: the file's bytes.
        whose: the file, for messages.

    Returns:
        Arrays of the file's own.

    Raises:
        ConfigError: the extra is not installed, or it is no such file.
    """
    try:
        import msgpack
    except ImportError as error:
        raise ConfigError(f"Reading Flax's files needs the extra: pip install 'dqn_tf[import]' ({error})") from error
    try:
        tree = msgpack.unpackb(data, ext_hook=_extension, raw=False)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException, RecursionError) as error:
        raise ConfigError(f"Expected a file of Flax, got {whose}, which cannot be read: {error!r}.") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"Expected a file of Flax with named arrays, got {whose}, which holds {type(tree).__name__}.")
    try:
        return named_arrays(tree)
    except ValueError as error:
        raise ConfigError(f"Expected a file of Flax, got {whose}: {error}.") from error


def _extension(code: int, data: bytes) -> np.ndarray:
    import msgpack

    if code != _ARRAY:
        raise ValueError(f"an extension of an unknown kind, {code}")
    shape, dtype, content = msgpack.unpackb(data, raw=False)
    if dtype not in DTYPES:
        raise ValueError(f"numbers of an unknown kind, {dtype!r}")
    return np.frombuffer(content, DTYPES[dtype]).reshape(shape).copy()
