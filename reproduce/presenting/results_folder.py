"""results/tables/, results/plots/ and the generated pages of docs/: written from the records, or compared with them.

The runs are read once, whatever is made of them.  Figures depend on the versions of the packages that draw them; they
are compared only where the locked versions (requirements/) are installed.  Tables and pages are compared everywhere.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from dqn_tf.checks import RunError, expect
from reproduce import places
from reproduce.analysis import collecting, curve_comparison, run_scores, score_aggregates, scoreboard, statistics
from reproduce.analysis.collecting import Collected
from reproduce.presenting import (
    docs_pages,
    evidence_figures,
    evidence_tables,
    plots_folder,
    state_pictures,
    tables_folder,
)
from reproduce.records import published
from reproduce.records.runs import Run

PARTS = ("tables", "figures", "docs")
FOLDERS = {"tables": "tables", "figures": "plots", "docs": "agents"}  # no file in them is written by hand
PICTURES = (".svg", ".png")
DRAWN_BY = ("matplotlib", "numpy", "pandas", "contourpy", "kiwisolver", "pillow")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of the score tables.  window: iterations that final_window and training_return are means over."""

    window: int = run_scores.WINDOW
    normalization: str = score_aggregates.NORMALIZATION
    resamples: int = statistics.RESAMPLES

    def __post_init__(self) -> None:
        published.check_means(self.normalization)
        expect(self.window >= 1, "at least 1 iteration", "window", self.window)
        expect(self.resamples >= 1, "at least 1 resample", "resamples", self.resamples)


@dataclass(frozen=True, kw_only=True)
class Records:
    """What tables and figures are made from.

    results: the results folder.  found: scores and curves of the runs.  comparable: runs with a published counterpart.
    seen: complete runs by agent and environment, those that were left out included.
    """

    results: Path
    found: Collected
    comparable: list[Run] = field(default_factory=list)
    seen: dict[scoreboard.Key, scoreboard.Seen] = field(default_factory=dict)


def read(results: Path, folders: Sequence[Path] = (), window: int = run_scores.WINDOW) -> Records:
    """Read the runs that tables and figures are made from, each once.

    Args:
        results: the results folder.
        folders: run directories, or folders with some; by default ``results``/runs.
        window: iterations that the scores final_window and training_return are means over.

    Returns:
        Scores and curves of all runs, and the runs that have a published counterpart.

    Raises:
        RunError: the published numbers are not those of SHA256SUMS.
    """
    if wrong := published.verify():
        raise RunError(f"Expected the published numbers as SHA256SUMS has them: {', '.join(wrong)}. Restore them.")
    comparable: list[Run] = []
    seen: dict[scoreboard.Key, scoreboard.Seen] = {}

    def watch(path: Path, run: Run | str) -> None:
        if isinstance(run, Run):
            scoreboard.see(seen, run)
            if curve_comparison.is_comparable(run):
                comparable.append(run)

    found = collecting.collect(folders or [results / "runs"], window, watch)
    return Records(results=results, found=found, comparable=comparable, seen=seen)


# -- writing -----------------------------------------------------------------------------------------------------------
def write(records: Records, to: Path, parts: Iterable[str] = PARTS, docs: Path | None = None) -> Iterator[Path]:
    """Write tables, figures and pages.

    Args:
        records: what they are made from.
        to: the results folder to write below.
        parts: some of ``PARTS``.
        docs: where the pages go; by default docs/ of the checkout.

    Yields:
        Each file once it is written.

    Raises:
        ConfigError: pages are asked for, and there is neither ``docs`` nor a checkout.
        RunError: published summaries differ from those of the published scores.
    """
    for part in parts:
        if part == "tables":
            yield from tables(records, to / "tables")
        elif part == "figures":
            yield from figures(records, to / "plots")
        else:
            yield from docs_pages.write(docs or places.checkout("the pages of docs/") / "docs")


def tables(records: Records, folder: Path, settings: Settings | None = None) -> Iterator[Path]:
    """Write every table, and remove score tables (scores_*) of runs that are gone.

    Args:
        records: what they are made from.
        folder: where to write.
        settings: of the score tables.

    Yields:
        Each file once it is written.

    Raises:
        RunError: published summaries differ from those of the published scores.
    """
    settings = settings or Settings()
    written = tables_folder.score_files(records.found, folder, settings.normalization, settings.resamples)
    for stale in set(folder.glob("scores_*")) - set(written):
        stale.unlink()
    yield from tables_folder.published_tables(folder)
    yield from written
    yield from tables_folder.comparison_files(records.comparable, records.results, folder)
    board = scoreboard.table(records.found, records.seen, records.comparable)
    if len(board):
        yield tables_folder.scoreboard_file(board, folder)
        yield from evidence_tables.files(board, records.found, folder)


def figures(records: Records, folder: Path) -> Iterator[Path]:
    """Draw every figure.

    Args:
        records: what they are made from.
        folder: where to write.

    Yields:
        Each file once it is written.
    """
    yield from plots_folder.comparison(records.comparable, folder)
    yield from plots_folder.of_runs(records.found, folder)
    yield from evidence_figures.files(records.found, folder)
    yield from state_pictures.of_results(records.results, folder)
    yield from plots_folder.published(folder / "published")


# -- checking ----------------------------------------------------------------------------------------------------------
def check(results: Path, say: Callable[[str], None], parts: Sequence[str] = PARTS, docs: Path | None = None) -> int:
    """Compare the files that are there with those that would be written; writes nothing.

    Args:
        results: the results folder.
        say: called with a sentence for each file that differs, and at the end.
        parts: some of ``PARTS``.
        docs: where the pages are; by default docs/ of the checkout.

    Returns:
        Number of files that differ, are missing, or are written by no command.

    Raises:
        ConfigError: pages are asked for, and there is neither ``docs`` nor a checkout.
        RunError: runs that cannot be counted, or published numbers that were changed.
    """
    docs = docs or (places.checkout("the pages of docs/") / "docs" if "docs" in parts else Path())
    records = read(results) if {"tables", "figures"} & set(parts) else None
    if records and records.found.problems:
        raise RunError("\n".join(records.found.problems))
    versions = other_versions() if "figures" in parts else []
    if versions:
        say(f"Figures are not compared, because they were drawn with other versions: {'; '.join(versions)}.")
    count, total = 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        for part in parts:
            there, fresh = (docs, Path(scratch) / "docs") if part == "docs" else (results, Path(scratch) / "results")
            written = set(_write_fresh(part, records, fresh))
            known = _files(there, FOLDERS[part])
            known |= written if part == "docs" else set()  # the others are written by hand
            compared = [n for n in sorted(written & known) if not (versions and n.suffix in PICTURES)]
            total += len(compared)
            count += _compare(there, fresh, compared, say)
            count += _missing(written, known, say)
    say(f"{total} files compared, {count} to be put right." if count else f"{total} files are the same.")
    return count


def _write_fresh(part: str, records: Records | None, fresh: Path) -> Iterator[Path]:
    """The files of one part, written below ``fresh``: their names."""
    if part == "docs":
        made = docs_pages.write(fresh)
    else:
        assert records is not None
        made = write(records, fresh, [part])
    return (path.relative_to(fresh) for path in made)


def _files(root: Path, folder: str) -> set[Path]:
    return {path.relative_to(root) for path in (root / folder).rglob("*") if path.is_file()}


def _compare(there: Path, fresh: Path, names: Iterable[Path], say: Callable[[str], None]) -> int:
    """How many of the files ``names`` in ``there`` are missing, or differ from those in ``fresh``."""
    count = 0
    for name in names:
        if not (there / name).is_file():
            difference = "missing"
        else:
            difference = differs((there / name).read_bytes(), (fresh / name).read_bytes())
        if difference:
            say(f"{name}: {difference}")
            count += 1
    return count


def _missing(written: set[Path], known: set[Path], say: Callable[[str], None]) -> int:
    for name in sorted(written ^ known):
        say(f"{name}: {'missing' if name in written else 'written by no command; remove it'}")
    return len(written ^ known)


def differs(here: bytes, fresh: bytes) -> str:
    """Where two files differ, in words.

    Args:
        here: the bytes that are there.
        fresh: the bytes that would be written.

    Returns:
        The first line that differs, or the sizes; "" if they are equal.
    """
    if here == fresh:
        return ""
    try:
        ours, theirs = here.decode().splitlines(), fresh.decode().splitlines()
    except UnicodeDecodeError:
        return f"{len(here):,} bytes, would be {len(fresh):,} others"
    for number, (a, b) in enumerate(zip(ours, theirs, strict=False), start=1):
        if a != b:
            return f"line {number} is {_cut(a)}, would be {_cut(b)}"
    return f"{len(ours):,} lines, would be {len(theirs):,}"


def _cut(line: str, most: int = 80) -> str:
    return repr(line if len(line) <= most else line[: most - 3] + "...")


def other_versions(locked: str | None = None) -> list[str]:
    """Packages that draw and are installed in another version than the locked one: "matplotlib 3.10.1, locked 3.11.2".

    locked: the text of a requirements file; by default that of this Python.
    """
    if locked is None:
        path = places.ROOT / "requirements" / f"py{sys.version_info.major}{sys.version_info.minor}-dev.txt"
        if not path.is_file():
            return [f"there is no {path.name}"]
        locked = path.read_text(encoding="utf-8")
    out = []
    for name in DRAWN_BY:
        found = re.search(rf"^{name}==([^\s\\;]+)", locked, re.MULTILINE)
        if found and (here := metadata.version(name)) != found[1]:
            out.append(f"{name} {here}, locked {found[1]}")
    return out
