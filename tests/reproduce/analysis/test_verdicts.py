"""Verdicts by the rules of docs/evidence/plan.md: each with numbers worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reproduce.analysis import run_scores, verdicts
from reproduce.analysis.collecting import Collected
from reproduce.analysis.intervals import Interval, Sample
from reproduce.analysis.verdicts import CANNOT_TELL, NOT_JUDGED, NOT_REPRODUCED, NOT_RUN, REPRODUCED
from reproduce.planning import reading
from reproduce.planning.protocol import Claim, Grid, Order, Paper, Protocol, Rank, Score, Tried
from reproduce.records import published

ENV = "CartPole-v1"


def rows(values, agent="dqn_cleanrl", environment=ENV, game="", **more):
    """A complete run per value; seeds from 1 on."""
    shared = {
        "collection": "mine",
        "agent": agent,
        "environment": environment,
        "game": game,
        "convention": "final_evaluation",
        "episodes": 10,
        "window": 0,
        "window_frames": 0,
        "frames": 1000,
        "budget_frames": 1000,
        "complete": True,
        "start": "none",
        "sticky_actions": 0.0,
        "config_hash": "",
        "settings_hash": "",
        "code_sha256": "",
    }
    return [{**shared, "seed": i, "score": value, **more} for i, value in enumerate(values, start=1)]


def found(*runs, curves=()):
    return Collected(
        pd.DataFrame([r for some in runs for r in some], columns=list(run_scores.SCORE_COLUMNS)),
        pd.DataFrame(list(curves), columns=list(run_scores.CURVE_COLUMNS)),
        [],
    )


def asked(seeds=4, agents=("dqn_cleanrl", "c51_cleanrl"), environments=(ENV,), **fields):
    grid = Grid(agents=agents, environments=environments, seeds=tuple(range(1, seeds + 1)), budget_frames=1000)
    return Protocol(
        schema=1,
        id="mine",
        title="",
        paper=Paper(title="", reference="", place=""),
        score=Score(convention="final_evaluation"),
        agents={},
        grid=(grid,),
        smoke=(grid,),
        path=Path(),
        **fields,
    )


def claim(**fields):
    default = {
        "id": "c",
        "agent": "dqn_cleanrl",
        "metric": "score",
        "environment": ENV,
        "published": 100.0,
        "unit": "return",
        "place": "Table 1",
        "rule": "within",
        "tolerance": 0.2,
        "why_tolerance": "ours",
    }
    return Claim(**{**default, **fields})


def order(**fields):
    default = {
        "id": "o",
        "statement": "C51 is better",
        "better": "c51_cleanrl",
        "worse": "dqn_cleanrl",
        "environment": ENV,
        "family": "f",
        "published": 10.0,
        "place": "Figure 1",
    }
    return Order(**{**default, **fields})


# -- heights -----------------------------------------------------------------------------------------------------------
def height(values, seeds=4, **fields):
    return verdicts.of_claim(asked(seeds), claim(**fields), found(rows(values)))


def test_reproduced_needs_the_rule_and_a_narrow_interval():
    """Mean 100, deviation 8.165: t(3) = 3.182, so the interval of the mean is 12.99 to either side."""
    values = [90.0, 110.0, 100.0, 100.0]
    one = height(values)
    assert one.status == REPRODUCED and one.interval == pytest.approx((-12.99, 12.99), abs=0.01)
    assert one.runs == one.asked == 4 and one.ours == 100.0
    assert "12.99 to either side, and 20 is what it may" in one.sentence
    assert height(values, margin=13.0).status == REPRODUCED
    assert height(values, margin=12.9).status == CANNOT_TELL


def test_the_rule_comes_first():
    """A wide interval does not excuse a mean that is off; a narrow one does not either."""
    assert height([121.0, 121.0, 121.0, 121.0]).status == NOT_REPRODUCED
    assert height([0.0, 300.0, 121.0, 121.0]).status == NOT_REPRODUCED
    assert height([120.0] * 4).status == REPRODUCED, "the bound belongs to what is allowed"


def test_fewer_runs_than_asked_cannot_tell_and_say_how_many():
    some = height([100.0, 100.0, 100.0])
    assert some.status == CANNOT_TELL and (some.runs, some.asked) == (3, 4) and some.sentence.startswith("3 of 4 runs.")
    assert some.ours == 100.0, "what there is, is shown"
    assert height([0.0] * 3).status == CANNOT_TELL, "neither can they refute"
    none = height([])
    assert none.status == NOT_RUN and math.isnan(none.ours) and none.runs == 0
    assert height([100.0] * 5, seeds=4).status == REPRODUCED, "more do no harm"


def test_one_run_has_no_spread():
    assert height([100.0], seeds=1).status == CANNOT_TELL
    assert height([150.0], seeds=1).status == NOT_REPRODUCED


def test_with_a_published_spread_the_interval_is_of_both():
    """CleanRL's DQN on CartPole: 488.69 +- 16.11 over three with n in the denominator, so 19.73 with n - 1.

    Ours: ten runs of 485 with a deviation of 10.  Pooled: sqrt((2 x 19.73^2 + 9 x 10^2) / 11) = 12.36, less than the
    published 19.73, which is taken; t(11) = 2.201; 19.73 x 2.201 x sqrt(1/3 + 1/10) = 28.59.  With a deviation of 30 it
    is the pooled one, 28.41: 41.17.
    """
    asked_for = reading.load("cleanrl_classic").claims[0]
    interval = verdicts.difference(asked_for, Sample(485.0, 10.0, 10), Interval(0.0, 0.0))
    assert interval == pytest.approx((485 - 488.69 - 28.59, 485 - 488.69 + 28.59), abs=0.02)
    low, high = verdicts.difference(asked_for, Sample(485.0, 30.0, 10), Interval(0.0, 0.0))
    assert (high - low) / 2 == pytest.approx(41.17, abs=0.02)
    plain = claim(std=16.11, std_runs=3, std_divisor="n - 1")
    half = 2.200985 * 16.11 * math.sqrt(1 / 3 + 1 / 10)
    assert verdicts.difference(plain, Sample(100.0, 10.0, 10), Interval(0, 0)) == pytest.approx((-half, half), rel=1e-5)


@pytest.mark.parametrize(
    ("id_", "spread", "possible"),
    [
        ("dqn_cartpole", 19.73, True),
        ("dqn_acrobot", 8.82, True),
        ("dqn_mountaincar", 10.39, True),
        ("c51_cartpole", 25.14, True),
        ("c51_acrobot", 6.76, True),
        ("c51_mountaincar", 34.22, False),
    ],
)
def test_what_the_plan_says_of_cleanrls_margins(id_, spread, possible):
    """However little our runs spread, C51 on MountainCar can only be "not reproduced" or "cannot tell"."""
    one = next(c for c in reading.load("cleanrl_classic").claims if c.id == id_)
    for std in (spread, 1.0):
        low, high = verdicts.difference(one, Sample(one.published, std, 10), Interval(0, 0))
        assert ((high - low) / 2 <= one.margin) == possible


def test_a_threshold_is_reproduced_where_the_interval_is_above_it():
    told = {"rule": "at_least", "tolerance": 0.0, "published": 100.0}
    assert height([110.0, 112.0, 111.0, 111.0], **told).status == REPRODUCED
    assert height([100.0, 130.0, 100.0, 111.0], **told).status == CANNOT_TELL
    assert height([99.0] * 4, **told).status == NOT_REPRODUCED


def test_low_confidence_is_shown_and_not_judged():
    shown = height([100.0] * 4, low_confidence=True)
    assert shown.status == NOT_JUDGED and "low confidence" in shown.sentence and shown.ours == 100.0
    assert height([], low_confidence=True).status == NOT_RUN


def test_seeds_by_which_a_setting_was_chosen_do_not_count():
    tried = {"agents": ("dqn_cleanrl",), "environments": (ENV,), "seeds": (1,), "what": "a try"}
    for tuned, runs in ((False, 4), (True, 3)):
        p = asked(claims=(claim(),), tried=(Tried(**tried, tuned=tuned),))
        assert verdicts.of_protocol(p, found(rows([100.0] * 4)))["c"].runs == runs


def test_over_games_every_missing_game_is_named():
    games = ("breakout", "pong", "freeway")
    p = asked(seeds=1, agents=("dqn_nature",), environments=games)
    one = claim(
        agent="dqn_nature",
        metric="median_normalized",
        environment="",
        normalization="dqn_zoo57_vp0",
        unit="percent",
        published=100.0,
    )
    some = [rows([300.0], "dqn_nature", g, g, start="noop") for g in games[:2]]
    part = verdicts.of_claim(p, one, found(*some))
    assert part.status == CANNOT_TELL and math.isnan(part.ours)
    assert part.sentence == "2 of 3 environments. Missing: freeway."


def test_one_run_a_game_is_judged_by_the_known_spread_of_single_runs():
    """1.96 x 3 = 5.88, no wider than the 10 that are allowed."""
    p = asked(seeds=1, agents=("dqn_nature",), environments=("breakout", "pong"))
    both = found(*(rows([value], "dqn_nature", g, g) for g, value in (("breakout", 30.5), ("pong", 14.6))))
    fields = {"agent": "dqn_nature", "metric": "mean_normalized", "environment": "", "unit": "percent"}
    one = claim(**fields, normalization="dqn_zoo57_vp0", tolerance=0.1, run_std=3.0)
    verdict = verdicts.of_claim(p, one, both)
    assert verdict.ours == pytest.approx(100.0) and verdict.interval == pytest.approx((-5.88, 5.88), abs=0.01)
    assert verdict.status == REPRODUCED
    assert verdicts.of_claim(p, claim(**fields, normalization="dqn_zoo57_vp0"), both).status == CANNOT_TELL


# -- orders ------------------------------------------------------------------------------------------------------------
def orders(better, worse, seeds=5, family=None):
    runs = found(rows(better, "c51_cleanrl"), rows(worse))
    return verdicts.of_orders(asked(seeds), family or [order()], runs)


def test_an_order_is_reproduced_with_its_sign_and_not_with_the_other():
    """Five above five: p = 2/252 = 0.0079."""
    low, high = [1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0]
    (yes,), (no,) = orders(high, low), orders(low, high)
    assert yes.status == REPRODUCED and yes.p == pytest.approx(2 / 252) and yes.ours == 1.0
    assert no.status == NOT_REPRODUCED and no.p == yes.p and no.ours == 0.0
    assert "better with probability 1" in yes.sentence and "p = 0.0079 after Holm's" in yes.sentence
    (same,) = orders(low, low)
    assert same.status == CANNOT_TELL and same.p == 1.0 and same.ours == 0.5


def test_a_family_shares_its_error():
    """Seven statements of p = 2/252 cannot be told apart from chance: 7 x 0.0079 = 0.056; six can."""
    low, high = [1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0]
    for number, status in ((6, REPRODUCED), (7, CANNOT_TELL)):
        family = [order(id=f"o{i}") for i in range(number)]
        assert {v.status for v in orders(high, low, family=family)} == {status}


def test_a_statement_whose_runs_are_missing_still_counts_in_its_family():
    high, low = [6.0, 7.0, 8.0, 9.0, 10.0], [1.0, 2.0, 3.0, 4.0, 5.0]
    p = asked(5, agents=("dqn_cleanrl", "c51_cleanrl", "dqn_classic"))
    family = [order(), *(order(id=f"o{i}", better="dqn_classic") for i in range(6))]
    told = verdicts.of_orders(p, family, found(rows(high, "c51_cleanrl"), rows(low), rows([1.0], "dqn_classic")))
    assert told[0].status == CANNOT_TELL and told[0].p == pytest.approx(7 * 2 / 252)
    assert told[1].status == CANNOT_TELL and math.isnan(told[1].p) and "1 of 5 runs, so not tested" in told[1].sentence
    nothing = verdicts.of_orders(p, [order(better="dqn_classic")], found())[0]
    assert nothing.status == NOT_RUN and "No complete run of dqn_classic and dqn_cleanrl" in nothing.sentence


# -- ranks -------------------------------------------------------------------------------------------------------------
def ranked(*finals, seeds=1, error=0.025):
    """Runs of Assault: at 90,000 steps in the middle of the published ones, after 100,000 at the given scores."""
    p = asked(seeds, agents=("der",), environments=("assault",))
    rank = Rank(
        id="r", agent="der", environment="assault", published="DER", steps=(90_000, 100_000), error=error, place="x"
    )
    shared = {"collection": "mine", "agent": "der", "environment": "assault", "game": "assault", "complete": True}
    curves = [
        {**shared, "seed": seed, "iteration": i, "frames": frames, "eval_return": value, "eval_episodes": 100}
        for seed, final in enumerate(finals, start=1)
        for i, (frames, value) in enumerate([(360_000, 560.0), (400_000, final)])
    ]
    return verdicts.of_rank(p, rank, found(rows(finals, "der", "assault", "assault"), curves=curves))


def test_the_extreme_ranks_are_unlike_the_published_runs_and_the_others_tell_nothing():
    theirs = published.runs_100k("DER").query("game == 'assault'")["eval_average_return"]
    lowest, highest = ranked(float(theirs.min()) - 1), ranked(float(theirs.max()) + 1)
    assert lowest.status == highest.status == NOT_REPRODUCED
    assert (lowest.ours, highest.ours) == (1, 101) and lowest.p == highest.p == pytest.approx(2 / 101)
    second = ranked(float(np.sort(theirs)[0] + np.sort(theirs)[1]) / 2)
    assert second.ours == 2 and second.status == CANNOT_TELL and "Rank 2 of 101" in second.sentence
    assert ranked().status == NOT_RUN
    assert ranked(0.0, seeds=2).status == CANNOT_TELL, "fewer than asked"


def test_four_runs_are_tested_together():
    """All below all 100: 2 of C(104, 4) = 4,598,126 splits."""
    four = ranked(-4.0, -3.0, -2.0, -1.0, seeds=4)
    assert four.status == NOT_REPRODUCED and four.p == pytest.approx(2 / 4_598_126)


# -- what the protocols declare ----------------------------------------------------------------------------------------
def test_the_orders_of_revisiting_rainbow_are_the_differences_of_its_claims():
    p = reading.load("revisiting_rainbow")
    heights = {(c.agent, c.environment): c.published for c in p.claims if not c.low_confidence}
    assert len(heights) == 39 and len(p.claims) == 49
    axis = {"CartPole-v0": 200.0, "LunarLander-v3": 400.0, "MountainCar-v0": 500.0}
    for o in p.orders:
        assert o.published == pytest.approx(heights[o.better, o.environment] - heights[o.worse, o.environment]), o.id
    families = pd.Series([o.family for o in p.orders]).value_counts().to_dict()
    assert families == {"CartPole-v0 and MountainCar-v0": 10, "LunarLander-v3": 8}
    declared = {(o.better, o.worse, o.environment) for o in p.orders}
    for (agent, environment), value in heights.items():  # and there is no other that large
        base = "rr_dqn" if agent.startswith("rr_dqn") else "rr_rainbow"
        gap = value - heights.get((base, environment), value)
        pair = (agent, base) if gap > 0 else (base, agent)
        assert (abs(gap) >= 0.15 * axis[environment]) == ((*pair, environment) in declared), (agent, environment)
