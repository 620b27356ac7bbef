"""Published medians and means, recomputed from the published scores per game.

    results/published/ -> results/tables/published_medians.csv and .md     (dqn-tf results tables)

This tests the transcribed tables, the random and human scores, and this repository's arithmetic together.  Papers print
rounded scores and rounded summaries: a difference is due to rounding if unrounded scores, each within half a unit of
the last printed digit, give the printed summary.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import pandas as pd

from dqn_tf.envs import games
from reproduce import formatting
from reproduce.analysis import statistics
from reproduce.records import published

EQUAL, CUT_OFF, ROUNDING = "equal", "equal if cut off, not rounded", "within the rounding of the inputs"
KNOWN, UNKNOWN = "known mismatch", "MISMATCH"
METRICS = {"median HNS": "median", "mean HNS": "mean", "IQM HNS": "iqm"}
SCORE_HALF_UNIT = 0.05  # raw scores are printed with one decimal at least, or are whole
REFERENCE_HALF_UNIT = {"dqn_zoo57_vp0": 0.05, "nature49": 0.05, "human_starts_nair": 0.05}
FINER_HALF_UNIT = 0.005  # of the other normalizations: two decimals


class Source(NamedTuple):
    """Where a published summary's per-game scores stand.

    One paper used unrounded values that only another printed, hence two normalizations.

    Attributes:
        agent: the column, as in the table of published scores.
        start: how its episodes began, as there.
        median_by: normalization of its median, a key of ``published.NORMALIZATIONS``.
        mean_by: normalization of its mean.
        games: the games that the summary is over.
    """

    agent: str
    start: str
    median_by: str
    mean_by: str
    games: tuple[str, ...] = games.ATARI57


WANG, SCHAUL, FORTUNATO = "Wang et al. 2016", "Schaul et al. 2016", "Fortunato et al. 2018"
BELLEMARE, HESSEL, MUZERO = "Bellemare et al. 2017", "Hessel et al. 2018", "Schrittwieser et al. 2020"
HASSELT, MNIH, BADIA = "van Hasselt et al. 2016", "Mnih et al. 2016", "Badia et al. 2020"
NOOP, ZOO = ("dqn_zoo57_vp0", "muzero_s1"), ("dqn_zoo57_vp0", "dqn_zoo57_vp0")
STARTS, NAIR, NATURE = ("human_starts",) * 2, ("human_starts_nair",) * 2, ("nature49",) * 2

# (paper that prints the summary, agent there, start there) -> the column that it summarizes.
SOURCES: dict[tuple[str, str, str], Source] = {
    (WANG, "DQN", "noop"): Source("DQN (re-evaluated, no-op 30 min)", "noop", *NOOP),
    (WANG, "Double DQN (Single)", "noop"): Source("Double DQN (no-op 30 min)", "noop", *NOOP),
    (WANG, "Double DQN (Single)", "human"): Source("Double DQN (tuned)", "human", *STARTS),
    (WANG, "Dueling DDQN (Duel Clip)", "noop"): Source("Dueling DDQN", "noop", *NOOP),
    (WANG, "Dueling DDQN (Duel Clip)", "human"): Source("Dueling DDQN", "human", *STARTS),
    (WANG, "Prioritized DDQN (Prior. Single)", "noop"): Source("Prioritized DDQN (no-op, Wang 2016)", "noop", *NOOP),
    (WANG, "Prioritized DDQN (Prior. Single)", "human"): Source("Prioritized DDQN (rank)", "human", *STARTS),
    (WANG, "Prioritized Dueling (Prior. Duel Clip)", "noop"): Source("Prioritized Dueling DDQN", "noop", *NOOP),
    (WANG, "Prioritized Dueling (Prior. Duel Clip)", "human"): Source("Prioritized Dueling DDQN", "human", *STARTS),
    (HASSELT, "DQN", "noop"): Source("DQN (Nature 2015)", "noop", *NATURE, games.ATARI49),
    (HASSELT, "Double DQN", "noop"): Source("Double DQN", "noop", *NATURE, games.ATARI49),
    (HASSELT, "DQN", "human"): Source("DQN (Nair 2015)", "human", *NAIR, games.ATARI49),
    (HASSELT, "Double DQN", "human"): Source("Double DQN", "human", *NAIR, games.ATARI49),
    (HASSELT, "Double DQN (tuned)", "human"): Source("Double DQN (tuned)", "human", *NAIR, games.ATARI49),
    (SCHAUL, "DQN baseline", "human"): Source("DQN (Nair 2015)", "human", *NAIR, games.ATARI49),
    (SCHAUL, "DQN + rank-based", "human"): Source("Prioritized DQN (rank)", "human", *NAIR, games.ATARI49),
    (SCHAUL, "Double DQN (tuned)", "human"): Source("Double DQN (tuned)", "human", *NAIR),
    (SCHAUL, "DDQN + rank-based", "human"): Source("Prioritized DDQN (rank)", "human", *NAIR),
    (SCHAUL, "DDQN + proportional", "human"): Source("Prioritized DDQN (proportional)", "human", *NAIR),
    (MNIH, "A3C FF 1 day", "human"): Source("A3C FF (1 day)", "human", *STARTS),
    (MNIH, "A3C FF 4 days", "human"): Source("A3C FF (4 days)", "human", *STARTS),
    (MNIH, "A3C LSTM 4 days", "human"): Source("A3C LSTM", "human", *STARTS),
    (FORTUNATO, "DQN (re-run)", "noop"): Source("DQN (re-run in NoisyNet paper)", "noop", *ZOO),
    (FORTUNATO, "NoisyNet-DQN", "noop"): Source("NoisyNet-DQN", "noop", *ZOO),
    (FORTUNATO, "Dueling (re-run)", "noop"): Source("Dueling (re-run in NoisyNet paper)", "noop", *ZOO),
    (FORTUNATO, "NoisyNet-Dueling", "noop"): Source("NoisyNet-Dueling", "noop", *ZOO),
    (FORTUNATO, "A3C (re-run)", "noop"): Source("A3C (re-run in NoisyNet paper)", "noop", *ZOO),
    (FORTUNATO, "NoisyNet-A3C", "noop"): Source("NoisyNet-A3C", "noop", *ZOO),
    (BELLEMARE, "DQN", "noop"): Source("DQN (re-evaluated, no-op 30 min)", "noop", *NOOP),
    (BELLEMARE, "DDQN", "noop"): Source("Double DQN (no-op 30 min)", "noop", *NOOP),
    (BELLEMARE, "Dueling", "noop"): Source("Dueling DDQN", "noop", *NOOP),
    (BELLEMARE, "Prioritized", "noop"): Source("Prioritized DDQN (no-op, Wang 2016)", "noop", *NOOP),
    (BELLEMARE, "Prioritized Dueling", "noop"): Source("Prioritized Dueling DDQN", "noop", *NOOP),
    (BELLEMARE, "C51", "noop"): Source("C51", "noop", *NOOP),
    (HESSEL, "DQN", "noop"): Source("DQN (re-evaluated, no-op 30 min)", "noop", *NOOP),
    (HESSEL, "DDQN", "noop"): Source("Double DQN (no-op 30 min)", "noop", *NOOP),
    (HESSEL, "DDQN", "human"): Source("Double DQN (tuned)", "human", *STARTS),
    (HESSEL, "Prioritized DDQN", "noop"): Source("Prioritized DDQN (no-op, Wang 2016)", "noop", *NOOP),
    (HESSEL, "Prioritized DDQN", "human"): Source("Prioritized DDQN (proportional)", "human", *STARTS),
    (HESSEL, "Dueling DDQN", "noop"): Source("Dueling DDQN", "noop", *NOOP),
    (HESSEL, "Dueling DDQN", "human"): Source("Dueling DDQN", "human", *STARTS),
    (HESSEL, "A3C", "human"): Source("A3C FF (4 days)", "human", *STARTS),
    (HESSEL, "Distributional DQN", "noop"): Source("Distributional DQN (Rainbow paper)", "noop", *NOOP),
    (HESSEL, "Distributional DQN", "human"): Source("Distributional DQN (Rainbow paper)", "human", *STARTS),
    (HESSEL, "Rainbow", "noop"): Source("Rainbow", "noop", *NOOP),
    (HESSEL, "Rainbow", "human"): Source("Rainbow", "human", *STARTS),
    (MUZERO, "Ape-X", "noop"): Source("Ape-X DQN", "noop", *NOOP),
    (MUZERO, "R2D2", "noop"): Source("R2D2", "noop", *ZOO),
    (MUZERO, "MuZero", "noop"): Source("MuZero (20B)", "noop", *NOOP),
    (MUZERO, "IMPALA", "noop"): Source("IMPALA (deep)", "noop", *NOOP),
    (MUZERO, "Rainbow", "noop"): Source("Rainbow", "noop", *NOOP),
    (BADIA, "Agent57", "noop"): Source("Agent57", "noop", *ZOO),
    (BADIA, "R2D2 (bandit)", "noop"): Source("R2D2 bandit (Agent57 paper)", "noop", *ZOO),
}
SOURCES_100K = {
    **{("SPR Table 1", agent): agent for agent in ("DER", "DrQ")},
    ("EfficientZero Table 1", "MuZero"): "MuZero (100k, EfficientZero paper)",
    ("EfficientZero Table 1", "EfficientZero"): "EfficientZero",
    **{("BBF Table A.1", agent): agent for agent in ("DrQ(eps)", "SPR", "IRIS", "SR-SPR", "BBF")},
    **{
        ("rliable notebook output (100 runs; SimPLe, DrQ, OTR as loaded)", agent): agent
        for agent in ("CURL", "SPR", "SimPLe", "DrQ(eps)")
    },
    **{
        ("DIAMOND Tables 1 and 6", agent): agent
        for agent in ("TWM", "IRIS", "STORM", "DIAMOND", "SR-SPR", "BBF", "EfficientZero")
    },
    ("DIAMOND Tables 1 and 6", "DreamerV3"): "DreamerV3 (DIAMOND table)",
}

# Summaries that are only quoted elsewhere (PROVENANCE.md, section 2): paper, agent, start, metric, value, source.
QUOTED = (
    ("Dabney et al. 2018a (QR-DQN)", "QR-DQN-0", "median HNS", "199", Source("QR-DQN-0", "noop", *NOOP)),
    ("Dabney et al. 2018a (QR-DQN)", "QR-DQN-1", "median HNS", "211", Source("QR-DQN-1", "noop", *NOOP)),
    ("Dabney et al. 2018b (IQN)", "IQN", "median HNS", "218", Source("IQN", "noop", *NOOP)),
    ("Horgan et al. 2018", "Gorila", "median HNS", "96", Source("Gorila DQN", "noop", *NATURE, games.ATARI49)),
)

# (paper or table, agent, start, metric or "all") -> why the summary does not come out.
_JAMESBOND = "jamesbond is missing: the per-game table has 56 games"
_THREE = "jamesbond, riverraid and up_n_down are not, or not all, in the per-game table as transcribed"
_QUOTE = "quoted there, and found in no summary of the paper it is ascribed to, which prints 123.7"
_RUNS = "an IQM over all runs; the per-game table here has means over runs"
_STARTS = "less than 0.5 off; the random and human scores that the paper used are not known to the last digit"
_TABLE = "the per-game column as transcribed does not give the printed summary; not explained"
MISMATCHES: dict[tuple[str, str, str, str], str] = {
    (WANG, "Dueling DDQN (Duel Clip)", "noop", "median HNS"): "0.08 off, more than the rounding of one game's scores; "
    "not explained",
    (WANG, "Prioritized DDQN (Prior. Single)", "noop", "all"): _JAMESBOND,
    (WANG, "Prioritized Dueling (Prior. Duel Clip)", "human", "all"): _TABLE,
    (MNIH, "A3C FF 4 days", "human", "mean HNS"): _STARTS,
    (MNIH, "A3C LSTM 4 days", "human", "mean HNS"): _STARTS,
    (FORTUNATO, "NoisyNet-A3C", "noop", "median HNS"): _TABLE,
    (BELLEMARE, "Prioritized", "noop", "all"): _JAMESBOND,
    (HESSEL, "Prioritized DDQN", "noop", "median HNS"): _QUOTE,
    (HESSEL, "Distributional DQN", "noop", "median HNS"): _THREE,
    (HESSEL, "Distributional DQN", "human", "median HNS"): _THREE,
    (HESSEL, "Rainbow", "noop", "median HNS"): _THREE,
    (HESSEL, "Rainbow", "human", "median HNS"): _THREE,
    (MUZERO, "Rainbow", "noop", "median HNS"): _THREE,
    **{("BBF Table A.1", agent, "", "IQM HNS"): _RUNS for agent in ("DrQ(eps)", "SPR", "IRIS", "SR-SPR", "BBF")},
    **{
        ("DIAMOND Tables 1 and 6", agent, "", "IQM HNS"): _RUNS
        for agent in ("TWM", "IRIS", "STORM", "DIAMOND", "DreamerV3")
    },
    ("DIAMOND Tables 1 and 6", "DreamerV3", "", "mean HNS"): _TABLE,
    ("Dabney et al. 2018b (IQN)", "IQN", "noop", "median HNS"): "does not fit the per-game table, on which three "
    "transcriptions agree (but for two digits swapped in one game)",
}


def table() -> pd.DataFrame:
    """Every published summary whose per-game scores are here, a row each.

    printed: as published (text).  computed: from the per-game table.  lowest, highest: what it may be by the rounding
    of the inputs.  status: how they compare; note: why, where a known mismatch.  unit: "%" or "x human".
    """
    rows = [_row(entry) for entry in _entries()]
    return pd.DataFrame(rows)


class _Entry(NamedTuple):
    paper: str
    place: str
    agent: str
    start: str
    metric: str
    printed: str
    unit: str
    source: Source
    scores: dict[str, float]


def _entries() -> list[_Entry]:
    found = []
    for r in formatting.records(published.aggregates()):
        if r["metric"] not in METRICS:
            continue
        if r["kind"] == "aggregate_100k" and (r["table"], r["agent"]) in SOURCES_100K:
            source = Source(SOURCES_100K[r["table"], r["agent"]], "", *ZOO, games.ATARI26)
            rows = published.per_game_100k()
            mine = rows[rows["agent"] == source.agent]
            scores = dict(zip(mine["game"], mine["score"], strict=True))
            found.append(
                _Entry(r["paper"], r["table"], r["agent"], "", r["metric"], r["value"], r["unit"], source, scores)
            )
        elif r["kind"] == "aggregate" and (r["paper"], r["agent"], r["start"]) in SOURCES:
            source = SOURCES[r["paper"], r["agent"], r["start"]]
            scores = published.column(source.agent, source.start)
            found.append(
                _Entry(r["paper"], r["table"], r["agent"], r["start"], r["metric"], r["value"], "%", source, scores)
            )
    for paper, agent, metric, printed, source in QUOTED:
        scores = published.column(source.agent, source.start)
        found.append(
            _Entry(paper, "quoted summary, not re-read", agent, source.start, metric, printed, "%", source, scores)
        )
    return found


def _row(entry: _Entry) -> dict[str, object]:
    metric = METRICS[entry.metric]
    normalization = entry.source.median_by if metric == "median" else entry.source.mean_by
    references = published.references(normalization)
    names = [g for g in entry.source.games if g in entry.scores]
    scale = 100.0 if entry.unit == "x human" else 1.0
    bounds = [_bounds(entry.scores[g], references[g], normalization) for g in names]
    exact = [references[g].normalized(entry.scores[g]) for g in names]
    computed, lowest, highest = (
        _metric(metric, values) / scale for values in (exact, [b[0] for b in bounds], [b[1] for b in bounds])
    )
    status = compare(entry.printed, computed, lowest, highest)
    note = _reason(entry)
    if status == UNKNOWN and note:
        status = KNOWN
    return {
        "paper": entry.paper,
        "place": entry.place,
        "agent": entry.agent,
        "start": entry.start,
        "metric": entry.metric,
        "unit": entry.unit,
        "printed": entry.printed,
        "computed": computed,
        "difference": computed - float(entry.printed),
        "lowest": lowest,
        "highest": highest,
        "status": status,
        "column": entry.source.agent,
        "normalization": normalization,
        "n_games": len(names),
        "n_games_published": len(entry.source.games),
        "note": note if status == KNOWN else "",
    }


def compare(printed: str, computed: float, lowest: float, highest: float) -> str:
    """How a printed number compares with the one computed from the per-game table, as if no mismatch were known.

    Args:
        printed: the number as the paper prints it.
        computed: the same, computed.
        lowest: the least that inputs within half a unit of their last digit can give.
        highest: the most.

    Returns:
        ``EQUAL``, ``CUT_OFF``, ``ROUNDING`` or ``UNKNOWN``.

    >>> [compare("118", x, x - 0.1, x + 0.1) for x in (117.6, 118.7, 117.45, 117.2)]
    ['equal', 'equal if cut off, not rounded', 'within the rounding of the inputs', 'MISMATCH']
    """
    unit = 10.0 ** -len(printed.partition(".")[2])
    value = float(printed)
    if abs(computed - value) <= 0.5 * unit:
        return EQUAL
    if 0 <= computed - value < unit:
        return CUT_OFF
    return ROUNDING if lowest <= value + 0.5 * unit and highest >= value - 0.5 * unit else UNKNOWN


def _metric(metric: str, values: list[float]) -> float:
    return statistics.aggregate([[v] for v in values])[metric].value.item()


def _bounds(score: float, reference: published.Reference, normalization: str) -> tuple[float, float]:
    """The normalized score's range if each input is off by up to half a unit of its last digit; a set 0 is exact."""
    half = REFERENCE_HALF_UNIT.get(normalization, FINER_HALF_UNIT)
    off = (-1.0, 1.0)
    found = [
        published.Reference(
            reference.random + (a * half if reference.random else 0.0), reference.human + b * half
        ).normalized(score + c * SCORE_HALF_UNIT)
        for a, b, c in product(off, off, off)
    ]
    return min(found), max(found)


def _reason(entry: _Entry) -> str:
    """Why this summary is known to differ; "" if no reason is known."""
    keys = product((entry.paper, entry.place), (entry.metric, "all"))
    return next((r for place, m in keys if (r := MISMATCHES.get((place, entry.agent, entry.start, m)))), "")


def markdown(found: pd.DataFrame) -> str:
    """The table as a page."""
    counts = [f"- {(found['status'] == status).sum()} {status}" for status in (EQUAL, CUT_OFF, ROUNDING, KNOWN)]
    others = sum(r["metric"] in METRICS for r in formatting.records(published.aggregates())) + len(QUOTED) - len(found)
    columns = {
        "paper": "paper",
        "place": "place",
        "agent": "agent",
        "start": "start",
        "metric": "metric",
        "printed": "printed",
        "computed": "computed",
        "difference": "difference",
        "status": "status",
        "games": "games",
        "normalization": "random and human scores",
        "note": "note",
    }
    rows = [
        {
            **r,
            "difference": formatting.number(r["difference"], 3),
            "games": str(r["n_games"])
            if r["n_games"] == r["n_games_published"]
            else f"{r['n_games']} of {r['n_games_published']}",
        }
        for r in formatting.records(found)
    ]
    return f"""# Published summaries, computed anew from the published per-game tables

Written by `dqn-tf results tables` from results/published/; do not edit. There is no run of ours in it.

Of {len(found)} printed medians, means and IQMs of human-normalized scores whose per-game scores are here:

{chr(10).join(counts)}

{others} more are published without per-game scores that could be read, so nothing can be said about them. The four
statuses mean: the computed number rounds to the printed one; the printed one is the computed one with its last digits
cut off; there are inputs within half a unit of their last digit with which it comes out; it does not, and the note
says what is known about it. Percent for the suites of 49 and 57 games, multiples of the human for the 26 games of 100k.

{formatting.markdown(rows, columns)}"""
