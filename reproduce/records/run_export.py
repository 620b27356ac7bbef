"""Copying the small files of runs to results/runs/.

An exported run is results/runs/NAME/<agent>/<environment>/seed_<k>/ with the files in ``FILES`` (no checkpoints) and
SHA256SUMS; the command line in its manifest keeps no path of the machine it ran on.  Packed, all seeds of an agent on
an environment are in a few files (``packed``), which read the same.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dqn_tf import plain_json
from dqn_tf.checks import ConfigError
from dqn_tf.training.run_dir import write_json
from reproduce.places import RESULTS
from reproduce.records import packed
from reproduce.records.runs import Run, load

FILES = ("config.json", "manifest.json", "summary.json", "episodes.csv", "iterations.csv", "timing.csv")
SUMS = packed.SUMS


def export(path: Path, name: str, results: Path = RESULTS) -> Path:
    """Copy a run's small files (``FILES``) to results/runs/<name>/<agent>/<environment>/seed_<k>/; an earlier export is
    replaced.

    Args:
        path: the run directory, complete or not.
        name: the set of runs, a plain folder name.
        results: the results folder.

    Returns:
        The folder that was written.

    Raises:
        ConfigError: ``name`` is empty, hidden or a path.
        RunError: the run is damaged.
    """
    _check_name(name)
    run = load(path)
    relative = Path("runs") / name / run.relative_path
    to = results / relative
    if run.seed in packed.seeds(to.parent):
        raise ConfigError(f"Expected no packed run of this seed in {to.parent}, found one. Export with --packed.")
    if to.exists():
        shutil.rmtree(to)
    to.mkdir(parents=True)
    for file in FILES:
        if (path / file).exists() and file != "manifest.json":
            shutil.copyfile(path / file, to / file)
    write_json(to / "manifest.json", _manifest(run, relative))
    lines = [f"{_sha256(to / file)}  {file}\n" for file in FILES if (to / file).exists()]
    (to / SUMS).write_text("".join(lines))
    return to


def pack(paths: Sequence[Path], name: str, results: Path = RESULTS) -> Iterator[Path]:
    """Pack the small files of complete runs into results/runs/<name>/<agent>/<environment>/.

    Seeds that are packed there already stay, or are replaced if they are among these. Errors of runs and of ``name``
    come before anything is written, those of a folder before it is written.

    Args:
        paths: run directories.
        name: the set of runs, a plain folder name.
        results: the results folder.

    Yields:
        Each folder that was written.

    Raises:
        ConfigError: ``name`` is empty, hidden or a path; a run that is not complete; two of one seed; or as
            ``packed.write``.
        RunError: a damaged run.
    """
    _check_name(name)
    folders: dict[Path, dict[int, Path]] = {}
    for path in paths:
        run = load(path)
        if not run.complete:
            raise ConfigError(f"Expected complete runs to pack, got {path} with {run.frames:,} frames so far.")
        seeds = folders.setdefault(run.relative_path.parent, {})
        if (other := seeds.setdefault(run.seed, path)) != path:
            raise ConfigError(f"Expected one run of {run.relative_path}, got {other} and {path}.")
    for relative, seeds in folders.items():
        place = Path("runs") / name / relative
        content = {seed: _small_files(path, place / f"seed_{seed}") for seed, path in seeds.items()}
        packed.write(results / place, content)
        yield results / place


def _small_files(path: Path, relative: Path) -> dict[str, bytes]:
    """The files of a run that are exported, as they will be there."""
    there = {file: (path / file).read_bytes() for file in FILES if (path / file).exists()}
    manifest = plain_json.dumps(_manifest(load(path), relative), indent=2) + "\n"
    return {**there, "manifest.json": manifest.encode()}


def _manifest(run: Run, relative: Path) -> dict[str, Any]:
    return without_paths(run.manifest, {str(run.path): relative.as_posix()})


def _check_name(name: str) -> None:
    if not name or Path(name).name != name or name.startswith("."):
        raise ConfigError(f"Expected a plain folder name for the export, got {name!r}.")


def verify_export(folder: Path) -> list[str]:
    """The files of an exported run, or of a folder of packed ones, that are not those of SHA256SUMS; empty if all is
    well."""
    return packed.verify(folder)


def without_paths(value: Any, names: dict[str, str]) -> Any:
    """A copy of plain nested values in which no text is a path of this machine.

    An absolute path becomes its last part; so does what follows "=" in an option, and the first word of a "command",
    relative or not.

    Args:
        value: dicts, lists, texts and numbers, as read from JSON.
        names: path -> what to write in its place instead.

    Returns:
        The copy.

    >>> without_paths({"command": ["bin/dqn-tf", "train", "--run-dir=/home/me/r1"]}, {})
    {'command': ['dqn-tf', 'train', '--run-dir=r1']}
    """
    if isinstance(value, dict):
        out = {k: without_paths(v, names) for k, v in value.items()}
        if isinstance(out.get("command"), list) and out["command"]:
            out["command"][0] = os.path.basename(out["command"][0])
        return out
    if isinstance(value, list):
        return [without_paths(v, names) for v in value]
    return _without_path(value, names) if isinstance(value, str) else value


def _without_path(text: str, names: dict[str, str]) -> str:
    option, equals, path = text.partition("=")
    if equals and option.startswith("-"):
        return option + equals + _without_path(path, names)
    for known, new in names.items():
        if os.path.normpath(os.path.abspath(text)) == os.path.normpath(os.path.abspath(known)):
            return new
    return os.path.basename(os.path.normpath(text)) if os.path.isabs(text) or text.startswith("..") else text


def _sha256(path: Path) -> str:
    return packed.sha256(path.read_bytes())
