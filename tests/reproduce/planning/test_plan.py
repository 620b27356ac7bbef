"""From a protocol to its runs: order, selection, parts, cost."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reproduce.planning import cost
from reproduce.planning.plan import Selection, make, parse_shard
from reproduce.planning.reading import load

RUNS = Path("runs")


def keys(planned):
    return [tuple(j.run_dir.parts[-3:]) for j in planned.jobs]


def test_one_run_of_everything_comes_before_the_second():
    planned = make(load("nature2015"), RUNS, Selection())
    assert len(planned.jobs) == planned.total == 245
    assert [j.seed for j in planned.jobs] == [s for s in (1, 2, 3, 4, 5) for _ in range(49)]
    first = planned.jobs[0]
    assert first.run_dir == RUNS / "nature2015" / "dqn_nature" / "alien" / "seed_1"
    assert (first.frames, first.protocol, first.settings) == (200_000_000, "nature2015", ("execution.threads=1",))
    assert first.arguments[:4] == ["train", "dqn_nature", "alien", "--seed"]
    assert "--protocol nature2015 --set execution.threads=1" in " ".join(first.arguments)


def test_selection():
    chosen = Selection(environments=("BreakoutNoFrameskip-v4", "pong"), seeds=2)
    assert keys(make(load("nature2015"), RUNS, chosen)) == [
        ("dqn_nature", game, seed) for seed in ("seed_1", "seed_2") for game in ("breakout", "pong")
    ]
    more = make(load("nature2015"), RUNS, Selection(environments=("pong",), seeds=7))
    assert [j.seed for j in more.jobs] == [1, 2, 3, 4, 5, 6, 7]
    assert [j.frames for j in make(load("nature2015").with_frames(400), RUNS, chosen).jobs] == [400] * 4


def test_agents():
    """Any preset where the protocol is open to all; elsewhere only its own."""
    planned = make(
        load("atari57"), RUNS, Selection(agents=("dqn_dopamine", "rainbow"), environments=("pong",), seeds=1)
    )
    assert keys(planned) == [("dqn_dopamine", "pong", "seed_1"), ("rainbow", "pong", "seed_1")]
    assert not planned.awaiting
    assert planned.jobs[0].config.protocol.sticky_probability == 0.0  # the sweep's protocol, not the preset's own
    only = make(load("quickstart"), RUNS, Selection(agents=("dqn_classic",)))
    assert {k[0] for k in keys(only)} == {"dqn_classic"} and len(only.jobs) == 5


@pytest.mark.parametrize(
    ("name", "chosen", "said"),
    [
        ("nature2015", {"agents": ("dqn_natur",)}, "Did you mean 'dqn_nature'"),
        ("nature2015", {"agents": ("dqn_zoo",)}, "nature2015 is about these agents only"),
        ("nature2015", {"environments": ("brekout",)}, "Did you mean 'breakout'"),
        ("nature2015", {"environments": ("surround",)}, "Expected environments of nature2015, got 'surround'"),
        ("nature2015", {"environments": ("xyzzy",)}, "Unknown environment 'xyzzy'"),
        ("quickstart", {"agents": ("dqn_classic",), "environments": ("breakout",)}, "no grid has both"),
        ("classic", {"agents": ("dqn_nature",)}, "dqn_nature CartPole-v1 seed 1"),
    ],
)
def test_selections_that_cannot_be(name, chosen, said, outcome):
    assert said in outcome(make, load(name), RUNS, Selection(**chosen))


@settings(max_examples=20, deadline=None)
@given(total=st.integers(1, 12), of=st.integers(1, 15))
def test_parts_are_disjoint_and_complete(total, of):
    chosen = {"environments": tuple(sorted(GAMES)[:total]), "seeds": 1}
    whole = keys(make(PROTOCOL, RUNS, Selection(**chosen)))
    parts = [keys(make(PROTOCOL, RUNS, Selection(**chosen, shard=(i, of)))) for i in range(1, of + 1)]
    assert sorted(k for part in parts for k in part) == sorted(whole)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert parts == [keys(make(PROTOCOL, RUNS, Selection(**chosen, shard=(i, of)))) for i in range(1, of + 1)]


PROTOCOL = load("nature2015")
GAMES = {j.environment for j in make(PROTOCOL, RUNS, Selection(seeds=1)).jobs}


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/", "a/b", "-1/3", "1/0", "1.5/2"])
def test_parts_that_cannot_be(text, outcome):
    assert "Expected --shard i/n" in outcome(parse_shard, text)
    assert parse_shard("3/3") == (3, 3)


def test_thousands_of_runs_are_planned_in_a_moment():
    """The whole family on Atari-57 with five seeds."""
    began = time.process_time()
    planned = make(load("atari57"), RUNS, Selection())
    assert len(planned.jobs) == 3420 and not planned.awaiting
    cost.describe(planned, RUNS, 8)
    assert time.process_time() - began < 10.0  # 5 ms a run, on a slow machine


def test_an_agent_of_an_open_protocol_plays_in_its_own_grids_only():
    """atari100k has three grids, two games in all of them; der_paper has one, iqn has none and gets the largest."""
    asked = load("atari100k")
    for agent, runs in (("der_paper", 26), ("der_2021", 2), ("der", 130), ("iqn", 130)):
        jobs = make(asked, RUNS, Selection(agents=(agent,))).jobs
        assert len(jobs) == len({job.run_dir for job in jobs}) == runs, agent
