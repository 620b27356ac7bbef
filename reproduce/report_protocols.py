"""What a report says of a collection that is a protocol's: the runs it asks for, its claims judged, its deviations."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from dqn_tf import fields
from dqn_tf.checks import ConfigError, RunError
from reproduce import claims, protocol, published, sweep, tables
from reproduce.report import Protocol


def known(home: Path, table: pd.DataFrame) -> Protocol | None:
    """The protocol whose runs ``home`` holds, if it is a sweep's folder.  table: rows of ``scores.SCORE_COLUMNS``.

    What cannot be read is said where the claims would stand.
    """
    if not (home / "plan.csv").exists():
        return None
    try:
        planned = [(agent, environment, seed) for agent, environment, seed, _ in sweep.planned_runs(home)]
        asked = protocol.load(str(home / "protocol.toml"))
    except (ConfigError, RunError) as error:
        return Protocol(title=f"not readable: {error}")
    judged = [] if home.name != asked.id else [_judged(asked, claim, table) for claim in asked.claims]
    return Protocol(
        title=asked.title + ("" if home.name == asked.id else " (smoke twin: tiny budgets, nothing is judged)"),
        paper=f"{asked.paper.title}, {asked.paper.reference}",
        planned=planned,
        claims=judged,
        deviations=[fields.to_json(d) for d in asked.deviations],
    )


def _judged(asked: protocol.Protocol, said: protocol.Claim, table: pd.DataFrame) -> dict[str, Any]:
    """A claim with its status, and what it is judged by."""
    row: dict[str, Any] = {"name": said.id, "metric": said.metric, "place": said.place, "agent": said.agent,
                           "published": said.published * (100.0 if said.unit == "fraction" else 1.0)}  # fmt: skip
    try:
        claim = judgeable(asked, said)
    except ConfigError as error:
        return {**row, "status": claims.NOT_RUN, "ours": None, "explanation": f"Not judged: {error}"}
    found = claims.judge(claim, table, asked.id)
    return {**row, "status": found.status, "ours": None if math.isnan(found.ours) else found.ours,
            "explanation": found.explanation + (f" {said.note}" if said.note else "")}  # fmt: skip


def judgeable(asked: protocol.Protocol, said: protocol.Claim) -> claims.Claim:
    """A protocol file's claim in the form that ``claims.judge`` takes: percent, named normalization, absolute bounds.

    It needs every environment and seed of the grids in which its agent stands.
    Raises ConfigError: a claim about the middle of training, or by columns that have no name.
    """
    grids = [g for g in asked.grid if said.agent in g.agents]
    if said.frames is not None and said.frames not in {g.budget_frames for g in grids}:
        raise ConfigError(f"It is about {tables.number(said.frames)} frames, where no run ends.")
    names = (said.environment,) if said.environment else tuple(e for g in grids for e in protocol.environments(g))
    if said.environment:
        grids = [g for g in grids if said.environment in protocol.environments(g)]
    normalization = ""
    if said.normalization:
        by_columns = {",".join(columns): name for name, columns in published.NORMALIZATIONS.items()}  # vp0: the last
        if said.normalization not in by_columns:
            raise ConfigError(f"No normalization has the columns {said.normalization}.")
        normalization = by_columns[said.normalization]
        names = tuple(name for name in names if name in published.references(normalization))
    value = said.published * (100.0 if said.unit == "fraction" else 1.0)
    rule = said.rule if said.rule == "at_least" else "within_relative" if value else "within_absolute"
    return claims.Claim(
        name=said.id,
        agent=said.agent,
        metric=said.metric.removesuffix("_normalized"),
        convention=asked.score.convention,
        environments=names,
        published=value,
        place=said.place,
        rule=rule,
        tolerance=said.tolerance if rule == "within_relative" else said.tolerance * abs(value),
        seeds=min(len(g.seeds) for g in grids),
        frames=max(g.budget_frames for g in grids),
        normalization=normalization,
    )
