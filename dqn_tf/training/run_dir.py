"""The directory of a run: one process at a time, one configuration, and tables without incomplete rows.

config.json      the configuration, whole; its hash is the run's identity
manifest.json    versions, device, ROM, command line, determinism scope, status
episodes.csv     one row per finished episode of training
iterations.csv   one row per iteration
timing.csv       wall clock: the only table exempt from byte equality
summary.json     when the run is complete
checkpoints/     see checkpoint.py
log.txt
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import hashlib
import io
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dqn_tf import fields, plain_json
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.config import RunConfig
from dqn_tf.plain_json import Json
from dqn_tf.training.checkpoint import sync


class RunDir:
    """An open run directory; holds its lock until ``close``."""

    def __init__(self, path: Path, config: RunConfig) -> None:
        """Create or open.

        Args:
            path: the directory: new, empty, or that of this run.
            config: of the run.

        Raises:
            ConfigError: it holds something else or another run, or cannot be made.
            RunError: another process uses it.
        """
        self.path, self.config = path, config
        try:
            if path.exists() and not path.is_dir():
                raise ConfigError(f"Expected a directory for --run-dir, got the file {path}.")
            self._check_contents()
            self._made = not path.exists()
            path.mkdir(parents=True, exist_ok=True)
            lock = open(path / ".lock", "a+")  # noqa: SIM115 - held for the life of the process
        except ConfigError:
            raise
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"Expected a directory for --run-dir that can be made and written to, got {path}: {error}. "
                "Nothing was touched."
            ) from error
        self._lock = self._acquire(lock)
        try:
            self._check_contents()
            self.new = not (path / "config.json").exists()  # nothing of the run was there before
            if self.new:
                write_json(path / "config.json", config.to_json())
        except BaseException:
            self.close()
            raise

    def _check_contents(self) -> None:
        """Refuse a directory of other things, or of another run."""
        present = {p.name for p in self.path.iterdir()} if self.path.exists() else set()
        if "config.json" in present:
            check_same(read_json(self.path / "config.json"), self.config, self.path)
        elif foreign := sorted(present - {".lock", ".config.json.tmp"}):  # what a kill at the start leaves
            raise ConfigError(
                f"Expected an empty directory or a run to continue, got {self.path} with {', '.join(foreign[:5])}"
                f"{' ...' if len(foreign) > 5 else ''} and no config.json. Choose another --run-dir."
            )

    def _acquire(self, lock: io.TextIOWrapper) -> io.TextIOWrapper:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            owner = lock.read().strip() or "another process"
            lock.close()
            raise RunError(
                f"{self.path} is in use by {owner}. Wait for it or stop it; its work is kept either way."
            ) from error
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {socket.gethostname()}")
        lock.flush()
        return lock

    def withdraw(self) -> None:
        """Leave nothing of a run that could not begin; only where it is ``new``, before its first step."""
        for name in ("config.json", "manifest.json", "log.txt", ".lock"):
            (self.path / name).unlink(missing_ok=True)
        if self._made:
            self.path.rmdir()

    def close(self) -> None:
        """Give the directory back."""
        self._lock.close()


def check_same(found: dict[str, Any], config: RunConfig, path: Path) -> None:
    """Check that a directory's configuration is the one asked for.

    Args:
        found: content of its config.json.
        config: asked for.
        path: the directory, for the message.

    Raises:
        ConfigError: they differ; it names the fields.
    """
    differing = fields.differences(found, config.to_json())
    if differing:
        with contextlib.suppress(AttributeError, ConfigError):  # no configuration, or other code's: named as it is
            there = fields.to_json(RunConfig.from_json(found), whole=True)
            differing = fields.differences(there, fields.to_json(config, whole=True))
    if differing:
        lines = [f"  {name.removeprefix('agent.')}: {old!r} there, {new!r} asked for" for name, old, new in differing]
        raise ConfigError(
            f"{path} holds a run of another configuration:\n"
            + "\n".join(lines)
            + "\nRepeat the command that started it to continue it (where a preset has changed since: with --set "
            f"FIELD=VALUE for its old value), or choose another --run-dir{_more(differing, path)}."
        )


def _more(differing: list[tuple[str, Any, Any]], path: Path) -> str:
    """The advice of ``check_same`` if only the budget differs, and is larger."""
    alone = len(differing) == 1 and differing[0][0] == "frames"
    return f", with --extend {path} to begin with what is there" if alone and differing[0][2] > differing[0][1] else ""


# -- JSON --------------------------------------------------------------------------------------------------------------
def write_json(path: Path, data: Json) -> None:
    """Write durably and atomically; a number that is not finite becomes null.

    Args:
        path: the file.
        data: plain nested data.
    """
    write_bytes(path, (plain_json.dumps(data, indent=2) + "\n").encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write durably and atomically: the file is the old one or the new one, whenever the power fails.

    Args:
        path: the file.
        data: its content.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        sync(path.parent)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        RunError: the file is missing or is not JSON.
    """
    try:
        return plain_json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"Expected JSON in {path}: {error}") from error


_Kinds = dict[str, type | tuple[type, ...]]
COUNTERS: _Kinds = {"frames": int, "steps": int, "updates": int, "episodes": int, "iterations": int}
SUMMARY: _Kinds = {"config_hash": str, "state_digest": str, "final_evaluation": dict, **COUNTERS}
SCORE: _Kinds = {"return_mean": (int, float, type(None)), "episodes": int}
MANIFEST: _Kinds = {"config_hash": str, "scope": dict, "sessions": list}


def read_summary(path: Path) -> dict[str, Any]:
    """The content of a summary.json, with its required fields checked.

    Raises:
        RunError: something is wrong; it says what, and what to do.
    """
    do = "Remove the file: the command that made the run writes it again, from the last checkpoint."
    found = _checked(path, read_json(path), SUMMARY, "", do)
    for name in ("final_evaluation", "last_network_evaluation"):
        if name in found:
            _checked(path, found[name], SCORE, f"{name}.", do)
    return found


def read_manifest(path: Path) -> dict[str, Any]:
    """The content of a manifest.json, with its required fields checked.

    Raises:
        RunError: something is wrong; it says what, and what to do.
    """
    do = "Restore it from a copy, or remove it: then nothing is known of the versions that earlier sessions had."
    found = _checked(path, read_json(path), MANIFEST, "", do)
    for i, session in enumerate(found["sessions"]):
        _checked(path, session, {"code_sha256": str}, f"sessions.{i}.", do)
    return found


def _checked(path: Path, data: Json, kinds: _Kinds, prefix: str, do: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        name = prefix.rstrip(".") or "the file"
        raise RunError(f"Expected named fields in {path}, got {type(data).__name__} for {name}: it is damaged. {do}")
    for name, kind in kinds.items():
        value = data.get(name)
        if name not in data or not isinstance(value, kind) or isinstance(value, bool):
            what = "none" if name not in data else repr(value)
            raise RunError(f"Expected the field `{prefix}{name}` in {path}, got {what}: it is damaged. {do}")
    return data


# -- tables ------------------------------------------------------------------------------------------------------------
class Table:
    """A CSV file that grows by whole rows: each is flushed and synced, and a checkpoint remembers where it stood."""

    def __init__(self, path: Path, columns: list[str]) -> None:
        """
        Args:
            path: the file.
            columns: of every row, in order.
        """
        self.path, self.columns = path, columns
        self._kept = columns  # those that the file has
        self._file: Any = None
        self._sha = hashlib.sha256()
        self._size = 0

    def begin(self) -> None:
        """Start from nothing but the header."""
        self._file = open(self.path, "wb")  # noqa: SIM115 - open for the life of the run
        self._sha, self._size = hashlib.sha256(), 0
        self._put(self._line(self.columns))
        sync(self.path.parent)

    def resume(self, state: dict[str, Any]) -> None:
        """Continue where ``state`` stood: later rows, whole or half, are cut off and will be written again.

        The file keeps its columns: what an older version did not write is left out of the new rows too.

        Raises:
            RunError: what stood before is no longer there, or has other columns; the file is untouched.
        """
        size = int(state["bytes"])
        kept = b""
        with contextlib.suppress(FileNotFoundError), open(self.path, "rb") as file:
            kept = file.read(size)
        if len(kept) != size or hashlib.sha256(kept).hexdigest() != state["sha256"]:
            raise RunError(
                f"Expected the first {size} bytes of {self.path} as the checkpoint knows them; the file was changed "
                "or cut since. Restore it from a copy, or start again in a new directory."
            )
        self._kept = next(csv.reader([kept.split(b"\n", 1)[0].decode()]))
        if unknown := [name for name in self._kept if name not in self.columns]:
            raise RunError(
                f"Expected the columns of this version in {self.path}, got also {', '.join(unknown)}. Another version "
                "of dqn_tf wrote the file; continue the run with that one, or start again in a new directory."
            )
        os.truncate(self.path, size)
        self._file = open(self.path, "ab")  # noqa: SIM115
        self._sha, self._size = hashlib.sha256(kept), size

    def append_free(self, frames: int) -> None:
        """Continue a table that no checkpoint guards (timing.csv): keep its whole rows up to ``frames``."""
        data = self.path.read_bytes() if self.path.exists() else b""
        lines, place = data[: data.rfind(b"\n") + 1].splitlines(keepends=True), self.columns.index("frames")
        cells = [line.split(b",") for line in lines]
        keep = [i == 0 or (len(c) == len(self.columns) and float(c[place]) <= frames) for i, c in enumerate(cells)]
        whole = b"".join(line for line, wanted in zip(lines, keep, strict=True) if wanted)
        if not whole:
            return self.begin()
        if whole != data:
            self.path.write_bytes(whole)
        self._file = open(self.path, "ab")  # noqa: SIM115
        self._size = len(whole)
        return None

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row, durably.

        Raises:
            ValueError: it has other columns.
            OSError: the disk is full.
        """
        if list(row) != self.columns:
            raise ValueError(f"Expected the columns {self.columns}, got {list(row)}.")
        self._put(self._line([row[name] for name in self._kept]))

    def _line(self, values: Sequence[object]) -> bytes:
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerow(["" if v != v else v for v in values])  # nan: an empty cell
        return out.getvalue().encode()

    def _put(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._sha.update(line)
        self._size += len(line)

    def state(self) -> dict[str, Any]:
        """Where the table stands: size and hash of what is written."""
        return {"bytes": self._size, "sha256": self._sha.hexdigest()}

    def close(self) -> None:
        """Close the file.  Every whole row is on disk; what is left of a row that failed may be lost."""
        if self._file:
            with contextlib.suppress(OSError):
                self._file.close()


def read_table(path: Path, data: bytes | None = None) -> list[dict[str, str]]:
    """The rows of a run's CSV, checked: no half row, no foreign line, frames that never go back.

    Args:
        path: the file, for the message.
        data: its content; None: it is read.

    Returns:
        The rows, texts by column.

    Raises:
        RunError: a line is wrong; it says which.
    """
    data = path.read_bytes() if data is None else data
    if b"\0" in data or not data.endswith(b"\n"):
        raise RunError(f"{path} ends in half a row or holds NUL bytes. Continue the run: it repairs the file.")
    try:
        lines = list(csv.reader(io.StringIO(data.decode())))
    except (UnicodeDecodeError, csv.Error) as error:
        raise RunError(f"{path} is not a table that this program wrote: {error}.") from error
    header, rows, frames = lines[0], [], -1.0
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header) or line == header:
            raise RunError(f"{path}, line {number}: expected {len(header)} values, got {len(line)}.")
        row = dict(zip(header, line, strict=True))
        try:
            now = float(row.get("frames", "0"))
            _ = [float(v) for k, v in row.items() if v and k != "state_digest"]
        except ValueError as error:
            raise RunError(f"{path}, line {number}: {error}.") from error
        if now < frames:
            raise RunError(f"{path}, line {number}: frames go back from {frames:.0f} to {now:.0f}.")
        frames = now
        rows.append(row)
    return rows
