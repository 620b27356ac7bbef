from __future__ import annotations

import shutil

import pytest

from dqn_tf import cli
from reproduce.analysis import curve_comparison
from reproduce.presenting import docs_pages, plots_folder, results_folder
from reproduce.records import runs

FILES = 23  # of which 4 are pictures
PARTS = ("tables", "figures")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Where the first results folder is kept, for the tests after it."""
    return tmp_path_factory.mktemp("kept") / "results"


@pytest.fixture
def results(run_dir, tmp_path, monkeypatch, kept):
    """A results folder with two runs, and what is made of them.  The published figures are left to .ci/run."""
    monkeypatch.setattr(plots_folder, "published", lambda folder: iter(()))
    if kept.exists():
        return shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    ends = [(4000 * (i + 1), float(i % 5)) for i in range(300)]
    for seed in (0, 1):
        run_dir(f"set/dqn_dopamine/breakout/seed_{seed}", ends, frames=1_000_000, seed=seed)
    written = {
        p.relative_to(tmp_path).as_posix() for p in results_folder.write(results_folder.read(tmp_path), tmp_path, PARTS)
    }
    assert len(written) == FILES and written >= {
        "tables/published_medians.csv",
        "tables/scores_per_game.csv",
        "tables/scores_set_dqn_dopamine_final_evaluation.md",
        "tables/dqn_dopamine.csv",
        "tables/scoreboard.csv",
        "tables/dqn_dopamine.md",
        "plots/dqn_dopamine_breakout.svg",
        "plots/dqn_dopamine_breakout.png",
        "plots/set/curves_breakout.svg",
        "plots/set/value_dqn_dopamine_breakout.svg",
    }
    shutil.copytree(tmp_path, kept)
    return tmp_path


def checked(results):
    said = []
    return results_folder.check(results, said.append, PARTS), "\n".join(said)


def test_nothing_differs_then_everything_that_does_is_named(results):
    assert checked(results) == (0, f"{FILES} files are the same.")
    table = results / "tables" / "dqn_dopamine.csv"
    table.write_text(table.read_text().replace("breakout", "pong", 1))
    picture = results / "plots" / "dqn_dopamine_breakout.png"
    picture.write_bytes(picture.read_bytes()[:-1] + b"x")
    (results / "tables" / "old.csv").write_text("left from another time\n")
    (results / "plots" / "set" / "curves_breakout.svg").unlink()
    count, said = checked(results)
    assert count == 4 and f"{FILES - 1} files compared, 4 to be put right." in said
    assert "tables/dqn_dopamine.csv: line 2 is 'dqn_dopamine,pong," in said
    assert "plots/dqn_dopamine_breakout.png: " in said and "would be" in said
    assert "tables/old.csv: written by no command; remove it" in said
    assert "plots/set/curves_breakout.svg: missing" in said


def test_pictures_are_compared_only_with_the_locked_versions(results, monkeypatch):
    monkeypatch.setattr(results_folder, "other_versions", lambda: ["matplotlib 3.0, locked 3.11.2"])
    for path in (results / "plots").rglob("*.svg"):
        path.write_text("another version drew this")
    count, said = checked(results)
    assert count == 0 and f"{FILES - 4} files are the same." in said
    assert (
        "Figures are not compared, because they were drawn with other versions: matplotlib 3.0, locked 3.11.2." in said
    )


def test_versions():
    from importlib import metadata

    here = metadata.version("matplotlib")
    assert results_folder.other_versions(f"matplotlib=={here} \\\n") == []
    assert results_folder.other_versions("matplotlib==0.1 \\\n") == [f"matplotlib {here}, locked 0.1"]


def command(*words):
    return cli.main(["results", *map(str, words)])


def test_runs_that_cannot_be_counted_stop_it(results, run_dir, capsys):
    run_dir("set/dqn_dopamine/pong/seed_0", ((4000, 1.0),), environment="pong", settings=["discount=0.5"])
    assert command("tables", "--check", "--results", results) == 1
    assert "2 different configurations would be in one table" in capsys.readouterr().err


def test_the_command(results, capsys):
    assert command("tables", "--check", "--results", results) == 0
    assert command("--results", results, "--check", "tables") == 0
    (results / "tables" / "dqn_dopamine.md").unlink()
    assert command("tables", "--check", "--results", results) == 1
    assert command("figures", "--check", "--results", results) == 0
    assert command("tables", "--results", results) == command("tables", "--check", "--results", results) == 0
    assert "dqn_dopamine.md: missing" in capsys.readouterr().out


def test_without_a_part_it_is_all_of_them(results, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(docs_pages, "pages", lambda: {"a.md": "a", "b.md": "b"})
    monkeypatch.setattr("reproduce.places.ROOT", tmp_path)
    assert command("--results", results) == 0
    assert capsys.readouterr().out.count("\n") == FILES + 2
    assert command("--check", "--results", results) == 0
    (tmp_path / "docs" / "b.md").write_text("c\n")
    assert command("--check", "--results", results) == command("docs", "--check") == 1
    assert "b.md: line 1 is 'c', would be 'b'" in capsys.readouterr().out


def test_every_run_is_read_once(results, monkeypatch):
    read = []
    real = runs.load
    monkeypatch.setattr(runs, "load", lambda path: (read.append(path), real(path))[1])
    assert len(results_folder.read(results).comparable) == 2
    assert len(read) == len(set(read)) == 2


def test_nothing_to_compare(tmp_path):
    """Published tables, and not one more."""
    written = [path.name for path in results_folder.tables(results_folder.read(tmp_path), tmp_path / "tables")]
    assert len(written) == 8 and all(name.startswith("published_") for name in written)


def test_runs_of_one_preset_stand_together_by_game_and_seed(run_dir):
    names = [("pong", 0), ("breakout", 1), ("breakout", 0)]
    loaded = [runs.load(run_dir(f"{game}{seed}", environment=game, seed=seed)) for game, seed in names]
    (group,) = curve_comparison.by_preset(loaded).values()
    assert [(r.environment, r.seed) for r in group] == [("breakout", 0), ("breakout", 1), ("pong", 0)]
