"""A run that is carried out again gives the same bytes; what differs is shown, with what bytes may depend on."""

from __future__ import annotations

import json
import shutil

import pytest

from dqn_tf import cli, fields, plain_json
from dqn_tf.api import make_config
from dqn_tf.training.run import Options, train
from reproduce.checking import rerun
from reproduce.places import RESULTS
from reproduce.planning import reading
from reproduce.records import run_export, runs

pytestmark = pytest.mark.usefixtures("threads_left_alone")

SETTINGS = """
    network.hidden=16 replay.capacity=500 min_replay_steps=100 exploration.decay_steps=200 iteration_frames=200
    evaluation.episodes=1 evaluation.final_episodes=1 evaluation.max_steps_per_episode=50 execution.threads=1
""".split()
SECONDS_FRAMES = 600  # what one run of each table repeats here


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two seeds of a small run, packed."""
    home = tmp_path_factory.mktemp("rerun")
    for seed in (1, 2):
        config = make_config("dqn_classic", "CartPole-v1", seed=seed, frames=500, settings=SETTINGS)
        at = home / "runs" / "set" / "dqn_classic" / "CartPole-v1" / f"seed_{seed}"
        train(config, at, Options(progress=False))
    (folder,) = run_export.pack(runs.find(home / "runs"), "set", home / "results")
    return folder


@pytest.fixture
def unpacked(trained, tmp_path):
    """The first of them as a run directory that can be changed."""
    path = tmp_path / "there"
    path.mkdir()
    for name, data in runs.contents(trained / "seed_1").items():
        (path / name).write_bytes(data)
    return path


def told(path, frames=None, run_dir=None):
    said = []
    equal = rerun.rerun(path, frames, run_dir, said.append)
    return equal, "\n".join(said)


def test_a_packed_run_comes_out_to_the_byte(trained, tmp_path):
    equal, said = told(trained / "seed_1", run_dir=tmp_path / "again")
    there, here = runs.contents(trained / "seed_1"), runs.contents(tmp_path / "again")
    assert equal and "rows of episodes.csv; 3 rows of iterations.csv; summary.json, state " in said
    assert all(there[name] == here[name] for name in ("config.json", "episodes.csv", "iterations.csv", "summary.json"))
    assert "Not the same" not in said and str(tmp_path / "again") in said


def test_its_beginning_comes_out_to_the_byte_and_leaves_nothing(trained, tmp_path, monkeypatch):
    """250 of 500 frames: the iteration that ended at 200 is compared with its digest; the next is not there."""
    monkeypatch.setattr(rerun.tempfile, "mkdtemp", lambda prefix: str(tmp_path / "temporary"))
    equal, said = told(trained / "seed_2", frames=250)
    assert equal and "; 1 rows of iterations.csv." in said and "summary" not in said
    assert not (tmp_path / "temporary").exists()
    words = ["rerun", str(trained / "seed_2"), "--frames", "200", "--run-dir", str(tmp_path / "kept")]
    assert cli.main(words) == 0 and len(runs.load(tmp_path / "kept").iterations) == 1


def test_what_differs_is_told_with_its_line_and_its_reason(unpacked, tmp_path, capsys):
    lines = (unpacked / "episodes.csv").read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([*cells[:5], "99.0", *cells[6:]])
    (unpacked / "episodes.csv").write_text("\n".join(lines) + "\n")
    assert cli.main(["rerun", str(unpacked), "--frames", "200", "--run-dir", str(tmp_path / "a")]) == 1
    said = capsys.readouterr().out
    assert f"DIFFERENT: episodes.csv: line 2 is '{','.join(cells)}', was '{lines[1]}'" in said
    assert "Nothing that bytes may depend on differs: this is a defect" in said


def test_reasons():
    """Of the scope, the ROM and the code; the scope comes first in what is told."""
    scope = {"numpy": "1.0", "cpu": "one"}
    there = {"scope": scope, "rom_md5": "a", "sessions": [{"code_sha256": "0" * 64}]}
    assert rerun.reasons(there, there) == []
    other = {"scope": {**scope, "numpy": "2.0"}, "rom_md5": None, "sessions": [{"code_sha256": "1" * 64}]}
    assert rerun.reasons(there, other) == [
        "scope.numpy: '1.0' there, '2.0' here",
        "rom_md5: 'a' there, None here",
        "code of dqn_tf: 000000000000 there, another here",
    ]
    said = []
    rerun._tell(rerun.Comparison([], ["x"], rerun.reasons(there, other)), said.append)
    assert "Bytes are promised only where all of that is the same" in said[-1]
    rerun._tell(rerun.Comparison([], ["x"], rerun.reasons(there, {**there, "sessions": []})), said.append)
    assert "CHANGELOG.md would say why" in said[-1]


def test_rows_and_summaries_that_differ():
    assert rerun._difference([b"1"], [b"1", b"2"]) == "2 rows, were 1"
    assert rerun._difference([b"1"], [b"1"]) == ""
    one, other = (json.dumps({"state_digest": d * 64, "frames": 3}).encode() for d in "ab")
    assert rerun._of_summary(one, other) == f"summary.json: state_digest (state {'b' * 16}, was {'a' * 16})"


def test_wrong_requests_are_refused_before_anything_is_made(trained, unpacked, tmp_path, outcome):

    def ask(path, frames=None, place=None):
        return outcome(told, path, frames, place)

    assert "one run, got a folder with 2. For example: " in ask(trained)
    assert "Is it a run directory" in ask(tmp_path / "nowhere")
    assert "at most the 500 frames" in ask(trained / "seed_1", 501)
    assert "Expected frames in which an episode ends, got 1. The first one ended at " in ask(trained / "seed_1", 1)
    assert "a new or an empty directory" in ask(trained / "seed_1", None, unpacked)
    (unpacked / "summary.json").unlink()
    assert "Expected a complete run, got 500 frames so far. Compare those with --frames." in ask(unpacked)
    settings = plain_json.loads((unpacked / "config.json").read_bytes())
    settings["agent"]["gone"] = 1
    (unpacked / "config.json").write_text(json.dumps(settings))
    manifest = plain_json.loads((unpacked / "manifest.json").read_bytes())
    (unpacked / "manifest.json").write_text(json.dumps({**manifest, "config_hash": fields.digest(settings)}))
    assert "by a version of dqn_tf with other settings" in ask(unpacked, 200)


def one_of_each_table():
    """The first run of every protocol that has some in results/runs/."""
    for folder in sorted((RESULTS / "runs").iterdir()):
        if folder.name in reading.names() and (found := runs.find(folder)):
            yield pytest.param(found[0], id=folder.name)


@pytest.mark.parametrize("path", list(one_of_each_table()))
def test_the_beginning_of_one_run_of_each_table_is_repeated_here(path, tmp_path):
    """On another model of processor bytes may be others: that is told, and no failure."""
    there = runs.load(path)
    ends = [int(t["frames"].iloc[0]) for t in (there.episodes, there.iterations) if len(t)]
    equal, said = told(path, max(SECONDS_FRAMES, min(ends)), tmp_path / "again")
    if not equal and "Bytes are promised only where" in said:
        pytest.skip(said.splitlines()[-2])
    assert equal, said
    shutil.rmtree(tmp_path / "again")
