"""Copying the small files of runs to results/runs/.

An exported run is results/runs/NAME/<agent>/<environment>/seed_<k>/ with the files in ``FILES`` (no checkpoints) and
SHA256SUMS; the command line in its manifest keeps no path of the machine it ran on.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

from dqn_tf.checks import ConfigError
from dqn_tf.training.run_dir import write_json
from reproduce.places import RESULTS
from reproduce.records.runs import load

FILES = ("config.json", "manifest.json", "summary.json", "episodes.csv", "iterations.csv", "timing.csv")
SUMS = "SHA256SUMS"


def export(path: Path, name: str, results: Path = RESULTS) -> Path:
    """Copy a run's small files to results/runs/<name>/..., and return that folder; an earlier export is replaced.

    Raises RunError if the run is damaged, ConfigError for a name that is not a plain one.
    """
    if not name or Path(name).name != name or name.startswith("."):
        raise ConfigError(f"Expected a plain folder name for the export, got {name!r}.")
    run = load(path)
    relative = Path("runs") / name / run.relative_path
    to = results / relative
    if to.exists():
        shutil.rmtree(to)
    to.mkdir(parents=True)
    for file in FILES:
        if (path / file).exists() and file != "manifest.json":
            shutil.copyfile(path / file, to / file)
    write_json(to / "manifest.json", without_paths(run.manifest, {str(path): relative.as_posix()}))
    lines = [f"{_sha256(to / file)}  {file}\n" for file in FILES if (to / file).exists()]
    (to / SUMS).write_text("".join(lines))
    return to


def verify_export(folder: Path) -> list[str]:
    """The files of an exported run whose bytes are not those of SHA256SUMS; empty if all is well."""
    lines = [line.split("  ", 1) for line in (folder / SUMS).read_text().splitlines()]
    wrong = [n for sha, n in lines if not (folder / n).is_file() or _sha256(folder / n) != sha]
    return wrong + sorted({p.name for p in folder.iterdir()} - {n for _, n in lines} - {SUMS})


def without_paths(value: Any, names: dict[str, str]) -> Any:
    """A copy of plain nested values in which no text is a path of this machine.

    Texts in ``names`` become their new names; any other absolute path becomes its last part; so does what follows "="
    in an option, and the first word of a "command", relative or not.

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
    return hashlib.sha256(path.read_bytes()).hexdigest()
