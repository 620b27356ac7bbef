"""From a protocol to its runs: order, selection, parts, cost."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reproduce import places
from reproduce.planning import cost
from reproduce.planning.plan import Selection, make, parse_shard
from reproduce.planning.protocol_files import load

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


# -- cost --------------------------------------------------------------------------------------------------------------
def test_hours_from_a_speed_that_is_given(tmp_path):
    """Two games of 200M frames at 1,000 frames/s take 55.6 hours each."""
    planned = make(load("nature2015"), RUNS, Selection(environments=("pong", "breakout"), seeds=1))
    text = cost.describe(planned, tmp_path, 2, 1000.0)
    assert "2 runs, 400,000,000 training frames" in text
    assert "one run after another: 111.1; 2 at a time: 55.6" in text and "1,000 frames/s (--frames-per-second)" in text
    assert "GPU-hours, where each run has a GPU of its own: 111.1" in text
    row = next(line for line in text.splitlines() if line.startswith("dqn_nature"))
    assert "8.1 GB" in row and "55.6" in row and "breakout, pong" in row  # 1M frames of 84 x 84, and 1 GiB
    assert "Disk: about 1.0 GB, at most 14.4 GB" in text and f"are free in {tmp_path}" in text


def test_hours_from_what_was_measured():
    text = cost.describe(make(load("nature2015"), RUNS, Selection(seeds=1)), RUNS, None)
    told = json.loads((places.ROOT / "results" / "speed" / "versus_peers.json").read_text())
    measured = told["work"]["dqn"]["dqn_tf"]["frames_per_s"]
    assert min(measured) < 49 * 200_000_000 / 3600 / _number_after(text, "one run after another: ") < max(measured)
    assert "results/speed/versus_peers.json: dqn_nature, one run alone on a CPU" in text and "GPU-hours" in text
    assert "not measured" in next(line for line in text.splitlines() if line.startswith("GPU-hours"))


def _number_after(text, words):
    return float(text.split(words)[1].split(";")[0].replace(",", ""))


def test_no_speed_no_hours(tmp_path):
    config = make(load("classic"), RUNS, Selection()).jobs[0].config
    assert cost.measured_speed(config, tmp_path) is None
    (tmp_path / "quickstart").mkdir()
    (tmp_path / "quickstart" / "times.csv").write_text(
        "environment,seed,frames,wall_seconds\nCartPole-v1,1,80000,100\n"
    )
    assert cost.measured_speed(config, tmp_path).frames_per_s == 800.0
    acrobot = cost.describe(make(load("classic"), RUNS, Selection(environments=("Acrobot-v1",))), RUNS, 1)
    assert "without 5 runs of which no speed is known" in acrobot


def test_a_part_says_so_and_an_empty_one_too():
    part = make(load("quickstart"), RUNS, Selection(shard=(1, 4)))
    assert "2 of 6 runs" in cost.describe(part, RUNS, 1)
    assert "0 of 6 runs" in cost.describe(make(load("quickstart"), RUNS, Selection(shard=(9, 9))), RUNS, 1)


def test_a_budget_without_updates_is_said() -> None:
    short = make(load("quickstart").with_frames(100), RUNS, Selection(environments=("CartPole-v1",), seeds=2))
    assert "2 of them end before learning begins" in cost.describe(short, RUNS, 1)
    assert "learning begins" not in cost.describe(make(load("quickstart"), RUNS, Selection()), RUNS, 1)
