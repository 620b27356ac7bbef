"""Environments of a module of one's own, "module:Name-v0" and "module:ns/Name-v0", in a sweep: from plan to report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dqn_tf.checks import ConfigError
from dqn_tf.training.run_dir import read_json
from reproduce.analysis import claims, collecting
from reproduce.executing import sweep_status
from reproduce.places import folder_name
from reproduce.planning import plan, reading
from reproduce.planning.plan import Selection
from reproduce.planning.protocol import environments, find_environment
from reproduce.presenting.report import requested, writing
from reproduce.records import runs

MODULE = """
import gymnasium as gym
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
for name in ("Pole-v0", "own/Pole-v0"):
    gym.register(name, CartPoleEnv, max_episode_steps=50)
"""
PROTOCOL = """
schema = 1
id = "mine"
title = "Poles of my own"
[paper]
title = "none"
reference = "none"
place = "none"
[score]
convention = "final_evaluation"
[[grid]]
agents = ["dqn_classic"]
environments = ["{module}:Pole-v0", "{module}:own/Pole-v0"]
seeds = [1]
budget_frames = 150
settings = ["min_replay_steps=100", "iteration_frames=150", "evaluation.episodes=1", "evaluation.final_episodes=2",
            "execution.xla=none"]
[[smoke]]
agents = ["dqn_classic"]
environments = ["{module}:Pole-v0"]
seeds = [1]
budget_frames = 150
[[claims]]
id = "stands"
agent = "dqn_classic"
metric = "score"
environment = "{module}:own/Pole-v0"
published = 1.0
unit = "return"
place = "nowhere"
rule = "at_least"
tolerance = 0.0
why_tolerance = "none"
"""
FOLDERS = ("{}_Pole-v0", "{}_own_Pole-v0")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module in a folder of its own, which is the present one; its name."""
    name = f"poles_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    (tmp_path / "mine.toml").write_text(PROTOCOL.replace("{module}", name))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_a_plan_has_folders_that_runs_know_as_theirs(own: str, tmp_path: Path) -> None:
    """What ``dqn-tf train`` is told is the id; the folder is what records call the environment."""
    asked = reading.load(str(tmp_path / "mine.toml"))
    folders = tuple(name.format(own) for name in FOLDERS)
    assert environments(asked.grid[0]) == folders
    jobs = plan.make(asked, tmp_path / "runs", Selection()).jobs
    assert [job.arguments[2] for job in jobs] == [f"{own}:Pole-v0", f"{own}:own/Pole-v0"]
    assert [job.run_dir.parts[-2] for job in jobs] == list(folders)
    assert {job.python_path for job in jobs} == {str(tmp_path.resolve())}
    for spelled in (f"{own}:own/Pole-v0", f"gym:{own}:own/Pole-v0", folders[1]):
        assert find_environment(spelled, folders, "mine") == folders[1]
    only = plan.make(asked, tmp_path / "runs", Selection(environments=(f"{own}:own/Pole-v0",)))
    assert [job.environment for job in only.jobs] == [f"{own}:own/Pole-v0"]


def test_two_environments_of_one_folder_are_refused(own: str, tmp_path: Path) -> None:
    text = (tmp_path / "mine.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace(f'"{own}:own/Pole-v0"]', f'"gym:{own}:Pole-v0"]'))
    with pytest.raises(ConfigError, match="each environment once, and under a name of its own as a folder"):
        reading.load(str(tmp_path / "mine.toml"))


def test_installed_modules_need_no_folder() -> None:
    assert plan.module_folder("CartPole-v1") == plan.module_folder("gymnasium.envs:CartPole-v1") == ""
    assert plan.module_folder("no_such_module:Name-v0") == ""


@pytest.mark.slow
def test_from_plan_to_report(own: str, tmp_path: Path) -> None:
    """Without PYTHONPATH: the runs find the module where the sweep did."""
    command = [sys.executable, "-m", "dqn_tf", "reproduce", "mine.toml", "--jobs", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    home = tmp_path / "runs" / "mine"
    assert [status.state for status in sweep_status.collect(home)] == ["complete", "complete"]
    found = [runs.load(path) for path in runs.find(home)]
    assert sorted(run.environment for run in found) == sorted(name.format(own) for name in FOLDERS)
    assert {(run.collection, run.name) for run in found} == {("mine", "dqn_classic")}
    asked = reading.load(str(tmp_path / "mine.toml"))
    outcome = claims.judge(asked, asked.claims[0], collecting.collect([home]))
    assert outcome.status == "held" and outcome.n_environments == 1
    text = writing.write(tmp_path / "runs", None, requested.of_folder).read_text()
    assert folder_name(f"{own}:own/Pole-v0") in text and "not run" not in text
    assert read_json(found[0].path / "config.json")["environment"].startswith(f"gym:{own}:")
