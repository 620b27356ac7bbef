"""Checkpoints: a directory for each, and *pieces* beside them, files named by the hash of their content.

    checkpoints/
      pieces/<sha256 of content>.npz      replay segments and the held-out states: written once, shared, zlib level 1
      000001000000/                       named by frames
        state.json                        everything but arrays
        arrays.npz                        the arrays: weights, optimizer, statistics
        manifest.json                     SHA-256 and size of every file above, and of itself

A checkpoint is written under a temporary name, synced, renamed, and its parent synced: it exists whole or not at all.
The last two (of different frames) are kept; a piece is dropped when no kept manifest names it.  Nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dqn_tf.checks import RunError
from dqn_tf.config import SCHEMA
from dqn_tf.fields import digest as json_digest
from dqn_tf.replay.ring import segment_digest
from dqn_tf.types import Tree

KEEP = 2
LARGEST = 4 * 2**30  # bytes that one file of a checkpoint may unpack to
WRITE_BYTES = 16 * 2**20  # bytes written at a time
PIECES = "pieces"
Columns = dict[str, np.ndarray]


class Damaged(Exception):
    """A checkpoint that does not verify; says which file and why."""


class Store:
    """The checkpoints of one run directory."""

    def __init__(self, folder: Path, identity: str) -> None:
        """
        Args:
            folder: ``checkpoints/`` of a run; made at the first save.
            identity: the configuration's hash; a checkpoint of another one is not read.
        """
        self.folder, self.identity = folder, identity
        self._pieces: dict[str, dict[str, Any]] = {}  # files known to be good: name -> {"sha256", "bytes"}
        self._skipped: list[Path] = []  # checkpoints that did not verify; they do not count among the kept

    # -- writing ---------------------------------------------------------------------------------------------------
    def save(
        self,
        frames: int,
        state: dict[str, Any],
        pieces: dict[str, Callable[[], Columns]],
        alive: Callable[[], None] = lambda: None,
    ) -> Path:
        """Write a checkpoint; its cost is the arrays of ``state`` and the pieces not yet on disk.

        Args:
            frames: of training, which name the checkpoint.
            state: nested dicts and lists of arrays and plain values.
            pieces: the large arrays that ``state`` names by their hash: hash -> a function that gives the arrays by
                name.
            alive: called after each part that is on disk, of WRITE_BYTES at most.

        Returns:
            The folder of the checkpoint.

        Raises:
            OSError: the disk is full, say; the earlier checkpoints are untouched.
        """
        self._write_pieces(pieces, alive)
        arrays: Columns = {}
        plain = _split(state, "", arrays)
        target, temporary = self._free_name(frames), self.folder / f".tmp-{frames:012d}"
        for leftover in self.folder.glob(".tmp-*"):
            shutil.rmtree(leftover)
        temporary.mkdir()
        files = {
            "state.json": _write(temporary / "state.json", json.dumps(plain, allow_nan=False).encode(), alive),
            "arrays.npz": _write(temporary / "arrays.npz", _zip(arrays, zipfile.ZIP_STORED), alive),
        }
        body = {
            "schema": SCHEMA,
            "identity": self.identity,
            "frames": frames,
            "files": files,
            "pieces": {name: self._pieces[name] for name in pieces},
        }
        manifest = json.dumps({"body": body, "sha256": json_digest(body)}, indent=1)
        _write(temporary / "manifest.json", manifest.encode(), alive)
        sync(temporary)
        temporary.rename(target)
        sync(self.folder)
        self._drop_old()
        return target

    def _write_pieces(self, pieces: dict[str, Callable[[], Columns]], alive: Callable[[], None]) -> None:
        """Write the pieces that are not on disk yet."""
        folder = self.folder / PIECES
        if not folder.exists():
            folder.mkdir(parents=True)
            sync(self.folder)
            sync(self.folder.parent)
        for name, columns in pieces.items():
            if name not in self._pieces:
                data = _zip(columns(), zipfile.ZIP_DEFLATED)
                self._pieces[name] = _write(folder / f"{name}.npz", data, alive)
        sync(folder)

    def _free_name(self, frames: int) -> Path:
        """000000200000, or 000000200000.1 and so on where there is a checkpoint of the same frame."""
        there = [_order(path) for path in self.found() if _order(path)[0] == frames]
        number = max(there)[1] + 1 if there else 0  # above all that are there, or it would not be the newest
        return self.folder / (f"{frames:012d}.{number}" if number else f"{frames:012d}")

    def _drop_old(self) -> None:
        good = [path for path in self.found() if path not in self._skipped]
        newest_of_frame = {_order(path)[0]: path for path in reversed(good)}  # another save at one frame adds nothing
        kept = set(list(reversed(newest_of_frame.values()))[:KEEP])
        for path in (*(p for p in good if p not in kept), *(p for p in self._skipped if p.is_dir())):
            shutil.rmtree(path)
        self._skipped = []
        named: set[str] = set()
        for path in self.found():
            try:
                named |= set(self._manifest(path)["pieces"])
            except Damaged:
                return  # not known what it names: drop nothing
        for piece in (self.folder / PIECES).iterdir():
            if piece.name.removesuffix(".npz") not in named:
                piece.unlink()
        self._pieces = {name: entry for name, entry in self._pieces.items() if name in named}

    # -- reading ---------------------------------------------------------------------------------------------------
    def found(self) -> list[Path]:
        """The checkpoints on disk, newest first, verified or not."""
        if not self.folder.is_dir():
            return []
        named = [path for path in self.folder.iterdir() if re.fullmatch(r"[0-9]+(\.[0-9]+)?", path.name)]
        return sorted(named, key=_order, reverse=True)

    def load(
        self,
        say: Callable[[str], None],
        *,
        check_pieces: bool = True,
        suits: Callable[[dict[str, Any]], bool] = lambda state: True,
    ) -> tuple[Path, dict[str, Any], Callable[[str], Columns]] | None:
        """The newest checkpoint that verifies and suits.

        Args:
            say: called with a sentence about every checkpoint that is skipped.
            check_pieces: whether the pieces must verify too, or are left unread.
            suits: whether a checkpoint with this state is wanted.

        Returns:
            Its folder, its state, and a function that reads a piece by its hash; None if there is no checkpoint at all.

        Raises:
            RunError: checkpoints exist and none verifies.
        """
        problems, good, self._skipped = [], 0, []
        for path in self.found():
            try:
                state, read_piece = self._read(path, check_pieces)
                if suits(state):
                    return path, state, read_piece
                good += 1
            except Damaged as problem:
                self._skipped.append(path)
                problems.append(f"{path.name}: {problem}")
                say(f"Checkpoint {path.name} is skipped: {problem}")
        if problems and not good:
            raise RunError(
                f"None of the {len(problems)} checkpoints in {self.folder} verifies, so nothing was started.\n  "
                + "\n  ".join(problems)
                + "\nRestore the files from a backup, or start again in a new directory."
            )
        return None

    def _read(self, path: Path, check_pieces: bool) -> tuple[dict[str, Any], Callable[[str], Columns]]:
        body = self._manifest(path)
        if body["identity"] != self.identity:
            raise Damaged("it belongs to a run of another configuration")
        plain = _json(_verified(path / "state.json", body["files"]["state.json"]), "state.json")
        arrays = _unzip(_verified(path / "arrays.npz", body["files"]["arrays.npz"]), "arrays.npz")
        state = _join(plain, arrays)
        for name, entry in body["pieces"].items() if check_pieces else ():  # all of them, before anything is restored
            _verified(self.folder / PIECES / f"{_plain_name(name)}.npz", entry)
        self._pieces = dict(body["pieces"])

        def read_piece(name: str) -> Columns:
            try:
                columns = _unzip(_verified(self.folder / PIECES / f"{name}.npz", body["pieces"][name]), name)
            except Damaged as problem:
                raise RunError(f"Piece {name} was damaged while it was being read: {problem}.") from problem
            if segment_digest(columns) != name:
                raise RunError(f"The content of piece {name} does not match its name.")
            return columns

        return state, read_piece

    def _manifest(self, path: Path) -> dict[str, Any]:
        manifest = _json(_bytes(path / "manifest.json"), "manifest.json")
        body = manifest.get("body") if isinstance(manifest, dict) else None
        if not isinstance(body, dict) or json_digest(body) != manifest.get("sha256"):
            raise Damaged("manifest.json does not match its own hash")
        if set(manifest) != {"body", "sha256"} or body.get("schema") != SCHEMA:
            raise Damaged(f"manifest.json has schema {body.get('schema')}, this version reads {SCHEMA}")
        canonical = json.dumps({"body": body, "sha256": manifest["sha256"]}, indent=1).encode()
        if canonical != (path / "manifest.json").read_bytes():
            raise Damaged("manifest.json is not as it was written")
        return body


def _order(path: Path) -> tuple[int, int]:
    """A checkpoint's place in time, from its name: frames, and its number among those of the same frame."""
    frames, _, number = path.name.partition(".")
    return int(frames), int(number or 0)


# -- files -------------------------------------------------------------------------------------------------------------
def sync(folder: Path) -> None:
    """Make the names in a directory durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write(path: Path, data: bytes, alive: Callable[[], None]) -> dict[str, Any]:
    """Write durably under a temporary name, rename; the file's entry for a manifest."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            for start in range(0, max(1, len(data)), WRITE_BYTES):
                file.write(memoryview(data)[start : start + WRITE_BYTES])
                file.flush()
                os.fsync(file.fileno())
                alive()
        temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _bytes(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise Damaged(f"{path.name} is missing")
    try:
        return path.read_bytes()
    except OSError as error:
        raise Damaged(f"{path.name} cannot be read: {error}") from error


def _verified(path: Path, entry: dict[str, Any]) -> bytes:
    if not path.is_symlink() and path.is_file() and path.stat().st_size != entry["bytes"]:
        raise Damaged(f"{path.name} has {path.stat().st_size} bytes, expected {entry['bytes']}")
    data = _bytes(path)
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise Damaged(f"{path.name} does not match its hash")
    return data


def _json(data: bytes, name: str) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise Damaged(f"{name} is not JSON") from error


def _plain_name(name: str) -> str:
    if len(name) != 64 or not all(c in "0123456789abcdef" for c in name):
        raise Damaged(f"{name!r} is not the name of a piece")
    return name


def _zip(columns: Columns, compression: int) -> bytes:
    """An npz file in memory, the same bytes for the same columns."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression, compresslevel=1) as archive:
        for name in sorted(columns):
            info = zipfile.ZipInfo(f"{name}.npy")
            info.compress_type = compression
            with archive.open(info, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, columns[name], allow_pickle=False)
    return buffer.getvalue()


def _unzip(data: bytes, name: str) -> Columns:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as listing:
            if (size := sum(member.file_size for member in listing.infolist())) > LARGEST:
                raise Damaged(f"{name} claims to hold {size} bytes, more than any part of a checkpoint")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise Damaged(f"{name} cannot be read: {error}") from error


# -- trees: arrays go to one file, the rest to another -----------------------------------------------------------------
def _split(tree: Tree, path: str, arrays: Columns) -> Tree:
    if isinstance(tree, np.ndarray):
        arrays[path] = tree
        return {"$array": path}
    if isinstance(tree, dict):
        return {key: _split(value, f"{path}.{key}" if path else str(key), arrays) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_split(value, f"{path}.{i}", arrays) for i, value in enumerate(tree)]
    if isinstance(tree, float) and not math.isfinite(tree):
        return {"$float": str(tree)}  # JSON has no such number; a sum of large returns may be one
    return tree


def _join(tree: Tree, arrays: Columns) -> Tree:
    if isinstance(tree, dict):
        if set(tree) == {"$array"}:
            return arrays[tree["$array"]]
        if set(tree) == {"$float"}:
            return float(tree["$float"])
        return {key: _join(value, arrays) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_join(value, arrays) for value in tree]
    return tree
