"""Every figure of results/plots/ as files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dqn_tf.checks import unknown
from reproduce.analysis import curve_comparison
from reproduce.analysis.collecting import Collected
from reproduce.presenting import plots, published_figures, run_figures
from reproduce.records.runs import Run


def published(folder: Path, names: Sequence[str] = ()) -> Iterator[Path]:
    """Draw the figures of the published numbers.

    Args:
        folder: where to write <name>.svg, or .png where that is smaller.
        names: which figures; by default all.

    Yields:
        Each file once it is written.

    Raises:
        ConfigError: an unknown name, before anything is drawn.
    """
    known = published_figures.published_figures()
    for name in names:
        if name not in known:
            raise unknown("figure", name, known)
    for name in names or known:
        yield plots.save_one(known[name](), folder / name)


def of_runs(found: Collected, folder: Path) -> Iterator[Path]:
    """Draw the figures of our runs.

    Args:
        found: scores and curves of the runs.
        folder: where to write <collection>/<name>.svg, or .png where that is smaller.

    Yields:
        Each file once it is written.
    """
    for drawn in run_figures.drawn(found):
        yield plots.save_one(drawn.figure, folder / drawn.collection / drawn.name)


def comparison(comparable: Sequence[Run], folder: Path) -> Iterator[Path]:
    """Draw our training returns beside the published curves, one figure per preset and game.

    Args:
        comparable: runs that have a published counterpart.
        folder: where to write <preset>_<game>.svg and .png.

    Yields:
        Each file once it is written.
    """
    for preset, group in curve_comparison.by_preset(comparable).items():
        table = curve_comparison.table_of(group)
        for game in sorted({run.environment for run in group}):
            same = [run for run in group if run.environment == game]
            rows = table[table["environment"] == game]
            figure = plots.training_beside_published(same, rows, curve_comparison.COUNTERPARTS[preset])
            yield from plots.save(figure, folder / f"{preset}_{game}")
