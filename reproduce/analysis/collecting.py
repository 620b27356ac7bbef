"""The runs below some folders as two tidy tables, and a list of what was left out of them.

Damaged runs, second copies of a run, and runs of different settings under one name are left out and listed; the tables
say over how many seeds each number is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from dqn_tf import fields
from dqn_tf.checks import ConfigError, RunError
from reproduce.analysis.run_scores import (
    CURVE_COLUMNS,
    SCORE_COLUMNS,
    WINDOW,
    curve_rows,
    score_rows,
    settings_hash,
    shared_settings,
)
from reproduce.formatting import records
from reproduce.records import runs
from reproduce.records.runs import Run


class Collected(NamedTuple):
    """Scores and curves of runs.

    Attributes:
        scores: rows of ``run_scores.SCORE_COLUMNS``.
        curves: rows of ``run_scores.CURVE_COLUMNS``.
        problems: a sentence for each run that was left out: which, and why.
    """

    scores: pd.DataFrame
    curves: pd.DataFrame
    problems: list[str]


def collect(
    folders: Iterable[Path], window: int = WINDOW, watch: Callable[[Path, Run | str], None] | None = None
) -> Collected:
    """Scores and curves of all runs in ``folders``, read one run at a time; a damaged run does not stop the rest.

    Of two copies of a run one counts; of two different runs under one name neither.

    Args:
        folders: run directories, or folders that contain some at any depth.
        window: iterations that the scores final_window and training_return are means over.
        watch: called once for each run directory with its path and its run, or with the reason why it cannot be read.
            It spares the caller a second reading.

    Returns:
        The two tables, and a sentence for each run that was left out.
    """
    kept: dict[tuple[Any, ...], _Counted] = {}
    problems: list[str] = []
    disputed = set()
    for path in runs.find(*folders):
        run = runs.load_or_reason(path)
        if watch is not None:
            watch(path, run)
        found = _counted(path, run, window)
        if isinstance(found, str):
            problems.append(f"Left out: {found}")
        elif found.key in kept:
            if found.identity != kept[found.key].identity:
                disputed.add(found.key)
            problems.append(_twice(found, kept[found.key]))
        else:
            kept[found.key] = found
    shared: dict[str, dict[str, Any]] = {}
    for one in kept.values():
        shared.setdefault(one.settings_hash, one.settings)
    return _without_mixtures(_tables([kept[key] for key in kept if key not in disputed], problems), shared)


class _Counted(NamedTuple):
    """What one run adds to the tables.

    key: collection, agent, environment and seed.  identity: digest of its settings and its summary.
    settings: those that all runs of a table share, with the fields that came after the run.
    """

    path: Path
    key: tuple[Any, ...]
    identity: str
    settings_hash: str
    settings: dict[str, Any]
    rows: list[dict[str, Any]]
    curve: pd.DataFrame


def _counted(path: Path, run: Run | str, window: int) -> _Counted | str:
    """What the run adds to the tables, or why it is left out."""
    if isinstance(run, str):
        return run
    try:
        rows = score_rows(run, window)
    except (RunError, ConfigError) as error:
        return str(error)
    except (KeyError, TypeError) as error:
        return f"{path}: expected files as training writes them, got {error!r}."
    return _Counted(
        path=path,
        key=(run.collection, run.name, run.environment, run.seed),
        identity=fields.digest([run.settings, run.summary]),
        settings_hash=settings_hash(run),
        settings=shared_settings(run, whole=True),
        rows=rows,
        curve=curve_rows(run),
    )


def _twice(found: _Counted, other: _Counted) -> str:
    """Of two runs under one name: which are left out, in words."""
    same = found.identity == other.identity
    both = f"{found.path} and {other.path} are {'the same run' if same else 'different runs'}"
    return f"Left out: {'one of two: ' if same else ''}{both} of {'/'.join(map(str, found.key))}."


def _tables(counted: Sequence[_Counted], problems: list[str]) -> Collected:
    scores = pd.DataFrame([row for one in counted for row in one.rows], columns=list(SCORE_COLUMNS))
    curves = [one.curve for one in counted if len(one.curve)]
    curve = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=list(CURVE_COLUMNS))
    return Collected(scores, curve, problems)


def _without_mixtures(found: Collected, shared: dict[str, dict[str, Any]]) -> Collected:
    """Without groups of different settings: a group is all Atari games of an agent, or one other environment."""
    scores, curves, problems = found
    groups = scores.groupby([scores["collection"], scores["agent"], _scope(scores)], sort=True)
    for (collection, agent, where), group in groups:
        hashes = sorted(group["settings_hash"].unique())
        if len(hashes) > 1:
            label = f"{collection}/{agent}, {where}"
            problems = [*problems, _mixture(label, group, {h: shared[h] for h in hashes})]
            scores, curves = (
                table[(table["collection"] != collection) | (table["agent"] != agent) | (_scope(table) != where)]
                for table in (scores, curves)
            )
    return Collected(scores.reset_index(drop=True), curves.reset_index(drop=True), problems)


def _scope(table: pd.DataFrame) -> pd.Series:
    """The group of each row within an agent: "Atari" for any game, otherwise the environment."""
    return table["environment"].where(table["game"] == "", "Atari")


def _mixture(label: str, group: pd.DataFrame, settings: dict[str, dict[str, Any]]) -> str:
    """Which runs differ in which settings, in words."""
    lines = [f"Left out: {label}: {len(settings)} different configurations would be in one table."]
    for identity in settings:
        some = group[group["settings_hash"] == identity][["environment", "seed"]].drop_duplicates()
        names = [f"{r['environment']} seed {r['seed']}" for r in records(some)]
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        lines.append(f"  {identity[:12]}: {', '.join(names[:4])}{more}")
    first, *others = settings.values()
    differing = [entry for other in others for entry in fields.differences(first, other)]
    lines += dict.fromkeys(f"  {path.removeprefix('agent.')}: {a!r} or {b!r}" for path, a, b in differing)
    return "\n".join([*lines, "  Put them into different collections (folders), or remove one."])
