"""The tables in results/ are what the code makes of runs and published numbers, and say what is ours."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from dqn_tf import cli
from reproduce import formatting, places
from reproduce.analysis import collecting, published_summaries, run_scores, score_aggregates
from reproduce.presenting import results_folder, score_tables, tables_folder
from reproduce.records import published, published_conventions

TABLES = places.RESULTS / "tables"
PUBLISHED = ["published_medians", *(f"published_scores_{kind}" for kind in score_tables.PUBLISHED)]
SHORT = ("iteration_frames=1_000_000", "evaluation.final_episodes=1")


@pytest.fixture
def write(run_dir):
    def make(environment="breakout", seed=0, preset="dqn_dopamine", **fields):
        fields = {
            "settings": SHORT,
            "frames": 10_000_000,
            "episodes": ((9_000_000, 40.0), (10_000_000, 60.0)),
            **fields,
        }
        return run_dir(
            f"set/{preset}/{environment}/seed_{seed}", environment=environment, seed=seed, preset=preset, **fields
        )

    return make


def test_the_published_tables_in_results_are_what_the_code_makes(tmp_path):
    written = tables_folder.published_tables(tmp_path)
    assert sorted(p.name for p in written) == sorted(f"{name}{end}" for name in PUBLISHED for end in (".csv", ".md"))
    for path in written:
        assert path.read_bytes() == (TABLES / path.name).read_bytes(), f"run dqn-tf results tables ({path.name})"


def test_published_numbers_that_were_changed_are_not_used(tmp_path, monkeypatch, outcome):
    monkeypatch.setattr(published, "verify", lambda: ["x.csv: changed"])
    assert "x.csv: changed. Restore them." in outcome(tables_folder.published_tables, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_summary_that_does_not_come_out_stops_everything(tmp_path, monkeypatch, outcome):
    monkeypatch.delitem(published_summaries.MISMATCHES, ("Dabney et al. 2018b (IQN)", "IQN", "noop", "median HNS"))
    assert "differ from those of the published scores: Dabney et al. 2018b (IQN), IQN: median HNS" in outcome(
        tables_folder.published_tables, tmp_path
    )


@pytest.mark.parametrize("kind", score_tables.PUBLISHED)
def test_published_scores(kind):
    table, columns = score_tables.published_scores(kind), score_tables.published_columns(kind)
    assert list(table.columns) == ["game", "random", "human", *columns["agent"]] and len(columns) >= 5
    assert len(table) == (62 if kind == "sticky" else 57) and table["game"].is_unique
    for agent, start, games in zip(columns["agent"], columns["start"], columns["games"], strict=True):
        scores_there = published.column(agent, start)
        mine = table.set_index("game")[agent].dropna()
        assert mine.to_dict() == scores_there and len(mine) == games
    page = score_tables.published_page(kind)
    assert "no run of ours is in this table" in page
    assert all(f"| {i} | {agent} |" in page for i, agent in enumerate(columns["agent"], start=1))


def test_family_columns_are_published_ones_with_their_flags():
    columns = published.family_columns().set_index(["agent", "start"])
    assert len(columns) == len(published_conventions.FAMILY) and set(columns["convention"]) <= set(
        run_scores.CONVENTIONS
    )
    assert "breakout" not in columns.loc[("IQN", "noop"), "flags"] and "4342" in columns.loc[("IQN", "noop"), "flags"]
    assert columns.loc[("M-DQN", "none"), "flags"] == "partial: 5 games"
    assert columns.loc[("C51", "noop"), "flags"] == "" and columns.loc[("C51", "noop"), "games"] == 57
    sticky = columns.index.get_level_values("start").isin(["none", "noop?"])
    assert ((columns["sticky_actions"] == 1) == sticky).all()


# -- ours beside the published -----------------------------------------------------------------------------------------
def beside(tmp_path, convention, **more):
    table = score_aggregates.per_game(collecting.collect([tmp_path], **more).scores)
    return score_tables.with_published(table[table["convention"] == convention])


def test_only_columns_of_the_same_kind_stand_beside_ours(write, tmp_path):
    write(evaluations=(1.0, 2.0, 3.0, 4.0, 5.0))
    write(preset="dqn_nature", evaluations=(1.0, 2.0, 3.0, 4.0, 5.0))
    rows = score_aggregates.per_game(collecting.collect([tmp_path]).scores).set_index(
        ["agent", "convention"], drop=False
    )
    found = {key: score_tables.with_published(rows.loc[[key]])[1] for key in rows.index}
    assert found["dqn_nature", "training_return"].empty and ("dqn_dopamine", "best_checkpoint") not in found
    assert found["dqn_nature", "best_phase"].empty and found["dqn_dopamine", "best_phase"].empty  # of no paper's kind
    nature = found["dqn_nature", "best_checkpoint"]
    assert len(nature) == 17 and set(nature["start"]) == {"noop"} and set(nature["sticky_actions"]) == {0.0}
    dopamine = found["dqn_dopamine", "training_return"]
    assert set(dopamine["convention"]) == {"training_return"} and set(dopamine["sticky_actions"]) == {1.0}


def test_dopamines_curves_are_read_over_our_window_at_our_frames(write, tmp_path):
    """Ten iterations, the last five of them: 5 to 9."""
    write()
    table, sources = beside(tmp_path, "training_return")
    name = "Dopamine DQN, iterations 5 to 9"
    curve = published.dopamine_curve("breakout")
    assert table[f"published: {name}, none"].iloc[0] == pytest.approx(curve["mean_return"][5:10].mean())
    assert table["published: Dopamine DQN (legacy TF, final), none"].iloc[0] == pytest.approx(
        curve["mean_return"][198], rel=0.004
    )  # rounded there; PROVENANCE.md
    assert sources.set_index("agent").loc[name, "frames"] == 10_000_000
    long, _ = beside(tmp_path, "training_return", window=10)
    assert "published: Dopamine C51, iterations 0 to 9, none" in long.columns


def test_a_run_shorter_than_the_window_has_no_curve_beside_it(write, tmp_path):
    write(frames=1_000_000, settings=("iteration_frames=100_000",), episodes=((1_000_000, 1.0),))
    table, sources = beside(tmp_path, "training_return")
    assert len(table) == 1 and not sources["agent"].str.contains("iterations").any()


def test_other_environments_have_nothing_beside_them(write, tmp_path):
    write("CartPole-v1", preset="dqn_classic", settings=(), frames=100, episodes=((100, 1.0),), evaluations=(1.0,))
    table, sources = beside(tmp_path, "best_checkpoint")
    assert len(table) == 1 and sources.empty
    page = score_tables.page(table, score_aggregates.over_games(pd.DataFrame(columns=list(run_scores.SCORE_COLUMNS))))
    assert "No published column is of this convention" in page and "(no rows)" in page


# -- the command -------------------------------------------------------------------------------------------------------
def write_tables(folder, out):
    records = results_folder.read(out, [folder])
    return list(results_folder.tables(records, out / "tables", results_folder.Settings(resamples=200)))


@pytest.fixture
def ours_alone(monkeypatch):
    """Without the published tables, which a test above compares with those in results/: they take seconds."""
    monkeypatch.setattr(tables_folder, "published_tables", lambda folder: [])


def test_everything_is_written_and_the_same_bytes_come_back(write, tmp_path, ours_alone):
    for seed in range(3):
        write(seed=seed, final=(30.0 + seed,)), write("pong", seed, final=(1.0 + seed,))
    first, second = (write_tables(tmp_path / "runs", tmp_path / name) for name in "ab")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    assert {p.name for p in (tmp_path / "a" / "tables").iterdir()} == {p.name for p in first}
    rows = pd.read_csv(tmp_path / "a" / "tables" / "scores_set_dqn_dopamine_final_evaluation.csv")
    assert rows["mean"].tolist() == [31.0, 2.0] and rows["n_seeds"].tolist() == [3, 3]
    page = (tmp_path / "a" / "tables" / "scores_set_dqn_dopamine_training_return.md").read_text()
    assert "Dopamine DQN, iterations 5 to 9, 10M" in page and "| breakout | 3 | 50 |" in page
    for path in first:
        assert str(tmp_path) not in path.read_text()


def test_tables_of_runs_that_are_gone_go_too(write, tmp_path, ours_alone):
    path = write()
    write_tables(tmp_path / "runs", tmp_path / "out")
    kept = tmp_path / "out" / "tables" / "another.csv"
    kept.write_text("another program's")
    (path / "manifest.json").unlink()
    written = write_tables(tmp_path / "runs", tmp_path / "out")
    left = {p.name for p in (tmp_path / "out" / "tables").iterdir()}
    assert left >= {p.name for p in written} | {kept.name} and not any(n.startswith("scores_") for n in left)


def test_command(write, tmp_path):
    write()
    damaged = write("pong") / "episodes.csv"
    damaged.write_text(damaged.read_text()[:-3])
    command = [sys.executable, "-m", "dqn_tf", "results", "tables", "--runs", str(tmp_path / "runs")]
    command += ["--out", str(tmp_path / "out"), "--resamples", "10"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=places.ROOT)
    assert done.returncode == 1 and "scores_set_dqn_dopamine_training_return.md" in done.stdout
    assert done.stderr.startswith("Left out: ") and "half a row" in done.stderr and done.stderr.count("\n") == 1


def test_command_refuses(tmp_path, capsys):
    def command(*words):
        return cli.main(["results", "tables", "--results", str(tmp_path), *words])

    assert command("--normalization", "dqn_zoo57") == command("--normalization", "zoo57") == 2
    assert command("--out", str(tmp_path), "--runs", str(tmp_path / "nowhere")) == 2
    assert command("--runs", str(tmp_path)) == 2
    assert not (tmp_path / "tables").exists()
    assert command() == 0
    printed = capsys.readouterr()
    assert "Expected folders with runs for --runs" in printed.err and "Did you mean 'dqn_zoo57'" in printed.err
    assert "Expected --out with --runs" in printed.err and "published numbers only" in printed.out


def test_interval_in_words():
    assert formatting.interval(1.0, 2.5) == "1 to 2.5" and formatting.interval(float("nan"), 1.0) == formatting.NONE
