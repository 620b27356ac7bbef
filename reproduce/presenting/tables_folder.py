"""Every table of results/tables/ as files: the same bytes each time they are written from the same records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dqn_tf.checks import RunError
from reproduce import formatting
from reproduce.analysis import curve_comparison, published_summaries, score_aggregates, statistics
from reproduce.analysis.collecting import Collected
from reproduce.presenting import curve_tables, score_tables
from reproduce.records import peer_reruns, published
from reproduce.records.runs import Run

SCOREBOARD = "scoreboard.csv"


def published_tables(folder: Path) -> list[Path]:
    """Write the tables of the published numbers alone.

    Args:
        folder: where to write.

    Returns:
        The files.

    Raises:
        RunError: the published files differ from SHA256SUMS, or a published summary differs from the recomputed one for
            no known reason; then this code or those files are wrong.
    """
    if changed := published.verify():
        raise RunError(f"Expected the published files as SHA256SUMS has them: {', '.join(changed)}. Restore them.")
    found = published_summaries.table()
    wrong = found[found["status"] == published_summaries.UNKNOWN]
    if len(wrong):
        names = [f"{r['paper']}, {r['agent']}: {r['metric']}" for r in formatting.records(wrong)]
        raise RunError(f"Published summaries differ from those of the published scores: {'; '.join(names)}.")
    written = [
        _csv(found, folder / "published_medians.csv"),
        _text(published_summaries.markdown(found), folder / "published_medians.md"),
    ]
    for kind in score_tables.PUBLISHED:
        written.append(_csv(score_tables.published_scores(kind), folder / f"published_scores_{kind}.csv"))
        written.append(_text(score_tables.published_page(kind), folder / f"published_scores_{kind}.md"))
    return written


def score_files(
    found: Collected,
    folder: Path,
    normalization: str = score_aggregates.NORMALIZATION,
    resamples: int = statistics.RESAMPLES,
) -> list[Path]:
    """Write the tables of our runs.

    scores_runs.csv, scores_per_game.csv, scores_over_games.csv, scores_over_frames.csv, and for each collection, agent
    and convention of Atari games scores_<collection>_<agent>_<convention>.csv and .md with the published columns.

    Args:
        found: scores and curves of the runs.
        folder: where to write.
        normalization: a key of ``published.NORMALIZATIONS``.
        resamples: of the bootstrap.

    Returns:
        The files; none without runs.

    Raises:
        ConfigError: as ``score_aggregates.over_games``.
    """
    if found.scores.empty:
        return []
    per_game = score_aggregates.per_game(found.scores, normalization)
    over_games = score_aggregates.over_games(found.scores, normalization, resamples)
    over_frames = score_aggregates.over_frames(found.curves, normalization, resamples)
    written = [
        _csv(table, folder / f"scores_{name}.csv")
        for name, table in (
            ("runs", found.scores),
            ("per_game", per_game),
            ("over_games", over_games),
            ("over_frames", over_frames),
        )
    ]
    keys = ["collection", "agent", "convention"]
    for key, group in per_game.groupby(keys, sort=True):
        if not group["game"].any():
            continue  # no column of Atari scores can stand beside it
        mine = (over_games[keys] == list(key)).all(axis="columns")
        name = "_".join(["scores", *filter(None, map(str, key))])
        written.append(_csv(score_tables.with_published(group)[0], folder / f"{name}.csv"))
        written.append(_text(score_tables.page(group, over_games[mine]), folder / f"{name}.md"))
    return written


def comparison_files(comparable: Sequence[Run], results: Path, folder: Path) -> list[Path]:
    """Write <preset>.csv and .md: our training returns beside the published curves.

    Args:
        comparable: runs that have a published counterpart.
        results: the results folder, whose reruns/ has runs of the published project's own code.
        folder: where to write.

    Returns:
        The files.

    Raises:
        RunError: a damaged rerun, or two results of one seed with the same settings.
    """
    written = []
    for preset, group in curve_comparison.by_preset(comparable).items():
        table = curve_comparison.table_of(group)
        page = curve_tables.page(group, table, peer_reruns.find(results, preset))
        written += [_csv(table, folder / f"{preset}.csv"), _text(page, folder / f"{preset}.md")]
    return written


def scoreboard_file(board: pd.DataFrame, folder: Path) -> Path:
    """Write scoreboard.csv.

    Args:
        board: rows of ``scoreboard.COLUMNS``.
        folder: where to write.

    Returns:
        The file.
    """
    return _csv(board, folder / SCOREBOARD)


def _csv(table: pd.DataFrame, path: Path) -> Path:
    formatting.write_csv(table, path)
    return path


def _text(text: str, path: Path) -> Path:
    formatting.write_text(text, path)
    return path
