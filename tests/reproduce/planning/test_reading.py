"""A protocol of one's own, and mistakes in it: each error has the file, the line and the key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reproduce.places import ROOT
from reproduce.planning import plan, reading
from reproduce.planning.plan import Selection
from reproduce.planning.reading import load

GOOD = """\
schema = 1
id = "mine"
title = "A protocol of my own"
awaiting = ["agent57"]

[paper]
title = "None"
reference = "none"
place = "none"

[score]
convention = "final_evaluation"

[agents.wide]
preset = "dqn_classic"
settings = ["network.hidden=64,64"]

[[grid]]
agents = ["dqn_classic", "wide", "agent57"]
environments = ["CartPole-v1"]
seeds = [1, 2]
budget_frames = 2_000

[[smoke]]
agents = ["dqn_classic"]
environments = ["CartPole-v1"]
seeds = [1]
budget_frames = 200

[[claims]]
id = "solved"
agent = "wide"
metric = "score"
environment = "CartPole-v1"
published = 475
unit = "return"
place = "somewhere"
rule = "at_least"
tolerance = 0
why_tolerance = "a threshold"
"""


@pytest.fixture
def mine(tmp_path):
    """A function (old, new, ...) -> the path of GOOD with these changes."""

    def write(*changes: str) -> str:
        text = GOOD
        for old, new in zip(changes[::2], changes[1::2], strict=True):
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / "mine.toml").write_text(text)
        return str(tmp_path / "mine.toml")

    return write


def test_a_file_of_ones_own(mine, tmp_path):
    made = plan.make(load(mine()), tmp_path, Selection())
    assert [(j.run_dir.parts[-3], j.seed) for j in made.jobs] == [
        ("dqn_classic", 1),
        ("wide", 1),
        ("dqn_classic", 2),
        ("wide", 2),
    ]
    assert made.jobs[1].config.agent.network.hidden == (64, 64) and made.awaiting == ("agent57",)


WRONG = {
    "no TOML": (["schema = 1", "schema = "], "not TOML", "line 1"),
    "an unknown key": (
        ["budget_frames = 2_000", "budgt_frames = 2_000"],
        "line 22, key `grid[1].budgt_frames`",
        "Did you mean 'budget_frames'",
    ),
    "an unknown key in a second table": (
        ["budget_frames = 200\n", "budget = 200\n"],
        "line 28, key `smoke[1].budget`",
        "Did you mean 'budget_frames'",
    ),
    "an unknown table": (["[score]", "[skore]"], "key `score`", "Expected a table [score]"),
    "an unknown top-level key": (['title = "A', 'titel = "A'], "line 3, key `titel`", "Did you mean 'title'"),
    "a missing key": (["seeds = [1, 2]\n", ""], "line 18, key `grid[1].seeds`", "Expected a value, got none"),
    "a wrong type": (
        ["budget_frames = 2_000", 'budget_frames = "many"'],
        "line 22, key `grid[1].budget_frames`",
        "a whole number",
    ),
    "an ill-typed list": (
        ["seeds = [1, 2]", 'seeds = [1, "2"]'],
        "line 21, key `grid[1].seeds`",
        "a list of whole numbers",
    ),
    "a text where a list is": (
        ['settings = ["network.hidden=64,64"]', 'settings = "batch_size=8"'],
        "line 16, key `agents.wide.settings`",
        "a list of texts, got 'batch_size=8'",
    ),
    "a number of the wrong kind": (["schema = 1", "schema = true"], "line 1, key `schema`", "whole number"),
    "a wrong choice": (['"final_evaluation"', '"final"'], "line 12, key `score.convention`", "training_return"),
    "a table where tables are": (["[[grid]]", "[grid]"], "key `grid`", "Expected tables [[grid]]"),
    "another schema": (["schema = 1", "schema = 2"], "line 1, key `schema`", "Expected schema 1, got 2"),
    "an id that is no name": (['id = "mine"', 'id = "../mine"'], "line 2, key `id`", "plain name"),
    "an agent that is no name": (["[agents.wide]", '[agents."w/o"]'], "key `agents.w/o`", "plain name"),
    "an unknown preset": (
        ['preset = "dqn_classic"', 'preset = "dqn_clasic"'],
        "line 15, key `agents.wide.preset`",
        "Did you mean 'dqn_classic'",
    ),
    "an unknown agent": (['"wide", ', '"wyde", '], "line 19, key `grid[1].agents`", "Unknown preset 'wyde'"),
    "an unknown environment": (
        ['environments = ["CartPole-v1"]', 'environments = ["CartPol-v1"]'],
        "line 20, key `grid[1].environments`",
        "'CartPole-v1'",
    ),
    "an unknown game": (
        ['environments = ["CartPole-v1"]', 'environments = ["brekout"]'],
        "line 20, key `grid[1].environments`",
        "Did you mean 'breakout'",
    ),
    "an environment twice": (
        ['environments = ["CartPole-v1"]', 'environments = ["breakout", "ALE/Breakout-v5"]'],
        "line 20, key `grid[1].environments`",
        "each environment once",
    ),
    "an unknown suite": (
        ['environments = ["CartPole-v1"]', 'suite = "atari75"'],
        "line 20, key `grid[1].suite`",
        "Did you mean 'atari57'",
    ),
    "suite and environments": (
        ["budget_frames = 2_000", 'budget_frames = 2_000\nsuite = "atari57"'],
        "line 18, key `grid[1]`",
        "one of `suite` and `environments`",
    ),
    "an unknown Atari protocol": (
        ["budget_frames = 2_000", 'budget_frames = 2_000\natari_protocol = "nature2051"'],
        "line 23, key `grid[1].atari_protocol`",
        "Did you mean 'nature2015'",
    ),
    "a seed twice": (["seeds = [1, 2]", "seeds = [1, 1]"], "line 21, key `grid[1].seeds`", "different values"),
    "no seed": (["seeds = [1, 2]", "seeds = []"], "line 21, key `grid[1].seeds`", "at least one"),
    "a negative seed": (["seeds = [1, 2]", "seeds = [-1, 2]"], "line 21, key `grid[1].seeds`", "at least 0"),
    "no budget": (["budget_frames = 2_000", "budget_frames = 0"], "line 22, key `grid[1].budget_frames`", "at least 1"),
    "a claim about nobody": (
        ['agent = "wide"', 'agent = "wyde"'],
        "line 32, key `claims[1].agent`",
        "Did you mean 'wide'",
    ),
    "a claim about another environment": (
        ['metric = "score"\nenvironment = "CartPole-v1"', 'metric = "score"\nenvironment = "CartPole-v0"'],
        "line 34, key `claims[1].environment`",
        "Did you mean 'CartPole-v1'",
    ),
    "a claim without columns": (
        ['metric = "score"\nenvironment = "CartPole-v1"', 'metric = "median_normalized"'],
        "key `claims[1].normalization`",
        "Expected it for normalized metrics",
    ),
    "a claim about games and one": (
        ['metric = "score"', 'metric = "median_normalized"'],
        "line 34, key `claims[1].environment`",
        "Expected none for a metric over games",
    ),
    "columns that nobody knows": (
        [
            'metric = "score"\nenvironment = "CartPole-v1"',
            'metric = "iqm_normalized"\nnormalization = "nature_49"',
            'unit = "return"',
            'unit = "percent"',
        ],
        "line 34, key `claims[1].normalization`",
        "Did you mean 'nature49'",
    ),
    "a mean of one game": (
        [
            'metric = "score"\nenvironment = "CartPole-v1"',
            'metric = "mean_normalized"\nnormalization = "dqn_zoo57"',
            'unit = "return"',
            'unit = "percent"',
        ],
        "line 34, key `claims[1].normalization`",
        "lets that game outweigh the others",
    ),
    "a claim in a wrong unit": (
        ['unit = "return"', 'unit = "percent"'],
        "line 36, key `claims[1].unit`",
        "Expected return for a score",
    ),
    "a claim without a place": (
        ['place = "somewhere"', 'place = " "'],
        "line 37, key `claims[1].place`",
        "Expected words",
    ),
    "a claim about the middle, by the end": (
        ["published = 475", "frames = 1_000\npublished = 475"],
        "line 35, key `claims[1].frames`",
        "final_evaluation is of episodes after training",
    ),
    "a claim beyond the end": (
        [
            'convention = "final_evaluation"',
            'convention = "best_phase"',
            "published = 475",
            "frames = 3_000\npublished = 475",
        ],
        "line 35, key `claims[1].frames`",
        "within 2,000 frames, got 3,000",
    ),
    "a share of nothing": (
        ["published = 475", "published = 0", "tolerance = 0", "tolerance = 0.1"],
        "line 35, key `claims[1].published`",
        "of which the tolerance can be a share",
    ),
    "a window of no use": (
        ['convention = "final_evaluation"', 'convention = "final_evaluation"\nwindow_frames = 9'],
        "key `score.window_frames`",
        "Expected it for training_return and final_window",
    ),
    "no window": (
        ['convention = "final_evaluation"', 'convention = "training_return"'],
        "key `score.window_frames`",
        "the convention is training_return",
    ),
    "a negative tolerance": (["tolerance = 0", "tolerance = -1"], "line 39, key `claims[1].tolerance`", "at least 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_answered_with_its_place(name, mine, outcome, tmp_path):
    changes, *expected = WRONG[name]
    said = outcome(load, mine(*changes))
    assert str(tmp_path / "mine.toml") in said
    for part in expected:
        assert part in said


def test_a_run_twice(mine, outcome):
    path = Path(mine())
    path.write_text(
        path.read_text() + '\n[[grid]]\nagents = ["wide"]\nenvironments = ["CartPole-v1"]\nseeds = [9]\n'
        "budget_frames = 5\n"
    )
    assert "line 42, key `grid[2]`: wide on CartPole-v1 is in grid[1] too" in outcome(load, str(path))


def test_a_claim_twice(mine, outcome):
    path = Path(mine())
    text = path.read_text()
    path.write_text(text + "\n" + text[text.index("[[claims]]") :])
    assert "line 43, key `claims[2].id`" in outcome(load, str(path))


def test_names_and_files_that_are_not_there(outcome, tmp_path):
    assert "Did you mean 'dopamine'" in outcome(load, "dopamin")
    assert "No such file" in outcome(load, str(tmp_path / "none.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    assert "Expected a protocol" in outcome(load, str(tmp_path / "binary.toml"))


def test_settings_that_do_not_fit_are_refused_while_planning(mine, outcome, tmp_path):
    wrong = load(mine("network.hidden=64,64", "network.hiden=64,64"))
    said = outcome(plan.make, wrong, tmp_path, Selection())
    assert "wide CartPole-v1 seed 1" in said and "network.hidden" in said


def test_prose_and_claims_are_no_part_of_what_a_sweep_is(mine):
    one = load(mine()).identity()
    assert (
        load(mine('title = "A protocol', 'title = "Another protocol', "tolerance = 0", "tolerance = 1")).identity()
        == one
    )
    assert load(mine("budget_frames = 2_000", "budget_frames = 2_001")).identity() != one
    assert load(mine("hidden=64,64", "hidden=64,65")).identity() != one
    assert load(mine()).with_frames(2_001).identity() != one


def test_protocols_are_part_of_the_package(tmp_path):
    """They are found beside the code, wherever it was installed."""
    shutil.copytree(ROOT / "reproduce", tmp_path / "reproduce")
    assert sorted(p.stem for p in (tmp_path / "reproduce" / "protocols").iterdir()) == reading.names()
