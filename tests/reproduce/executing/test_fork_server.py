"""Runs that are forks of one process that has imported everything, beside runs that are processes of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dqn_tf.training.run_dir import read_json
from dqn_tf.training.verify import differences
from reproduce.executing import jobs
from reproduce.executing.fork_server import ForkedRun, ForkServer
from reproduce.executing.jobs import Outcome
from reproduce.places import ROOT
from reproduce.planning.job import Job

pytestmark = pytest.mark.slow
QUICK = ["batch_size=8", "min_replay_steps=50", "iteration_frames=200", "evaluation.final_episodes=2"]


def environment_of(job: Job) -> dict[str, str]:
    """Without what pytest changes from test to test."""
    return {name: value for name, value in jobs.environment(job).items() if name != "PYTEST_CURRENT_TEST"}


def ready(server: ForkServer) -> ForkServer:
    """As soon as it is."""
    end = time.monotonic() + 120
    while not server._ready and time.monotonic() < end:
        server.listen(0.5)
    assert server._ready
    return server


def private_kib(pid: int) -> int:
    """Memory of a process that is no file's."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    named = {"label": "", "preset": "dqn_classic", "environment": "CartPole-v1", "seed": 1, "frames": 400}
    planned = Job(**named, run_dir=Path("none"))
    jobs.worker_kind(planned)  # imports Gymnasium, which adds a variable to those of this process
    made = ForkServer(environment_of(planned))
    yield ready(made)
    made.close()


def start(server: ForkServer, job: Job, kind: str | None = None) -> ForkedRun:
    job.run_dir.parent.mkdir(parents=True, exist_ok=True)
    process = server.start(job.arguments, str(job.log), environment_of(job), kind)
    assert process is not None
    return process


def test_the_bytes_and_the_record_are_those_of_a_process_of_its_own(
    server: ForkServer, job: Callable[..., Job], tmp_path: Path
) -> None:
    forked, alone = (job(settings=QUICK, run_dir=tmp_path / name) for name in ("forked", "alone"))
    assert start(server, forked).wait(120) == 0
    outcome = Outcome(alone)
    jobs.start(outcome)
    assert outcome.process.wait(120) == 0
    jobs.stop([outcome])
    assert differences(forked.run_dir, alone.run_dir) == []
    commands = [read_json(j.run_dir / "manifest.json")["sessions"][0]["command"] for j in (forked, alone)]
    assert [w.replace("forked", "alone") for w in commands[0]] == commands[1]
    assert "Complete" in forked.log.read_text() or "complete" in forked.log.read_text()


def test_runs_one_after_the_other_in_one_process_have_the_bytes_of_runs_in_their_own(
    server: ForkServer, job: Callable[..., Job], tmp_path: Path
) -> None:
    """Three of one process, whose memory stays; one that is refused ends it, and the next gets another."""
    settings = [*QUICK, "execution=fused"]
    planned = [job(settings=settings, seed=seed, run_dir=tmp_path / f"after/{seed}") for seed in (1, 2, 3, 4)]
    kind = jobs.worker_kind(planned[0])
    assert kind is not None and {jobs.worker_kind(each) for each in planned} == {kind}
    pids, sizes = [], []
    for each in planned[:3]:
        process = start(server, each, kind)
        assert process.wait(120) == 0
        pids.append(process.pid)
        sizes.append(private_kib(process.pid))
    assert len(set(pids)) == 1 and max(sizes[1:]) - sizes[0] < 16 * 1024
    wrong = start(server, job(settings=["batch_size=0"], run_dir=tmp_path / "wrong"), kind)
    assert wrong.pid == pids[0] and wrong.wait(60) == jobs.REFUSED
    last = start(server, planned[3], kind)
    assert last.pid != pids[0] and last.wait(120) == 0
    alone = job(settings=settings, seed=3, run_dir=tmp_path / "seed_3_alone")
    process = start(server, alone)
    assert process.pid != last.pid and process.wait(120) == 0
    assert differences(planned[2].run_dir, alone.run_dir) == []
    assert "complete" in planned[2].log.read_text() and "after/3" not in planned[0].log.read_text()
    end = time.monotonic() + 60
    while os.path.exists(f"/proc/{last.pid}") and time.monotonic() < end:  # it would have waited in vain
        server.listen(0.2)
    assert not os.path.exists(f"/proc/{last.pid}")


def test_who_may_have_a_process_used_before(job: Callable[..., Job], misbehaving: Callable[[str], str]) -> None:
    fused = ["execution=fused"]
    assert jobs.worker_kind(job(settings=fused)) != jobs.worker_kind(job(settings=[*fused, "batch_size=8"]))
    assert jobs.worker_kind(job(settings=["execution=interleaved"])) is None
    assert jobs.worker_kind(job(settings=fused, python_path="somewhere")) is None
    assert jobs.worker_kind(job(settings=fused, environment=misbehaving("NanReward"))) is None
    assert jobs.worker_kind(job(settings=["batch_size=0"])) is None


def test_one_that_is_killed_takes_nobody_with_it(server: ForkServer, job: Callable[..., Job], tmp_path: Path) -> None:
    long = job(settings=QUICK, frames=10_000_000, run_dir=tmp_path / "long")
    short = job(settings=QUICK, run_dir=tmp_path / "short")
    victim, other = start(server, long), start(server, short)
    assert victim.pid != other.pid and victim.poll() is None
    victim.kill()
    assert victim.wait(60) == -signal.SIGKILL
    assert other.wait(120) == 0
    assert start(server, job(settings=QUICK, seed=2, run_dir=tmp_path / "next")).wait(120) == 0


def test_exit_codes_are_those_of_the_command(server: ForkServer, job: Callable[..., Job], tmp_path: Path) -> None:
    wrong = start(server, job(settings=["batch_size=0"], run_dir=tmp_path / "wrong"))
    assert wrong.wait(60) == jobs.REFUSED
    stopped = job(settings=QUICK, frames=10_000_000, run_dir=tmp_path / "stopped")
    process = start(server, stopped)
    while not (stopped.run_dir / "episodes.csv").exists():
        time.sleep(0.1)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 128 + signal.SIGTERM and list((stopped.run_dir / "checkpoints").iterdir())


def test_it_does_not_grow_with_its_runs(server: ForkServer, job: Callable[..., Job], tmp_path: Path) -> None:
    """Twenty runs that are refused at once, which is all of a fork but training; a MiB each would be told."""
    sizes = []
    for number in range(20):
        process = start(server, job(settings=["batch_size=0"], run_dir=tmp_path / str(number)))
        assert process.wait(120) == jobs.REFUSED
        sizes.append(private_kib(server._process.pid))
    assert sizes[0] > 0 and max(sizes) - sizes[0] < 5 * 1024


def test_another_environment_is_a_process_of_its_own(server: ForkServer, job: Callable[..., Job]) -> None:
    planned = job()
    assert server.start(planned.arguments, str(planned.log), {**environment_of(planned), "X": "1"}) is None


def test_code_that_has_changed_is_not_what_was_imported(job: Callable[..., Job], tmp_path: Path) -> None:
    """The process refuses, and the run is started from the code on disk."""
    shutil.copytree(ROOT / "dqn_tf", tmp_path / "code" / "dqn_tf", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**environment_of(job()), "PYTHONPATH": str(tmp_path / "code")}
    changed = ready(ForkServer(environment))
    try:
        with open(tmp_path / "code" / "dqn_tf" / "rng.py", "a") as file:
            file.write("# another version\n")
        assert changed.start(job().arguments, str(tmp_path / "log"), environment) is None
        assert changed.start(job().arguments, str(tmp_path / "log"), environment) is None  # from now on
    finally:
        changed.close()
    assert not job().run_dir.exists()


def test_runs_stop_when_the_process_is_gone(job: Callable[..., Job], tmp_path: Path) -> None:
    planned = job(settings=QUICK, frames=10_000_000)
    own = ready(ForkServer(environment_of(planned)))
    process = start(own, planned)
    while not (planned.run_dir / "episodes.csv").exists():
        time.sleep(0.1)
    own._process.kill()
    own._process.wait()
    assert process.wait(120) == 128 + signal.SIGTERM
    assert list((planned.run_dir / "checkpoints").iterdir())  # saved, not lost
    assert not os.path.exists(f"/proc/{process.pid}")
    own.close()
