"""One self-contained HTML page about a folder of runs: ``dqn-tf report DIR``.

A pure function of the files: no clock, and a path only as it lies below DIR.  What cannot be read is listed, and does
not stop the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from dqn_tf.checks import ConfigError
from reproduce import formatting
from reproduce.analysis import collecting, curve_comparison, score_aggregates, scores
from reproduce.planning import job
from reproduce.presenting import html_page, plots, run_figures
from reproduce.presenting.html_page import Markup, code, join, status, tag
from reproduce.records.runs import Run

STATES = ("complete", "running", "interrupted", "failed", "damaged", "not run")


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What a collection of runs was meant to be; all of it may be empty.

    planned: (agent, environment, seed).  claims: dicts as ``claims.row`` makes them.  deviations: dicts with what, why,
    expected_effect.
    """

    title: str = ""
    paper: str = ""
    planned: Sequence[tuple[str, str, int]] = ()
    claims: Sequence[Mapping[str, Any]] = ()
    deviations: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the page says of one run.  state: of STATES.  lost: why it could not be read.  differs: from its preset."""

    path: str
    collection: str
    agent: str
    environment: str
    seed: int | None
    state: str
    frames: int | None = None
    budget_frames: int | None = None
    last: float | None = None  # of the last network, after training
    best: float | None = None  # of the best one
    hours: float | None = None
    sessions: int | None = None
    config_hash: str = ""
    code: str = ""
    state_digest: str = ""
    rom_md5: str = ""
    scope: Mapping[str, Any] = field(default_factory=dict)
    differs: tuple[str, ...] = ()
    lost: str = ""


Known = Callable[[Path, collecting.Collected], Protocol | None]  # (a folder of runs, what all runs say)


def _nothing(home: Path, found: collecting.Collected) -> Protocol | None:
    return None


def write(folder: Path, out: Path | None = None, known: Known = _nothing) -> Path:
    """Write the page (default: report.html in ``folder``); returns its path.

    known: the protocol of a folder <protocol>/<agent>/<environment>/seed_<k>, if it has one.
    Raises ConfigError: no folder, or no run in it.
    """
    out = folder / "report.html" if out is None else out
    if out.is_dir():
        raise ConfigError(f"Expected a file for --out, got the directory {out}.")
    text = make(folder, known)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    return out


def make(folder: Path, known: Known = _nothing) -> str:
    """The page as text.  Raises as ``write``."""
    if not folder.is_dir():
        raise ConfigError(f"Expected a folder with runs, got {folder}. {_nearby(folder)}")
    paths: list[Path] = []
    found: list[Entry] = []

    def watch(path: Path, run: Run | str) -> None:
        paths.append(path)
        found.append(entry(path, folder, run))

    collected = collecting.collect([folder], watch=watch)
    if not paths:
        raise ConfigError(
            f"Expected run directories (config.json and manifest.json) in {folder}, found none. "
            "Give the folder that was named with --run-dir, --runs or --out when they were trained."
        )
    homes = sorted({home for path in paths if (home := path.absolute().parents[2]).is_relative_to(folder.absolute())})
    protocols = {home.name: p for home in homes if (p := known(home, collected)) is not None}
    entries = [*found, *_not_run(protocols, found)]
    sections = {
        "overview": ("Overview", _overview(entries, protocols)),
        "claims": ("Claims", _claims(protocols)),
        "scores": ("Scores", _scores(collected)),
        "plots": ("Plots", _plots(collected)),
        "deviations": ("Deviations", _deviations(entries, protocols)),
        "runs": ("Runs and manifests", _manifests(found)),
        "missing": ("Not run, failed, left out", _missing(entries, collected.problems, folder)),
    }
    counts = Counter(e.state for e in entries)
    words = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    return html_page.page(
        f"Runs in {folder.resolve().name}", sections, f"{len(entries):,} run{'s' if len(entries) > 1 else ''}: {words}."
    )


def _nearby(folder: Path) -> str:
    there = sorted(p.name for p in folder.parent.iterdir() if p.is_dir())[:6] if folder.parent.is_dir() else []
    return f"Folders there: {', '.join(there)}." if there else "Neither is the folder above it there."


# -- one run -----------------------------------------------------------------------------------------------------------
def entry(path: Path, folder: Path, run: Run | str) -> Entry:
    """What is known of the run directory ``path``; a damaged one is described as far as its files go."""
    try:
        return Entry(**_place(path, folder), state="damaged", lost=run) if isinstance(run, str) else _entry(run, folder)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Entry(**_place(path, folder), state="damaged", lost=f"{type(error).__name__}: {error}")


def _place(path: Path, folder: Path) -> dict[str, Any]:
    """Where a run lies, as <collection>/<agent>/<environment>/seed_<k>."""
    _, collection, agent, environment, last = ("", "", "", "", *path.absolute().parts)[-5:]
    number = last.removeprefix("seed_")
    relative = path.relative_to(folder).as_posix() if path != folder else folder.resolve().name
    return {"path": relative, "collection": collection, "agent": agent,
            "environment": environment, "seed": int(number) if number.isdecimal() else None}  # fmt: skip


def _entry(run: Run, folder: Path) -> Entry:
    sessions, summary = run.manifest["sessions"], run.summary or {}
    best_played = "last_network_evaluation" in summary
    place = _place(run.path, folder)
    if place["environment"] != run.environment or place["seed"] != run.seed:  # it lies elsewhere: by what it says
        place |= {"collection": "", "agent": run.agent, "environment": run.environment, "seed": run.seed}
    try:
        differs = tuple(curve_comparison.deviations(run))
    except ConfigError as error:
        differs = (f"not compared: {error}",)
    return Entry(
        **place,
        state=_state(run),
        frames=run.frames,
        budget_frames=run.budget_frames,
        last=_after_training(summary, "last_network_evaluation" if best_played else "final_evaluation"),
        best=_after_training(summary, "final_evaluation") if best_played else None,
        hours=run.wall_seconds / 3600 if any("ended" in s for s in sessions) else None,
        sessions=len(sessions),
        config_hash=str(run.manifest["config_hash"]),
        code="+".join(dict.fromkeys(str(s.get("code_sha256", "")) for s in sessions)),
        state_digest=str(summary.get("state_digest", "")),
        rom_md5=str(run.manifest.get("rom_md5") or ""),
        scope=run.manifest.get("scope") or {},
        differs=differs,
    )


def _after_training(summary: Mapping[str, Any], name: str) -> float | None:
    return float(summary[name]["return_mean"]) if name in summary else None


def _state(run: Run) -> str:
    """One of STATES: what says "running" and is held by no process was killed."""
    if run.complete:
        return "complete"
    if job.owner(run.path):
        return "running"
    return "failed" if run.manifest.get("status") == "failed" else "interrupted"


def _not_run(protocols: Mapping[str, Protocol], found: Sequence[Entry]) -> list[Entry]:
    have = {(e.collection, e.agent, e.environment, e.seed) for e in found}
    return [
        Entry(path="", collection=name, agent=agent, environment=environment, seed=seed, state="not run")
        for name, protocol in protocols.items()
        for agent, environment, seed in protocol.planned
        if (name, agent, environment, seed) not in have
    ]


# -- sections ----------------------------------------------------------------------------------------------------------
def _overview(entries: Sequence[Entry], protocols: Mapping[str, Protocol]) -> Markup:
    groups: dict[tuple[str, str], list[Entry]] = {}
    for e in entries:
        groups.setdefault((e.collection, e.agent), []).append(e)
    rows = [
        {"collection": collection or "–", "agent": agent, "environments": len({e.environment for e in same}),
         "seeds": len({e.seed for e in same}), "runs": len(same), **Counter(e.state for e in same),
         "frames": sum(e.frames or 0 for e in same), "hours": sum(e.hours or 0.0 for e in same)}
        for (collection, agent), same in sorted(groups.items())
    ]  # fmt: skip
    present = [s for s in STATES if any(e.state == s for e in entries)]
    rows = [{**dict.fromkeys(present, 0), **row} for row in rows]
    columns = {"collection": "protocol or folder", "agent": "agent", "environments": "environments", "seeds": "seeds",
               "runs": "runs", **{s: s for s in present}, "frames": "frames trained", "hours": "hours"}  # fmt: skip
    said = [
        tag("li", tag("b", name), f": {p.title}.", f" Paper: {p.paper}." if p.paper else "")
        for name, p in protocols.items()
        if p.title
    ]
    return join([tag("ul", *said) if said else "", html_page.table(rows, columns, only_if_several="collection")])


def _claims(protocols: Mapping[str, Protocol]) -> Markup:
    rows = [{**claim, "collection": name, "status": status(str(claim["status"])),
             "explanation": tag("div", claim.get("explanation", ""), class_="words")}
            for name, p in protocols.items() for claim in p.claims]  # fmt: skip
    columns = {"collection": "protocol", "name": "claim", "status": "status", "metric": "metric",
               "published": "published", "ours": "ours", "unit": "unit", "explanation": "why",
               "place": "place"}  # fmt: skip
    if not rows:
        return tag("p", "No protocol with claims belongs to these runs.", class_="none")
    return html_page.table(rows, columns)


def _scores(found: collecting.Collected) -> Markup:
    per_game = formatting.records(score_aggregates.per_game(found.scores))
    columns = {"agent": "agent", "environment": "environment", "convention": "score is", "n_seeds": "n (seeds)",
               "mean": "mean", "std": "std", "low": "95 % from", "high": "to", "min": "lowest", "max": "highest",
               "hns_percent": "human-normalized, %", "frames": "frames", "sticky_actions": "sticky actions",
               "start": "start"}  # fmt: skip
    parts = [
        tag("p", "Raw, undiscounted returns of complete runs, each by its convention: conventions do not compare. ",
            f"Human-normalized: by the columns {score_aggregates.NORMALIZATION} of results/published."),
        html_page.table(per_game, {"collection": "folder", **columns}, "Per environment, over seeds",
                        "collection", "agent"),
    ]  # fmt: skip
    over = formatting.records(score_aggregates.over_games(found.scores))
    if any(row["n_games"] > 1 for row in over):
        columns = {"collection": "folder", "agent": "agent", "convention": "score is", "metric": "metric",
                   "value_percent": "value, %", "low": "95 % from", "high": "to", "n_games": "games",
                   "n_seeds_min": "fewest seeds", "n_seeds_max": "most seeds"}  # fmt: skip
        parts.append(html_page.table(over, columns, "Human-normalized, over games", "collection"))
    columns = {"collection": "folder", "agent": "agent", "environment": "environment", "seed": "seed",
               **{name: name for name in scores.CONVENTIONS}, "frames": "frames", "complete": "complete"}  # fmt: skip
    parts.append(html_page.table(_each_run(found.scores), columns, "Each run", "collection", "agent"))
    return join(parts)


def _each_run(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A row per run, with its score by each convention."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in formatting.records(table):
        key = tuple(row[name] for name in ("collection", "agent", "environment", "seed"))
        rows.setdefault(key, {**row, **dict.fromkeys(scores.CONVENTIONS)})[row["convention"]] = row["score"]
    return list(rows.values())


def _plots(found: collecting.Collected) -> Markup:
    pictures: dict[bool, list[Markup]] = {True: [], False: []}
    for drawn in run_figures.drawn(found):
        data, kind = plots.render_one(drawn.figure)
        pictures[drawn.small].append(html_page.picture(data, drawn.words, "svg+xml" if kind == "svg" else kind))
    if not any(pictures.values()):
        return tag("p", "No run has finished an iteration yet: there is nothing to draw.", class_="none")
    return join([tag("div", *pictures[True], class_="pictures"), tag("div", *pictures[False], class_="pictures large")])


def _deviations(entries: Sequence[Entry], protocols: Mapping[str, Protocol]) -> Markup:
    declared = [{"collection": name, **d} for name, p in protocols.items() for d in p.deviations]
    columns = {"collection": "protocol", "what": "what", "why": "why", "expected_effect": "expected effect"}
    parts = [html_page.table(declared, columns, "Declared by the protocol")] if declared else []
    groups: dict[tuple[str, str, tuple[str, ...]], list[Entry]] = {}
    for e in entries:
        if e.differs:
            groups.setdefault((e.collection, e.agent, e.differs), []).append(e)
    rows = [{"collection": collection or "–", "agent": agent, "runs": len(same),
             "environments": _some(sorted({e.environment for e in same})),
             "differs": tag("div", "\n".join(differs), class_="words")}
            for (collection, agent, differs), same in sorted(groups.items())]  # fmt: skip
    columns = {"collection": "folder", "agent": "agent", "differs": "settings that are not the preset's",
               "environments": "environments", "runs": "runs"}  # fmt: skip
    parts.append(
        html_page.table(rows, columns, "Settings", "collection")
        if rows
        else tag("p", "No setting differs from its preset's.")
    )
    return join(parts)


def _manifests(entries: Sequence[Entry]) -> Markup:
    scopes = {tuple(sorted((k, str(v)) for k, v in e.scope.items())) for e in entries if e.scope}
    numbered = {scope: number for number, scope in enumerate(sorted(scopes), start=1)}
    rows = [
        {**vars(e), "state": status(e.state), "config_hash": code(e.config_hash), "code": code(e.code),
         "state_digest": code(e.state_digest), "rom_md5": code(e.rom_md5),
         "scope": numbered.get(tuple(sorted((k, str(v)) for k, v in e.scope.items())))}
        for e in entries
    ]  # fmt: skip
    columns = {"path": "run directory", "agent": "agent", "environment": "environment", "seed": "seed",
               "state": "state", "frames": "frames", "budget_frames": "of",
               "last": "last network", "best": "best network", "hours": "hours", "sessions": "sessions",
               "config_hash": "config hash", "code": "code SHA-256",
               "state_digest": "final state digest", "rom_md5": "ROM MD5", "scope": "scope"}  # fmt: skip
    said = [
        join([tag("h3", f"Scope {number}"), tag("pre", "\n".join(f"{name}: {value}" for name, value in scope))])
        for scope, number in numbered.items()
    ]
    words = "Runs agree in every byte where configuration, code and scope are the same. Hashes can be copied whole."
    return join([tag("p", words), html_page.table(rows, columns, "Each run", folded_by="agent"), *said])


def _missing(entries: Sequence[Entry], problems: Sequence[str], folder: Path) -> Markup:
    rows = [{**vars(e), "state": status(e.state), "collection": e.collection or "–",
             "lost": tag("div", _relative(e.lost, folder), class_="words")}
            for e in entries if e.state != "complete"]  # fmt: skip
    columns = {"state": "state", "collection": "protocol or folder", "agent": "agent", "environment": "environment",
               "seed": "seed", "frames": "frames", "budget_frames": "of", "lost": "what is wrong"}  # fmt: skip
    parts = [
        html_page.table(rows, columns, "Runs that are not complete", "collection", "state")
        if rows
        else tag("p", "Every run is complete.")
    ]
    if problems:
        parts += [tag("h3", "Left out of the tables"), *(tag("pre", _relative(p, folder)) for p in problems)]
    return join(parts)


def _relative(text: str, folder: Path) -> str:
    """Without the path of this machine that leads to the folder."""
    for prefix in dict.fromkeys((str(folder.resolve()), str(folder.absolute()), str(folder))):
        text = text.replace(prefix + "/", "") if prefix not in (".", "/") else text
    return text


def _some(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
