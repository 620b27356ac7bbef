"""The protocol behind a folder of runs: the runs that it asks for, its claims judged, its deviations."""

from __future__ import annotations

from pathlib import Path

from dqn_tf import fields
from dqn_tf.checks import ConfigError, RunError
from reproduce.analysis import claims
from reproduce.analysis.collecting import Collected
from reproduce.executing import sweep
from reproduce.planning import protocol_files
from reproduce.presenting.report.entries import Asked


def known(home: Path, found: Collected) -> Asked | None:
    """The protocol whose runs ``home`` holds, if it is a sweep's folder; ``found``: what the runs say.

    A protocol that cannot be read has the reason as its title.
    """
    if not (home / "plan.csv").exists():
        return None
    try:
        planned = [(agent, environment, seed) for agent, environment, seed, _ in sweep.planned_runs(home)]
        asked = protocol_files.load(str(home / "protocol.toml"))
    except (ConfigError, RunError) as error:
        return Asked(title=f"not readable: {error}")
    judged = [] if home.name != asked.id else [claims.row(asked, claim, found) for claim in asked.claims]
    return Asked(
        title=asked.title + ("" if home.name == asked.id else " (smoke: tiny budgets, nothing is judged)"),
        paper=f"{asked.paper.title}, {asked.paper.reference}",
        planned=planned,
        claims=judged,
        deviations=[fields.to_json(d) for d in asked.deviations],
    )
