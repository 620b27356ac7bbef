"""The protocol behind a folder of runs: the runs that it asks for, its claims judged, its deviations."""

from __future__ import annotations

from pathlib import Path

from dqn_tf import fields
from dqn_tf.checks import ConfigError, RunError
from reproduce.analysis import claims
from reproduce.analysis.collecting import Collected
from reproduce.executing import sweep
from reproduce.planning import reading
from reproduce.presenting.report.entries import Requested


def of_folder(home: Path, found: Collected) -> Requested | None:
    """The protocol whose runs a folder holds.

    Args:
        home: a folder <protocol>/, which may be a sweep's.
        found: scores and curves of all runs; the claims are judged by them.

    Returns:
        What the protocol requests; None if it is not a sweep's folder. A protocol that cannot be read has the reason as
            its title.
    """
    if not (home / "plan.csv").exists():
        return None
    try:
        planned = [(agent, environment, seed) for agent, environment, seed, _ in sweep.planned_runs(home)]
        protocol = reading.load(str(home / "protocol.toml"))
    except (ConfigError, RunError) as error:
        return Requested(title=f"not readable: {error}")
    judged = [] if home.name != protocol.id else [claims.row(protocol, claim, found) for claim in protocol.claims]
    return Requested(
        title=protocol.title + ("" if home.name == protocol.id else " (smoke: tiny budgets, nothing is judged)"),
        paper=f"{protocol.paper.title}, {protocol.paper.reference}",
        planned=planned,
        claims=judged,
        deviations=[fields.to_json(d) for d in protocol.deviations],
    )
