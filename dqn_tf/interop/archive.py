"""One file that holds a trained network and what is needed to check it; read without trusting it.

    archive.json    what it is: the run, the network, SHA-256 and size of every other member, and of itself
    config.json     the run's configuration, whole
    weights.npz     the weights by name
    README.md       the agent's card
    summary.json, iterations.csv, episodes.csv, scope.json    of a run that was packed

Before anything is unpacked, the list of members is held against this one: no other name (so no path that leads out of a
folder), no member twice, none larger than it may be.  Nothing is unpickled, and a changed byte is refused.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dqn_tf import fields, plain_json
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.config import RunConfig
from dqn_tf.interop.zip_files import DAMAGE
from dqn_tf.training.run_dir import write_bytes

MIB = 2**20
LARGEST = {  # bytes that a member may unpack to
    "archive.json": MIB,
    "config.json": MIB,
    "README.md": MIB,
    "scope.json": MIB,
    "summary.json": 64 * MIB,
    "iterations.csv": 256 * MIB,
    "episodes.csv": 1024 * MIB,
    "weights.npz": 1024 * MIB,
}
REQUIRED = ("archive.json", "config.json", "weights.npz")
SCHEMA = 1


class Archive(NamedTuple):
    """What an archive holds.

    Attributes:
        path: the file.
        about: archive.json: "network", "frames", "origin", "weights_sha256".
        config: of the run.
        weights: by name.
        files: the other members' bytes by name.
    """

    path: Path
    about: dict[str, Any]
    config: RunConfig
    weights: dict[str, np.ndarray]
    files: dict[str, bytes]


def write(
    path: Path,
    about: Mapping[str, Any],
    config: RunConfig,
    weights: Mapping[str, np.ndarray],
    files: Mapping[str, bytes],
) -> None:
    """Write an archive, whole or not at all; the same bytes for the same content.

    Args:
        path: a file that does not exist.
        about: "network", "frames", "origin", "weights_sha256", and what else belongs into archive.json.
        config: of the run.
        weights: by name.
        files: other members by name.

    Raises:
        ConfigError: there is something already.
    """
    if path.exists():
        raise ConfigError(f"Expected a new file, got {path}, which exists. Remove it, or choose another name.")
    members = {
        "config.json": (plain_json.dumps(config.to_json(), indent=2) + "\n").encode(),
        "weights.npz": _zipped(
            {f"{name}.npy": _array_bytes(array) for name, array in weights.items()}, zipfile.ZIP_STORED
        ),
        **files,
    }
    entries = {name: _entry(members[name]) for name in sorted(members)}
    body = {"schema": SCHEMA, **about, "files": entries}
    members["archive.json"] = (json.dumps({"body": body, "sha256": fields.digest(body)}, indent=1) + "\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, _zipped(members, zipfile.ZIP_DEFLATED))


def read(path: Path) -> Archive:
    """Read an archive; every byte of it is checked first.

    Args:
        path: the file.

    Returns:
        Its content.

    Raises:
        ConfigError: it is no archive, or one that must not be opened; it says what is wrong.
        RunError: bytes of it have changed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive.infolist())
            files = {name: archive.read(name) for name in archive.namelist()}
    except DAMAGE as error:
        raise RunError(
            f"{path} cannot be unpacked: {error}. It is no archive of dqn-tf pack, or is damaged."
        ) from error
    about = _about(path, files.pop("archive.json"))
    for name, entry in about["files"].items():
        if name not in files or _entry(files[name]) != entry:
            raise RunError(f"{name} in {path} is not what archive.json says: bytes have changed since it was packed.")
    if unlisted := sorted(files.keys() - about["files"].keys()):
        raise RunError(f"{path} holds {', '.join(unlisted)}, which archive.json does not name.")
    config = RunConfig.from_json(plain_json.loads(files.pop("config.json")))
    return Archive(path, about, config, _arrays(path, files.pop("weights.npz")), files)


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Raises ConfigError if there is a member that an archive cannot have; nothing has been unpacked."""
    names = [member.filename for member in members]
    for member in members:
        if member.filename not in LARGEST:
            raise ConfigError(
                f"Expected an archive of dqn-tf pack, got {path} with a member {member.filename[:80]!r}. It was not "
                "opened."
            )
        if member.file_size > LARGEST[member.filename]:
            raise ConfigError(
                f"Expected at most {LARGEST[member.filename]:,} bytes for {member.filename} in {path}, got "
                f"{member.file_size:,}. It was not opened."
            )
        if member.flag_bits & 1:
            raise ConfigError(f"Expected an archive that is not encrypted, got {path}.")
    if len(set(names)) < len(names) or (missing := [name for name in REQUIRED if name not in names]):
        what = "a member twice" if len(set(names)) < len(names) else f"no {missing[0]}"
        raise ConfigError(f"Expected an archive of dqn-tf pack, got {path} with {what}.")


def _about(path: Path, data: bytes) -> dict[str, Any]:
    try:
        whole = json.loads(data)
        body = whole["body"]
        good = fields.digest(body) == whole["sha256"] and isinstance(body["files"], dict)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(f"archive.json in {path} cannot be read: {error!r}.") from error
    if not good:
        raise RunError(
            f"archive.json in {path} does not match its own SHA-256: bytes have changed since it was packed."
        )
    if body.get("schema") != SCHEMA:
        raise ConfigError(f"Expected schema {SCHEMA} in {path}, got {body.get('schema')!r}: another version packed it.")
    return dict(body)


# -- arrays ------------------------------------------------------------------------------------------------------------
def _arrays(path: Path, data: bytes) -> dict[str, np.ndarray]:
    """The arrays of an NPZ file, none of which may claim more bytes than there are."""
    found = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST["weights.npz"]:
                raise ConfigError(f"Expected at most {LARGEST['weights.npz']:,} bytes of weights in {path}.")
            for name in archive.namelist():
                found[name.removesuffix(".npy")] = array_of(archive.read(name))
    except (*DAMAGE, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise RunError(f"weights.npz in {path} cannot be read: {error}.") from error
    return found


def array_of(data: bytes) -> np.ndarray:
    """The array of an NPY file, without unpickling, and without trusting the size that it claims.

    Args:
        data: the file's bytes.

    Returns:
        A copy.

    Raises:
        ValueError: it is no such file, holds objects, or claims another size than it has.
    """
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = reader(file)
    rest = len(data) - file.tell()
    if dtype.hasobject or int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize != rest:
        raise ValueError(f"expected {dtype} {list(shape)}, got {rest} bytes")
    array = np.frombuffer(data, dtype, offset=file.tell())
    return array.reshape(shape, order="F" if fortran else "C").copy(order="C")


def _array_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


# -- files -------------------------------------------------------------------------------------------------------------
def _entry(data: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _zipped(members: Mapping[str, bytes], compression: int) -> bytes:
    """A ZIP file in memory, the same bytes for the same members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression, compresslevel=6) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            archive.writestr(info, members[name], compresslevel=6)
    return buffer.getvalue()
