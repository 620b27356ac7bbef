"""The sections of the page: each turns entries, scores or claims into blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from reproduce import formatting
from reproduce.analysis import run_scores, score_aggregates
from reproduce.analysis.collecting import Collected
from reproduce.presenting import interactive_curves, plots, run_figures
from reproduce.presenting.report import blocks
from reproduce.presenting.report.blocks import (
    Block,
    Chart,
    Hash,
    Heading,
    Items,
    Paragraph,
    Pictures,
    Preformatted,
    Status,
    Words,
)
from reproduce.presenting.report.entries import STATES, Entry, Requested

Protocols = Mapping[str, Requested]  # by the name of their folder
Key = TypeVar("Key", bound=Hashable)
NOTHING = "–"  # a run that lies in no collection


def sections(
    found: Sequence[Entry],
    entries: Sequence[Entry],
    protocols: Protocols,
    collected: Collected,
    folder: Path,
    curves: pd.DataFrame,
) -> list[blocks.Section]:
    """All sections of the page, in order.

    Args:
        found: entries of the runs that are there.
        entries: the same, and those of runs that are asked for.
        protocols: name of the folder -> its protocol.
        collected: scores and curves of the runs.
        folder: the folder that the report is about; its path on this machine is left out of texts.
        curves: of the runs, and of imported ones beside them.

    Returns:
        Eight sections, also where there is nothing to say.
    """
    return [
        blocks.Section("overview", "Overview", overview(entries, protocols)),
        blocks.Section("claims", "Claims", claims(protocols)),
        blocks.Section("scores", "Scores", score_tables(collected)),
        blocks.Section("curves", "Curves", chart(curves)),
        blocks.Section("plots", "Plots", figures(collected)),
        blocks.Section("deviations", "Deviations", deviations(entries, protocols)),
        blocks.Section("runs", "Runs and manifests", manifests(found)),
        blocks.Section("missing", "Not run, failed, left out", missing(entries, collected.problems, folder)),
    ]


def overview(entries: Sequence[Entry], protocols: Protocols) -> list[Block]:
    """The protocols, and how many runs of each agent are in each state.

    Args:
        entries: of all runs, also those that are only asked for.
        protocols: name of the folder -> its protocol.

    Returns:
        The blocks of the section.
    """
    titles = [
        (name, f"{p.title}.{f' Paper: {p.paper}.' if p.paper else ''}") for name, p in protocols.items() if p.title
    ]
    present = [state for state in STATES if any(e.state == state for e in entries)]
    groups = _grouped(entries, lambda e: (e.collection, e.agent))
    rows = [_counts(collection, agent, same, present) for (collection, agent), same in sorted(groups.items())]
    columns = {
        "collection": "protocol or folder",
        "agent": "agent",
        "environments": "environments",
        "seeds": "seeds",
        "runs": "runs",
        **{state: state for state in present},
        "frames": "frames trained",
        "hours": "hours",
    }
    table = blocks.table(rows, columns, only_if_several="collection")
    return [Items(titles), table] if titles else [table]


def _counts(collection: str, agent: str, same: Sequence[Entry], present: Sequence[str]) -> dict[str, Any]:
    return {
        "collection": collection or NOTHING,
        "agent": agent,
        "environments": len({e.environment for e in same}),
        "seeds": len({e.seed for e in same}),
        "runs": len(same),
        **dict.fromkeys(present, 0),
        **Counter(e.state for e in same),
        "frames": sum(e.frames or 0 for e in same),
        "hours": sum(e.hours or 0.0 for e in same),
    }


def _grouped(entries: Sequence[Entry], key: Callable[[Entry], Key]) -> dict[Key, list[Entry]]:
    groups: dict[Key, list[Entry]] = {}
    for e in entries:
        groups.setdefault(key(e), []).append(e)
    return groups


def claims(protocols: Protocols) -> list[Block]:
    """Published numbers, and whether they held."""
    rows = [
        {
            **claim,
            "collection": name,
            "status": Status(claim["status"]),
            "explanation": Words(claim.get("explanation", "")),
        }
        for name, p in protocols.items()
        for claim in p.claims
    ]
    if not rows:
        return [Paragraph("No protocol with claims belongs to these runs.", quiet=True)]
    names = "status metric published ours unit place".split()
    columns = {"collection": "protocol", "name": "claim", **{name: name for name in names}, "explanation": "why"}
    return [blocks.table(rows, columns)]


SCORE_COLUMNS = {
    "collection": "folder",
    "agent": "agent",
    "environment": "environment",
    "convention": "score is",
    "n_seeds": "n (seeds)",
    "mean": "mean",
    "std": "std",
    "low": "95 % from",
    "high": "to",
    "min": "lowest",
    "max": "highest",
    "hns_percent": "human-normalized, %",
    "frames": "frames",
    "sticky_actions": "sticky actions",
    "start": "start",
}
OVER_GAMES_COLUMNS = {
    "collection": "folder",
    "agent": "agent",
    "convention": "score is",
    "metric": "metric",
    "value_percent": "value, %",
    "low": "95 % from",
    "high": "to",
    "n_games": "games",
    "n_seeds_min": "fewest seeds",
    "n_seeds_max": "most seeds",
}


def score_tables(found: Collected) -> list[Block]:
    """Scores per environment, over games and of each run."""
    per_game = formatting.records(score_aggregates.per_game(found.scores))
    over = formatting.records(score_aggregates.over_games(found.scores))
    names = ("agent", "environment", "seed", *run_scores.CONVENTIONS, "frames", "complete")
    each = {"collection": "folder", **{name: name for name in names}}
    several = [blocks.table(over, OVER_GAMES_COLUMNS, "Human-normalized, over games", "collection")]
    return [
        Paragraph(
            "Raw, undiscounted returns of complete runs, each by its convention: conventions do not compare. "
            f"Human-normalized: by the columns {score_aggregates.NORMALIZATION} of results/published."
        ),
        blocks.table(per_game, SCORE_COLUMNS, "Per environment, over seeds", "collection", "agent"),
        *(several if any(row["n_games"] > 1 for row in over) else []),
        blocks.table(_each_run(found.scores), each, "Each run", "collection", "agent"),
    ]


def _each_run(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A row per run, with its score by each convention."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in formatting.records(table):
        key = tuple(row[name] for name in ("collection", "agent", "environment", "seed"))
        rows.setdefault(key, {**row, **dict.fromkeys(run_scores.CONVENTIONS)})[row["convention"]] = row["score"]
    return list(rows.values())


def chart(curves: pd.DataFrame) -> list[Block]:
    """Curves to choose from; without the extra, how to have them."""
    data = interactive_curves.rows(curves)
    if not data:
        return [Paragraph("No run has finished an iteration yet: there is nothing to draw.", quiet=True)]
    if not interactive_curves.available():
        return [Paragraph("Curves to choose from need the extra: pip install 'dqn_tf[charts]'", quiet=True)]
    place = "curves-chart"
    return [
        Chart(place, interactive_curves.json_of(data), interactive_curves.call(place)),
        Paragraph(interactive_curves.explanation(data), quiet=True),
    ]


def figures(found: Collected) -> list[Block]:
    """The figures of the runs, small ones first."""
    pictures: dict[bool, list[blocks.Picture]] = {True: [], False: []}
    for drawn in run_figures.drawn(found):
        image, kind = plots.render_one(drawn.figure)
        pictures[drawn.half_width].append(blocks.picture(image, drawn.caption, kind))
    if not any(pictures.values()):
        return [Paragraph("No run has finished an iteration yet: there is nothing to draw.", quiet=True)]
    return [Pictures(pictures[True]), Pictures(pictures[False], large=True)]


def deviations(entries: Sequence[Entry], protocols: Protocols) -> list[Block]:
    """What the protocols declare, and settings that are not the presets'.

    Args:
        entries: of all runs.
        protocols: name of the folder -> its protocol.

    Returns:
        The blocks of the section.
    """
    declared = [{"collection": name, **d} for name, p in protocols.items() for d in p.deviations]
    columns = {"collection": "protocol", "what": "what", "why": "why", "expected_effect": "expected effect"}
    content = [blocks.table(declared, columns, "Declared by the protocol")] if declared else []
    groups = _grouped([e for e in entries if e.differs], lambda e: (e.collection, e.agent, e.differs))
    rows = [
        {
            "collection": collection or NOTHING,
            "agent": agent,
            "runs": len(same),
            "environments": _some(sorted({e.environment for e in same})),
            "differs": Words("\n".join(differs)),
        }
        for (collection, agent, differs), same in sorted(groups.items())
    ]
    if not rows:
        return [*content, Paragraph("No setting differs from its preset's.")]
    columns = {
        "collection": "folder",
        "agent": "agent",
        "differs": "settings that are not the preset's",
        "environments": "environments",
        "runs": "runs",
    }
    return [*content, blocks.table(rows, columns, "Settings", "collection")]


MANIFEST_COLUMNS = {
    "path": "run directory",
    "agent": "agent",
    "environment": "environment",
    "seed": "seed",
    "state": "state",
    "frames": "frames",
    "budget_frames": "of",
    "last": "last network",
    "best": "best network",
    "hours": "hours",
    "sessions": "sessions",
    "config_hash": "config hash",
    "code": "code SHA-256",
    "state_digest": "final state digest",
    "rom_md5": "ROM MD5",
    "scope": "scope",
}


def manifests(entries: Sequence[Entry]) -> list[Block]:
    """What each run is: configuration, code, final state, and the versions and hardware it depends on (its scope)."""
    scopes = sorted({_scope(e) for e in entries if e.scope})
    numbers = {scope: number for number, scope in enumerate(scopes, start=1)}
    hashes = ("config_hash", "code", "state_digest", "rom_md5")
    rows = [
        {
            **vars(e),
            "state": Status(e.state),
            **{name: Hash(getattr(e, name)) for name in hashes},
            "scope": numbers.get(_scope(e)),
        }
        for e in entries
    ]
    words = "Runs agree in every byte where configuration, code and scope are the same. Hashes can be copied whole."
    content: list[Block] = [Paragraph(words), blocks.table(rows, MANIFEST_COLUMNS, "Each run", folded_by="agent")]
    for scope, number in numbers.items():
        content += [Heading(f"Scope {number}"), Preformatted("\n".join(f"{name}: {value}" for name, value in scope))]
    return content


def _scope(e: Entry) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, str(value)) for name, value in e.scope.items()))


def missing(entries: Sequence[Entry], problems: Sequence[str], folder: Path) -> list[Block]:
    """Runs that are not complete, and what was left out of the tables.

    Args:
        entries: of all runs, also those that are only asked for.
        problems: sentences of ``collecting.collect``.
        folder: its path on this machine is left out of them.

    Returns:
        The blocks of the section.
    """
    rows = [
        {
            **vars(e),
            "state": Status(e.state),
            "collection": e.collection or NOTHING,
            "unreadable": Words(_relative(e.unreadable, folder)),
        }
        for e in entries
        if e.state != "complete"
    ]
    names = "agent environment seed frames".split()
    columns = {"state": "state", "collection": "protocol or folder", **{name: name for name in names}}
    columns |= {"budget_frames": "of", "unreadable": "what is wrong"}
    content: list[Block] = [Paragraph("Every run is complete.")]
    if rows:
        content = [blocks.table(rows, columns, "Runs that are not complete", "collection", "state")]
    if problems:
        content += [Heading("Left out of the tables"), *(Preformatted(_relative(p, folder)) for p in problems)]
    return content


def _relative(text: str, folder: Path) -> str:
    """Without the path of this machine that leads to the folder."""
    for prefix in dict.fromkeys((str(folder.resolve()), str(folder.absolute()), str(folder))):
        text = text.replace(prefix + "/", "") if prefix not in (".", "/") else text
    return text


def _some(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
