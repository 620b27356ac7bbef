"""Runs packed into a few files: they read as before, to the byte, and nothing is mixed or lost."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from dqn_tf import cli
from reproduce.analysis import collecting
from reproduce.records import packed, run_export, runs

HERE = "set/dqn_dopamine/breakout/seed_{}"


@pytest.fixture
def three(run_dir):
    """Three seeds of one agent on one game: folder of the collection."""
    ends = [(4_000 * (i + 1), float(i % 5)) for i in range(60)]
    paths = [run_dir(HERE.format(seed), ends[: 60 - seed], seed=seed, monitored=("loss_x",)) for seed in (1, 2, 10)]
    return paths[0].parents[2]


def pack(folder, results, name="set"):
    return list(run_export.pack(runs.find(folder), name, results))


def test_every_file_of_every_run_comes_out_as_it_was(three, tmp_path):
    (to,) = pack(three, tmp_path / "results")
    assert to == tmp_path / "results" / "runs" / "set" / "dqn_dopamine" / "breakout"
    assert sorted(p.name for p in to.iterdir()) == sorted([packed.INDEX, packed.SUMS, *packed.TABLES.values()])
    assert packed.verify(to) == run_export.verify_export(to) == []
    for seed in (1, 2, 10):
        there, here = three / "dqn_dopamine" / "breakout" / f"seed_{seed}", packed.files(to, seed)
        assert set(here) == set(run_export.FILES)
        assert all(here[name] == (there / name).read_bytes() for name in here if name != "manifest.json")
        told = json.loads(here["manifest.json"])["sessions"][0]["command"]
        assert told[-1] == f"runs/set/dqn_dopamine/breakout/seed_{seed}" and str(tmp_path) not in str(here)


def test_tables_are_the_same_from_packed_and_from_unpacked_runs(three, tmp_path):
    (to,) = pack(three, tmp_path / "results")
    assert [p.name for p in runs.find(tmp_path / "results")] == ["seed_1", "seed_10", "seed_2"]
    one, other = collecting.collect([three]), collecting.collect([tmp_path / "results" / "runs"])
    assert one.problems == other.problems == [] and len(one.scores) > 3
    pd.testing.assert_frame_equal(one.scores, other.scores)
    pd.testing.assert_frame_equal(one.curves, other.curves)
    assert runs.load(to / "seed_10").seed == 10 and runs.find(to / "seed_10") == [to / "seed_10"]


def test_anyone_can_read_the_tables(three, tmp_path):
    (to,) = pack(three, tmp_path / "to")
    table = pd.read_csv(to / "episodes.csv.gz")
    assert table["seed"].value_counts(sort=False).to_dict() == {1: 59, 2: 58, 10: 50}


def test_more_seeds_come_beside_those_that_are_there_and_one_is_replaced(three, tmp_path, run_dir):
    (to,) = pack(three, tmp_path / "to")
    before, again = packed.files(to, 2), (to / packed.SUMS).read_text()
    pack(three, tmp_path / "to")
    assert (to / packed.SUMS).read_text() == again, "the same runs, the same bytes"
    more = [run_dir(HERE.replace("set", "x").format(seed), seed=seed, monitored=("loss_x",)) for seed in (3, 1)]
    assert list(run_export.pack(more, "set", tmp_path / "to")) == [to]
    assert packed.seeds(to) == [1, 2, 3, 10] and packed.files(to, 2) == before
    assert packed.files(to, 1)["episodes.csv"] == (more[1] / "episodes.csv").read_bytes()


def test_runs_of_other_settings_are_refused_and_nothing_is_written(three, tmp_path, run_dir, outcome):
    (to,) = pack(three, tmp_path / "to")
    before = (to / packed.SUMS).read_text()
    other = run_dir("x/dqn_dopamine/breakout/seed_4", seed=4, settings=["batch_size=16"], frames=1_000_000)
    said = outcome(lambda: list(run_export.pack([other], "set", tmp_path / "to")))
    assert "differ in the seed alone" in said and "batch_size: 32 and 16" in said and "frames: 2000000 and" in said
    columns = run_dir("y/dqn_dopamine/breakout/seed_4", seed=4, monitored=("another",))
    assert "one set of columns for iterations.csv" in outcome(
        lambda: list(run_export.pack([columns], "set", tmp_path / "to"))
    )
    assert (to / packed.SUMS).read_text() == before


def test_what_cannot_be_packed_is_told(three, tmp_path, run_dir, outcome):
    twice = run_dir("b/dqn_dopamine/breakout/seed_1", seed=1)
    said = outcome(lambda: list(run_export.pack([*runs.find(three), twice], "set", tmp_path / "to")))
    assert "one run of dqn_dopamine/breakout/seed_1" in said
    half = run_dir("half", seed=5, complete=False)
    assert "complete runs to pack" in outcome(lambda: list(run_export.pack([half], "set", tmp_path / "to")))
    assert "a plain folder name" in outcome(lambda: list(run_export.pack([half], "a/b", tmp_path)))
    assert not (tmp_path / "to").exists()
    odd = run_dir("odd", seed=6)
    (odd / "config.json").write_text(json.dumps(json.loads((odd / "config.json").read_text())))
    said = outcome(lambda: list(run_export.pack([odd], "set", tmp_path / "odd")))
    assert "config.json of seed 6 does not come out as it was" in said and "without --packed" in said


def test_packed_and_unpacked_runs_do_not_lie_in_one_folder(three, tmp_path, outcome):
    first = three / "dqn_dopamine" / "breakout" / "seed_1"
    to = run_export.export(first, "set", tmp_path / "to")
    assert "no unpacked runs beside packed ones, got seed_1" in outcome(lambda: pack(three, tmp_path / "to"))
    for file in to.iterdir():
        file.unlink()
    to.rmdir()
    pack(three, tmp_path / "to")
    assert "no packed run of this seed" in outcome(run_export.export, first, "set", tmp_path / "to")


def test_damage_is_noticed(three, tmp_path, outcome):
    (to,) = pack(three, tmp_path / "to")
    assert "a run of seed 7" in outcome(runs.load, to / "seed_7")
    whole = (to / "timing.csv.gz").read_bytes()
    (to / "timing.csv.gz").write_bytes(whole + b"x")
    (to / "more.txt").write_text("x")
    assert packed.verify(to) == ["timing.csv.gz", "more.txt"]
    assert "timing.csv.gz as SHA256SUMS has it" in outcome(runs.load, to / "seed_1")
    (to / "timing.csv.gz").write_bytes(whole)
    index = json.loads((to / packed.INDEX).read_text())
    index["runs"][0]["summary"]["frames"] = 5
    text, sha = json.dumps(index), packed.sha256((to / packed.INDEX).read_bytes())
    sums = (to / packed.SUMS).read_text().replace(sha, packed.sha256(text.encode()))
    (to / packed.INDEX).write_text(text)
    (to / packed.SUMS).write_text(sums)
    assert "summary.json of seed 1 does not come out as it was" in outcome(runs.load, to / "seed_1")
    (to / packed.SUMS).unlink()
    assert "SHA256SUMS of packed runs" in outcome(runs.find, tmp_path / "to")


def test_the_command_packs_what_is_complete(three, tmp_path, run_dir, capsys):
    run_dir(HERE.format(11), seed=11, complete=False)
    words = ["results", "export", "set", str(three), "--packed", "--results", str(tmp_path / "to")]
    assert cli.main(words) == 0
    told = capsys.readouterr()
    assert "Not packed, as they are not complete: " in told.err and "seed_11" in told.err
    assert told.out.strip().endswith("breakout")
    assert packed.seeds(tmp_path / "to" / "runs" / "set" / "dqn_dopamine" / "breakout") == [1, 2, 10]
