"""The published summaries come out of the published scores, or it is known why not."""

from __future__ import annotations

import pandas as pd
import pytest

from reproduce.analysis import published_summaries
from reproduce.analysis.published_summaries import CUT_OFF, EQUAL, KNOWN, ROUNDING, UNKNOWN, compare
from reproduce.records import published


@pytest.fixture(scope="module")
def table():
    return published_summaries.table()


def test_every_summary_comes_out_or_is_a_named_mismatch(table):
    assert table["status"].value_counts().to_dict() == {EQUAL: 99, CUT_OFF: 10, ROUNDING: 7, KNOWN: 28}
    known = table["status"] == KNOWN
    assert (table.loc[known, "note"] != "").all() and (table.loc[~known, "note"] == "").all()


@pytest.mark.parametrize(
    ("paper", "agent", "metric", "printed", "computed", "status"),
    [  # what the papers print, and what comes out
        (published_summaries.WANG, "DQN", "median HNS", "79.1", 79.1, EQUAL),
        (published_summaries.WANG, "Double DQN (Single)", "median HNS", "117.8", 117.8, EQUAL),
        (published_summaries.WANG, "Dueling DDQN (Duel Clip)", "median HNS", "151.5", 151.4, KNOWN),
        (published_summaries.WANG, "Prioritized Dueling (Prior. Duel Clip)", "median HNS", "172.1", 172.1, EQUAL),
        (published_summaries.WANG, "Prioritized Dueling (Prior. Duel Clip)", "mean HNS", "591.9", 591.9, EQUAL),
        (published_summaries.BELLEMARE, "C51", "median HNS", "178", 177.7, EQUAL),
        (published_summaries.BELLEMARE, "C51", "mean HNS", "701", 701.4, EQUAL),
        (published_summaries.MUZERO, "Ape-X", "median HNS", "434.1", 434.1, EQUAL),
        (published_summaries.MUZERO, "MuZero", "mean HNS", "4999.2", 4999.2, EQUAL),
        (published_summaries.HASSELT, "DQN", "median HNS", "93.5", 93.5, EQUAL),
        (published_summaries.HASSELT, "DQN", "mean HNS", "241.1", 241.1, EQUAL),
        (published_summaries.BADIA, "Agent57", "mean HNS", "4766.25", 4766.25, EQUAL),
        ("Dabney et al. 2018b (IQN)", "IQN", "median HNS", "218", 237.8, KNOWN),
        ("BBF", "BBF", "median HNS", "0.917", 0.917, EQUAL),
    ],
)
def test_summaries(table, paper, agent, metric, printed, computed, status):
    row = table[
        (table["paper"] == paper)
        & (table["agent"] == agent)
        & (table["metric"] == metric)
        & (table["start"] != "human")
    ].iloc[0]
    assert (row["printed"], row["status"]) == (printed, status)
    assert row["computed"] == pytest.approx(computed, abs=0.05 if "." in printed else 0.5)


def test_schauls_and_van_hasselts_means_need_nairs_random_scores(table):
    """All of them come out; the two papers' own random scores are those of Nair et al. 2015."""
    rows = table[table["normalization"] == "human_starts_nair"]
    assert len(rows) == 16 and set(rows["status"]) <= {EQUAL, CUT_OFF}


def test_no_known_mismatch_is_out_of_date(table):
    """Each is the reason of some row, and none of its rows would come out by itself."""
    assert set(table.loc[table["status"] == KNOWN, "note"]) == set(published_summaries.MISMATCHES.values())
    keys = set()
    for row in table[table["status"] == KNOWN].itertuples():
        assert compare(row.printed, row.computed, row.lowest, row.highest) == UNKNOWN
        keys |= {(place, row.agent, row.start, m) for place in (row.paper, row.place) for m in (row.metric, "all")}
    assert set(published_summaries.MISMATCHES) <= keys


def test_sources_all_stand_in_the_summaries(table):
    """No line of the two lists is left over: each was found in the file of summaries."""
    found = set(zip(table["paper"], table["agent"], table["start"], strict=True))
    assert set(published_summaries.SOURCES) <= found
    assert set(published_summaries.SOURCES_100K) <= set(zip(table["place"], table["agent"], strict=True))
    assert (table["n_games"] <= table["n_games_published"]).all()
    assert set(table.loc[table["n_games"] < table["n_games_published"], "status"]) == {KNOWN}


def test_agrees_with_what_the_sources_reader_computed(table):
    """The file's own column, made by another program before this one; medians and means with our choice of columns."""
    theirs = published.aggregates()[["paper", "table", "agent", "start", "metric", "computed_from_our_tables"]].dropna(
        subset="computed_from_our_tables"
    )
    theirs["start"] = theirs["start"].fillna("")
    both = table.merge(
        theirs,
        left_on=["paper", "place", "agent", "start", "metric"],
        right_on=["paper", "table", "agent", "start", "metric"],
    )
    means = both[both["metric"] != "IQM HNS"]
    off = (means["computed"] / means["computed_from_our_tables"] - 1).abs()
    assert len(means) >= 80
    assert off.max() < 0.005  # they rounded to one decimal, or three, and used one set of columns for all no-op means


def test_a_changed_score_is_noticed(monkeypatch):
    """One of 57 scores a third off moves a mean beyond its rounding."""
    scores = published.per_game()
    scores.loc[(scores["agent"] == "C51") & (scores["game"] == "atlantis"), "score"] *= 1.5
    monkeypatch.setattr(published, "_read", _with(published._read, published.PER_GAME, scores))
    row = published_summaries.table().query("agent == 'C51' and metric == 'mean HNS'").iloc[0]
    assert row["status"] == UNKNOWN


def _with(read, name: str, table: pd.DataFrame):
    return lambda asked: table if asked == name else read(asked)


@pytest.mark.parametrize(
    ("printed", "computed", "status"),
    [
        ("79.1", 79.149, EQUAL),
        ("79.1", 79.051, EQUAL),
        ("79.1", 79.16, CUT_OFF),
        ("79.1", 79.199, CUT_OFF),
        ("79.1", 79.2, UNKNOWN),
        ("79.1", 79.04, UNKNOWN),
        ("79", 79.9, CUT_OFF),
        ("79", 78.4, UNKNOWN),
        ("0.30", 0.3049, EQUAL),
        ("0.3", 0.34, EQUAL),
    ],
)
def test_compare_at_the_boundaries(printed, computed, status):
    assert compare(printed, computed, computed, computed) == status
    assert compare(printed, computed, computed - 1, computed + 1) != UNKNOWN


def test_page(table):
    page = published_summaries.markdown(table)
    assert "no run of ours" in page and "- 99 equal\n- 10 equal if cut off, not rounded\n- 7 within" in page
    assert "| Wang et al. 2016 | Table 1 | DQN | noop | median HNS | 79.1 | 79.08 |" in page
    assert page.count("\n| ") == len(table) + 2  # heading and rule
