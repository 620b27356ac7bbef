from __future__ import annotations

import json

import pytest

from dqn_tf.checks import ConfigError, RunError
from reproduce.analysis import curve_comparison
from reproduce.presenting import curve_tables
from reproduce.records import peer_reruns, runs

ABOUT = {
    "code": "google/dopamine@420b147",
    "settings": "dqn.gin",
    "game": "Breakout",
    "seed": 3,
    "steps": 250,
    "python": "3.6.15",
    "packages": {"tensorflow": "1.10.1", "gym": "0.10.5"},
}
EPISODES = "steps,length_steps,return_raw\n200,200,1.5\n260,60,1.8\n"


@pytest.fixture
def rerun(tmp_path):
    """A function (name, episodes.csv, about.json's changes) -> the folder of a rerun below tmp_path."""

    def make(name="a", episodes=EPISODES, **changes):
        folder = tmp_path / "reruns" / "dqn_dopamine" / name
        folder.mkdir(parents=True)
        (folder / "about.json").write_text(json.dumps({**ABOUT, **changes}))
        (folder / "episodes.csv").write_text(episodes)
        return folder

    return make


def test_the_mean_is_over_all_episodes_of_the_phase(rerun):
    found = peer_reruns.load(rerun())
    assert (found.agent, found.game) == ("dqn_dopamine", "breakout")
    assert found.row["episodes"] == 2 and found.row["return_mean"] == pytest.approx(1.65)
    assert found.row["software"] == "Python 3.6.15, gym 0.10.5, tensorflow 1.10.1"


@pytest.mark.parametrize(
    "episodes",
    [
        EPISODES[: EPISODES.rindex("260")],  # not finished
        EPISODES.replace("260,60", "270,60"),  # a row is missing
        EPISODES.replace("return_raw", "return"),
        "steps,length_steps,return_raw\n",
        "",
    ],
)
def test_what_is_damaged_or_unfinished_is_refused(rerun, episodes):
    folder = rerun(episodes=episodes)
    with pytest.raises(RunError, match=str(folder)):
        peer_reruns.load(folder)


def test_an_unknown_game_is_named(rerun):
    with pytest.raises(ConfigError, match="Brekout"):
        _ = peer_reruns.load(rerun(game="Brekout")).game


def test_it_stands_beside_ours_and_the_published_curve(rerun, run_dir, tmp_path):
    """Published for Breakout's first iteration: 1.64087, of 1.57108 to 1.69933."""
    rerun("b", EPISODES.replace("1.8", "2.5"), seed=4), rerun("a")
    found = peer_reruns.find(tmp_path, "dqn_dopamine")
    assert [r.about["seed"] for r in found] == [3, 4] and peer_reruns.find(tmp_path, "dqn_nature") == []
    group = [runs.load(run_dir("a", ((400_000, 1.6), (1_000_000, 1.7))))]
    page = curve_tables.page(group, curve_comparison.table_of(group), found)
    assert "| google/dopamine@420b147 | Python 3.6.15, gym 0.10.5, tensorflow 1.10.1 | breakout | 3 |" in page
    assert "seed 3: 1.65 is between the lowest (1.571)" in page and "seed 4: 2 is above where" in page
    assert page.count("Ours: 1.65.") == 2
    assert "own code" not in curve_tables.page(group, curve_comparison.table_of(group))
