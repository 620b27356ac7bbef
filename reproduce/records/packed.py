"""Many exported runs of one agent on one environment in five files: the compact form of results/runs/.

    results/runs/NAME/<agent>/<environment>/
        runs.json            the configuration, which all of them share but for the seed; of each run its manifest, its
                             summary, and the SHA-256 of each file that it had
        episodes.csv.gz      the rows of every run's episodes.csv, one run below the other, the seed before each row
        iterations.csv.gz    likewise
        timing.csv.gz        likewise
        SHA256SUMS           of these four

Nothing is lost: ``files`` gives back every file of every run, to the byte.  The tables can be read by anyone
(``pandas.read_csv("episodes.csv.gz")``).  The place of a packed run is named as if it were a directory:
NAME/<agent>/<environment>/seed_<k>.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from dqn_tf import fields, plain_json
from dqn_tf.checks import ConfigError, RunError

INDEX, SUMS = "runs.json", "SHA256SUMS"
TABLES = {"episodes.csv": "episodes.csv.gz", "iterations.csv": "iterations.csv.gz", "timing.csv": "timing.csv.gz"}
TEXTS = ("config.json", "manifest.json", "summary.json")
SCHEMA = 1  # of runs.json

Files = Mapping[str, bytes]  # name -> content


# -- writing -----------------------------------------------------------------------------------------------------------
def write(folder: Path, runs: Mapping[int, Files]) -> None:
    """Pack runs into a folder, beside those that are packed there; a seed that is there is replaced.

    Args:
        folder: results/runs/NAME/<agent>/<environment>.
        runs: seed -> name of a file -> its bytes.

    Raises:
        ConfigError: with nothing written. The runs differ in more than the seed from each other or from those that are
            packed, their tables have different columns, a run lies unpacked in ``folder``, or one could not be given
            back.
    """
    there = {seed: files(folder, seed) for seed in seeds(folder)}
    whole = dict(sorted({**there, **runs}.items()))
    if beside := [f"seed_{seed}" for seed in whole if (folder / f"seed_{seed}").exists()]:
        raise ConfigError(f"Expected no unpacked runs beside packed ones, got {', '.join(beside)} in {folder}.")
    index = {"schema": SCHEMA, "config": _shared(folder, whole), "runs": [_entry(s, f) for s, f in whole.items()]}
    headers = _headers(folder, whole)
    packed = {INDEX: _text(index), **{TABLES[name]: _compressed(name, headers[name], whole) for name in headers}}
    try:
        _parsed(folder, packed)
    except RunError as error:
        raise ConfigError(f"{error} What cannot be packed without a loss is exported without --packed.") from error
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in packed.items():
        (folder / name).write_bytes(data)
    (folder / SUMS).write_text("".join(f"{sha256(data)}  {name}\n" for name, data in packed.items()))


def _shared(folder: Path, whole: Mapping[int, Files]) -> dict[str, Any]:
    """The configuration of all runs, with the seed 0."""
    first: dict[str, Any] = {}
    for seed, content in whole.items():
        config = {**plain_json.loads(content["config.json"]), "seed": 0}
        first = first or config
        if differing := fields.differences(first, config):
            lines = [f"  {name.removeprefix('agent.')}: {a!r} and {b!r}" for name, a, b in differing]
            raise ConfigError(
                f"Expected runs that differ in the seed alone for {folder}, got other settings for seed {seed}:\n"
                + "\n".join(lines)
                + "\nExport them under another NAME."
            )
    return first


def _headers(folder: Path, whole: Mapping[int, Files]) -> dict[str, bytes]:
    """The first line of each table that the runs have."""
    found: dict[str, bytes] = {}
    for seed, content in whole.items():
        for name in TABLES:
            header = content.get(name, b"").partition(b"\n")[0]
            if found.setdefault(name, header) != header:
                raise ConfigError(
                    f"Expected one set of columns for {name} in {folder}, got others for seed {seed}. Export the runs "
                    "under another NAME."
                )
    return {name: header for name, header in found.items() if header}


def _entry(seed: int, content: Files) -> dict[str, Any]:
    texts = {name.removesuffix(".json"): plain_json.loads(content[name]) for name in TEXTS[1:]}
    sums = {name: sha256(content[name]) for name in (*TEXTS, *TABLES) if name in content}
    return {"seed": seed, **texts, "sha256": sums}


def _compressed(name: str, header: bytes, whole: Mapping[int, Files]) -> bytes:
    lines = [b"seed," + header + b"\n"]
    for seed, content in whole.items():
        lines += [b"%d,%s" % (seed, line) for line in content[name].splitlines(keepends=True)[1:]]
    return gzip.compress(b"".join(lines), mtime=0)


# -- reading -----------------------------------------------------------------------------------------------------------
def seeds(folder: Path) -> list[int]:
    """The seeds that are packed in ``folder``; none if it holds no packed runs.  Raises RunError as ``files``."""
    return list(_read(folder)) if (folder / INDEX).exists() else []


def place(path: Path) -> tuple[Path, int] | None:
    """Folder and seed, if ``path`` names a packed run: <folder with packed runs>/seed_<k>, which is no directory.

    Raises RunError: as ``files``, or there is no such seed in the folder.
    """
    found = re.fullmatch(r"seed_(\d+)", path.name)
    if not found or path.exists() or not (path.parent / INDEX).exists():
        return None
    return path.parent, int(found[1])


def files(folder: Path, seed: int) -> dict[str, bytes]:
    """The files of one run as they were before they were packed.

    Args:
        folder: holds packed runs.
        seed: of the run.

    Returns:
        Name of a file -> its bytes.

    Raises:
        RunError: a file of the folder is missing, or is not that of SHA256SUMS; the seed is not packed there.
    """
    known = _read(folder)
    if seed not in known:
        raise RunError(f"Expected a run of seed {seed} in {folder}, found seeds {', '.join(map(str, known))}.")
    return known[seed]


def verify(folder: Path) -> list[str]:
    """The files of ``folder`` whose bytes are not those of SHA256SUMS; empty if all is well."""
    known = _sums(folder)
    wrong = [n for n, sha in known.items() if not (folder / n).is_file() or sha256((folder / n).read_bytes()) != sha]
    return wrong + sorted({p.name for p in folder.iterdir()} - set(known) - {SUMS})


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sums(folder: Path) -> dict[str, str]:
    try:
        lines = [line.split("  ", 1) for line in (folder / SUMS).read_text().splitlines()]
        return {name: sha for sha, name in lines}
    except (OSError, ValueError) as error:
        raise RunError(f"Expected {SUMS} of packed runs in {folder}: {error}") from error


def _read(folder: Path) -> dict[int, dict[str, bytes]]:
    stamps = tuple((p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(folder.iterdir()))
    return _checked(folder, stamps)


@lru_cache(maxsize=2)  # runs are read one after another, those of one folder together
def _checked(folder: Path, stamps: tuple[tuple[str, int, int], ...]) -> dict[int, dict[str, bytes]]:
    """All runs of a folder: seed -> files.  stamps: of its files; a folder that was written again is read again."""
    data: dict[str, bytes] = {}
    for name, sha in _sums(folder).items():
        data[name] = (folder / name).read_bytes() if (folder / name).is_file() else b""
        if sha256(data[name]) != sha:
            raise RunError(f"Expected {folder / name} as {SUMS} has it: it was changed, or is missing. Restore it.")
    return _parsed(folder, data)


def _parsed(folder: Path, data: Files) -> dict[int, dict[str, bytes]]:
    """All runs in the files of a folder.  Raises RunError unless each comes out as it was."""
    try:
        index = plain_json.loads(data[INDEX])
        if index["schema"] != SCHEMA:
            raise ValueError(f"schema {index['schema']}, which another version of dqn_tf reads")
        found: dict[int, dict[str, bytes]] = {}
        for entry in index["runs"]:
            texts = {**entry, "config": {**index["config"], "seed": entry["seed"]}}
            found[entry["seed"]] = {name: _text(texts[name.removesuffix(".json")]) for name in TEXTS}
        for name, compressed in TABLES.items():
            if compressed in data:
                _distribute(name, gzip.decompress(data[compressed]), found)
        for entry in index["runs"]:
            for name, sha in entry["sha256"].items():
                if sha256(found[entry["seed"]][name]) != sha:
                    raise ValueError(f"{name} of seed {entry['seed']} does not come out as it was")
    except (KeyError, TypeError, ValueError, EOFError, OSError, zlib.error) as error:
        raise RunError(f"Expected packed runs in {folder}: {error!r}.") from error
    return found


def _distribute(name: str, table: bytes, found: dict[int, dict[str, bytes]]) -> None:
    """Give each run its rows of a packed table."""
    header, *lines = table.splitlines(keepends=True)
    rows = {b"%d" % seed: [header.removeprefix(b"seed,")] for seed in found}
    for line in lines:
        seed, _, row = line.partition(b",")
        rows[seed].append(row)
    for key, content in rows.items():
        found[int(key)][name] = b"".join(content)


def _text(data: Any) -> bytes:
    """JSON as ``run_dir.write_json`` writes it."""
    return (plain_json.dumps(data, indent=2) + "\n").encode()
