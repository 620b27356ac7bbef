"""A real Ray cluster of two working nodes on this machine; nodes are lost in the middle of runs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import psutil
import pytest

from dqn_tf.checks import ConfigError
from reproduce.executing import executors, jobs
from reproduce.executing.executors import Options

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is sent anywhere
ray = pytest.importorskip("ray", reason="Ray is not installed; tests/cluster/run.sh installs it")
cluster_utils = pytest.importorskip("ray.cluster_utils")

HERE = "127.0.0.2"  # loopback too; the usual name of it Ray takes for the address of another interface
pytestmark = pytest.mark.slow


def test_without_a_cluster(tmp_path, job, outcome, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    said = outcome(executors.make("ray", Options()).carry_out, [job()], lambda _: None)
    assert "Expected a Ray cluster" in said and "ray start --head" in said


def test_requests_are_words_with_a_value(monkeypatch, outcome):
    monkeypatch.setenv("DQN_TF_RAY", "num_gpus=0.25 nonsense")
    assert "Expected NAME=VALUE in DQN_TF_RAY, got 'nonsense'" in outcome(executors.make, "ray", Options())


@pytest.fixture
def cluster(tmp_path_factory, monkeypatch) -> Iterator[cluster_utils.Cluster]:
    """A head that carries out nothing and two nodes of one core each."""
    common = {"node_ip_address": HERE, "include_dashboard": False, "object_store_memory": 100 * 2**20}
    made = cluster_utils.Cluster(initialize_head=True, head_node_args={**common, "num_cpus": 0})
    try:
        for _ in range(2):
            made.add_node(**common, num_cpus=1, memory=8 * 2**30)
        monkeypatch.setenv("RAY_ADDRESS", made.address)
        yield made
    finally:
        made.shutdown()


def carry_out(planned, watch=lambda _: None, **options):
    return executors.make("ray", Options(**options)).carry_out(planned, watch)


def raylet_of(process: psutil.Process) -> psutil.Process:
    return next(p for p in process.parents() if p.name() == "raylet")


def machine_lost(raylet):
    """All processes of the node are gone at once."""
    gone = [raylet, *raylet.children(recursive=True)]
    for process in gone:
        process.suspend()  # none of them sees another one die
    for process in gone:
        process.kill()


def raylet_lost(raylet):
    """Ray's node is gone, the training process on it is not: it has to notice."""
    raylet.kill()
    raylet.wait()  # as init would: Ray takes a zombie for alive


@pytest.mark.parametrize("lose", [machine_lost, raylet_lost])
def test_a_lost_node_changes_no_byte(cluster, job, undisturbed, same, disturb, trainer, sessions, lose):
    planned, lost = job(), []

    def action(job):
        lost.append(raylet_of(trainer(job)))
        lose(lost[0])

    watch = disturb(action)
    outcomes = carry_out([planned], watch)
    assert watch.done and [o.state for o in outcomes] == ["complete"]
    assert watch.states == ["waiting", "running", "waiting", "running", "complete"]
    assert any(message.startswith("lost: ") for message in watch.messages)
    assert sessions(planned) == 2
    assert nodes_alive(cluster) == 2  # the head and the other node
    same(planned, undisturbed)


def nodes_alive(cluster, expected=2, seconds=120):
    """How many nodes Ray takes for alive; it asks them every few seconds, and a run may be over before it knows."""
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        deadline = time.monotonic() + seconds
        while (alive := sum(node["Alive"] for node in ray.nodes())) != expected and time.monotonic() < deadline:
            time.sleep(1)
        return alive
    finally:
        ray.shutdown()


def test_two_at_a_time_and_one_failure_alone(cluster, job, undisturbed, same, sessions):
    """Two nodes, four jobs: one is of another run, one asks for more memory than there is anywhere."""
    other = job(2)
    other.run_dir.mkdir(parents=True)
    (other.run_dir / "config.json").write_text("{}")
    planned = [
        job(1),
        other,
        job(3, settings=(*job().settings, "replay.capacity=1_000_000_000_000")),
        job(4, frames=2_000),
    ]
    most, labels = [], []

    def watch(outcomes):
        most.append(sum(o.state == "running" for o in outcomes))
        labels.append([o.job.label for o in outcomes])

    outcomes = carry_out(planned, watch)
    assert [o.state for o in outcomes] == ["complete", "failed", "failed", "complete"]
    assert max(most) <= 2 and labels[-1] == [j.label for j in planned]
    assert "other settings" in outcomes[1].message
    assert "exit code 2" in outcomes[2].message and "memory" in outcomes[2].message
    same(planned[0], undisturbed)
    again = carry_out(planned[::3])
    assert [o.already for o in again] == [True, True] and [sessions(j) for j in planned[::3]] == [1, 1]


def test_stopped_and_gone_on_with_on_this_machine(cluster, job, undisturbed, same, disturb, sessions):
    planned = [job(1), job(2), job(3)]
    watch = disturb(lambda _: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(jobs.StopAll) as stopped:
        carry_out(planned, watch)
    assert stopped.value.exit_code == 130 and watch.states[-1] == "stopped"
    assert not any(j.owner() for j in planned) and not planned[2].run_dir.exists()
    assert watch.frames <= planned[0].frames_done() < planned[0].frames
    assert (planned[0].log).read_text().rstrip().endswith("A checkpoint was written; the same command continues.")
    outcomes = executors.make("local", Options()).carry_out(planned[:1], lambda _: None)
    assert [o.state for o in outcomes] == ["complete"] and sessions(planned[0]) == 2
    same(planned[0], undisturbed)


def test_ray_does_not_show_in_the_environment(cluster, job, monkeypatch, disturb, trainer):
    """A run sees the same OMP_NUM_THREADS as without Ray, and the GPUs that were asked for."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    seen = {}

    def look(job):
        seen.update(trainer(job).environ())

    carry_out([job(frames=4_000)], disturb(look, frames=1))
    assert seen["OMP_NUM_THREADS"] == "7"
    assert not seen.get("CUDA_VISIBLE_DEVICES", "").strip("-1")


@pytest.fixture
def node_of_two(tmp_path_factory, monkeypatch) -> Iterator[cluster_utils.Cluster]:
    """A node that pretends to have two GPUs, as a node's CUDA_VISIBLE_DEVICES says it; Ray counts, it never looks."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    common = {"node_ip_address": HERE, "include_dashboard": False, "object_store_memory": 100 * 2**20}
    made = cluster_utils.Cluster(initialize_head=True, head_node_args={**common, "num_cpus": 0})
    try:
        made.add_node(**common, num_cpus=2, num_gpus=2, memory=8 * 2**30)
        monkeypatch.setenv("RAY_ADDRESS", made.address)
        yield made
    finally:
        made.shutdown()


@pytest.mark.parametrize(
    ("requests", "seen"), [("", [{"-1"}]), ("num_gpus=1", [{"4"}, {"7"}]), ("num_gpus=2", [{"4,7"}])]
)
def test_a_run_sees_the_devices_it_asked_for(node_of_two, job, monkeypatch, trainer, requests, seen):
    """Ray leaves a task without GPUs the node's variable, and with it all of the node's devices."""
    monkeypatch.setenv("DQN_TF_RAY", requests)
    found: dict[str, str] = {}

    def watch(outcomes):
        for outcome in outcomes:
            if outcome.state == "running" and outcome.job.label not in found and outcome.job.owner():
                found[outcome.job.label] = trainer(outcome.job).environ().get("CUDA_VISIBLE_DEVICES", "unset")

    outcomes = carry_out([job(1, frames=4_000), job(2, frames=4_000)], watch)
    assert [o.state for o in outcomes] == ["complete", "complete"]
    assert found and set(found.values()) <= set.union(*seen)
    if len(found) == 2 and len(seen) == 2:
        assert len(set(found.values())) == 2


def test_a_request_that_ray_does_not_know(cluster, job, monkeypatch):
    monkeypatch.setenv("DQN_TF_RAY", "num_gpu=1")
    with pytest.raises(ConfigError, match="num_gpu"):
        carry_out([job()])


def test_what_counts_is_not_empty(undisturbed):
    assert undisturbed["summary"]["frames"] == 15_000 and undisturbed["episodes.csv"].count(b"\n") > 50
    assert len(undisturbed["state_digest"]) == 64
