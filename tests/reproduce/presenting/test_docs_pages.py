"""Pages of docs/ that are written from code and data, the agents' pages among them."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from dqn_tf import presets
from reproduce.places import RESULTS
from reproduce.presenting import agent_pages, docs_pages, results_folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pages as they are written now."""
    folder = tmp_path_factory.mktemp("docs")
    assert len(list(docs_pages.write(folder))) == len(docs_pages.pages())
    return folder


def test_a_page_that_was_edited_or_left_over_is_noticed(made: Path, tmp_path: Path) -> None:
    """``dqn-tf results docs --check``: docs/ as it is, then with one page edited, one left over and one removed."""
    said: list[str] = []
    assert results_folder.check(RESULTS, said.append, ["docs"]) == 0, said
    docs = tmp_path / "docs"
    shutil.copytree(made, docs)
    shutil.copy(made.parent / "README.md", tmp_path)  # its summary of the evidence is written too
    assert results_folder.check(RESULTS, said.append, ["docs"], docs) == 0
    (docs / "equations.md").write_text("mine")
    (docs / "agents" / "old.md").write_text("left over")
    (docs / "independent.md").unlink()
    assert results_folder.check(RESULTS, said.append, ["docs"], docs) == 3
    text = "\n".join(said)
    assert "equations.md: line 1 is 'mine'" in text and "agents/old.md: written by no command; remove it" in text
    assert "independent.md: missing" in text


def test_every_preset_stands_on_one_page() -> None:
    named = [name for agent in agent_pages.agents().values() for name in agent["presets"]]
    assert sorted(named) == sorted(presets.PRESETS)


def test_published_names_and_figures_exist() -> None:
    with (RESULTS / "published" / "aggregate_published.csv").open(newline="") as file:
        known = {row["agent"] for row in csv.DictReader(file)}
    for agent in agent_pages.agents().values():
        assert set(agent["published"]) <= known
        assert all((RESULTS / "plots" / "published" / name).is_file() for name in agent.get("figures", {}))


def test_a_page_says_what_the_agent_changes_and_no_more() -> None:
    """Rainbow has five ideas of files of their own and n-step returns; its page has no loss of DQN."""
    own = agent_pages.own_modules(presets.load("rainbow"))
    assert {Path(module).name for module in own} >= {"dueling", "noisy", "categorical", "double", "prioritized"}
    assert not any(module.endswith("values/expected") for module in own)
    single_step = agent_pages.own_modules(presets.load("double_dqn"))
    assert [Path(module).name for module in single_step] == ["double"]


def test_a_page_shows_values_with_their_sources() -> None:
    text = agent_pages.page("c51")
    assert "| `value.atoms` | 51 atoms | c51/run_atari.py: num_atoms |" in text
    assert "`heldout_edge_mass_mean`" in text and "c51_dopamine_breakout.png" in text


def test_an_agent_without_runs_says_so() -> None:
    assert "No Atari run of `fqf` is in `results/` yet." in agent_pages.page("fqf")
