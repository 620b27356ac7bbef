"""Every published number that was attempted, with ours and the verdict: the rows of the scoreboard.

Attempted is what has runs in results/runs/: of a protocol, every claim, order and rank of an agent of which there is a
run; of Dopamine's curves, every iteration that a run finished.  What is missing of them is a row too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from dqn_tf import fields
from dqn_tf.checks import ConfigError
from dqn_tf.config import RunConfig
from dqn_tf.envs import games
from reproduce.analysis import claims, curve_comparison, verdicts
from reproduce.analysis.collecting import Collected
from reproduce.analysis.intervals import OUTSIDE, Sample, difference_interval
from reproduce.analysis.verdicts import CANNOT_TELL, NOT_JUDGED, NOT_REPRODUCED, NOT_RUN, REPRODUCED, Verdict
from reproduce.formatting import number, records
from reproduce.places import folder_name
from reproduce.planning import plan, reading
from reproduce.planning.plan import Selection
from reproduce.planning.protocol import Claim, Order, Protocol, Rank, Tried
from reproduce.records.runs import Run

REFUSED = "refused"  # runs of several settings, or of others than the protocol's
CURVE_MARGIN = 0.25  # of the published mean: how far an interval may reach that says "the same curve"
COLUMNS = tuple(
    """
    set kind id agent beside environment what published published_spread ours low high p verdict runs asked seconds
    sentence notes place repeat
    """.split()
)
Key = tuple[str, str, str]  # collection, agent, environment


class Seen(NamedTuple):
    """The complete runs of an agent on an environment.

    Attributes:
        seeds: of the runs, sorted.
        seconds: that all of them took, by timing.csv.
        settings: config.json of the first.
    """

    seeds: tuple[int, ...]
    seconds: float
    settings: dict[str, Any]


def see(seen: dict[Key, Seen], run: Run) -> None:
    """Add a complete run.

    Args:
        seen: what it is added to.
        run: any run; one that is not complete changes nothing.
    """
    if not run.complete:
        return
    key = (run.collection, run.name, run.environment)
    before = seen.get(key, Seen((), 0.0, run.settings))
    seen[key] = Seen(tuple(sorted({*before.seeds, run.seed})), before.seconds + run.seconds, before.settings)


def table(found: Collected, seen: Mapping[Key, Seen], comparable: Sequence[Run]) -> pd.DataFrame:
    """The scoreboard: protocols by name, then Dopamine's curves.

    Args:
        found: scores and curves of all runs.
        seen: complete runs by collection, agent and environment.
        comparable: runs with a published curve.

    Returns:
        Rows of COLUMNS.  low, high: the 95 % interval of ours - published; of an order, of the probability of
        improvement (ours).  seconds: what all runs of the row took.  runs, asked: of the environment that has fewest,
        and what the protocol asks for.
    """
    attempted = {collection for collection, *_ in seen}
    rows = [
        row for name in reading.names() if name in attempted for row in _of_protocol(reading.load(name), found, seen)
    ]
    return pd.DataFrame([*rows, *_of_curves(seen, comparable)], columns=list(COLUMNS))


# -- protocols ---------------------------------------------------------------------------------------------------------
def _of_protocol(protocol: Protocol, found: Collected, seen: Mapping[Key, Seen]) -> list[dict[str, Any]]:
    mine = {(agent, environment): some for (name, agent, environment), some in seen.items() if name == protocol.id}
    agents = {agent for agent, _ in mine}
    wrong = _other_settings(protocol, mine) | _mixed(protocol, found, mine)
    usable = _without(protocol, found, wrong)
    judged = verdicts.of_protocol(protocol, usable)
    entries: list[Claim | Order | Rank] = [*protocol.claims, *protocol.orders, *protocol.ranks]
    rows = []
    for entry in entries:
        pairs = _pairs(protocol, entry)
        if not {agent for agent, _ in pairs} <= agents:
            continue  # not attempted
        refused = [wrong[pair] for pair in pairs if pair in wrong]
        rows.append(_row(protocol, entry, judged[entry.id], [mine[p] for p in pairs if p in mine], refused))
    return rows


def _pairs(protocol: Protocol, entry: Claim | Order | Rank) -> list[tuple[str, str]]:
    """The agents and environments whose runs an entry is about."""
    if isinstance(entry, Order):
        return [(agent, folder_name(entry.environment)) for agent in (entry.better, entry.worse)]
    if entry.environment:
        return [(entry.agent, folder_name(entry.environment))]
    return [(entry.agent, name) for name in claims.needed(protocol, entry).environments]  # type: ignore[arg-type]


def _row(
    protocol: Protocol, entry: Claim | Order | Rank, verdict: Verdict, some: Sequence[Seen], refused: Sequence[str]
) -> dict[str, Any]:
    what, agent, number_columns = _published(entry)
    notes = [*refused, *_notes(protocol, entry)]
    return {
        "set": protocol.id,
        "kind": type(entry).__name__.lower(),
        "id": entry.id,
        "agent": agent,
        "beside": entry.worse if isinstance(entry, Order) else "",
        "environment": folder_name(entry.environment),
        "what": what,
        **number_columns,
        "ours": verdict.ours,
        "low": verdict.interval.low,
        "high": verdict.interval.high,
        "p": verdict.p,
        "verdict": REFUSED if refused else verdict.status,
        "runs": verdict.runs,
        "asked": verdict.asked,
        "seconds": sum(s.seconds for s in some),
        "sentence": verdict.sentence,
        "notes": " ".join(notes),
        "place": entry.place,
        "repeat": _command(protocol, entry),
    }


def _published(entry: Claim | Order | Rank) -> tuple[str, str, dict[str, Any]]:
    """What the number is, whose, and the number."""
    if isinstance(entry, Order):
        return entry.statement, entry.better, {"published": entry.published, "published_spread": ""}
    if isinstance(entry, Rank):
        return f"rank among {entry.published}'s runs", entry.agent, {"published": math.nan, "published_spread": ""}
    spread = f"± {number(entry.std)}, {entry.std_runs} runs" if entry.std is not None else ""
    return entry.metric.replace("_", " "), entry.agent, {"published": entry.published, "published_spread": spread}


def _notes(protocol: Protocol, entry: Claim | Order | Rank) -> list[str]:
    """What has to be known beside the verdict: a doubtful published number, seeds that were seen before."""
    doubtful = isinstance(entry, Claim) and entry.low_confidence
    notes = ["The published number is marked as of low confidence."] if doubtful else []
    pairs = _pairs(protocol, entry)
    return [*notes, *(_seen_before(tried) for tried in protocol.tried if _concerns(tried, pairs))]


def _concerns(tried: Tried, pairs: Sequence[tuple[str, str]]) -> bool:
    names = {folder_name(environment) for environment in tried.environments}
    return any(agent in tried.agents and environment in names for agent, environment in pairs)


def _seen_before(tried: Tried) -> str:
    seeds = f"Seed{'s' * (len(tried.seeds) > 1)} {', '.join(map(str, tried.seeds))}"
    counts = " A setting was chosen by it, so it does not count." if tried.tuned else ""
    return f"{seeds} had been tried before: {tried.what}.{counts}"


def _command(protocol: Protocol, entry: Claim | Order | Rank) -> str:
    pairs = _pairs(protocol, entry)
    agents = ",".join(dict.fromkeys(agent for agent, _ in pairs))
    games_ = f" --games {entry.environment}" if entry.environment else ""
    return f"dqn-tf reproduce {protocol.id} --agent {agents}{games_}"


def _other_settings(protocol: Protocol, mine: Mapping[tuple[str, str], Seen]) -> dict[tuple[str, str], str]:
    """The agents and environments whose runs have other settings than the protocol has now: which."""
    jobs = plan.make(protocol, Path(), Selection(seeds=1)).jobs
    wanted = {tuple(job.run_dir.parts[-3:-1]): job for job in jobs}
    wrong = {}
    for pair, some in mine.items():
        if pair not in wanted:
            wrong[pair] = f"{'/'.join(pair)}: not in the protocol."
            continue
        try:
            ours = wanted[pair].config.to_json()
        except ConfigError as error:
            wrong[pair] = f"{'/'.join(pair)}: cannot be compared with the protocol here: {error}"
            continue
        if {**some.settings, "seed": 0} != {**ours, "seed": 0}:
            whole = (fields.completed(RunConfig, {**c, "seed": 0}) for c in (some.settings, ours))
            lines = [f"{name}: {a!r}, {b!r} in the protocol" for name, a, b in fields.differences(*whole)]
            wrong[pair] = f"{'/'.join(pair)} has other settings than the protocol now: {'; '.join(lines)}."
    return wrong


def _mixed(protocol: Protocol, found: Collected, mine: Mapping[tuple[str, str], Seen]) -> dict[tuple[str, str], str]:
    """Those whose runs are there and were left out while they were collected."""
    scores = found.scores[found.scores["collection"] == protocol.id]
    counted = scores.groupby(["agent", "environment"])["seed"].nunique().to_dict()
    lost = {pair: len(some.seeds) - int(counted.get(pair, 0)) for pair, some in mine.items()}
    return {pair: _left_out(pair, n) for pair, n in lost.items() if n > 0}


def _left_out(pair: tuple[str, str], runs: int) -> str:
    why = "settings are mixed, or a file is damaged (`dqn-tf results tables` says which)"
    return f"{runs} runs of {'/'.join(pair)} are left out: {why}."


def _without(protocol: Protocol, found: Collected, pairs: Mapping[tuple[str, str], str]) -> Collected:
    scores, curves = found.scores, found.curves
    for agent, environment in pairs:
        scores, curves = (
            t[(t["collection"] != protocol.id) | (t["agent"] != agent) | (t["environment"] != environment)]
            for t in (scores, curves)
        )
    return Collected(scores, curves, found.problems)


# -- Dopamine's curves -------------------------------------------------------------------------------------------------
def _of_curves(seen: Mapping[Key, Seen], comparable: Sequence[Run]) -> list[dict[str, Any]]:
    """A row per preset, game and iteration, all seeds of equal settings together."""
    rows = []
    for preset, group in curve_comparison.by_preset(comparable).items():
        compared = curve_comparison.table_of(group)
        compared = compared[compared["verdict"] != curve_comparison.TOO_SHORT]
        keys = ["environment", "iteration", "settings_hash"]
        for _, same in compared.groupby(keys, sort=True):
            rows.append(_of_iteration(preset, same, group))
    return rows


def _of_iteration(preset: str, same: pd.DataFrame, group: Sequence[Run]) -> dict[str, Any]:
    one, values = records(same.head(1))[0], same.drop_duplicates(["seed", "return_mean"])["return_mean"]
    game, iteration = one["environment"], one["iteration"]
    ours = Sample(float(values.mean()), float(values.std()), len(values))
    theirs = Sample(one["published_mean"], one["published_std"], one["published_n_runs"])
    low, high = difference_interval(ours, theirs) if ours.n > 1 else (math.nan, math.nan)
    status, why = _curve_verdict(one, theirs, low, high)
    mine = [run for run in group if run.environment == game and run.seed in set(same["seed"])]
    return {
        **dict.fromkeys(COLUMNS, ""),
        "set": "Dopamine's curves",
        "kind": "curve",
        "id": f"{preset}_{game}_{iteration}",
        "agent": preset,
        "environment": game,
        "what": f"training return, {iteration}M to {iteration + 1}M frames",
        "published": theirs.mean,
        "published_spread": f"± {number(theirs.std)}, {theirs.n} runs",
        "ours": ours.mean,
        "low": low,
        "high": high,
        "p": math.nan,
        "verdict": status,
        "runs": ours.n,
        "asked": ours.n,
        "seconds": sum(run.seconds for run in mine),
        "sentence": why,
        "place": f"{games.camel_case(game)}, results/published/dopamine_curves.csv.gz",
        "repeat": "; ".join(
            f"dqn-tf rerun results/runs/{run.collection}/{run.relative_path.as_posix()}" for run in mine[:1]
        ),
    }


def _curve_verdict(one: dict[str, Any], theirs: Sample, low: float, high: float) -> tuple[str, str]:
    """By docs/evidence/plan.md, "Dopamine's curves"."""
    if math.isnan(low):  # one run of ours
        return (NOT_REPRODUCED if one["verdict"] == OUTSIDE else CANNOT_TELL), str(one["explanation"])
    interval = f"The 95 % interval of the difference is {number(low)} to {number(high)} (Welch)"
    margin = CURVE_MARGIN * abs(theirs.mean)
    if low > 0 or high < 0:
        return NOT_REPRODUCED, f"{interval}: more than chance."
    if (high - low) / 2 <= margin:
        return REPRODUCED, f"{interval}, and reaches no further than {number(margin)} to either side."
    return CANNOT_TELL, f"{interval}: wider than {number(margin)} to either side."


def counts(board: pd.DataFrame) -> dict[str, int]:
    """How many rows have each verdict; verdicts without rows are left out."""
    order = (REPRODUCED, NOT_REPRODUCED, CANNOT_TELL, NOT_RUN, REFUSED, NOT_JUDGED)
    found = board["verdict"].value_counts()
    return {status: int(found[status]) for status in order if status in found}
