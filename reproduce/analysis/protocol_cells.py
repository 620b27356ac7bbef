"""A protocol's whole table from our runs: every agent on every environment beside what was published, with gaps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dqn_tf.rng import Stream
from reproduce.analysis import claims, intervals, score_aggregates, statistics, verdicts
from reproduce.analysis.collecting import Collected
from reproduce.places import folder_name
from reproduce.planning.protocol import Claim, Protocol, environments
from reproduce.records import published

# One row per agent and environment.  low, high: the 95 % interval of our mean; missing: of the seeds asked for.
CELL_COLUMNS = tuple("agent environment published spread low_confidence ours std low high runs asked verdict".split())
SCORE_COLUMNS = tuple("agent environment seed score".split())
# One row per game of Atari 100k.
GAME_COLUMNS = tuple("game random human ours runs hns_percent DER rliable_DER".split())
# One row per agent and metric, human-normalized, percent.
SUMMARY_COLUMNS = tuple("label published measure value low high n_games".split())
RLIABLE = ("DER", "OTRainbow", "DrQ", "DrQ(eps)", "SPR")  # 100 runs a game
RESAMPLES = 500


def attempted(protocol: Protocol, found: Collected) -> list[str]:
    """The protocol's agents that have a run.

    Args:
        protocol: what was published, and which runs are asked for.
        found: scores and curves of all runs.

    Returns:
        Their names, in the protocol's order.
    """
    there = set(found.scores.loc[found.scores["collection"] == protocol.id, "agent"])
    return [agent for agent in protocol.named if agent in there]


def on_a_suite(protocol: Protocol, found: Collected) -> list[str]:
    """The agents that have a run and are to play a whole suite.

    Args:
        protocol: what was published, and which runs are asked for.
        found: scores and curves of all runs.

    Returns:
        Their names, in the protocol's order.
    """
    return [agent for agent in attempted(protocol, found) if any(g.suite for g in protocol.grids_of(agent))]


def scores(protocol: Protocol, found: Collected) -> pd.DataFrame:
    """The score of every run that counts, by the protocol's convention.

    Args:
        protocol: what was published, and which runs are asked for.
        found: scores and curves of all runs.

    Returns:
        Rows of SCORE_COLUMNS.
    """
    parts = [_of_cell(protocol, agent, environment, found) for agent, environment in _cells(protocol, found)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(SCORE_COLUMNS))


def _of_cell(protocol: Protocol, agent: str, environment: str, found: Collected) -> pd.DataFrame:
    usable, _ = claims.usable_runs(protocol, agent, verdicts.need_of(protocol, agent, environment), found)
    return usable.sort_values("seed").reindex(columns=list(SCORE_COLUMNS))


def _cells(protocol: Protocol, found: Collected) -> list[tuple[str, str]]:
    """Every agent that was attempted with every environment that the protocol gives it."""
    return [
        (agent, environment)
        for agent in attempted(protocol, found)
        for grid in protocol.grids_of(agent)
        for environment in environments(grid)
    ]


def cells(protocol: Protocol, found: Collected, verdict: dict[str, str]) -> pd.DataFrame:
    """Every cell of the protocol's table.

    Args:
        protocol: what was published, and which runs are asked for.
        found: scores and curves of all runs.
        verdict: of the claims that have one, by id.

    Returns:
        Rows of CELL_COLUMNS.
    """
    known, rows = scores(protocol, found), []
    claimed = {(c.agent, folder_name(c.environment)): c for c in protocol.claims if c.metric == "score"}
    for agent, environment in _cells(protocol, found):
        same = known[(known["agent"] == agent) & (known["environment"] == environment)]["score"]
        claim = claimed.get((agent, environment))
        rows.append({"agent": agent, "environment": environment, **_theirs(claim, verdict), **_ours(same)})
        rows[-1]["asked"] = verdicts.need_of(protocol, agent, environment).seeds
    return pd.DataFrame(rows, columns=list(CELL_COLUMNS))


def _theirs(claim: Claim | None, verdict: dict[str, str]) -> dict[str, Any]:
    if claim is None:
        return {"published": math.nan, "spread": math.nan, "low_confidence": False, "verdict": ""}
    return {
        "published": claim.published,
        "spread": math.nan if claim.std is None else claim.std,
        "low_confidence": claim.low_confidence,
        "verdict": verdict.get(claim.id, ""),
    }


def _ours(values: pd.Series) -> dict[str, Any]:
    n = len(values)
    mean, std = (float(values.mean()) if n else math.nan), (float(values.std()) if n > 1 else math.nan)
    low, high = intervals.mean_interval(mean, std, n)
    return {"ours": mean, "std": std, "low": low, "high": high, "runs": n}


# -- Atari 100k --------------------------------------------------------------------------------------------------------
def games(protocol: Protocol, agent: str, found: Collected, normalization: str) -> pd.DataFrame:
    """All games that an agent is asked to play.

    Args:
        protocol: what was published, and which runs are asked for.
        agent: one of its agents.
        found: scores and curves of all runs.
        normalization: a key of ``published.NORMALIZATIONS``.

    Returns:
        Rows of GAME_COLUMNS; nan where the agent has no run.  DER: the paper's column, as reprinted
        (published.per_game_100k); rliable_DER: the mean of its 100 runs.
    """
    known, references = scores(protocol, found), published.references(normalization)
    table, single = published.per_game_100k(), published.runs_100k("DER")
    paper = table[table["agent"] == "DER"].set_index("game")["score"]
    rliable = single.groupby("game")["eval_average_return"].mean()
    rows = []
    for environment in dict.fromkeys(e for g in protocol.grids_of(agent) for e in environments(g)):
        same = known[(known["agent"] == agent) & (known["environment"] == environment)]["score"]
        mean = float(same.mean()) if len(same) else math.nan
        reference = references[environment]
        rows.append(
            {
                "game": environment,
                "random": reference.random,
                "human": reference.human,
                "ours": mean,
                "runs": len(same),
                "hns_percent": reference.normalized(mean),
                "DER": float(paper.get(environment, math.nan)),
                "rliable_DER": float(rliable.get(environment, math.nan)),
            }
        )
    return pd.DataFrame(rows, columns=list(GAME_COLUMNS))


def summaries(protocol: Protocol, agents: Sequence[str], found: Collected, normalization: str) -> pd.DataFrame:
    """Median, mean, IQM and optimality gap of ours, the paper's column and rliable's agents.

    Of ours only those with a run on every game: a summary of some games is not that of all.  Intervals are stratified
    bootstrap ones over runs; none where a game has one.

    Args:
        protocol: what was published, and which runs are asked for.
        agents: ours.
        found: scores and curves of all runs.
        normalization: a key of ``published.NORMALIZATIONS``.

    Returns:
        Rows of SUMMARY_COLUMNS.
    """
    known, references = scores(protocol, found), published.references(normalization)
    groups: dict[tuple[str, bool], dict[str, np.ndarray]] = {}
    for agent in agents:
        table = games(protocol, agent, found, normalization)
        if len(table) and (table["runs"] > 0).all():
            mine = known[known["agent"] == agent].groupby("environment")["score"]
            groups[agent, False] = {str(name): values.to_numpy() for name, values in mine}
    paper = published.per_game_100k()
    paper = paper[(paper["agent"] == "DER") & paper["game"].isin(list(references))]
    groups["DER, as its paper has it", True] = {
        str(g): np.array([s]) for g, s in zip(paper["game"], paper["score"], strict=True)
    }
    for name in RLIABLE:
        single = published.runs_100k(name).groupby("game")["eval_average_return"]
        groups[f"{name}, rliable", True] = {str(game): values.to_numpy() for game, values in single}
    rows = []
    for (label, theirs), by_game in groups.items():
        normalized = [statistics.human_normalized(v, *references[g]) for g, v in sorted(by_game.items())]
        generator = Stream(0, f"statistics/atari100k/{label}").at(0)
        for measure, estimate in statistics.aggregate(normalized, generator=generator, resamples=RESAMPLES).items():
            value, low, high = (x.item() for x in estimate)
            rows.append((label, theirs, measure, value, low, high, len(normalized)))
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


def normalization(protocol: Protocol) -> str:
    """That of the protocol's claims over games."""
    return next((c.normalization for c in protocol.claims if c.normalization), score_aggregates.NORMALIZATION)
