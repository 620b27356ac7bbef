"""results/tables/evidence_<protocol>: a protocol's whole table, ours beside what was published, missing cells named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from reproduce import formatting
from reproduce.analysis import protocol_cells, verdicts
from reproduce.analysis.collecting import Collected
from reproduce.formatting import number
from reproduce.planning import reading
from reproduce.planning.protocol import Order, Protocol

SUITE = "atari100k"  # whose table is of games
COLUMNS = {
    "agent": "agent",
    "environment": "environment",
    "theirs": "published",
    "ours": "ours",
    "std": "std",
    "interval": "95 % interval",
    "seeds": "runs",
    "verdict": "verdict",
}


def files(board: pd.DataFrame, found: Collected, folder: Path) -> Iterator[Path]:
    """Write the table of every protocol on the scoreboard, .csv and .md.

    Args:
        board: rows of ``scoreboard.COLUMNS``.
        found: scores and curves of all runs.
        folder: where to write.

    Yields:
        Each file once it is written.
    """
    for name in board["set"].unique():
        if name not in reading.names():
            continue
        protocol = reading.load(str(name))
        mine = board[board["set"] == name]
        table = protocol_cells.cells(protocol, found, dict(zip(mine["id"], mine["verdict"], strict=True)))
        formatting.write_csv(table, folder / f"evidence_{name}.csv")
        formatting.write_text(page(protocol, table, mine, found), folder / f"evidence_{name}.md")
        yield from (folder / f"evidence_{name}.csv", folder / f"evidence_{name}.md")


def page(protocol: Protocol, table: pd.DataFrame, board: pd.DataFrame, found: Collected) -> str:
    """The page of one protocol.

    Args:
        protocol: what was published, and which runs are asked for.
        table: its rows of ``protocol_cells.CELL_COLUMNS``.
        board: its rows of the scoreboard.
        found: scores and curves of all runs.

    Returns:
        Markdown.
    """
    whole = ~(table["runs"] < table["asked"])
    parts = [
        f"# {protocol.title}",
        f"Written by `dqn-tf results tables`; do not edit. {_paper(protocol)}",
        f"{_spelled(protocol.score.note)} {whole.sum()} of {len(table)} cells have all their runs."
        f"{_gaps(table[~whole])}",
    ]
    if protocol.id == SUITE:
        parts += list(_suite(protocol, found))
    else:
        parts.append(formatting.markdown([_cell(row) for row in formatting.records(table)], COLUMNS))
    if protocol.orders:
        parts += ["## Statements of order", _orders(protocol, board)]
    if protocol.ranks:
        parts += ["## Among the published runs", *_ranks(protocol, found)]
    parts += ["## Figures", _pictures(protocol, found), "## Known differences", _differences(protocol)]
    return "\n\n".join(parts)


def figures(protocol: Protocol, found: Collected) -> list[str]:
    """The figures of those parts of a protocol that have runs.

    Args:
        protocol: what was published, and which runs are asked for.
        found: scores and curves of all runs.

    Returns:
        Names of files in results/plots/<protocol>/, without their ending.
    """
    if protocol.id != SUITE:
        played = list(dict.fromkeys(protocol_cells.scores(protocol, found)["environment"]))
        return ["evidence_heights", *(f"evidence_{name}" for name in played)] if played else []
    ranked = [r for r in protocol.ranks if len(verdicts.checkpoints(protocol, r, found))]
    whole = ["evidence_summaries"] if _whole_agents(protocol, found) else []
    return [*whole, *(f"evidence_rank_{r.environment}" for r in ranked)]


def _whole_agents(protocol: Protocol, found: Collected) -> list[str]:
    """The agents that have a run on every game of the suite."""
    normalization = protocol_cells.normalization(protocol)
    agents = protocol_cells.on_a_suite(protocol, found)
    return [a for a in agents if (protocol_cells.games(protocol, a, found, normalization)["runs"] > 0).all()]


def _pictures(protocol: Protocol, found: Collected) -> str:
    names = figures(protocol, found)
    return "\n".join(f"![{name}](../plots/{protocol.id}/{name}.svg)" for name in names) or "None yet."


def _differences(protocol: Protocol) -> str:
    """How ours differs from what was published, as the protocol declares it."""
    return (
        "\n".join(f"- {d.what} Why: {d.why} Expected effect: {d.expected_effect}" for d in protocol.deviations)
        or "None."
    )


def _paper(protocol: Protocol) -> str:
    return f"{protocol.paper.title}, {protocol.paper.reference}; {protocol.paper.place}."


def _spelled(note: str) -> str:
    return note if note.endswith(".") else f"{note}."


def _gaps(missing: pd.DataFrame) -> str:
    """Which cells are not whole, by name."""
    if missing.empty:
        return ""
    names = [f"{r['agent']} on {r['environment']} ({r['runs']} of {r['asked']})" for r in formatting.records(missing)]
    return f" **Not whole**: {', '.join(names)}."


def _cell(row: dict[str, Any]) -> dict[str, Any]:
    spread = f" ± {number(row['spread'])}" if row["spread"] == row["spread"] else ""
    doubtful = " (low confidence)" if row["low_confidence"] else ""
    return {
        **row,
        "agent": f"`{row['agent']}`",
        "theirs": f"{number(row['published'])}{spread}{doubtful}",
        "interval": formatting.interval(row["low"], row["high"]),
        "seeds": f"{row['runs']} of {row['asked']}" if row["runs"] < row["asked"] else str(row["runs"]),
    }


def _orders(protocol: Protocol, board: pd.DataFrame) -> str:
    """The statements, family by family."""
    known = {row["id"]: row for row in formatting.records(board)}
    rows = [_order(order, known[order.id]) for order in protocol.orders if order.id in known]
    return formatting.markdown(rows)


def _order(order: Order, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "statement": order.statement,
        "environment": order.environment,
        "published difference": order.published,
        "probability of improvement": row["ours"],
        "95 % interval": formatting.interval(row["low"], row["high"]),
        "p (Holm)": number(row["p"], 2),
        "family": order.family,
        "verdict": row["verdict"],
    }


def _suite(protocol: Protocol, found: Collected) -> Iterator[str]:
    """The games of every agent that was attempted on a whole suite, and the summaries over them."""
    normalization = protocol_cells.normalization(protocol)
    agents = protocol_cells.on_a_suite(protocol, found)
    for agent in agents:
        table = protocol_cells.games(protocol, agent, found, normalization)
        missing = table.loc[table["runs"] == 0, "game"]
        gaps = f" Missing: {', '.join(missing)}." if len(missing) else ""
        yield f"## {agent}"
        yield f"{len(table) - len(missing)} of {len(table)} games.{gaps}"
        yield formatting.markdown(formatting.records(table), _GAMES)
    if agents:
        rows = protocol_cells.summaries(protocol, agents, found, normalization)
        yield "## Over the games"
        yield (
            f'Human-normalized scores ("{normalization}"), percent, 26 games; intervals: stratified bootstrap over '
            "runs, none where a game has one run. An agent of ours is here once it has a run on every game."
        )
        yield formatting.markdown(_wide(rows))


_GAMES = {
    "game": "game",
    "random": "random",
    "human": "human",
    "ours": "ours",
    "runs": "runs",
    "hns_percent": "ours, HNS (%)",
    "DER": "DER, its paper",
    "rliable_DER": "DER, mean of rliable's 100 runs",
}


def _wide(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """A row per agent, a column per measure: value and interval."""
    groups = rows.groupby("label", sort=False)
    return [{"agent": str(label), **_measures(same)} for label, same in groups]


def _measures(rows: pd.DataFrame) -> dict[str, str]:
    return {row["measure"].replace("_", " "): _with_interval(row) for row in formatting.records(rows)}


def _with_interval(row: dict[str, Any]) -> str:
    known = row["low"] == row["low"]
    return number(row["value"]) + (f" ({formatting.interval(row['low'], row['high'])})" if known else "")


def _ranks(protocol: Protocol, found: Collected) -> Iterator[str]:
    """Our evaluations among the published ones, a row per run, a column per checkpoint."""
    yield (
        "Rank of each run among the published ones and itself (1 is the lowest) after so many agent steps. That those "
        "are runs of this code is likely, not stated (results/published/PROVENANCE.md, section 8)."
    )
    rows = []
    for rank in protocol.ranks:
        table = verdicts.checkpoints(protocol, rank, found)
        for seed, same in table.groupby("seed", sort=True):
            places = {f"{steps // 1000}k": int(r) for steps, r in zip(same["steps"], same["rank"], strict=True)}
            rows.append({"agent": rank.agent, "game": rank.environment, "seed": int(str(seed)), **places})
    yield formatting.markdown(rows) if rows else "No complete run."
