"""Scoreboard, tables and figures of a protocol: nothing looks whole that is not, and nothing is mixed."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pandas as pd
import pytest

from dqn_tf.checks import ConfigError
from reproduce.analysis import protocol_cells, scoreboard
from reproduce.planning import reading
from reproduce.planning.plan import Selection
from reproduce.presenting import evidence_figures, evidence_page, evidence_tables, results_folder, tables_folder
from reproduce.records import run_export, runs

found = importlib.util.spec_from_file_location("made_up", Path(__file__).parents[1] / "made_up.py")
made_up = importlib.util.module_from_spec(found)
found.loader.exec_module(made_up)

HEIGHTS = {"CartPole-v1": 485.0, "Acrobot-v1": -90.0, "MountainCar-v0": -195.0}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A results folder with ten seeds of DQN on three environments, made up and packed; C51 was not attempted."""
    home = tmp_path_factory.mktemp("evidence")

    def returns(job, share):
        return round(HEIGHTS[job.environment] * (1 + 0.001 * job.seed), 3)

    made_up.write("cleanrl_classic", home / "runs", returns, Selection(agents=("dqn_cleanrl",)), episodes=1)
    list(run_export.pack(runs.find(home / "runs"), "cleanrl_classic", home / "results"))
    return home


@pytest.fixture
def results(whole, tmp_path):
    shutil.copytree(whole / "results", tmp_path / "results")
    return tmp_path / "results"


def board(results):
    records = results_folder.read(results)
    table = scoreboard.table(records.found, records.seen, records.comparable)
    tables_folder.scoreboard_file(table, results / "tables")
    return table, records


def repack(results, environment, change):
    """Pack the runs of an environment anew, after ``change`` of {seed: files}."""
    from reproduce.records import packed

    folder = results / "runs" / "cleanrl_classic" / "dqn_cleanrl" / environment
    content = {seed: packed.files(folder, seed) for seed in packed.seeds(folder)}
    shutil.rmtree(folder)
    change(content)
    packed.write(folder, content)


def test_the_scoreboard_has_every_number_that_was_attempted(results):
    table, _ = board(results)
    assert list(table["id"]) == ["dqn_cartpole", "dqn_acrobot", "dqn_mountaincar"], "C51 has no run at all"
    assert set(table["verdict"]) == {"reproduced"} and set(table["runs"]) == {10}
    first = table.iloc[0]
    assert first["ours"] == pytest.approx(485 * 1.0055) and first["published_spread"] == "± 16.11, 3 runs"
    assert first["seconds"] == 10 * 50 * 36
    assert first["repeat"] == "dqn-tf reproduce cleanrl_classic --agent dqn_cleanrl --games CartPole-v1"
    assert "Seed 1 had been tried before: at most 30,000 steps" in first["notes"] and not table["notes"].iloc[1]


def test_missing_runs_are_shown_as_missing(results):
    repack(results, "CartPole-v1", lambda content: [content.pop(seed) for seed in (8, 9, 10)])
    shutil.rmtree(results / "runs" / "cleanrl_classic" / "dqn_cleanrl" / "Acrobot-v1")
    table, records = board(results)
    assert list(table["verdict"]) == ["cannot tell", "not run", "reproduced"] and list(table["runs"]) == [7, 0, 10]
    page = evidence_page.page(results)
    assert "cannot tell with 7 runs | [7 of 10](../../results/runs/cleanrl_classic/dqn_cleanrl/CartPole-v1/" in page
    assert "| not run | 0 of 10 |" in page
    assert "**1 of 3 published numbers and statements that were attempted are reproduced**; 1 cannot be decided" in page
    text = next(p for p in evidence_tables.files(table, records.found, results / "tables") if p.suffix == ".md")
    told = text.read_text()
    assert "1 of 3 cells have all their runs." in told and "c51_cleanrl" not in told
    assert "**Not whole**: dqn_cleanrl on CartPole-v1 (7 of 10), dqn_cleanrl on Acrobot-v1 (0 of 10)." in told
    assert "| `dqn_cleanrl` | Acrobot-v1 | -91.54 ± 7.2 | – | – | – | 0 of 10 | not run |" in told


def test_runs_of_several_settings_are_refused(results, tmp_path):
    """Two runs of another size of batch in the folder: neither half of them is judged."""
    shutil.rmtree(results / "runs" / "cleanrl_classic" / "dqn_cleanrl" / "CartPole-v1")
    home = tmp_path / "runs"
    one = Selection(agents=("dqn_cleanrl",), environments=("CartPole-v1",), seeds=2)
    made_up.write("cleanrl_classic", home, lambda job, share: 485.0, one)
    config = home / "cleanrl_classic" / "dqn_cleanrl" / "CartPole-v1" / "seed_2" / "config.json"
    change(config, '"batch_size": 128', '"batch_size": 64')
    for path in runs.find(home):
        run_export.export(path, "cleanrl_classic", results)
    table, records = board(results)
    assert table["verdict"].iloc[0] == "refused" and "settings are mixed" in table["notes"].iloc[0]
    assert "2 runs of dqn_cleanrl/CartPole-v1 are left out" in table["notes"].iloc[0] and records.found.problems
    assert "**refused**" in evidence_page.page(results) and "1 refused" in evidence_page.page(results)


def change(config, old, new):
    """Another setting in a run directory, with its hash where it stands."""
    from dqn_tf import fields, plain_json

    text = config.read_text()
    assert text.count(old) == 1
    before, after = (fields.digest(plain_json.loads(t)) for t in (text, text.replace(old, new)))
    config.write_text(text.replace(old, new))
    for name in ("manifest.json", "summary.json"):
        path = config.with_name(name)
        path.write_text(path.read_text().replace(before, after))


def test_runs_of_other_settings_than_the_protocols_are_refused(results, tmp_path):
    shutil.rmtree(results / "runs" / "cleanrl_classic" / "dqn_cleanrl" / "CartPole-v1")
    home = tmp_path / "runs"
    one = Selection(agents=("dqn_cleanrl",), environments=("CartPole-v1",), seeds=1)
    made_up.write("cleanrl_classic", home, lambda job, share: 485.0, one)
    config = home / "cleanrl_classic" / "dqn_cleanrl" / "CartPole-v1" / "seed_1" / "config.json"
    change(config, '"batch_size": 128', '"batch_size": 64')
    list(run_export.pack(runs.find(home), "cleanrl_classic", results))
    table, _ = board(results)
    assert table["verdict"].iloc[0] == "refused" and table["runs"].iloc[0] == 0
    assert "other settings than the protocol now: agent.batch_size: 64, 128 in the protocol" in table["notes"].iloc[0]


def test_every_cell_has_its_place(results):
    _, records = board(results)
    table = protocol_cells.cells(reading.load("cleanrl_classic"), records.found, {"dqn_acrobot": "reproduced"})
    assert list(table["environment"]) == list(HEIGHTS) and list(table["spread"]) == [16.11, 7.2, 8.48]
    assert list(table["verdict"]) == ["", "reproduced", ""] and (table["low"] < table["ours"]).all()


def test_figures_are_drawn_of_what_there_is(results, tmp_path):
    _, records = board(results)
    drawn = list(evidence_figures.files(records.found, tmp_path / "plots"))
    names = ["evidence_heights", *(f"evidence_{name}" for name in HEIGHTS)]
    assert [p.stem for p in drawn] == names and all(p.parent.name == "cleanrl_classic" for p in drawn)
    assert evidence_tables.figures(reading.load("cleanrl_classic"), records.found) == names, "as the page shows them"
    again = list(evidence_figures.files(records.found, tmp_path / "again"))
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in drawn]
    none = records.found._replace(scores=records.found.scores.iloc[:0])
    assert not list(evidence_figures.files(none, tmp_path / "none"))


def test_the_summary_stands_in_the_readme(results, tmp_path):
    board(results)
    text = f"# Title\n\n{evidence_page.BEGIN}\nold\n{evidence_page.END}\n\nmore\n"
    told = evidence_page.readme(text, results)
    assert told.startswith("# Title\n\n") and told.endswith(f"{evidence_page.END}\n\nmore\n") and "old" not in told
    assert "**3 of 3 published numbers and statements that were attempted are reproduced**." in told
    assert evidence_page.readme(told, results) == told
    rows = evidence_page.board(results)
    claims = rows[rows["kind"] == "claim"]
    assert len(claims) and evidence_page.whole(rows) in told and evidence_page.whole(rows).count("`") == 2 * len(claims)
    assert evidence_page.whole(rows.assign(runs=rows["asked"] - 1)) == "", "a table with missing runs is not whole"
    with pytest.raises(ConfigError, match="to write between them"):
        evidence_page.readme("# Title\n", results)
    assert "Nothing was attempted yet" in evidence_page.readme(text, tmp_path / "empty")
    assert "Nothing was attempted yet" in evidence_page.page(tmp_path / "empty")


def test_counts():
    table = pd.DataFrame({"verdict": ["not run", "reproduced", "not judged", "reproduced"]})
    assert scoreboard.counts(table) == {"reproduced": 2, "not run": 1, "not judged": 1}
    assert "1 more, of low confidence, are shown" in evidence_page.summary(table)
    assert evidence_page.summary(table).startswith("**2 of 3 ")
