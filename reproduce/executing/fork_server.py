"""A fork server: a process that has imported what runs import, and forks one of them when asked: seconds sooner.

Importing TensorFlow takes more core time than 10,000 steps of CartPole.  A fork of a process that has imported it, but
not used it, is as good as a new one: it has its own memory and signals, and if it dies, no other process does.  Its
program is what is imported, so it is used only while the code on disk is that code; otherwise, or where it is not
ready yet, runs are started as new processes.  With a GPU it is not used: drivers do not survive a fork.

A fork that has carried a run out well waits for another one of the same kind, which then need not be traced and
compiled (sweep_worker.py).

Started as ``python -P fork_server.py``, it reads requests from stdin and writes answers to stdout, one JSON object a
line:

    {"argv": [...], "log": path, "kind": text or null}   ->   {"pid": P, "run": N} or {"refused": why}
    (a run has ended)                                    ->   {"ended": N, "code": as of subprocess.Popen}
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from reproduce.executing import sweep_worker
from reproduce.executing.sweep_worker import SweepWorker

ANSWER_SECONDS = 20.0  # a fork takes milliseconds
LOOK_SECONDS = 0.1  # between two looks at which runs have ended
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class ForkServer:
    """The server's process, as its client sees it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """environment: variables of the runs; ``start`` refuses runs that need others."""
        self._environment, self._ready, self._text = dict(environment), False, b""
        self._codes: dict[int, int] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).resolve())],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_end_with_parent(os.getpid()),
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout.fileno()
        os.set_blocking(self._answers, False)

    def start(
        self, argv: Sequence[str], log: str, environment: Mapping[str, str], kind: str | None = None
    ) -> ForkedRun | None:
        """Have a run of ``dqn-tf`` carried out by a fork.

        Args:
            argv: the words after ``dqn-tf``.
            log: the file that its output is added to.
            environment: the variables that the run needs.
            kind: runs of equal kinds may be carried out by one process, one after the other; None: a process for this
                one alone.

        Returns:
            The run; None: it must be started as a new process (this one is not ready, its code is not what is on disk
                any more, or ``environment`` is another).
        """
        self.listen()
        if not self._ready or environment != self._environment:
            return None
        try:
            self._requests.write(json.dumps({"argv": list(argv), "log": log, "kind": kind}).encode() + b"\n")
            self._requests.flush()
        except OSError:  # it is gone
            self._ready = False
            return None
        answer = self.listen(ANSWER_SECONDS)
        if answer is None or "pid" not in answer:
            self._ready = False
            return None
        return ForkedRun(int(answer["pid"]), int(answer["run"]), self)

    def listen(self, seconds: float = 0.0) -> dict[str, Any] | None:
        """Read the server's messages; returns the answer to a request, or None if none came within ``seconds``."""
        end = time.monotonic() + seconds
        while True:
            readable, _, _ = select.select([self._answers], [], [], max(0.0, end - time.monotonic()))
            read = os.read(self._answers, 65536) if readable else b""
            self._text += read
            while b"\n" in self._text:
                line, self._text = self._text.split(b"\n", 1)
                answer = json.loads(line)
                if "ended" in answer:
                    self._codes[answer["ended"]] = answer["code"]
                elif "ready" in answer:
                    self._ready = True
                else:
                    return dict(answer)
            if readable and not read:  # its end
                self._ready = False
                return None
            if time.monotonic() >= end:
                return None

    def code(self, run: int, pid: int) -> int | None:
        """The exit code of a run.

        Args:
            run: its number.
            pid: its process.

        Returns:
            The code; None while it runs; 128 + SIGTERM if the server died before it could report one.
        """
        self.listen()
        if run not in self._codes and self._process.poll() is not None and not Path(f"/proc/{pid}").exists():
            return 128 + signal.SIGTERM
        return self._codes.get(run)

    def wait(self, seconds: float) -> None:
        """Wait until there is a message, for so long at most: the end of a run makes room for the next one."""
        if self._ready:
            select.select([self._answers], [], [], seconds)
        else:
            time.sleep(seconds)

    def close(self) -> None:
        """End the process; runs that it still has save and stop."""
        with contextlib.suppress(OSError):
            self._requests.close()
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


class ForkedRun:
    """A run, with the part of ``subprocess.Popen``'s interface that jobs.py uses."""

    def __init__(self, pid: int, run: int, server: ForkServer) -> None:
        """Refer to a run that was forked.

        Args:
            pid: its process.
            run: its number.
            server: what forked it, and learns of its end.
        """
        self.pid, self._run, self._server = pid, run, server

    def poll(self) -> int | None:
        """The exit code, or None."""
        return self._server.code(self._run, self.pid)

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended: its process gets no other run before its end was reported."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Args:
            timeout: seconds; None: without a limit.

        Returns:
            The exit code, as of ``subprocess.Popen``.

        Raises:
            TimeoutExpired: of ``subprocess``.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired("dqn-tf", timeout or 0.0)
            time.sleep(LOOK_SECONDS / 2)
        return code


def _end_with_parent(parent: int) -> Any:
    """What a child does first: it arranges to be stopped when its parent is gone."""

    def ask() -> None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # Slurm warns whole steps with it; who started this one hears it
        if os.getppid() != parent:
            os._exit(128 + signal.SIGTERM)

    return ask


# -- the process itself ------------------------------------------------------------------------------------------------
def main() -> None:
    """Import, say so, and fork until stdin ends."""
    from dqn_tf import determinism

    code = determinism.code_digest()
    _import_everything()
    if determinism.code_digest() != code:
        return
    _say({"ready": True})
    workers = _Workers()
    requests = b""
    while (read := workers.read_requests()) is not None:
        *lines, requests = (requests + read).split(b"\n")
        for line in lines:
            if determinism.code_digest() == code:
                workers.start(json.loads(line))
            else:
                _say({"refused": "the code has changed"})
        workers.report_ended()


class _Workers:
    """The forks."""

    def __init__(self) -> None:
        self._all: list[SweepWorker] = []
        self._runs = 0  # so many have been started

    def read_requests(self) -> bytes | None:
        """What has come from stdin, after a short wait; None at its end."""
        busy = [worker.channel for worker in self._all if worker.run is not None]
        watched: list[int | socket.socket] = [0, *busy]
        readable, _, _ = select.select(watched, [], [], LOOK_SECONDS)
        if 0 not in readable:
            return b""
        return os.read(0, 65536) or None

    def start(self, request: dict[str, Any]) -> None:
        """Have a run carried out, by a fork that waits for one of its kind or by a new one, and report its number."""
        self.report_ended()
        self._runs += 1
        for worker in self._all:
            if worker.takes(request["kind"]) and worker.give(self._runs, request):
                _say({"pid": worker.pid, "run": self._runs})
                return
        for worker in self._all:
            if worker.run is None:  # it would wait in vain, and hold memory
                worker.dismiss()
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            for channel in (ours, *(worker.channel for worker in self._all)):
                channel.close()
            _become(request, theirs)
        theirs.close()
        self._all.append(SweepWorker(pid, request["kind"], self._runs, ours))
        _say({"pid": pid, "run": self._runs})

    def report_ended(self) -> None:
        """Report the exit codes of runs that have ended, and forget processes that have."""
        for worker in list(self._all):
            ended, status = os.waitpid(worker.pid, os.WNOHANG)
            if (run := worker.ended_well()) is not None:
                _say({"ended": run, "code": 0})
            if not ended:
                continue
            if worker.run is not None:
                _say({"ended": worker.run, "code": os.waitstatus_to_exitcode(status)})
            worker.channel.close()
            self._all.remove(worker)


def _import_everything() -> None:
    import gc

    import dqn_tf.api
    import dqn_tf.cli
    import dqn_tf.training.run  # noqa: F401
    from dqn_tf import lazy_tf

    lazy_tf.LEAN = True
    _ = lazy_tf.keras
    import ale_py  # noqa: F401
    import gymnasium  # noqa: F401

    gc.freeze()  # or the collector would write to pages that all runs could share


def _become(request: dict[str, Any], channel: socket.socket) -> NoReturn:
    """The fork's program."""
    try:
        os.setsid()
        _end_with_parent(_SERVER)()
    except BaseException:
        os._exit(1)
    sweep_worker.carry_out_runs(request, channel)


def _say(answer: dict[str, Any]) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


_SERVER = os.getpid()

if __name__ == "__main__":
    main()
