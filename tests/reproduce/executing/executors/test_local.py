"""Runs side by side on this machine.  Most tests put a short script in the place of training."""

from __future__ import annotations

import fcntl
import os
import signal
import time

import pytest

from dqn_tf import memory
from reproduce.executing import executors, jobs
from reproduce.executing.executors import Options, local
from reproduce.executing.executors.local import Local
from reproduce.planning import cost

DONE = """
import pathlib, sys
folder = pathlib.Path(sys.argv[sys.argv.index("--run-dir") + 1])
folder.mkdir(parents=True, exist_ok=True)
seed = int(sys.argv[sys.argv.index("--seed") + 1])
print("trained", sys.argv[1:])
"""


def carry_out(planned, watch=lambda _: None, patience_seconds=0.0, **options):
    return Local(Options(**{"parallel": 2, "retries": 0, **options}), patience_seconds).carry_out(planned, watch)


def test_one_failure_stops_nothing(job, instead, finish):
    """In order, two at a time; a failure's last words are kept; what is complete is not started."""
    instead(DONE + "sys.exit(3) if seed == 2 else None\n")
    planned = [job(seed) for seed in (1, 2, 3, 4)]
    finish(planned[3])
    most: list[int] = []
    outcomes = carry_out(planned, lambda all: most.append(sum(o.state == "running" for o in all)))
    assert [o.state for o in outcomes] == ["complete", "failed", "complete", "complete"]
    assert max(most) == 2 and [o.already for o in outcomes] == [False, False, False, True]
    assert "exit code 3" in outcomes[1].message and "trained ['train', 'dqn_classic'" in outcomes[1].message
    assert not planned[3].log.exists()


def test_what_failed_comes_last(job, instead, tmp_path):
    """A failed run is started again when all others have had their turn: the disk may have room again by then."""
    instead(
        DONE
        + f"""
order = pathlib.Path({str(tmp_path / "order")!r})
with open(order, "a") as file: file.write(str(seed))
sys.exit(1 if seed == 1 and order.read_text().count("1") < 3 else 0)
"""
    )
    outcomes = carry_out([job(seed) for seed in (1, 2, 3)], parallel=1, retries=2)
    assert [o.state for o in outcomes] == ["complete"] * 3 and [o.attempts for o in outcomes] == [3, 1, 1]
    assert (tmp_path / "order").read_text() == "12311"


def test_a_directory_of_another_run_fails_alone(job, instead, finish):
    instead(DONE)
    finish(job(settings=["batch_size=8"]))
    outcomes = carry_out([job(), job(2)], parallel=1)
    assert [o.state for o in outcomes] == ["failed", "complete"] and "other settings" in outcomes[0].message


SLOW = """
import pathlib, signal, sys, time
def stop(number, frame):
    print("saved"); sys.exit(143)
signal.signal(signal.SIGTERM, stop)
pathlib.Path(sys.argv[sys.argv.index("--run-dir") + 1]).with_suffix(".up").touch()
time.sleep(60)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stopping_lets_the_runs_save(job, instead, number, code):
    instead(SLOW)
    planned, before = [job(seed) for seed in (1, 2, 3)], signal.getsignal(signal.SIGINT)
    states: list[list[str]] = []

    def watch(outcomes):
        states.append([o.state for o in outcomes])
        if all(j.run_dir.with_suffix(".up").exists() for j in planned[:2]):
            os.kill(os.getpid(), number) if states[-1].count("running") == 2 else None

    with pytest.raises(jobs.StopAll) as stopped:
        carry_out(planned, watch)
    assert stopped.value.exit_code == code
    assert states[-1] == ["stopped", "stopped", "waiting"]
    assert [planned[i].log.read_text() for i in (0, 1)] == ["saved\n"] * 2
    assert signal.getsignal(signal.SIGINT) == before


# -- room --------------------------------------------------------------------------------------------------------------
def at_once(planned, **options):
    """How many ran at a time, at most."""
    most: list[int] = []
    outcomes = carry_out(planned, lambda all: most.append(sum(o.state == "running" for o in all)), **options)
    assert [o.state for o in outcomes] == ["complete"] * len(planned)
    return max(most)


SHORT = DONE + "import time; time.sleep(0.5)\n"


def test_as_many_as_there_are_cores(job, instead, monkeypatch):
    instead(SHORT)
    monkeypatch.setattr(local, "cores", lambda: 4)
    assert at_once([job(seed) for seed in range(6)], parallel=None) == 4
    pairs = [job(seed, settings=["execution.threads=2"]) for seed in range(6, 10)]
    assert at_once(pairs, parallel=None) == 2
    large = [job(seed, settings=["execution.threads=64"]) for seed in range(10, 12)]
    assert at_once(large, parallel=None) == 1


def test_as_many_as_memory_holds(job, instead, monkeypatch):
    """Runs that have taken nothing yet count with all that they will take: two of three fit in 2.5 times their need."""
    instead(SHORT)
    need = job().memory_bytes
    assert need > memory.HEADROOM
    monkeypatch.setattr(memory, "available", lambda: (int(2.5 * need), "here"))
    monkeypatch.setattr(local, "_resident_bytes", lambda pid: 0)
    assert at_once([job(seed) for seed in range(4)], parallel=4) == 2
    monkeypatch.setattr(memory, "available", lambda: (int(0.5 * need), "here"))
    assert at_once([job(seed) for seed in range(4, 6)], parallel=4) == 1


def test_what_a_run_has_taken_is_not_counted_twice(job, instead, monkeypatch):
    """The first has all its memory already: what is still available is for the others alone."""
    instead(SHORT)
    need = job().memory_bytes
    monkeypatch.setattr(memory, "available", lambda: (int(1.5 * need), "here"))
    monkeypatch.setattr(local, "_resident_bytes", lambda pid: need)
    assert at_once([job(seed) for seed in range(3)], parallel=3) == 3


def test_a_small_run_overtakes_one_that_waits_for_memory(job, instead, monkeypatch):
    instead(SHORT)
    first, large, small = job(1), job(2, settings=["replay.capacity=50_000_000"], frames=40_000_000), job(3)
    monkeypatch.setattr(memory, "available", lambda: (int(2.2 * small.memory_bytes), "here"))
    assert large.memory_bytes > 2.2 * small.memory_bytes
    seen: list[tuple[str, ...]] = []
    carry_out([first, large, small], lambda all: seen.append(tuple(o.state for o in all)))
    assert ("running", "waiting", "running") in seen and ("complete", "running", "complete") in seen


def test_resident_bytes():
    mine = local._resident_bytes(os.getpid())
    block = bytearray(os.urandom(1)) * 64_000_000
    assert len(block) * 0.9 < local._resident_bytes(os.getpid()) - mine < len(block) * 1.5
    assert local._resident_bytes(2**30) == 0
    assert 1 <= cost.cores() <= (os.cpu_count() or 1)


# -- two at the same runs ----------------------------------------------------------------------------------------------
@pytest.fixture
def held(job):
    """The run directory of seed 1, held as another process would hold it."""
    job().run_dir.mkdir(parents=True)
    with open(job().run_dir / ".lock", "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def test_a_run_in_other_hands_is_reported_and_stops_nothing(job, instead, held):
    instead(DONE)
    outcomes = carry_out([job(1), job(2)])
    assert [o.state for o in outcomes] == ["elsewhere", "complete"] and "in use by" in outcomes[0].message


def test_a_run_that_is_given_back_is_carried_out(job, instead, held, finish):
    instead(DONE)
    began = time.monotonic()

    def watch(_):
        if time.monotonic() - began > 1.0:
            held.close()

    outcomes = carry_out([job(1)], watch, patience_seconds=20.0)
    assert outcomes[0].state == "complete" and outcomes[0].attempts == 1


# -- seeds together ----------------------------------------------------------------------------------------------------
TOGETHER = """
import json, pathlib, sys
words = sys.argv
seeds = words[words.index("--seeds") + 1].split(",") if "--seeds" in words else [words[words.index("--seed") + 1]]
print("trained", seeds, flush=True)
for seed in seeds:
    folder = pathlib.Path(words[words.index("--run-dir") + 1].replace("{seed}", seed))
    folder.mkdir(parents=True, exist_ok=True)
    again = folder / "again"
    if seed != "2" or again.exists():
        (folder / "summary.json").write_text("{}")
    again.touch()
sys.exit(any(not (folder.parent / f"seed_{seed}" / "summary.json").exists() for seed in seeds))
"""


def test_seeds_of_one_configuration_share_a_process(job, instead):
    """Three at a time; of others none; one that failed is started again and stops nobody."""
    instead(TOGETHER)
    planned = [job(seed) for seed in (1, 2, 3, 4)] + [job(5, settings=["batch_size=8"])]
    planned.append(job(6, settings=["execution=interleaved"]))
    outcomes = carry_out(planned, parallel=1, retries=1, seeds_together=3)
    assert [o.state for o in outcomes] == ["complete"] * 6
    assert [o.attempts for o in outcomes] == [1, 2, 1, 1, 1, 1]
    said = [planned[i].log.read_text().splitlines() for i in range(6)]
    assert said[0][0] == "trained ['1', '2', '3']"
    first, then = ("-- together with seed 1: see seed_1.log --", "-- together with seed 4: see seed_4.log --")
    assert said[1] == [first, "-- attempt 2 --", then]
    assert [lines[-1] for lines in said[3:]] == ["trained ['4', '2']", "trained ['5']", "trained ['6']"]


def test_other_executors_start_every_run_by_itself(outcome):
    said = outcome(executors.make, "ray", Options(seeds_together=2))
    assert "Expected --executor local for --seeds-together 2, got 'ray'" in said
