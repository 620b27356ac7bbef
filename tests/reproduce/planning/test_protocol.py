"""Protocol files: the shipped ones say what is true, and a mistake in one is answered with its place."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

import gymnasium
import pandas as pd
import pytest

from dqn_tf import presets
from reproduce.places import RESULTS, ROOT
from reproduce.planning import plan, protocol, protocol_files
from reproduce.planning.plan import Selection
from reproduce.planning.protocol_files import load

SHIPPED = protocol_files.names()


def test_which_protocols_there_are():
    assert SHIPPED == [
        "atari100k",
        "atari57",
        "classic",
        "cleanrl_classic",
        "dopamine",
        "minatar",
        "nature2015",
        "quickstart",
        "rainbow_ablation",
        "revisiting_rainbow",
        "zoo57",
    ]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_protocol_can_be_planned(name, tmp_path):
    """And so can its smoke version, which has the same agents and takes minutes; every run has one thread."""
    whole = load(name)
    assert whole.id == name
    small = whole.smoke_version()
    assert set(small.named) <= set(whole.named) and small.id == f"{name}-smoke"
    for one in (whole, small):
        jobs = plan.make(one, tmp_path, Selection()).jobs
        assert jobs and len({j.run_dir for j in jobs}) == len(jobs)
        assert all(j.config.agent.execution.threads == 1 for j in jobs)
    assert sum(j.frames for j in jobs) <= 20_000 and all(j.config.agent.min_replay_steps < j.config.steps for j in jobs)


@pytest.mark.parametrize("name", SHIPPED)
def test_agents_of_one_table_are_scored_by_as_many_episodes(name, tmp_path):
    """As many in the final evaluation, of the same network, in each environment."""
    jobs = plan.make(load(name), tmp_path, Selection(seeds=1)).jobs
    for environment in {job.environment for job in jobs}:
        final = [job.config.evaluation for job in jobs if job.environment == environment]
        assert len({(e.final_episodes, e.final_network) for e in final}) == 1


@pytest.mark.parametrize("name", SHIPPED)
def test_nothing_waits_for_a_preset_that_exists(name):
    """If this fails, a preset has come: take it off `awaiting`, and see that its agents' settings fit."""
    assert not set(load(name).awaiting) & set(presets.PRESETS)


@functools.cache
def published(name):
    return pd.read_csv(RESULTS / "published" / name)


@pytest.mark.parametrize("name", SHIPPED)
def test_claims_say_what_was_published(name):
    """Every number is the one in results/published, in exactly one row, or a threshold of Gymnasium."""
    for claim in load(name).claims:
        assert not claim.remembered
        if not claim.data:
            assert claim.published == gymnasium.spec(claim.environment).reward_threshold and "Gymnasium" in claim.place
            continue
        cells = {k: v for k, v in claim.data.items() if k not in ("file", "column")}
        table = published(claim.data["file"])
        rows = table[(table[list(cells)] == pd.Series(cells)).all(axis=1)]
        assert len(rows) == 1, (claim.id, len(rows))
        assert float(rows[claim.data["column"]].iloc[0]) == pytest.approx(claim.published, rel=1e-5)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_protocol_has_a_door(name):
    assert os.access(ROOT / "reproduce" / f"{name}.sh", os.X_OK)


@pytest.mark.parametrize("name", SHIPPED)
def test_what_a_door_calls(name, tmp_path):
    """The environment's Python, from whatever folder; runs in the checkout; all words handed on as they are."""
    folder = tmp_path / "a checkout" / "reproduce"
    folder.mkdir(parents=True)
    for script in (f"{name}.sh", "protocol.sh"):
        shutil.copy(ROOT / "reproduce" / script, folder)
    (folder / "setup_env.sh").write_text(f'#!/bin/sh\n[ "$1" = base ] && echo "{folder}/python"\n')
    (folder / "python").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n')
    for script in ("setup_env.sh", "python"):
        (folder / script).chmod(0o755)
    done = subprocess.run(
        [folder / f"{name}.sh", "--games", "a b", "--smoke"], cwd=tmp_path, text=True, capture_output=True, check=False
    )
    assert done.returncode == 7, done.stderr
    runs = str(tmp_path / "a checkout" / "runs")
    assert done.stdout.splitlines() == [
        "-P",
        "-m",
        "dqn_tf",
        "reproduce",
        "--runs",
        runs,
        name,
        "--games",
        "a b",
        "--smoke",
    ]


def test_an_atari57_sweep_of_the_whole_family_has_3420_runs():
    grid = load("atari57").grid[0]
    assert len(grid.agents) * len(protocol.environments(grid)) * len(grid.seeds) == 3420


def test_the_quick_start_asks_for_the_runs_that_its_results_are_of(tmp_path):
    """results/quickstart/summary.csv has the hashes of their configurations, and the longest run comes first."""
    planned = plan.make(load("quickstart"), tmp_path, Selection()).jobs
    rows = pd.read_csv(RESULTS / "quickstart" / "summary.csv")
    assert [(j.environment, j.preset, j.seed, j.config.hash) for j in planned] == list(
        zip(rows["environment"], rows["agent"], rows["seed"], rows["config_hash"], strict=True)
    )


def test_the_quick_start_learns_what_the_preset_learns(tmp_path):
    """What is set for Breakout changes what is measured and kept: the replay is never full, learning starts in time."""
    config = plan.make(load("quickstart"), tmp_path, Selection()).jobs[0].config
    assert config.agent.min_replay_steps < config.steps <= config.agent.storage.capacity
    agent = {s.partition("=")[0] for s in load("quickstart").grid[0].settings} - {"iteration_frames"}
    assert {name for name in agent if not name.startswith("evaluation")} == {
        "replay.capacity",
        "protocol.max_frames_per_evaluation_episode",
    }


# -- mistakes ----------------------------------------------------------------------------------------------------------
GOOD = """\
schema = 1
id = "mine"
title = "A protocol of my own"
awaiting = ["bbf"]

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
agents = ["dqn_classic", "wide", "bbf"]
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
    assert made.jobs[1].config.agent.network.hidden == (64, 64) and made.awaiting == ("bbf",)


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
        ['environments = ["CartPole-v1"]', 'environments = ["breakout", "Breakout-v4"]'],
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
    assert sorted(p.stem for p in (tmp_path / "reproduce" / "protocols").iterdir()) == SHIPPED
