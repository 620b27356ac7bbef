"""Every score table, from runs and published numbers: a pure function, which writes the same bytes when run again.

    dqn-tf results tables                       results/runs/ + results/published/ -> results/tables/
    dqn-tf results tables --runs DIR --out NEW  runs from elsewhere, into NEW/tables/

It leaves out what cannot be counted, lists it, and then exits with 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from dqn_tf.checks import ConfigError, RunError, expect
from reproduce import formatting, places
from reproduce.analysis import collecting, published_summaries, score_aggregates, scores, statistics
from reproduce.presenting import score_tables
from reproduce.records import published


def published_tables(folder: Path) -> list[Path]:
    """Write the tables of the published numbers alone; returns the files.

    Raises RunError if the published files are not the ones that were read, or a summary does not come out and nobody
    knows why: then it is this code, or those files, that are wrong.
    """
    if changed := published.verify():
        raise RunError(f"Expected the published files as SHA256SUMS has them: {', '.join(changed)}. Restore them.")
    found = published_summaries.table()
    wrong = found[found["status"] == published_summaries.UNKNOWN]
    if len(wrong):
        names = [f"{r['paper']}, {r['agent']}: {r['metric']}" for r in formatting.records(wrong)]
        raise RunError(f"Published summaries do not come out of the published scores: {'; '.join(names)}.")
    written = [
        _csv(found, folder / "published_medians.csv"),
        _text(published_summaries.markdown(found), folder / "published_medians.md"),
    ]
    for kind in score_tables.PUBLISHED:
        written.append(_csv(score_tables.published_scores(kind), folder / f"published_scores_{kind}.csv"))
        written.append(_text(score_tables.published_markdown(kind), folder / f"published_scores_{kind}.md"))
    return written


def score_files(found: collecting.Collected, folder: Path, normalization: str = score_aggregates.NORMALIZATION,
                resamples: int = statistics.RESAMPLES) -> list[Path]:  # fmt: skip
    """Write the tables of our runs; returns the files.

    scores_runs.csv, scores_per_game.csv, scores_over_games.csv, scores_over_frames.csv, and for each collection, agent
    and convention scores_<collection>_<agent>_<convention>.csv and .md with the published columns.  None without runs.
    """
    if found.scores.empty:
        return []
    per_game = score_aggregates.per_game(found.scores, normalization)
    over_games = score_aggregates.over_games(found.scores, normalization, resamples)
    over_frames = score_aggregates.over_frames(found.curves, normalization, resamples)
    written = [
        _csv(table, folder / f"scores_{name}.csv")
        for name, table in (("runs", found.scores), ("per_game", per_game), ("over_games", over_games),
                            ("over_frames", over_frames))
    ]  # fmt: skip
    keys = ["collection", "agent", "convention"]
    for key, group in per_game.groupby(keys, sort=True):
        mine = (over_games[keys] == list(key)).all(axis="columns")
        name = "_".join(["scores", *filter(None, map(str, key))])
        written.append(_csv(score_tables.beside(group)[0], folder / f"{name}.csv"))
        written.append(_text(score_tables.beside_markdown(group, over_games[mine]), folder / f"{name}.md"))
    return written


def write(
    folders: Iterable[Path],
    out: Path,
    window: int = scores.WINDOW,
    normalization: str = score_aggregates.NORMALIZATION,
    resamples: int = statistics.RESAMPLES,
) -> tuple[list[Path], list[str]]:
    """All tables into ``out``/tables; returns the files, and what was left out.  Removes other scores_* files there."""
    published.check_means(normalization)
    expect(window >= 1, "at least 1 iteration", "window", window)
    expect(resamples >= 1, "at least 1 resample", "resamples", resamples)
    found = collecting.collect(folders, window)
    folder = out / "tables"
    written = published_tables(folder) + score_files(found, folder, normalization, resamples)
    for stale in set(folder.glob("scores_*")) - set(written):
        stale.unlink()
    return written, found.problems


def _csv(table: pd.DataFrame, path: Path) -> Path:
    formatting.write_csv(table, path)
    return path


def _text(text: str, path: Path) -> Path:
    formatting.write_text(text, path)
    return path


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="dqn-tf results tables", description=__doc__.split("\n")[0])
    parser.add_argument("--runs", nargs="+", type=Path, metavar="DIR", help="run directories, or folders with some; "
                        "default: runs/ in --out")  # fmt: skip
    parser.add_argument("--out", type=Path, default=places.RESULTS, help="default: results/ of this checkout")
    parser.add_argument("--window", type=int, default=scores.WINDOW, help="iterations that final_window and "
                        "training_return are of; default: %(default)s")  # fmt: skip
    parser.add_argument("--normalization", default=score_aggregates.NORMALIZATION, help="random and human scores: "
                        f"{', '.join(published.NORMALIZATIONS)}; default: %(default)s")  # fmt: skip
    parser.add_argument("--resamples", type=int, default=statistics.RESAMPLES, help="default: %(default)s")
    arguments = parser.parse_args(argv)
    folders = arguments.runs or [arguments.out / "runs"]
    try:
        if missing := [str(f) for f in arguments.runs or [] if not f.is_dir()]:
            raise ConfigError(f"Expected folders with runs for --runs, got {', '.join(missing)}.")
        written, problems = write(
            folders, arguments.out, arguments.window, arguments.normalization, arguments.resamples
        )
    except (ConfigError, RunError) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    print("\n".join(map(str, written)))
    if not any(path.name.startswith("scores_") for path in written):
        print(f"No run that can be counted in {', '.join(map(str, folders))}: published numbers only.")
    if problems:
        print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0
