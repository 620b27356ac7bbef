"""A worker process of ``vector.InWorkers``: ``python -m dqn_tf.envs.worker CHANNEL MEMORY OWNER`` (two open files, the
owner's process number).

It carries out its owner's requests and ends when the owner does.  It ignores signals: a Ctrl-C reaches all processes of
a terminal, and the run must be saved before its environments end.

While a step of an environment hangs, the channel is not read, so a thread watches the owner.  PR_SET_PDEATHSIG of Linux
does not serve: it follows the thread that started the worker, which may end before its process.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import sys
import threading
import time
from typing import Any

from dqn_tf import envs
from dqn_tf.envs import vector
from dqn_tf.envs.shared import Shared, receive, send, share
from dqn_tf.envs.vector import RESET, REST

LOOK_SECONDS = 1.0  # how often the owner is looked for


class Worker:
    """Some of the environments, and the shared memory for their answers."""

    def __init__(self, memory: int) -> None:
        self._memory = memory

    def prepare(self, question: Any) -> Any:
        """Make the environments; the answer is their specification."""
        plan, workers, self._number, observation, found = question
        envs.adopt(plan.environment, found)
        self._shared = Shared(observation, len(plan.streams), workers, self._memory)
        os.close(self._memory)  # mapped now
        self._indices = share(len(plan.streams), workers)[self._number]
        self._environments: list[envs.Environment] = []
        for index in self._indices:
            self._shared.at_work_on[self._number] = index
            self._environments.append(plan.make(index))
        return self._environments[0].spec

    def step(self) -> None:
        """Carry out ``command`` for each environment, in order."""
        shared = self._shared
        for index, environment in zip(self._indices, self._environments, strict=True):
            command = int(shared.command[index])
            if command != REST:
                shared.at_work_on[self._number] = index
                shared.write(index, environment.reset() if command == RESET else environment.step(command))

    def answer(self, question: Any) -> Any:
        """("state", None, False) or ("restore", states, inexact); of the latter, which have a latest answer."""
        kind, states, inexact = question
        if kind == "state":
            return [environment.state() for environment in self._environments]
        out: list[bool] = []
        for index, environment, state in zip(self._indices, self._environments, states, strict=True):
            self._shared.at_work_on[self._number] = index
            last = vector.restore(environment, state, inexact)
            if last is not None:
                self._shared.write(index, last)
            out.append(last is not None)
        return out

    def serve(self, message: bytes, first: bool) -> bytes:
        """Carry out a request.

        Args:
            message: of the owner; b"": a step.
            first: whether it is the first, which makes the environments.

        Returns:
            The answer; of an error "!", its class and its words.
        """
        try:
            if first:
                answer = pickle.dumps(self.prepare(pickle.loads(message)))
            elif message:
                answer = pickle.dumps(self.answer(pickle.loads(message)))
            else:
                self.step()
                answer = b""
            self._shared.at_work_on[self._number] = -1
            return answer
        except Exception as error:
            return b"!" + pickle.dumps((type(error).__name__, str(error)))


def end_with(owner: int) -> None:
    """Leave at once when the parent is not, or no longer, that process: whatever the main thread does."""
    while os.getppid() == owner:
        time.sleep(LOOK_SECONDS)
    os._exit(1)


def main() -> None:
    """Serve until the owner is gone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))  # held back while this process started
    threading.Thread(target=end_with, args=[int(sys.argv[3])], daemon=True).start()
    worker, first = Worker(int(sys.argv[2])), True
    with socket.socket(fileno=int(sys.argv[1])) as channel, contextlib.suppress(EOFError, OSError):
        while True:
            send(channel, worker.serve(receive(channel), first))
            first = False


if __name__ == "__main__":
    main()
