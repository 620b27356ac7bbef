"""The figures of the protocols on the scoreboard: results/plots/<protocol>/."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from reproduce.analysis import learning_curves, protocol_cells, verdicts
from reproduce.analysis.collecting import Collected
from reproduce.planning import reading
from reproduce.planning.protocol import Protocol
from reproduce.presenting import plots
from reproduce.presenting.evidence_tables import SUITE
from reproduce.presenting.plots import aggregates
from reproduce.presenting.plots import evidence as drawing
from reproduce.records import published

# Panels of a figure: heading -> (what its agents begin with, another one beside them).  Others have one panel.
PANELS = {
    "revisiting_rainbow": {
        "DQN, with one idea each": ("rr_dqn", "rr_rainbow"),
        "Rainbow, without one idea each": ("rr_rainbow", "rr_dqn"),
    }
}


def files(found: Collected, folder: Path) -> Iterator[Path]:
    """Draw the figures of every protocol that has runs.

    Args:
        found: scores and curves of all runs.
        folder: where to write.

    Yields:
        Each file once it is written.
    """
    for name in sorted(set(found.scores["collection"]) & set(reading.names())):
        protocol = reading.load(name)
        if not (protocol.claims or protocol.orders or protocol.ranks):
            continue
        draw = _suite if protocol.id == SUITE else _environments
        yield from draw(protocol, found, folder / name)


def _environments(protocol: Protocol, found: Collected, folder: Path) -> Iterator[Path]:
    """All heights in one figure, and the curves of each environment with the published ends."""
    cells, scores = protocol_cells.cells(protocol, found, {}), protocol_cells.scores(protocol, found)
    if scores.empty:
        return
    title = f"{protocol.title}\n{protocol.paper.reference}; ours beside the published numbers"
    yield plots.save_one(drawing.heights(cells, scores, title), folder / "evidence_heights")
    curves = found.curves[(found.curves["collection"] == protocol.id) & found.curves["complete"].astype(bool)]
    for environment in dict.fromkeys(cells["environment"].astype(str)):
        ends = cells[(cells["environment"] == environment) & cells["agent"].isin(set(scores["agent"]))]
        ours = learning_curves.of_runs(curves[curves["environment"] == environment])
        if len(ours):
            frames = verdicts.need_of(protocol, ends["agent"].iloc[0], environment).budget_frames
            drawn = drawing.curves_to_ends(ours, ends, _panels(protocol, list(ends["agent"])), environment, frames)
            yield plots.save_one(drawn, folder / f"evidence_{environment}")


def _panels(protocol: Protocol, agents: Sequence[str]) -> dict[str, list[str]]:
    """Heading -> agents; a panel without agents is left out."""
    if protocol.id not in PANELS:
        return {"": list(agents)}
    panels = {
        heading: [a for a in agents if a.startswith(begin)] + [a for a in agents if a == other]
        for heading, (begin, other) in PANELS[protocol.id].items()
    }
    return {heading: some for heading, some in panels.items() if some}


def _suite(protocol: Protocol, found: Collected, folder: Path) -> Iterator[Path]:
    """Summaries over all games beside the published ones, and ours among the single published runs."""
    agents = protocol_cells.on_a_suite(protocol, found)
    table = (
        protocol_cells.summaries(protocol, agents, found, protocol_cells.normalization(protocol))
        if agents
        else pd.DataFrame()
    )
    if len(table) and not table["published"].all():
        yield plots.save_one(
            aggregates.intervals(table, f"{protocol.title}; ours and published"), folder / "evidence_summaries"
        )
    for rank in protocol.ranks:
        ours = verdicts.checkpoints(protocol, rank, found)
        if len(ours):
            theirs = pd.concat([published.runs_100k(rank.published, s).assign(steps=s) for s in rank.steps])
            theirs = theirs[theirs["game"] == rank.environment]
            whose = f"{theirs['run'].nunique()} runs of {rank.published}"
            drawn = drawing.ranks(ours, theirs, rank.environment, whose)
            yield plots.save_one(drawn, folder / f"evidence_rank_{rank.environment}")
