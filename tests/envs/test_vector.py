"""Environments in worker processes: the same answers as in one process, exact states, and what a failure says."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf import envs
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.envs import vector
from dqn_tf.envs.protocols import PROTOCOLS
from dqn_tf.envs.vector import RESET, REST, Environments, InProcess, InWorkers, Plan, share
from dqn_tf.types import StepType, TimeStep

CARTPOLE = Plan("gym:CartPole-v1", None, 7, ("train/0", "train/1", "train/2"))
BREAKOUT = Plan("ale:breakout", PROTOCOLS["dqn_zoo"], 7, ("train/0", "train/1"))

FAULTY = """
import os, signal, time
import gymnasium
import numpy as np

class Faulty(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(6)

    def reset(self, *, seed=None, options=None):
        return np.zeros(2, np.float32), {}

    def step(self, action):
        if action == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        while action == 2:
            pass
        if action == 3:
            raise ValueError("the ball is gone")
        if action == 4:
            os._exit(7)
        return np.zeros(2, np.float32), 0.0, False, False, {}

gymnasium.register("Faulty-v0", Faulty)
"""
SLOW = """
import time
import gymnasium
import numpy as np

class Slow(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return np.zeros(2, np.float32), {}

    def step(self, action):
        begun = time.process_time()
        while time.process_time() - begun < 1.0:  # of work: time that it is stopped does not count
            pass
        return np.zeros(2, np.float32), 0.0, False, False, {}

gymnasium.register("Slow-v0", Slow)
"""


@pytest.fixture
def made() -> Iterator[Callable[[Plan, int], Environments]]:
    """``vector.make``; what it made is closed after the test."""
    everything: list[Environments] = []

    def make(plan: Plan, workers: int) -> Environments:
        everything.append(vector.make(plan, workers))
        return everything[-1]

    yield make
    for one in everything:
        one.close()


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Any) -> Callable[..., InWorkers]:
    """A function (training=True) -> four environments, begun, in two workers that fail as their action says."""
    (tmp_path / "dqn_tf_faulty_game.py").write_text(FAULTY)
    monkeypatch.syspath_prepend(tmp_path)

    def build(training: bool = True) -> InWorkers:
        one = made(Plan("gym:dqn_tf_faulty_game:Faulty-v0", None, 0, ("a", "b", "c", "d"), training), 2)
        one.step([RESET] * 4)
        return one

    return build


def play(one: Environments, steps: int, last: list[TimeStep | None], seed: int = 0) -> list[tuple[Any, ...]]:
    """Random actions and sometimes a rest; the bytes of every answer and of all observations.  ``last`` is kept up."""
    random, out = np.random.default_rng(seed), []
    for _ in range(steps):
        actions = []
        for before in last:
            over = before is None or before.step_type == StepType.LAST
            actions.append(RESET if over else int(random.integers(-1, one.spec.num_actions)))
        actions = [
            REST if a == -1 and last[i] and last[i].step_type != StepType.LAST else a for i, a in enumerate(actions)
        ]
        for i, answer in enumerate(one.step(actions)):
            if answer is not None:
                last[i] = answer._replace(observation=answer.observation.copy(), frame=answer.frame.copy())
                out.append((answer.observation.tobytes(), answer.frame.tobytes(), *answer[2:]))
        out.append((one.observations.tobytes(),))
    return out


def gone(pid: int) -> bool:
    """Whether the process has ended (a zombie that its parent will bury has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


# -- the same answers --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("plan", "counts", "steps"), [(CARTPOLE, (1, 2, 3), 120), (BREAKOUT, (1, 2), 60)])
def test_any_number_of_workers_gives_the_same(made: Any, plan: Plan, counts: tuple[int, ...], steps: int) -> None:
    """Many episodes (CartPole), sticky actions and lost lives (Breakout); and as single environments."""
    here = made(plan, 0)
    last: list[TimeStep | None] = [None] * len(plan.streams)
    whole = play(here, steps, last)
    alone = [plan.make(i) for i in range(len(plan.streams))]
    assert [t.observation.tobytes() for t in (one.reset() for one in alone)] == [x[0] for x in whole[: len(alone)]]
    for workers in counts:
        there = made(plan, workers)
        assert there.spec == here.spec == alone[0].spec
        assert play(there, steps, [None] * len(plan.streams)) == whole
        assert repr(there.state()) == repr(here.state())


@pytest.mark.parametrize("plan", [CARTPOLE, BREAKOUT])
def test_a_state_of_few_workers_is_restored_by_many(made: Any, plan: Plan) -> None:
    """Saved in mid-episode, one environment never begun; continued elsewhere, and in the same workers again."""
    number = len(plan.streams)
    one, other = made(plan, 1), made(plan, number)
    last: list[TimeStep | None] = [None] * number
    play(one, 23, last)
    state = one.state()
    future = play(one, 30, list(last), seed=1)
    for again in (other, one):
        found = again.restore(state)
        assert [t and t[2:] for t in found] == [t and t[2:] for t in last]
        assert again.observations.tobytes() == b"".join(t.observation.tobytes() for t in last)
        assert play(again, 30, list(last), seed=1) == future
    fresh = made(plan, number).state()
    assert other.restore([*state[:-1], fresh[-1]])[-1] is None


def test_answers_are_shared_memory_and_observations_are_one_batch(made: Any) -> None:
    one = made(CARTPOLE, 2)
    answers = one.step([RESET] * 3)
    assert one.observations.shape == (3, 4) and one.observations.dtype == np.float32
    assert all(np.shares_memory(t.observation, one.observations) for t in answers)
    assert one.step([REST, 1, REST])[0] is None


def test_environments_are_shared_evenly_and_in_order() -> None:
    for environments in range(1, 12):
        for workers in range(1, environments + 1):
            parts = share(environments, workers)
            assert [i for part in parts for i in part] == list(range(environments))
            assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_each_environment_is_its_own_stream(made: Any) -> None:
    here = made(CARTPOLE, 0)
    begun = [t.observation.tolist() for t in here.step([RESET] * 3)]
    assert begun[0] != begun[1] != begun[2]
    assert begun[1] == envs.make("CartPole-v1", None, 7, "train/1").reset().observation.tolist()


# -- what goes wrong ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("action", "says"),
    [
        (1, "was killed by SIGKILL. No step of it was learned from. What was saved before is kept"),
        (2, "did not answer for 1 s and was ended. No step of it was learned from"),
        (4, "ended with exit code 7. No step"),
        (3, "ValueError: the ball is gone"),
    ],
)
def test_a_worker_that_fails_is_named_with_its_last_action(faulty: Any, outcome: Any, action: int, says: str) -> None:
    one = faulty()
    one.step([0, 0, 5, 5])
    if action == 2:
        one._waits = 1
    pids = [worker.process.pid for worker in one._workers]
    message = outcome(one.step, [0, 0, 0, action])
    assert message.startswith(
        f"Worker 1 (environments 2 to 3 of gym:dqn_tf_faulty_game:Faulty-v0, process {pids[1]}), while environment 3 "
        f"took action {action} ({action}) (vector step 3 of this process)" + (":" if action == 3 else ",")
    )
    assert says in message
    assert all(map(gone, pids))  # the others do not live on


def test_a_worker_that_fails_in_an_evaluation_says_so(faulty: Any, outcome: Any) -> None:
    one = faulty(training=False)
    message = outcome(one.step, [3, 0, 0, 0])
    assert "of gym:dqn_tf_faulty_game:Faulty-v0, in an evaluation, process" in message and "took action 3" in message


def test_a_worker_that_dies_between_two_steps(faulty: Any, outcome: Any) -> None:
    """As when the kernel needs memory."""
    one = faulty()
    one.step([5, REST, 0, 0])
    one._workers[0].process.kill()
    one._workers[0].process.wait()
    message = outcome(one.step, [0] * 4)
    assert message.startswith("Worker 0 (environments 0 to 1 of") and "was killed by SIGKILL" in message
    assert "after environment 0 took action 5 (5), environment 1 rested (vector step 3" in message


def test_an_environment_s_own_error_keeps_its_kind(made: Any) -> None:
    one = made(CARTPOLE, 2)
    with pytest.raises(RunError, match=r"environment 2 took action 0 \(0\).*Expected reset\(\)"):
        one.step([REST, REST, 0])
    other = made(CARTPOLE, 2)
    other.step([RESET] * 3)
    with pytest.raises(ConfigError, match=r"Expected a number in \[0, 2\) for `action`, got 9"):
        other.step([0, 9, 0])


def test_what_cannot_be_made_is_refused_before_anything_runs(outcome: Any) -> None:
    gc.collect()  # what the errors of other tests still held
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert "Unknown environment 'gym:NoSuch-v0'" in outcome(vector.make, Plan("gym:NoSuch-v0", None, 0, ("a",)), 1)
    for workers in (-1, 4):
        assert outcome(InWorkers, CARTPOLE, workers).startswith(
            f"Expected 1 to 3 workers for 3 environments, got {workers}"
        )
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_state_of_another_environment_is_refused(made: Any, outcome: Any) -> None:
    one = made(CARTPOLE, 3)
    one.step([RESET] * 3)
    state = one.state()
    assert "Expected a state of" in outcome(one.restore, state[::-1])


def test_workers_import_what_their_owner_does(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what lies in the current directory, as `python -m` would."""
    (tmp_path / "gymnasium.py").write_text("raise SystemExit('a file of the user, not the library')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    assert made(CARTPOLE, 1).step([RESET] * 3)[0] is not None


def test_signals_are_the_owner_s(made: Any) -> None:
    """Ctrl-C and Slurm's SIGTERM reach every process; the environments must still be there to be saved."""
    one = made(CARTPOLE, 2)
    one.step([RESET] * 3)
    for worker in one._workers:
        for number in (signal.SIGINT, signal.SIGTERM):
            worker.process.send_signal(number)
    play(one, 5, [None] * 3)
    assert len(one.state()) == 3


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "in a step without end"])
@pytest.mark.parametrize("leaves", ["time.sleep(600)", "os._exit(3)"])
def test_workers_end_with_their_owner(faulty: Any, tmp_path: Path, busy: bool, leaves: str) -> None:
    """However it ends: killed, or without a word to anybody."""
    program = f"""
import os, threading, time
from dqn_tf.envs import vector
one = vector.make(vector.Plan("gym:dqn_tf_faulty_game:Faulty-v0", None, 0, ("a", "b")), 2)
one.step([-1, -1])
if {busy}:
    threading.Thread(target=one.step, args=[[2, 2]], daemon=True).start()
    time.sleep(1)
print(*(w.process.pid for w in one._workers), flush=True)
{leaves}
"""
    path = os.pathsep.join([str(Path(envs.__file__).parents[2]), str(tmp_path)])
    owner = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert owner.stdout is not None
    pids: list[int] = []
    try:
        pids = list(map(int, owner.stdout.readline().split()))
        assert len(pids) == 2
        assert "sleep" not in leaves or not any(map(gone, pids))
        owner.kill()
        owner.wait()  # not for the end of its output, which its workers have too
        wait_for(lambda: all(map(gone, pids)), seconds=30)
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()
        for pid in pids:
            if not gone(pid):
                os.kill(pid, signal.SIGKILL)


def test_a_worker_without_its_owner_does_not_begin() -> None:
    """The owner died while the worker started: somebody else is its parent."""
    one, other = socket.socketpair()
    words = [sys.executable, "-m", "dqn_tf.envs.worker", str(other.fileno()), "0", str(os.getpid() + 1)]
    with one, other:
        assert subprocess.run(words, pass_fds=[other.fileno()], timeout=120, check=False).returncode == 1


def test_time_in_which_the_whole_job_is_stopped_does_not_count(tmp_path: Path) -> None:
    """SIGSTOP for longer than a worker may be silent: a laptop that sleeps, `scontrol suspend`."""
    (tmp_path / "dqn_tf_slow_game.py").write_text(SLOW)
    program = """
from dqn_tf.envs import vector
vector.ANSWER_WAITS = 8
one = vector.make(vector.Plan("gym:dqn_tf_slow_game:Slow-v0", None, 0, ("a",)), 1)
one.step([-1])
print("steps", flush=True)
one.step([0])
print("done", flush=True)
one.close()
"""
    path = os.pathsep.join([str(Path(envs.__file__).parents[2]), str(tmp_path)])
    owner = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert owner.stdout is not None
    try:
        assert owner.stdout.readline() == "steps\n"
        os.killpg(owner.pid, signal.SIGSTOP)
        time.sleep(9)
        os.killpg(owner.pid, signal.SIGCONT)
        assert owner.stdout.readline() == "done\n"
        assert owner.wait(60) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(owner.pid, signal.SIGKILL)
        owner.wait()
        owner.stdout.close()


def test_closing_leaves_nothing(faulty: Any) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    one = faulty()
    pids = [worker.process.pid for worker in one._workers]
    one._workers[0].process.send_signal(signal.SIGSTOP)  # it cannot even notice
    one.close()
    one.close()
    assert all(map(gone, pids))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1  # the memory that answers are views of


def test_more_workers_than_cores_is_said_with_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert vector.advice(2) is None
    assert vector.advice(8).startswith("8 environment workers share 2 cores: they wait")
    assert isinstance(vector.make(CARTPOLE, 0), InProcess)
