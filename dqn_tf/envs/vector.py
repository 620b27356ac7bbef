"""Several environments at a time, in this process or in worker processes over shared memory, with the same results.

Environment i draws from its own streams, so it depends on its actions alone, and not on the number of workers or on
which is ready first.  A worker answers when all its environments have; the caller waits for all workers and reads the
answers in the order of the environments.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from dqn_tf import checks, envs
from dqn_tf.checks import ConfigError, EnvironmentFault, InexactRestore
from dqn_tf.envs.environments import RESET, REST, Environments, Plan
from dqn_tf.envs.shared import Shared, receive, send, share
from dqn_tf.types import EnvironmentSpec, TimeStep

WAIT_SECONDS = (
    1.0  # longer waits are made of many, so that time in which the whole job is stopped counts as one of them
)
ANSWER_WAITS = 120  # a step takes milliseconds; a worker that is silent for so long hangs
PATIENT_WAITS = 1800  # to start on a machine with much else to do, or to play the longest episodes again


def make(plan: Plan, workers: int) -> Environments:
    """The plan's environments.

    Args:
        plan: which environments.
        workers: processes that play them; 0: this one does.

    Returns:
        The environments, before their first reset.

    Raises:
        ConfigError: one cannot be made, or there are more workers than environments.
    """
    return InWorkers(plan, workers) if workers else InProcess(plan)


def advice(workers: int) -> str | None:
    """A warning if there are more workers than cores, else None."""
    cores = len(os.sched_getaffinity(0))
    if workers <= cores:
        return None
    return (
        f"{workers} environment workers share {cores} core{'s' if cores > 1 else ''}: they wait for one another, so "
        f"more than {cores} are no faster. The results do not depend on their number."
    )


def restore(environment: envs.Environment, state: dict[str, Any], inexact: bool) -> TimeStep | None:
    """Restore one environment.

    Args:
        environment: to be restored.
        state: as it gave it.
        inexact: whether it begins its next episode if it cannot be restored exactly.

    Returns:
        Its latest answer; None if there was none, or if its next episode is to begin.

    Raises:
        InexactRestore: it cannot be restored exactly, and not ``inexact``.
    """
    try:
        environment.restore(state)
    except (InexactRestore, EnvironmentFault):
        if not inexact:
            raise
        environment.abandon_episode(state)
        return None
    return environment.last if state["digest"] else None


class InProcess:
    """Environments in this process, one after the other."""

    def __init__(self, plan: Plan, fewer: bool = False) -> None:
        """
        Args:
            plan: which environments.
            fewer: take as many as can be made, one at least (``len(environments)`` tells).

        Raises:
            ConfigError: one of them cannot be made; everything is closed.
        """
        made: list[envs.Environment] = []
        try:
            for index in range(len(plan.streams)):
                made.append(plan.make(index))
        except BaseException as error:
            if not (fewer and made and isinstance(error, ConfigError)):
                for environment in made:
                    environment.close()
                raise
        self._hold(made)

    @classmethod
    def of(cls, environments: list[envs.Environment]) -> InProcess:
        """From existing environments."""
        one = object.__new__(cls)
        one._hold(environments)
        return one

    def _hold(self, environments: list[envs.Environment]) -> None:
        self.environments = environments
        self.spec = self.environments[0].spec
        observation = self.spec.observation
        self._observations = np.zeros((len(environments), *observation.shape), observation.dtype)
        self._masks: list[np.ndarray | None] = [None] * len(environments)

    def step(self, actions: Sequence[int]) -> list[TimeStep | None]:
        """See ``Environments``."""
        return [self._answer(i, action) for i, action in enumerate(actions)]

    def _answer(self, index: int, action: int) -> TimeStep | None:
        if action == REST:
            return None
        environment = self.environments[index]
        timestep = environment.reset() if action == RESET else environment.step(action)
        self._observations[index], self._masks[index] = timestep.observation, timestep.mask
        return timestep

    @property
    def observations(self) -> np.ndarray:
        """See ``Environments``."""
        return self._observations

    @property
    def masks(self) -> Sequence[np.ndarray | None]:
        """See ``Environments``."""
        return self._masks

    def state(self) -> list[dict[str, Any]]:
        """See ``Environments``."""
        return [dict(environment.state()) for environment in self.environments]

    def restore(self, states: Sequence[dict[str, Any]], inexact: bool = False) -> list[TimeStep | None]:
        """See ``Environments``."""
        pairs = zip(self.environments, states, strict=True)
        out = [restore(environment, state, inexact) for environment, state in pairs]
        for index, last in enumerate(out):
            if last is not None:
                self._observations[index], self._masks[index] = last.observation, last.mask
        return out

    def close(self) -> None:
        """See ``Environments``."""
        for environment in self.environments:
            environment.close()


# -- the owner's side --------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def _held_back(*numbers: signal.Signals) -> Iterator[None]:
    """A process that is started within holds these signals back until it is ready for them.  They reach us after."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Worker(NamedTuple):
    number: int
    process: subprocess.Popen[bytes]
    channel: socket.socket
    environments: range


class InWorkers:
    """Each worker is a process of its own (worker.py) with a share of the environments."""

    def __init__(self, plan: Plan, workers: int) -> None:
        """
        Args:
            plan: which environments.
            workers: processes, at least 1.

        Raises:
            ConfigError: there are more workers than environments, or one cannot be made.
        """
        number = len(plan.streams)
        if not 1 <= workers <= number:
            raise checks.ConfigError(
                f"Expected 1 to {number} workers for {number} environments, got {workers}. A worker needs one at least."
            )
        self._plan, self._steps, self._before = plan, 0, [REST] * number
        self._waits = PATIENT_WAITS
        observation = envs.observation_spec(plan.environment, plan.protocol)
        found = envs.portable(plan.environment)
        self._shared = Shared(observation, number, workers)
        self._shared.at_work_on[:] = -1
        self._workers: list[_Worker] = []
        try:
            for w, environments in enumerate(share(number, workers)):
                self._workers.append(self._start(w, environments))
            for worker in self._workers:  # all of them start at the same time
                self._send(worker, pickle.dumps((plan, workers, worker.number, observation, found)))
            specs = [pickle.loads(self._receive(worker)) for worker in self._workers]  # from processes of our own
            self.spec: EnvironmentSpec = specs[0]
            self._waits = ANSWER_WAITS
        except BaseException:
            self.close()
            raise

    def _start(self, number: int, environments: range) -> _Worker:
        ours, theirs = socket.socketpair()
        package = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(dict.fromkeys([*(entry or os.getcwd() for entry in sys.path), package]))
        with theirs, _held_back(signal.SIGINT, signal.SIGTERM):
            words = map(str, (theirs.fileno(), self._shared.file, os.getpid()))
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "dqn_tf.envs.worker", *words],  # -P: our modules, not the folder's
                env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), self._shared.file),
            )
        ours.settimeout(WAIT_SECONDS)
        return _Worker(number, process, ours, environments)

    def step(self, actions: Sequence[int]) -> list[TimeStep | None]:
        """See ``Environments``."""
        self._before = self._shared.command.tolist()
        self._shared.command[:] = actions
        self._steps += 1
        busy = [w for w in self._workers if any(actions[i] != REST for i in w.environments)]
        for worker in busy:
            self._send(worker, b"")
        for worker in busy:
            self._receive(worker)
        return [None if action == REST else self._shared.read(i) for i, action in enumerate(actions)]

    @property
    def observations(self) -> np.ndarray:
        """See ``Environments``."""
        return self._shared.observation

    @property
    def masks(self) -> Sequence[np.ndarray | None]:
        """See ``Environments``."""
        masks = self._shared.mask
        return [None] * len(self._before) if masks is None else list(masks)

    def state(self) -> list[dict[str, Any]]:
        """See ``Environments``."""
        return [state for worker in self._workers for state in self._ask(worker, ("state", None, False))]

    def restore(self, states: Sequence[dict[str, Any]], inexact: bool = False) -> list[TimeStep | None]:
        """See ``Environments``; all workers play at the same time."""
        self._waits = PATIENT_WAITS
        for worker in self._workers:
            self._send(worker, pickle.dumps(("restore", [dict(states[i]) for i in worker.environments], inexact)))
        begun = [there for worker in self._workers for there in pickle.loads(self._receive(worker))]
        self._waits = ANSWER_WAITS
        return [self._shared.read(i) if there else None for i, there in enumerate(begun)]

    def _ask(self, worker: _Worker, question: Any) -> Any:
        self._send(worker, pickle.dumps(question))
        return pickle.loads(self._receive(worker))

    def _send(self, worker: _Worker, message: bytes) -> None:
        try:
            send(worker.channel, message, self._waits)
        except TimeoutError:
            self._fail(worker, hangs=True)
        except OSError:
            self._fail(worker)

    def _receive(self, worker: _Worker) -> bytes:
        """Its answer, unless that is an error."""
        try:
            answer = receive(worker.channel, self._waits)
        except TimeoutError:
            self._fail(worker, hangs=True)
        except (EOFError, OSError):
            self._fail(worker)
        if answer[:1] == b"!":
            kind, text = pickle.loads(answer[1:])
            self.close()
            if kind == "ConfigError":
                raise checks.ConfigError(text)
            known = {error.__name__: error for error in (checks.RunError, EnvironmentFault, InexactRestore)}
            raise known.get(kind, checks.RunError)(
                f"{self._whose(worker).removesuffix(',')}: {text if kind in known else f'{kind}: {text}'}"
            )
        return answer

    def _fail(self, worker: _Worker, hangs: bool = False) -> NoReturn:
        """A worker died or hangs: say which, at what, and end all of them."""
        if hangs:
            worker.process.kill()
            how = f"did not answer for {self._waits * WAIT_SECONDS:.0f} s and was ended"
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(10)
            code = worker.process.returncode
            how = f"was killed by {signal.Signals(-code).name}" if code and code < 0 else f"ended with exit code {code}"
        text = f"{self._whose(worker)} {how}"
        self.close()
        raise checks.RunError(
            f"{text}. No step of it was learned from. What was saved before is kept; the same command continues from "
            "there."
        )

    def _whose(self, worker: _Worker) -> str:
        """Worker 2 of 4 (environments 4 to 7 of ale:breakout), while environment 5 took action 3 (LEFT) ..."""
        index, first = int(self._shared.at_work_on[worker.number]), worker.environments[0]
        begun = f"(vector step {self._steps:,} of this process)"
        which = f"environments {first} to {worker.environments[-1]}"
        if len(worker.environments) == 1:
            which = f"environment {first}"
        if not self._steps:
            doing = f"before the first step{f', with environment {index}' if index >= 0 else ''},"
        elif index >= 0:
            doing = f"while environment {index} {self._did(int(self._shared.command[index]))} {begun},"
        else:
            last = ", ".join(f"environment {i} {self._did(self._before[i])}" for i in worker.environments)
            doing = f"after {last} {begun},"
        where = f"{self._plan.environment}{'' if self._plan.training else ', in an evaluation'}"
        return f"Worker {worker.number} ({which} of {where}, process {worker.process.pid}), {doing}"

    def _did(self, action: int) -> str:
        if action == RESET:
            return "began an episode"
        if action == REST:
            return "rested"
        known = 0 <= action < self.spec.num_actions
        return f"took action {action} ({self.spec.action_names[action] if known else 'of no such number'})"

    def close(self) -> None:
        """See ``Environments``; also with workers that hang."""
        for worker in self._workers:
            worker.channel.close()  # a worker whose owner is gone goes too
        limit = time.monotonic() + 5.0
        for worker in self._workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(0.0, limit - time.monotonic()))
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()
        if self._shared.file >= 0:
            os.close(self._shared.file)
            self._shared.file = -1
