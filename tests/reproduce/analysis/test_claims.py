"""Claims are judged by code; what was not run is not judged."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pandas as pd
import pytest

from dqn_tf.checks import ConfigError
from dqn_tf.envs import games
from reproduce.analysis import claims, collecting, run_scores
from reproduce.analysis.claims import HELD, NOT_HELD, NOT_RUN, judge
from reproduce.analysis.collecting import Collected
from reproduce.analysis.score_aggregates import at_frames
from reproduce.planning import reading
from reproduce.planning.protocol import Agent, Claim, Grid, Paper, Protocol, Score
from reproduce.records import published


def row(environment="breakout", seed=0, score=100.0, **more):
    default = {
        "collection": "nature",
        "agent": "dqn_nature",
        "environment": environment,
        "game": environment,
        "seed": seed,
        "convention": "final_evaluation",
        "score": score,
        "episodes": 10,
        "window": 0,
        "window_frames": 0,
        "frames": 1000,
        "budget_frames": 1000,
        "complete": True,
        "start": "noop",
        "sticky_actions": 0.0,
        "config_hash": "",
        "settings_hash": "",
        "code_sha256": "",
    }
    return default | more


def point(frames, environment="breakout", seed=0, train=(math.nan, 0), evaluation=(math.nan, 0), **more):
    """An iteration of a run; train, evaluation: (mean return, episodes)."""
    default = {
        "collection": "nature",
        "agent": "dqn_nature",
        "environment": environment,
        "game": environment,
        "seed": seed,
        "iteration": frames // 100 - 1,
        "frames": frames,
        "train_return": train[0],
        "train_episodes": train[1],
        "eval_return": evaluation[0],
        "eval_episodes": evaluation[1],
        "max_q": math.nan,
        "complete": True,
    }
    return default | more


def found(*rows, curves=()):
    return Collected(
        pd.DataFrame(list(rows), columns=list(run_scores.SCORE_COLUMNS)),
        pd.DataFrame(list(curves), columns=list(run_scores.CURVE_COLUMNS)),
        [],
    )


def claim(**fields):
    default = {
        "id": "breakout",
        "agent": "dqn_nature",
        "metric": "score",
        "environment": "breakout",
        "published": 100.0,
        "unit": "return",
        "place": "Paper, Table 1",
        "rule": "within",
        "tolerance": 0.1,
        "why_tolerance": "our choice",
    }
    return Claim(**(default | fields))


def asked(convention="final_evaluation", window=None, environments=("breakout",), seeds=1, **fields):
    """A protocol of 1,000 frames."""
    grid = Grid(agents=("dqn_nature",), environments=environments, seeds=tuple(range(seeds)), budget_frames=1000)
    return Protocol(
        **{
            "schema": 1,
            "id": "nature",
            "title": "",
            "paper": Paper(title="", reference="", place=""),
            "score": Score(convention=convention, window_frames=window),
            "agents": {"other": Agent(preset="c51")},
            "grid": (grid,),
            "smoke": (grid,),
            "path": Path(),
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("rule", "tolerance", "score", "status"),
    [  # bounds belong to what is allowed
        ("within", 0.25, 125.0, HELD),
        ("within", 0.25, 125.1, NOT_HELD),
        ("within", 0.25, 75.0, HELD),
        ("within", 0.25, 74.9, NOT_HELD),
        ("within", 0.0, 100.0, HELD),
        ("within", 0.0, 100.1, NOT_HELD),
        ("at_least", 0.0, 100.0, HELD),
        ("at_least", 0.0, 99.9, NOT_HELD),
        ("at_least", 0.05, 95.0, HELD),
        ("at_least", 0.05, 94.9, NOT_HELD),
        ("at_least", 0.0, 1e6, HELD),
    ],
)
def test_rules(rule, tolerance, score, status):
    assert judge(asked(), claim(rule=rule, tolerance=tolerance), found(row(score=score))).status == status


def test_a_negative_published_value():
    """20 % of -20 is 4."""
    for rule, least in (("within", -24.0), ("at_least", -24.0)):
        pong = claim(published=-20.0, rule=rule, tolerance=0.2)
        assert judge(asked(), pong, found(row(score=least))).status == HELD
        assert judge(asked(), pong, found(row(score=least - 0.1))).status == NOT_HELD
    assert judge(asked(), claim(published=-20.0, tolerance=0.2), found(row(score=-15.9))).status == NOT_HELD


def test_the_interval_is_told_and_decides_nothing():
    """Scores 90 and 130: mean 110, standard deviation 28.28, t(1) = 12.706: the half width is 254.1."""
    outcome = judge(asked(), claim(published=120.0), found(row(seed=0, score=90.0), row(seed=1, score=130.0)))
    assert (outcome.status, outcome.ours, outcome.n_seeds_min) == (HELD, 110.0, 2)
    assert outcome.high == pytest.approx(364.12, abs=0.01) and "95 % interval" in outcome.explanation
    assert judge(asked(), claim(published=130.0), found(row(seed=0, score=90.0), row(seed=1, score=130.0))).status == (
        NOT_HELD
    )


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
        (row(budget_frames=2000),),
    ],
)
def test_what_is_not_there_is_not_run(rows):
    outcome = judge(asked(), claim(), found(*rows))
    assert outcome.status == NOT_RUN and math.isnan(outcome.ours) and outcome.n_environments == 0
    assert "Complete runs of 1,000 frames with a score by final_evaluation are missing for 1 of 1" in (
        outcome.explanation
    )


def test_too_few_seeds_are_not_run_and_more_all_count():
    outcome = judge(asked(seeds=3), claim(), found(row(seed=0), row(seed=1), row(seed=2, complete=False)))
    assert outcome.status == NOT_RUN and outcome.n_seeds_min == 2
    assert "breakout 2 of 3" in outcome.explanation and "1 more are under way" in outcome.explanation
    more = judge(asked(), claim(), found(row(seed=0, score=100.0), row(seed=8, score=104.0)))
    assert (more.ours, more.n_seeds_min) == (102.0, 2)


# -- during training ---------------------------------------------------------------------------------------------------
def test_a_score_during_training_by_hand():
    """Three iterations of 100 frames, and one beyond."""
    table = found(
        curves=[
            point(100, train=(1.0, 3), evaluation=(50.0, 2)),
            point(200, train=(10.0, 1), evaluation=(20.0, 9)),
            point(300, train=(20.0, 3), evaluation=(40.0, 2)),
            point(400, train=(900.0, 3), evaluation=(999.0, 2)),
        ]
    ).curves
    assert at_frames(table, "training_return", 300, 100)["score"].tolist() == [20.0]
    assert at_frames(table, "training_return", 300, 200)["score"].tolist() == [(10 + 3 * 20) / 4]
    assert at_frames(table, "final_window", 300, 200)["score"].tolist() == [30.0]
    assert at_frames(table, "best_phase", 300)["score"].tolist() == [50.0]
    assert at_frames(table, "best_phase", 250).empty  # no iteration ends there
    with pytest.raises(ConfigError, match="has scores during training"):
        at_frames(table, "final_evaluation", 300)
    with pytest.raises(ConfigError, match="has scores during training"):
        at_frames(table, "best_checkpoint", 300)


def test_runs_without_an_episode_in_the_window_have_no_score():
    table = found(curves=[point(100, train=(1.0, 3)), point(200), point(100, seed=1), point(200, seed=1, train=(5, 1))])
    for convention, window, expected in (("training_return", 100, [5.0]), ("training_return", 200, [1.0, 5.0])):
        assert at_frames(table.curves, convention, 200, window)["score"].tolist() == expected
    assert at_frames(table.curves, "final_window", 200, 200).empty
    assert at_frames(table.curves, "best_phase", 200).empty


def test_a_claim_about_the_middle_of_training_is_judged_there():
    """As Dopamine's are: iteration 198 of 200.  Runs of another budget, or not complete, do not count."""
    curves = [point(900, train=(100.0, 4)), point(1000, train=(300.0, 4))]
    dopamine = asked("training_return", 100)
    assert judge(dopamine, claim(frames=900), found(row(), curves=curves)).ours == 100.0
    assert judge(dopamine, claim(), found(row(), curves=curves)).ours == 300.0
    assert judge(asked("training_return", 200), claim(), found(row(), curves=curves)).ours == 200.0
    for wrong in (row(complete=False), row(budget_frames=2000), row(seed=1)):
        assert judge(dopamine, claim(frames=900), found(wrong, curves=curves)).status == NOT_RUN
    assert (
        "Judged at 900 frames." in claims.row(dopamine, claim(frames=900), found(row(), curves=curves))["explanation"]
    )


def test_the_number_of_an_iteration_is_that_of_its_episodes(run_dir, tmp_path):
    """``at_frames`` of collected runs is ``score_rows``' own training return, where both look at one window."""
    for seed in range(2):
        run_dir(
            f"set/dqn_dopamine/breakout/seed_{seed}",
            seed=seed,
            frames=1000,
            settings=("iteration_frames=100",),
            episodes=[(50 * i, float(i)) for i in range(1, 21)],
            evaluations=(1.0, 4.0, 3.0, 2.0, 2.0),
        )
    collected = collecting.collect([tmp_path / "runs"], window=3)
    of = collected.scores.set_index(["convention", "seed"])["score"]
    assert at_frames(collected.curves, "best_phase", 1000)["score"].tolist() == of["best_phase"].tolist()
    # five phases of 200 frames each: the last three began after frame 400
    assert at_frames(collected.curves, "final_window", 1000, 600)["score"].tolist() == of["final_window"].tolist()


# -- over games --------------------------------------------------------------------------------------------------------
def over_games(metric="median_normalized", value=79.0, **more):
    default = {"unit": "percent", "normalization": "muzero_s1"}
    return claim(metric=metric, environment="", published=value, **(default | more))


def test_a_claim_about_57_games_is_judged_on_57():
    """The published DQN column as if it were ours: the median is the published one."""
    atari57 = asked(environments=games.ATARI57)
    column = published.column("DQN (re-evaluated, no-op 30 min)", "noop")
    rows = [row(game, seed, score) for game, score in column.items() for seed in (0, 1)]
    outcome = judge(atari57, over_games(value=79.1, tolerance=0.001), found(*rows))
    assert outcome.status == HELD and outcome.ours == pytest.approx(79.075, abs=0.001) and outcome.n_environments == 57
    assert outcome.low == pytest.approx(outcome.ours, rel=1e-9)  # two equal seeds
    assert judge(atari57, over_games("mean_normalized", 227.9, tolerance=0.001), found(*rows)).status == HELD
    assert judge(atari57, over_games("iqm_normalized", 227.9, tolerance=0.001), found(*rows)).status == NOT_HELD
    fraction = judge(atari57, over_games(value=0.791, tolerance=0.001, unit="fraction"), found(*rows))
    assert fraction.status == HELD and fraction.ours == pytest.approx(0.79075, abs=1e-5)
    assert fraction.high == pytest.approx(fraction.ours, rel=1e-9)
    fewer = judge(atari57, over_games(value=79.1, tolerance=0.001), found(*rows[2:-2]))
    assert fewer.status == NOT_RUN and fewer.n_environments == 55
    assert "missing for 2 of 57" in fewer.explanation and "alien 0 of 1, zaxxon 0 of 1" in fewer.explanation


def test_games_without_human_scores_are_not_needed():
    need = claims.needed(asked(environments=("pong", "skiing", "air_raid")), over_games())
    assert need.environments == ("pong", "skiing") and (need.seeds, need.frames, need.budget_frames) == (1, 1000, 1000)
    nature = dataclasses.replace(over_games(), normalization="nature49")
    assert claims.needed(asked(environments=("pong", "skiing")), nature).environments == ("pong",)


# -- the shipped ones --------------------------------------------------------------------------------------------------
PROTOCOLS = {name: reading.load(name) for name in reading.names()}
SHIPPED = [(name, c) for name, of in PROTOCOLS.items() for c in of.claims]


@pytest.mark.parametrize(("name", "shipped"), SHIPPED, ids=[f"{name}-{c.id}" for name, c in SHIPPED])
def test_every_shipped_claim_is_judged_once_its_runs_are_there(name, shipped):
    """Runs that scored exactly what was published hold it; before them it is not run."""
    of = PROTOCOLS[name]
    need, convention = claims.needed(of, shipped), of.score.convention
    assert judge(of, shipped, found()).status == NOT_RUN
    known = published.references(shipped.normalization) if shipped.normalization else {}
    rows, curves = [], []
    for environment in need.environments:
        value = shipped.published
        if known:
            share = value if shipped.unit == "fraction" else value / 100
            reference = known[environment]
            value = reference.random + share * abs(reference.human - reference.random)
        for seed in range(need.seeds):
            where = {"environment": environment, "seed": seed, "collection": of.id, "agent": shipped.agent}
            rows.append(row(**where, score=value, convention=convention, budget_frames=need.budget_frames))
            there = {"train": (value, 9), "evaluation": (value, 9)}
            curves.append(point(need.frames, **where, **there))
    outcome = claims.row(of, shipped, found(*rows, curves=curves))
    assert outcome["status"] == HELD and outcome["ours"] == pytest.approx(shipped.published), outcome["explanation"]
    assert claims.row(of, shipped, found(*rows[:-1], curves=curves[:-1]))["status"] == NOT_RUN


@pytest.mark.parametrize(("name", "shipped"), SHIPPED, ids=[f"{name}-{c.id}" for name, c in SHIPPED])
def test_tolerances_of_our_own_say_so(name, shipped):
    """In the file, and where the claim is shown."""
    ours = shipped.why_tolerance.startswith("our choice, before any run of ours")
    assert ours or (shipped.tolerance == 0 and shipped.why_tolerance.startswith("none: "))
    told = claims.row(PROTOCOLS[name], shipped, found())["explanation"]
    assert ("our choice" in told) == ours


def test_a_row_of_the_report():
    held = claims.row(asked(), claim(note="A note."), found(row()))
    assert held["explanation"] == (
        "Ours 100, published 100; the rule, ours is at most 10 % of it away from the published value, is met. "
        "The tolerance: our choice. A note."
    )
    assert (held["status"], held["ours"], held["metric"], held["unit"]) == (HELD, 100.0, "score breakout", "return")
    assert claims.row(asked(), claim(), found())["ours"] is None
    assert claims.rule_in_words(claim(rule="at_least", tolerance=0.0)) == "ours is at least the published value"
    assert claims.rule_in_words(claim(rule="at_least")) == "ours is at least the published value less 10 % of it"
