"""Writing the page: a pure function of the files, with no clock, and with paths only as they lie below the folder.

What cannot be read is listed, and does not stop the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from dqn_tf.checks import ConfigError
from reproduce.analysis import collecting
from reproduce.analysis.collecting import Collected
from reproduce.presenting import interactive_curves
from reproduce.presenting.report import blocks, requested, sections
from reproduce.presenting.report.entries import STATES, Entry, Requested, entry, not_run
from reproduce.records import imported_curves
from reproduce.records.runs import Run

Known = Callable[[Path, Collected], Requested | None]  # (a folder of runs, what all runs say)


def write(
    folder: Path, out: Path | None = None, known: Known = requested.of_folder, beside: Sequence[Path] = ()
) -> Path:
    """Write the page.

    Args:
        folder: run directories at any depth.
        out: the file; by default report.html in ``folder``.
        known: finds the protocol of a folder <protocol>/<agent>/<environment>/seed_<k>, if it has one.
        beside: files of imported runs, whose curves are shown beside these.

    Returns:
        The file.

    Raises:
        ConfigError: no folder, no run in it, ``out`` is a directory, or a file of imported runs is none.
    """
    out = folder / "report.html" if out is None else out
    if out.is_dir():
        raise ConfigError(f"Expected a file for --out, got the directory {out}.")
    text = make(folder, known, beside)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    return out


def make(folder: Path, known: Known = requested.of_folder, beside: Sequence[Path] = ()) -> str:
    """The page as text.

    Args:
        folder: run directories at any depth.
        known: as for ``write``.
        beside: as for ``write``.

    Returns:
        HTML.

    Raises:
        ConfigError: no folder, no run in it, or a file of imported runs is none.
    """
    paths, found, collected = _read(folder)
    curves = imported_curves.beside(collected.curves, beside)
    homes = sorted({home for path in paths if (home := path.absolute().parents[2]).is_relative_to(folder.absolute())})
    protocols = {home.name: p for home in homes if (p := known(home, collected)) is not None}
    entries = [*found, *not_run(protocols, found)]
    counts = Counter(e.state for e in entries)
    words = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    parts = sections.sections(found, entries, protocols, collected, folder, curves)
    charts = any(isinstance(block, blocks.Chart) for part in parts for block in part.blocks)
    return blocks.page(
        f"Runs in {folder.resolve().name}",
        parts,
        f"{len(entries):,} run{'s' if len(entries) > 1 else ''}: {words}.",
        interactive_curves.library() if charts else "",
    )


def curves_page(folder: Path, title: str) -> str:
    """A page that has only the curves to choose from; the extra ``charts`` must be installed.

    Args:
        folder: run directories at any depth; packed ones count, too.
        title: heading of the page.

    Returns:
        HTML.
    """
    curves = collecting.collect([folder]).curves
    section = blocks.Section("curves", "Curves", sections.chart(curves))
    return blocks.page(title, [section], "Every run of the folder results/runs.", interactive_curves.library())


def _read(folder: Path) -> tuple[list[Path], list[Entry], Collected]:
    """The run directories in ``folder``, an entry for each, and their scores and curves."""
    if not folder.is_dir():
        raise ConfigError(f"Expected a folder with runs, got {folder}. {_nearby(folder)}")
    paths: list[Path] = []
    found: list[Entry] = []

    def watch(path: Path, run: Run | str) -> None:
        paths.append(path)
        found.append(entry(path, folder, run))

    collected = collecting.collect([folder], watch=watch)
    if not paths:
        raise ConfigError(
            f"Expected run directories (config.json and manifest.json) in {folder}, found none. "
            "Give the folder that was named with --run-dir, --runs or --out when they were trained."
        )
    return paths, found, collected


def _nearby(folder: Path) -> str:
    there = sorted(p.name for p in folder.parent.iterdir() if p.is_dir())[:6] if folder.parent.is_dir() else []
    return f"Folders there: {', '.join(there)}." if there else "The folder above it does not exist either."
