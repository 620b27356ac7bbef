"""What a report says of a collection that is a protocol's: the runs it asks for, its claims judged, its deviations."""

from __future__ import annotations

from pathlib import Path

from dqn_tf import fields
from dqn_tf.checks import ConfigError, RunError
from reproduce.analysis import claims
from reproduce.analysis.collecting import Collected
from reproduce.executing import sweep
from reproduce.planning import protocol_files
from reproduce.presenting.run_report import Protocol


def known(home: Path, found: Collected) -> Protocol | None:
    """The protocol whose runs ``home`` holds, if it is a sweep's folder; ``found``: what the runs say.

    What cannot be read is said where the claims would stand.
    """
    if not (home / "plan.csv").exists():
        return None
    try:
        planned = [(agent, environment, seed) for agent, environment, seed, _ in sweep.planned_runs(home)]
        asked = protocol_files.load(str(home / "protocol.toml"))
    except (ConfigError, RunError) as error:
        return Protocol(title=f"not readable: {error}")
    judged = [] if home.name != asked.id else [claims.row(asked, claim, found) for claim in asked.claims]
    return Protocol(
        title=asked.title + ("" if home.name == asked.id else " (smoke twin: tiny budgets, nothing is judged)"),
        paper=f"{asked.paper.title}, {asked.paper.reference}",
        planned=planned,
        claims=judged,
        deviations=[fields.to_json(d) for d in asked.deviations],
    )
