"""Claims are judged by code; what was not run is not judged."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from dqn_tf.envs import games
from reproduce import claims, published, scores
from reproduce.claims import HELD, NOT_HELD, NOT_RUN, Claim, judge


def row(environment="breakout", seed=0, score=100.0, **more):
    default = {"collection": "nature", "agent": "dqn", "environment": environment, "game": environment, "seed": seed,
               "convention": "final_evaluation", "score": score, "episodes": 10, "window": 0, "window_frames": 0,
               "frames": 1000, "budget_frames": 1000, "complete": True, "start": "noop", "sticky_actions": 0.0,
               "config_hash": "", "settings_hash": "", "code_sha256": ""}  # fmt: skip
    return default | more


def frame(*rows):
    return pd.DataFrame(list(rows), columns=list(scores.SCORE_COLUMNS))


def claim(**fields):
    default = {"name": "breakout", "agent": "dqn", "metric": "score", "convention": "final_evaluation",
               "environments": ("breakout",), "published": 100.0, "place": "Paper, Table 1",
               "rule": "within_absolute", "tolerance": 10.0}  # fmt: skip
    return Claim(**(default | fields))


@pytest.mark.parametrize(
    ("rule", "tolerance", "score", "status"),
    [  # bounds belong to what is allowed
        ("within_absolute", 10.0, 110.0, HELD), ("within_absolute", 10.0, 110.1, NOT_HELD),
        ("within_absolute", 10.0, 90.0, HELD), ("within_absolute", 10.0, 89.9, NOT_HELD),
        ("within_relative", 0.25, 125.0, HELD), ("within_relative", 0.25, 74.9, NOT_HELD),
        ("at_least", 0.0, 100.0, HELD), ("at_least", 0.0, 99.9, NOT_HELD), ("at_least", 5.0, 95.0, HELD),
        ("at_least", 0.0, 1e6, HELD),
    ],
)  # fmt: skip
def test_rules(rule, tolerance, score, status):
    assert judge(claim(rule=rule, tolerance=tolerance), frame(row(score=score)), "nature").status == status


def test_a_negative_published_value():
    """20 % of -20 is 4."""
    pong = claim(published=-20.0, rule="within_relative", tolerance=0.2)
    assert judge(pong, frame(row(score=-16.0)), "nature").status == HELD
    assert judge(pong, frame(row(score=-15.9)), "nature").status == NOT_HELD


def test_interval_rule_by_hand():
    """Scores 90 and 130: mean 110, standard deviation 28.28, t(1) = 12.706: the half width is 254.1."""
    two = frame(row(seed=0, score=90.0), row(seed=1, score=130.0))
    found = judge(claim(rule="interval", tolerance=0.0, seeds=2, published=364.0), two, "nature")
    assert found.status == HELD and found.high == pytest.approx(364.12, abs=0.01) and found.n_seeds_min == 2
    assert judge(claim(rule="interval", tolerance=0.0, seeds=2, published=364.2), two, "nature").status == NOT_HELD
    assert judge(claim(rule="interval", tolerance=1.0, seeds=2, published=364.2), two, "nature").status == HELD


@pytest.mark.parametrize(
    "rows",
    [
        (),
        (row(complete=False),),
        (row(collection="other"),),
        (row(agent="another"),),
        (row(convention="best_checkpoint"),),
        (row(environment="pong"),),
        (row(budget_frames=999),),
    ],
)
def test_what_is_not_there_is_not_run(rows):
    found = judge(claim(frames=1000), frame(*rows), "nature")
    assert found.status == NOT_RUN and math.isnan(found.ours) and found.n_environments == 0
    assert "Complete runs of 1,000 frames with a score by final_evaluation are missing for 1 of 1" in found.explanation


def test_too_few_seeds_are_not_run():
    found = judge(claim(seeds=3), frame(row(seed=0), row(seed=1), row(seed=2, complete=False)), "nature")
    assert found.status == NOT_RUN and found.n_seeds_min == 2
    assert "breakout 2 of 3" in found.explanation and "1 runs are under way or of another length" in found.explanation


def over_games(metric="median", value=79.0, **more):
    return claim(name=metric, metric=metric, environments=games.ATARI57, published=value, normalization="muzero_s1",
                 **more)  # fmt: skip


def test_a_claim_about_57_games_is_judged_on_57():
    """The published DQN column as if it were ours: the median is the published one."""
    column = published.column("DQN (re-evaluated, no-op 30 min)", "noop")
    rows = [row(game, seed, score) for game, score in column.items() for seed in (0, 1)]
    found = judge(over_games(value=79.1, tolerance=0.05), frame(*rows), "nature")
    assert found.status == HELD and found.ours == pytest.approx(79.075, abs=0.001) and found.n_environments == 57
    assert found.low == pytest.approx(found.ours, rel=1e-9)  # two equal seeds
    assert judge(over_games("mean", 227.9, tolerance=0.05), frame(*rows), "nature").status == HELD
    assert judge(over_games("iqm", 227.9, tolerance=0.05), frame(*rows), "nature").status == NOT_HELD
    fewer = judge(over_games(value=79.1, tolerance=0.05), frame(*rows[2:-2]), "nature")
    assert fewer.status == NOT_RUN and fewer.n_environments == 55
    assert "missing for 2 of 57" in fewer.explanation and "alien 0 of 1, zaxxon 0 of 1" in fewer.explanation


def test_table_and_page():
    found = claims.table([claim(), claim(name="far", published=500.0), claim(name="new", agent="rainbow")],
                         frame(row()), "nature")  # fmt: skip
    assert list(found.columns) == list(claims.CLAIM_COLUMNS)
    assert found["status"].tolist() == [HELD, NOT_HELD, NOT_RUN] and found["collection"].unique().tolist() == ["nature"]
    assert found["explanation"][1] == (
        "Ours 100, published 500; the rule, ours is at most 10 from the published value, is not met."
    )
    page = claims.markdown(found)
    assert "| far | not held |" in page and "- new: Complete runs with a score" in page
    assert claims.table([], frame(), "nature").empty


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"metric": "scor"}, "Unknown metric in claim 'breakout' 'scor'. Did you mean 'score'"),
        ({"convention": "final"}, "Unknown convention"),
        ({"rule": "at_lest"}, "Did you mean 'at_least'"),
        ({"published": math.nan}, "a finite number for `claim 'breakout': published`"),
        ({"tolerance": -1.0}, "a finite number >= 0"),
        ({"place": " "}, "where the value is published"),
        ({"seeds": 0}, "at least 1 seed"),
        ({"rule": "interval"}, "at least 2 seeds for the rule 'interval'"),
        ({"rule": "within_relative", "published": 0.0}, "Use 'within_absolute'"),
        ({"environments": ()}, "one environment or more"),
        ({"environments": ("pong", "pong")}, "each once"),
        ({"environments": ("pong", "breakout")}, "exactly one for the metric 'score'"),
        ({"normalization": "muzero_s1"}, "none for the metric 'score'"),
        ({"metric": "median"}, "Unknown normalization ''"),
        ({"metric": "median", "normalization": "nature49", "environments": ("pong", "skiing")}, "got ['skiing']"),
        ({"metric": "mean", "normalization": "dqn_zoo57"}, "lets that game outweigh the others"),
    ],
)
def test_refusals(outcome, fields, message):
    assert message in outcome(claim, **fields)
