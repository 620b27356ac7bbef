"""What a protocol's file declares for its verdicts: a mistake in it is answered with its line and key."""

from __future__ import annotations

import pytest

from reproduce.planning.reading import load

GOOD = """\
schema = 1
id = "mine"
title = "A protocol of my own"

[paper]
title = "None"
reference = "none"
place = "none"

[score]
convention = "final_evaluation"

[[grid]]
agents = ["der"]
environments = ["assault"]
seeds = [1]
budget_frames = 400_000

[[grid]]
agents = ["rr_dqn", "rr_rainbow"]
environments = ["Acrobot-v1"]
seeds = [1]
budget_frames = 2_000

[[smoke]]
agents = ["rr_dqn"]
environments = ["Acrobot-v1"]
seeds = [1]
budget_frames = 200

[[claims]]
id = "height"
agent = "rr_dqn"
metric = "score"
environment = "Acrobot-v1"
published = -105.8
unit = "return"
place = "somewhere"
rule = "within"
tolerance = 0.1
why_tolerance = "ours"
margin = 10.0
std = 5.0
std_runs = 3
std_divisor = "n"

[[orders]]
id = "order"
statement = "Rainbow is better"
better = "rr_rainbow"
worse = "rr_dqn"
environment = "Acrobot-v1"
family = "all"
published = 3.0
place = "somewhere"

[[ranks]]
id = "rank"
agent = "der"
environment = "assault"
published = "DER"
steps = [10_000, 100_000]
error = 0.05
place = "somewhere"

[[tried]]
agents = ["rr_dqn"]
environments = ["Acrobot-v1"]
seeds = [1]
what = "a try"
tuned = false
"""
DATA = '\ndata = {file = "small_budget_published.csv", column = "value", env = "Acrobot-v1", agent = "DQN"}'

WRONG = {
    "no margin": (["margin = 10.0", "margin = 0.0"], "line 42, key `claims[1].margin`", "a number above 0"),
    "a spread of nobody": (["std_runs = 3\n", ""], "line 43, key `claims[1].std`", "Expected `std_runs` with it"),
    "a spread of one run": (["std_runs = 3", "std_runs = 1"], "key `claims[1].std`", "at least 2 runs"),
    "runs without a spread": (["std = 5.0\n", ""], "key `claims[1].std_runs`", "Expected `std` with it"),
    "another divisor": (['"n"\n', '"n-1"\n'], "line 45, key `claims[1].std_divisor`", "n - 1"),
    "two spreads": (["margin = 10.0", "run_std = 1.0"], "key `claims[1].std`", "not with `run_std`"),
    "a number of low confidence": (
        ["margin = 10.0", f"margin = 10.0{DATA}"],
        "key `claims[1].low_confidence`",
        "is marked LOW CONFIDENCE",
        "`low_confidence = true`",
    ),
    "one that only seems so": (
        ["margin = 10.0", f"low_confidence = true{DATA}".replace("Acrobot", "CartPole").replace("-v1", "-v0")],
        "is not marked LOW CONFIDENCE",
    ),
    "an unknown agent": (['"rr_rainbow"\nworse', '"rr_rainbo"\nworse'], "key `orders[1].better`", "'rr_rainbow'"),
    "an agent beside itself": (['worse = "rr_dqn"', 'worse = "rr_rainbow"'], "key `orders[1].worse`", "another agent"),
    "another environment": (
        ['environment = "Acrobot-v1"\nfamily', 'environment = "CartPole-v1"\nfamily'],
        "line 52, key `orders[1].environment`",
        "Acrobot-v1",
    ),
    "the wrong way round": (["published = 3.0", "published = -3.0"], "key `orders[1].published`", "change places"),
    "no family": (['family = "all"', 'family = " "'], "key `orders[1].family`", "Expected words"),
    "an id twice": (['id = "order"', 'id = "height"'], "key `orders[1].id`", "an id of its own"),
    "no place": (['place = "somewhere"\n\n[[ranks]]', 'place = ""\n\n[[ranks]]'], "key `orders[1].place`", "words"),
    "an unknown published agent": (['published = "DER"', 'published = "DERR"'], "key `ranks[1].published`", "'DER'"),
    "steps that nobody evaluated": (["[10_000, 100_000]", "[15_000]"], "key `ranks[1].published`", "evaluated after"),
    "steps that fall": (["[10_000, 100_000]", "[20_000, 10_000]"], "key `ranks[1].steps`", "that rise"),
    "an impossible error": (["error = 0.05", "error = 1.0"], "key `ranks[1].error`", "between 0 and 1"),
    "a rank of another game": (['"assault"\npublished', '"pong"\npublished'], "key `ranks[1].environment`", "assault"),
    "no seeds": (["seeds = [1]\nwhat", "seeds = []\nwhat"], "key `tried[1]`", "at least one"),
    "an unknown try": (
        [
            'agents = ["rr_dqn"]\nenvironments = ["Acrobot-v1"]\nseeds = [1]\nwhat',
            'agents = ["rr_dqm"]\nenvironments = ["Acrobot-v1"]\nseeds = [1]\nwhat',
        ],
        "key `tried[1].agents`",
        "'rr_dqn'",
    ),
    "no words": (['what = "a try"', 'what = ""'], "key `tried[1].what`", "Expected words"),
}


def test_a_file_that_declares_all_of_it(tmp_path):
    (tmp_path / "mine.toml").write_text(GOOD)
    p = load(str(tmp_path / "mine.toml"))
    assert p.claims[0].allowed == pytest.approx(10.58) and p.claims[0].std_divisor == "n"
    assert (p.orders[0].better, p.ranks[0].steps, p.tried[0].tuned) == ("rr_rainbow", (10_000, 100_000), False)
    small = p.smoke_version()
    assert small.claims == small.orders == small.ranks == ()
    assert "orders" not in p.identity(), "statements may be corrected without making another sweep of it"


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_answered_with_its_place(name, tmp_path, outcome):
    (old, new), *expected = WRONG[name]
    assert GOOD.count(old) == 1, old
    (tmp_path / "mine.toml").write_text(GOOD.replace(old, new))
    said = outcome(load, str(tmp_path / "mine.toml"))
    for part in expected:
        assert part in said
