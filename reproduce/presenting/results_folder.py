"""results/tables/ and results/plots/, made again from results/runs/ and results/published/.

    dqn-tf results             write them
    dqn-tf results --check     write nothing; say which files would be different, and exit with 1

Plots depend on the versions of the packages that draw them; those are compared only where the locked versions
(requirements/) are installed.  Tables are compared everywhere.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

from dqn_tf.checks import ConfigError, RunError
from reproduce import places
from reproduce.analysis import collecting, curve_comparison
from reproduce.presenting import plots, published_figures, run_figures, table_files
from reproduce.records import published

MADE = ("tables", "plots")  # folders of results/ in which every file is written here
PICTURES = (".svg", ".png")
DRAWN_BY = ("matplotlib", "numpy", "pandas", "contourpy", "kiwisolver", "pillow")
REQUIREMENTS = places.ROOT / "requirements"

# What is written, in order: (folder with runs/, folder to write to) -> the files, as they are written.
Step = Callable[[Path, Path], Iterable[Path]]


def _of_published(results: Path, to: Path) -> Iterator[Path]:
    return published_figures.write(to / "plots" / "published")


def _scores(results: Path, to: Path) -> list[Path]:
    """Raises RunError: runs that could not be counted."""
    written, problems = table_files.write([results / "runs"], to)
    if problems:
        raise RunError("\n".join(problems))
    return written


def _of_runs(results: Path, to: Path) -> Iterator[Path]:
    for drawn in run_figures.drawn(collecting.collect([results / "runs"])):
        yield plots.save_one(drawn.figure, to / "plots" / drawn.collection / drawn.name)


STEPS: tuple[Step, ...] = (_scores, curve_comparison.regenerate, _of_runs, _of_published)


def write(results: Path, to: Path) -> Iterator[Path]:
    """Write everything below ``to``; yields each file.  Raises RunError: a damaged run, published numbers changed."""
    wrong = published.verify()
    if wrong:
        raise RunError(f"results/published is not what SHA256SUMS says: {', '.join(wrong)}. Restore it first.")
    for step in STEPS:
        yield from step(results, to)


def check(results: Path, say: Callable[[str], None]) -> int:
    """Compare ``results`` with what would be written; returns the number of files that differ, each told to ``say``."""
    versions = other_versions()
    if versions:
        say(f"Plots are not compared, because they were drawn with other versions: {'; '.join(versions)}.")
    count = 0
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        written = {path.relative_to(fresh) for path in write(results, fresh)}
        there = {p.relative_to(results) for name in MADE for p in (results / name).rglob("*") if p.is_file()}
        compared = [n for n in sorted(written & there) if not (versions and n.suffix in PICTURES)]
        for name in compared:
            if difference := differs((results / name).read_bytes(), (fresh / name).read_bytes()):
                say(f"{name}: {difference}")
                count += 1
        for name in sorted(written ^ there):
            say(f"{name}: {'missing' if name in written else 'not written by anything; remove it'}")
            count += 1
    say(
        f"{len(compared)} files compared, {count} to be put right." if count else f"{len(compared)} files are the same."
    )
    return count


def differs(here: bytes, fresh: bytes) -> str:
    """Where two files differ, in words; empty if they do not."""
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
        path = REQUIREMENTS / f"py{sys.version_info.major}{sys.version_info.minor}-dev.txt"
        if not path.is_file():
            return [f"there is no {path.name}"]
        locked = path.read_text(encoding="utf-8")
    out = []
    for name in DRAWN_BY:
        found = re.search(rf"^{name}==([^\s\\;]+)", locked, re.MULTILINE)
        if found and (here := metadata.version(name)) != found[1]:
            out.append(f"{name} {here}, locked {found[1]}")
    return out


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="dqn-tf results", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file would be different")
    parser.add_argument("--results", type=Path, default=places.RESULTS, metavar="DIR", help="default: results/")
    arguments = parser.parse_args(argv)
    try:
        if arguments.check:
            return 1 if check(arguments.results, lambda text: print(text, flush=True)) else 0
        for path in write(arguments.results, arguments.results):
            print(path, flush=True)
    except (ConfigError, RunError, OSError) as error:
        print(f"regenerate: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    return 0
