"""Protocol files: the shipped ones say what is true, and a mistake in one is answered with its place."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess

import gymnasium
import pandas as pd
import pytest

from dqn_tf import presets
from reproduce.places import RESULTS, ROOT
from reproduce.planning import plan, protocol, reading
from reproduce.planning.plan import Selection
from reproduce.planning.reading import load

SHIPPED = reading.names()


def test_which_protocols_there_are():
    assert SHIPPED == [
        "atari100k",
        "atari57",
        "classic",
        "cleanrl_classic",
        "cleanrl_pqn",
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
        assert all("execution.threads=1" in j.settings for j in jobs)
        assert all(j.config.agent.execution.threads == 1 for j in {(j.preset, j.settings): j for j in jobs}.values())
    assert sum(j.frames for j in jobs) <= 20_000 and all(j.config.agent.min_replay_steps < j.config.steps for j in jobs)


@pytest.mark.parametrize("name", SHIPPED)
def test_agents_of_one_table_are_scored_by_as_many_episodes(name, tmp_path):
    """As many in the final evaluation, of the same network, in each environment (tried: every tenth)."""
    jobs = plan.make(load(name), tmp_path, Selection(seeds=1)).jobs
    for environment in sorted({job.environment for job in jobs})[::10]:
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
    kind = "dev" if name in ("minatar", "revisiting_rainbow") else "base"  # whose environments are an extra
    (folder / "setup_env.sh").write_text(f'#!/bin/sh\n[ "$1" = {kind} ] && echo "{folder}/python"\n')
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
