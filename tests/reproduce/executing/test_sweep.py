"""A sweep's folder, its command, and its status.  Most tests put a short script in the place of training."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from dqn_tf import cli, determinism
from dqn_tf.training.run_dir import write_json
from reproduce.executing import jobs, sweep, sweep_status
from reproduce.places import ROOT
from reproduce.planning import job, plan
from reproduce.planning.plan import Selection
from reproduce.planning.reading import load

PROTOCOL = """\
schema = 1
id = "tiny"
title = "Two short runs"
awaiting = ["agent57"]

[paper]
title = "None"
reference = "none"
place = "none"

[score]
convention = "final_evaluation"

[[grid]]
agents = ["dqn_classic", "agent57"]
environments = ["CartPole-v1"]
seeds = [1, 2]
budget_frames = 3_000
checkpoint_frames = 500
settings = ["execution.xla=none", "min_replay_steps=200", "evaluation.final_episodes=2",
            "evaluation.period_iterations=0", "iteration_frames=1_000"]

[[smoke]]
agents = ["dqn_classic"]
environments = ["CartPole-v1"]
seeds = [1]
budget_frames = 300
settings = ["min_replay_steps=100"]
"""


@pytest.fixture
def tiny(tmp_path):
    """The path of a protocol with two runs of CartPole."""
    (tmp_path / "tiny.toml").write_text(PROTOCOL)
    return str(tmp_path / "tiny.toml")


@pytest.fixture
def reproduce(tiny, tmp_path, capsys):
    """A function (word, ...) -> exit code, standard output and standard error of ``dqn-tf reproduce tiny.toml``."""

    def run(*words, protocol=tiny, folder="runs"):
        code = cli.main(["reproduce", protocol, "--runs", str(tmp_path / folder), "--retries", "0", *words])
        return code, *capsys.readouterr()

    return run


def planned(tiny, tmp_path, **chosen):
    return plan.make(load(tiny), tmp_path / "runs", Selection(**chosen))


# What training leaves behind, as far as a sweep looks at it.
TRAINED = """
import hashlib, json, pathlib, sys
def after(word): return sys.argv[sys.argv.index(word) + 1]
seed, frames, folder = int(after("--seed")), int(after("--frames")), pathlib.Path(after("--run-dir"))
folder.mkdir(parents=True, exist_ok=True)
def leave(name, data): (folder / name).write_text(json.dumps(data))
if seed in FAILING:
    leave("manifest.json", {"status": "failed"})
    print("no luck")
    sys.exit(1)
config = json.loads((pathlib.Path(CONFIGS) / f"{seed}.json").read_text())
leave("config.json", config)
leave("manifest.json", {"status": "complete", "sessions": [{"code_sha256": "c" * 64}]})
for name in ("episodes.csv", "iterations.csv"): (folder / name).write_text(f"frames,x\\n{frames},1\\n")
leave("summary.json", {"config_hash": "a" * 64, "state_digest": "d" * 64})
"""


@pytest.fixture
def trained(tiny, tmp_path, instead):
    """A function (seeds that fail) that puts such a script in the place of training."""
    configs = tmp_path / "configs"
    configs.mkdir()
    for one in planned(tiny, tmp_path, seeds=9).jobs:
        write_json(configs / f"{one.seed}.json", one.config.to_json())

    def put(failing=()):
        main = tmp_path / "fake" / "dqn_tf" / "__main__.py"
        text = f"FAILING, CONFIGS = {tuple(failing)!r}, {str(configs)!r}\n{TRAINED}"
        main.write_text(text) if main.exists() else instead(text)

    return put


# -- the command -------------------------------------------------------------------------------------------------------
def test_a_sweep_ends_well_and_is_not_repeated(reproduce, trained, tmp_path):
    trained()
    code, said, _ = reproduce()
    home = tmp_path / "runs" / "tiny"
    assert code == 0 and "2 runs: 2 complete." in said and "does not have their presets yet: agent57" in said
    assert (home / "plan.csv").read_text() == (
        "agent,environment,seed,frames\ndqn_classic,CartPole-v1,1,3000\ndqn_classic,CartPole-v1,2,3000\n"
    )
    assert (home / "protocol.toml").read_text() == PROTOCOL
    rows = (home / "manifest.csv").read_text().splitlines()
    assert len(rows) == 3 and rows[1].startswith(f"dqn_classic,CartPole-v1,1,{'a' * 64},{'c' * 64},{'d' * 64},")
    lists = {p.name: p.read_bytes() for p in home.iterdir() if p.suffix == ".csv"}
    trained(failing=(1, 2))  # would fail if it were started
    code, said, _ = reproduce()
    assert code == 0 and "2 complete (2 of them before)" in said
    assert lists == {p.name: p.read_bytes() for p in home.iterdir() if p.suffix == ".csv"}
    record = json.loads((home / "sweep.json").read_text())
    assert len(record["sessions"]) == 2 and record["version"] == determinism.package_version()
    assert record["protocol_hash"] and record["sessions"][0]["code_sha256"] == determinism.code_digest()


def test_a_failure_stops_nothing_and_the_exit_code_says_so(reproduce, trained, tmp_path):
    trained(failing=(1,))
    code, said, errors = reproduce("--jobs", "1")
    assert code == 1 and "2 runs: 1 complete, 1 failed." in said
    assert "dqn_classic CartPole-v1 seed 1 failed: exit code 1" in errors and "no luck" in errors
    assert "The same command does what is missing" in errors
    assert (tmp_path / "runs" / "tiny" / "manifest.csv").read_text().count("CartPole") == 1
    trained()
    code, said, _ = reproduce()
    assert code == 0 and "2 complete (1 of them before)" in said
    assert (tmp_path / "runs" / "tiny" / "manifest.csv").read_text().count("CartPole") == 2


def test_retries(reproduce, trained):
    trained(failing=(2,))
    assert "failed after 3 attempts" in reproduce("--retries", "2")[2]


def test_parts_and_selections_add_to_one_plan(reproduce, trained, tmp_path):
    trained()
    assert "1 of 2 runs" in reproduce("--shard", "2/2")[1]
    assert reproduce("--shard", "1/2")[0] == 0 and reproduce("--seeds", "3")[0] == 0
    found = [row[2] for row in sweep.planned_runs(tmp_path / "runs" / "tiny")]
    assert sorted(found) == [1, 2, 3]


def test_a_run_that_another_sweep_works_on(reproduce, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr("reproduce.executing.executors.local.Local.__init__.__defaults__", (0.0,))
    trained()
    folder = tmp_path / "runs" / "tiny" / "dqn_classic" / "CartPole-v1" / "seed_1"
    folder.mkdir(parents=True)
    with open(folder / ".lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, said, errors = reproduce()
    assert code == 1 and "1 complete, 1 elsewhere" in said and "seed 1 in use elsewhere: in use by" in errors
    assert list(folder.iterdir()) == [folder / ".lock"]


def test_dry_run_starts_nothing(reproduce, tmp_path):
    code, said, _ = reproduce("--dry-run", "--frames-per-second", "500")
    assert code == 0 and "2 runs, 6,000 training frames" in said and "500 frames/s" in said and "agent57" in said
    assert not (tmp_path / "runs").exists()


def test_the_smoke_version_lives_apart(reproduce, tmp_path):
    code, said, _ = reproduce("--smoke", "--dry-run")
    assert code == 0 and "1 run, 300 training frames" in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--executor", "locl"], "Did you mean 'local'"),
        (["--shard", "3/2"], "1 <= i <= n"),
        (["--games", "brekout"], "Unknown environment 'brekout'"),
        (["--agent", "dqn_clasic"], "Did you mean 'dqn_classic'"),
        (["--agent", "agent57"], "does not have their presets yet: agent57"),
    ],
)
def test_wrong_words_touch_nothing(reproduce, tmp_path, words, expected):
    code, _, errors = reproduce(*words)
    assert code == 2 and expected in errors and not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "words", [["--jobs", "0"], ["--seeds", "x"], ["--retries", "-1"], ["--frames-per-second", "0"], ["--shards", "1/2"]]
)
def test_ill_typed_words(reproduce, words):
    with pytest.raises(SystemExit) as left:
        reproduce(*words)
    assert left.value.code == 2


# -- folders of others -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("budget_frames = 3_000", "budget_frames = 4_000", "grid 1.budget_frames: 3000 there, 4000 asked for"),
        ("seeds = [1, 2]", "seeds = [1, 2, 3]", "grid 1.seeds"),
        ("iteration_frames=1_000", "iteration_frames=1_500", "grid 1.settings"),
    ],
)
def test_another_version_of_the_protocol_is_refused(reproduce, trained, tmp_path, old, new, said):
    trained()
    assert reproduce()[0] == 0
    before = {p: p.read_bytes() for p in (tmp_path / "runs").rglob("*") if p.is_file()}
    (tmp_path / "tiny.toml").write_text(PROTOCOL.replace(old, new))
    for words in ([], ["--dry-run"]):
        code, _, errors = reproduce(*words)
        assert code == 2 and said in errors and "another version of the protocol" in errors
    assert before == {p: p.read_bytes() for p in (tmp_path / "runs").rglob("*") if p.is_file()}


def test_another_budget_is_another_version(reproduce, trained):
    trained()
    assert reproduce()[0] == 0
    assert "budget_frames: 3000 there, 500 asked for" in reproduce("--frames", "500")[2]


def test_corrected_prose_is_not(reproduce, trained, tmp_path):
    trained()
    assert reproduce()[0] == 0
    (tmp_path / "tiny.toml").write_text(PROTOCOL.replace("Two short runs", "Two quick runs"))
    assert reproduce()[0] == 0
    assert "quick" in (tmp_path / "runs" / "tiny" / "protocol.toml").read_text()


def test_another_version_of_dqn_tf_is_refused(reproduce, trained, monkeypatch):
    trained()
    assert reproduce()[0] == 0
    monkeypatch.setattr(determinism, "package_version", lambda: "9.9")
    code, _, errors = reproduce()
    assert code == 2 and "this is 9.9" in errors


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("sweep.json", "{", "Expected JSON"),
        ("sweep.json", "{}", "Expected the record of a sweep"),
        ("plan.csv", "agent,environment,seed\n", "Expected the columns agent, environment, seed, frames"),
        ("plan.csv", "", "Expected the columns"),
        ("manifest.csv", "agent,environment,seed,config_hash\n", "Expected the columns"),
    ],
)
def test_damaged_lists(reproduce, trained, tmp_path, name, text, said):
    trained()
    assert reproduce()[0] == 0
    (tmp_path / "runs" / "tiny" / name).write_text(text)
    code, _, errors = reproduce()
    assert code == 1 and said in errors and name in errors
    (tmp_path / "runs" / "tiny" / name).unlink()
    assert reproduce()[0] == 0  # written anew


def test_a_full_disk(reproduce, trained, tmp_path, monkeypatch):
    """The lists stay as they were; the same command continues when there is room."""
    trained(failing=(1,))
    reproduce()
    lists = {p: p.read_bytes() for p in (tmp_path / "runs" / "tiny").iterdir() if p.suffix == ".csv"}
    trained()
    real = os.fsync

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, errors = reproduce()
    assert code == 1 and "No space left on device" in errors and "Traceback" not in errors
    assert lists == {p: p.read_bytes() for p in lists} and not list((tmp_path / "runs" / "tiny").glob(".*.tmp"))
    monkeypatch.setattr(os, "fsync", real)
    assert reproduce()[0] == 0


def test_shards_that_begin_at_once_lose_no_line(tiny, tmp_path):
    """Eight at a time add their runs to the same lists."""
    home = tmp_path / "runs" / "tiny"
    parts = [planned(tiny, tmp_path, seeds=24, shard=(i, 8)) for i in range(1, 9)]
    threads = [threading.Thread(target=sweep.begin, args=(home, part)) for part in parts]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert sorted(row[2] for row in sweep.planned_runs(home)) == list(range(1, 25))
    assert len(json.loads((home / "sweep.json").read_text())["sessions"]) == 8


# -- status ------------------------------------------------------------------------------------------------------------
def test_status_of_every_kind(tiny, tmp_path, capsys):
    home = tmp_path / "runs" / "tiny"
    sweep.begin(home, planned(tiny, tmp_path, seeds=7))
    paths = {seed: home / "dqn_classic" / "CartPole-v1" / f"seed_{seed}" for seed in range(1, 8)}
    for seed in (1, 2, 3, 4):
        paths[seed].mkdir(parents=True)
        (paths[seed] / "episodes.csv").write_text("frames,steps\n1500,1500\n")
    (paths[1] / "summary.json").write_text("{}")
    (paths[2] / "manifest.json").write_text('{"status": "failed"}')
    paths[2].with_name("seed_2.log").write_text("first\nthe reason\n")
    (paths[3] / "manifest.json").write_text('{"status": "running"}')  # killed: nobody holds it
    paths[5].with_name("seed_5.log").write_text("")  # TensorFlow is being loaded
    paths[6].with_name("seed_6.log").write_text("refused\n")
    os.utime(paths[6].with_name("seed_6.log"), (0, 0))
    with open(paths[4] / ".lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = {r.seed: (r.state, r.done) for r in sweep_status.collect(home)}
        assert cli.main(["status", str(tmp_path / "runs")]) == 0
    assert found == {
        1: ("complete", 3000),
        2: ("failed", 1500),
        3: ("stopped", 1500),
        4: ("running", 1500),
        5: ("running", 0),
        6: ("failed", 0),
        7: ("waiting", 0),
    }
    said = capsys.readouterr().out
    assert "7 runs, 1 complete, 2 running, 2 failed, 1 stopped, 1 waiting; 7,500 of 21,000 frames (35.7%)" in said
    assert "dqn_classic CartPole-v1 seed 2: 1,500 of 3,000 frames (50%)\n    the reason" in said
    assert sweep_status.describe(home) == sweep_status.describe(tmp_path / "runs")


def test_status_where_nothing_is(tmp_path, capsys):
    assert cli.main(["status", str(tmp_path)]) == 2
    assert "no plan.csv" in capsys.readouterr().err


def test_status_of_3420_runs_takes_a_moment(tmp_path):
    """Twelve agents, 57 games, five seeds: a third complete, a third stopped, the rest to come."""
    home = tmp_path / "atari57"
    rows = []
    for number in range(3420):
        agent, game, seed = f"agent_{number % 12}", f"game_{number // 12 % 57}", number // 684
        rows.append(f"{agent},{game},{seed},200000000\n")
        path = home / agent / game / f"seed_{seed}"
        if number % 3 < 2:
            path.mkdir(parents=True)
            (path / "manifest.json").write_text('{"status": "interrupted"}')
            (path / ".lock").write_text("process 1 on a")
            (path / "episodes.csv").write_text("frames,steps\n" + "123456,30864\n" * 40)
        if number % 3 == 0:
            (path / "summary.json").write_text("{}")
    (home / "plan.csv").write_text("agent,environment,seed,frames\n" + "".join(rows))
    began = time.process_time()  # of this process: how fast, however busy the machine is
    said = sweep_status.describe(home)
    assert time.process_time() - began < 2.0
    assert "3,420 runs, 1,140 complete, 1,140 stopped, 1,140 waiting" in said and "and 1,120 more" in said
    assert len(said.splitlines()) < 50


# -- the real thing ----------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_stopped_continued_killed_and_started_again_to_the_same_bytes(tiny, tmp_path):
    """Two real runs of CartPole, side by side and undisturbed; then one at a time: the sweep stopped by SIGTERM, the
    same command again, and the first run killed, which the sweep starts again after the other: the same bytes."""

    def command(folder, *words):
        return [sys.executable, "-m", "dqn_tf", "reproduce", tiny, "--runs", str(tmp_path / folder), *words]

    def done(folder, seed):
        return job.frames_done(run_dir(folder, seed))

    def run_dir(folder, seed):
        return tmp_path / folder / "tiny" / "dqn_classic" / "CartPole-v1" / f"seed_{seed}"

    def wait(true):
        end = time.monotonic() + 600
        while not true():
            assert time.monotonic() < end
            time.sleep(0.02)

    subprocess.run(command("calm", "--jobs", "2"), cwd=ROOT, check=True, capture_output=True, timeout=900)
    with subprocess.Popen(command("wild", "--jobs", "1"), cwd=ROOT) as process:
        wait(lambda: done("wild", 1) >= 700)
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 143
    assert "stopped" in sweep_status.describe(tmp_path / "wild")
    with subprocess.Popen(command("wild", "--jobs", "1"), cwd=ROOT) as process:
        wait(lambda: done("wild", 1) >= 1500)
        os.kill(int((run_dir("wild", 1) / ".lock").read_text().split()[1]), signal.SIGKILL)
    assert process.returncode == 0
    assert "-- attempt 2 --" in job.log_of(run_dir("wild", 1)).read_text()
    for seed in (1, 2):
        for name in ("config.json", "episodes.csv", "iterations.csv", "summary.json"):
            assert (run_dir("calm", seed) / name).read_bytes() == (run_dir("wild", seed) / name).read_bytes(), name
    assert (tmp_path / "calm" / "tiny" / "manifest.csv").read_bytes() == (
        tmp_path / "wild" / "tiny" / "manifest.csv"
    ).read_bytes()
