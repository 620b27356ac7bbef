"""All runs below some folders as two tidy tables, read one run at a time, and what was left out of them.

Damaged runs, second copies of a run, and runs of different settings under one name are left out and listed; the tables
say over how many seeds each number is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from dqn_tf import fields
from dqn_tf.checks import ConfigError, RunError
from reproduce.analysis.scores import (
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
    """Scores and curves of runs.  scores: SCORE_COLUMNS.  curves: CURVE_COLUMNS.  problems: what was left out, why."""

    scores: pd.DataFrame
    curves: pd.DataFrame
    problems: list[str]


def collect(
    folders: Iterable[Path], window: int = WINDOW, watch: Callable[[Path, Run | str], None] | None = None
) -> Collected:
    """All scores and curves of the runs in ``folders``, read one run at a time; a damaged run does not stop the rest.

    Of two copies of a run one counts; of two different runs under one name neither.  watch: called with each path and
    its run, or the reason why it cannot be read, so that each run is read once.
    """
    kept: dict[tuple[Any, ...], tuple[Path, str, list[dict[str, Any]], pd.DataFrame]] = {}
    problems: list[str] = []
    shared: dict[str, dict[str, Any]] = {}
    disputed = set()
    for path in runs.find(*folders):
        run = runs.attempt(path)
        if watch is not None:
            watch(path, run)
        if isinstance(run, str):
            problems.append(f"Left out: {run}")
            continue
        try:
            found = score_rows(run, window)
        except (RunError, ConfigError) as error:
            problems.append(f"Left out: {error}")
            continue
        except (KeyError, TypeError) as error:
            problems.append(f"Left out: {path}: expected files as training writes them, got {error!r}.")
            continue
        key, identity = (
            (run.collection, run.name, run.environment, run.seed),
            fields.digest([run.settings, run.summary]),
        )
        if key in kept:
            other, same = kept[key][:2]
            if same != identity:
                disputed.add(key)
            both = f"{path} and {other} are {'the same run' if same == identity else 'different runs'}"
            problems.append(
                f"Left out: {'one of two: ' if same == identity else ''}{both} of {'/'.join(map(str, key))}."
            )
            continue
        kept[key] = (path, identity, found, curve_rows(run))
        shared.setdefault(settings_hash(run), shared_settings(run, whole=True))
    good = [parts for key, parts in kept.items() if key not in disputed]
    scores = pd.DataFrame([row for _, _, rows, _ in good for row in rows], columns=list(SCORE_COLUMNS))
    curves = [curve for _, _, _, curve in good if len(curve)]
    curve = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=list(CURVE_COLUMNS))
    return _without_mixtures(Collected(scores, curve, problems), shared)


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
