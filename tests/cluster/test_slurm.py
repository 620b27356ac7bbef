"""A real slurmctld and slurmd on this machine, with a configuration, state and ports of their own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reproduce.executing import executors, jobs
from reproduce.executing.executors import Options

pytest.importorskip("submitit", reason="submitit is not installed; tests/cluster/run.sh installs it")
NEEDED = ("munged", "slurmctld", "slurmd", "squeue", "sbatch", "srun", "scancel")
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
if missing := ", ".join(name for name in NEEDED if not shutil.which(name, path=PATH)):
    pytest.skip(f"no {missing}: apt-get install munge slurm-client slurmctld slurmd", allow_module_level=True)
if os.geteuid() != 0:
    pytest.skip("slurmd has to be started by root", allow_module_level=True)
pytestmark = pytest.mark.slow

CONFIGURATION = """
ClusterName=dqn
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=30
MinJobAge=300
ReturnToService=2
MaxArraySize=4
NodeName={host} NodeAddr=127.0.0.1 CPUs=1 RealMemory=16000 State=UNKNOWN
PartitionName=low Nodes={host} Default=YES PriorityTier=1 GraceTime=60 PreemptMode=REQUEUE MaxTime=UNLIMITED
PartitionName=high Nodes={host} PriorityTier=9 PreemptMode=OFF
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> Iterator[Path]:
    """One node of one core; SLURM_CONF points to it.  -> the folder of its configuration, state and logs."""
    folder = tmp_path_factory.mktemp("slurm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", PATH)
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        started: list[subprocess.Popen[bytes]] = []

        def start(*command: str) -> None:
            with open(folder / f"{command[0]}.out", "wb") as out:
                started.append(subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True))

        for name in ("state", "spool"):
            (folder / name).mkdir()
        ports = free_ports(2)
        (folder / "slurm.conf").write_text(
            CONFIGURATION.format(host=socket.gethostname().partition(".")[0], ports=ports, folder=folder)
        )
        (folder / "key").write_bytes(os.urandom(1024))
        (folder / "key").chmod(0o600)
        places = {"socket": "munge.socket", "pid-file": "munged.pid", "log-file": "munged.log", "seed-file": "seed"}
        try:
            start(
                "munged",
                "--foreground",
                "--force",
                f"--key-file={folder}/key",
                *(f"--{option}={folder}/{name}" for option, name in places.items()),
            )
            until(lambda: (folder / "munge.socket").exists(), "munged", folder)
            start("slurmctld", "-D", "-f", str(folder / "slurm.conf"))
            start("slurmd", "-D", "-f", str(folder / "slurm.conf"))
            until(lambda: said("sinfo", "--noheader", "--format=%T").startswith("idle"), "slurmctld and slurmd", folder)
            yield folder
        finally:
            for process in reversed(started):
                process.terminate()
            for process in started:
                try:
                    process.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    process.kill()


def free_ports(number: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def until(met, what: str, folder: Path, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        logs = "\n".join(p.read_text(errors="replace")[-1500:] for p in folder.glob("*.log"))
        assert time.monotonic() < deadline, f"{what} did not come up:\n{logs}"
        time.sleep(0.5)


def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


@pytest.fixture
def carry_out(slurm, tmp_path, monkeypatch):
    """A function (jobs, watch) that carries them out through Slurm, as tasks of a gigabyte."""
    monkeypatch.setenv("DQN_TF_SLURM", "mem=1GB partition=low")

    def call(planned, watch=lambda _: None, **options):
        return executors.make("slurm", Options(folder=tmp_path, **options)).carry_out(planned, watch)

    return call


def test_preempted_requeued_continued(carry_out, job, undisturbed, same, disturb, sessions, tmp_path):
    """A job of higher priority takes the node: SIGTERM, checkpoint, back into the queue, the same bytes in the end."""
    planned = job()
    urgent = tmp_path / "urgent.sh"
    urgent.write_text("#!/bin/bash\nsleep 3\n")

    def preempt(job):
        said("sbatch", "--partition=high", "--output=/dev/null", str(urgent))

    watch = disturb(preempt)
    outcomes = carry_out([planned], watch)
    assert watch.done and [o.state for o in outcomes] == ["complete"], (outcomes, watch.states)
    assert watch.states == ["waiting", "running", "waiting", "running", "complete"]
    assert "A checkpoint was written" in planned.log.read_text()
    assert sessions(planned) == 2
    same(planned, undisturbed)


def test_told_that_its_time_is_up(carry_out, job, undisturbed, same, disturb, sessions):
    """SIGUSR2, as Slurm sends it shortly before the time limit."""
    planned = job()
    watch = disturb(lambda _: said("scancel", "--signal=USR2", "--user=root"))
    outcomes = carry_out([planned], watch)
    assert watch.done and [o.state for o in outcomes] == ["complete"], (outcomes, watch.states)
    assert "A checkpoint was written" in planned.log.read_text() and sessions(planned) == 2
    same(planned, undisturbed)


def test_arrays_and_one_failure_alone(carry_out, job, sessions):
    """More tasks than one array may have; one directory holds another run, one run asks for too much memory."""
    planned = [job(seed, frames=600) for seed in (1, 2, 3, 4)]
    planned.append(job(5, settings=(*job().settings, "replay.capacity=1_000_000_000_000")))
    planned[1].run_dir.mkdir(parents=True)
    (planned[1].run_dir / "config.json").write_text("{}")
    outcomes = carry_out(planned)
    assert [o.state for o in outcomes] == ["complete", "failed", "complete", "complete", "failed"]
    assert "other settings" in outcomes[1].message
    assert "exit code 2" in outcomes[4].message and "memory" in outcomes[4].message
    assert [o.already for o in carry_out(planned[2:4])] == [True, True] and sessions(planned[2]) == 1


def test_cancelled_by_somebody(carry_out, job, disturb):
    """It saves, and stays away."""
    planned = job()
    watch = disturb(lambda _: said("scancel", "--user=root"))
    outcomes = carry_out([planned], watch)
    assert [o.state for o in outcomes] == ["failed"] and "was cancelled" in outcomes[0].message
    assert "A checkpoint was written" in planned.log.read_text()


def test_stopped(carry_out, job, undisturbed, same, disturb):
    """Ctrl-C where the sweep was started; the local executor goes on."""
    planned = job()
    with pytest.raises(jobs.StopAll):
        carry_out([planned], disturb(lambda _: os.kill(os.getpid(), signal.SIGINT)))
    assert planned.owner() is None and "A checkpoint was written" in planned.log.read_text()
    assert [o.state for o in executors.make("local", Options()).carry_out([planned], lambda _: None)] == ["complete"]
    same(planned, undisturbed)


def test_a_request_that_slurm_refuses(carry_out, job, monkeypatch, outcome):
    monkeypatch.setenv("DQN_TF_SLURM", "partition=nowhere")
    assert "Expected Slurm to take 1 tasks" in outcome(carry_out, [job()])


def test_without_slurm(job, tmp_path, monkeypatch, outcome):
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "none.conf"))
    said = outcome(executors.make("slurm", Options(folder=tmp_path)).carry_out, [job()], lambda _: None)
    assert "Expected a Slurm cluster for --executor slurm" in said


def test_devices_are_those_that_slurm_has_assigned(monkeypatch):
    """Beside this, CUDA_VISIBLE_DEVICES is what the machine said where the sweep was started."""
    from reproduce.executing.executors import slurm as executor

    for name in executor.GPU_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert executor.devices() == {"CUDA_VISIBLE_DEVICES": "-1"}
    monkeypatch.setenv("SLURM_JOB_GPUS", "0")  # the first device, not none
    assert executor.devices() == {}
