"""A process that carries out one run of a sweep after another: agents that agree are traced and compiled once.

It is a fork of the fork server (fork_server.py), which gives it runs, and to which it reports the end of each.  Any
other end than a good one is its own end too: a run that fails, is refused or is stopped leaves with the exit code that
it would have alone, and the next run gets a new process; so it does when memory has grown by ``GROWTH_BYTES`` since
the first run.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

ENDED, ENDED_AND_GONE = b"+", b"-"  # a run has ended well; so it has, and its process takes no other
GROWTH_BYTES = 64 * 2**20
_PAGE = os.sysconf("SC_PAGE_SIZE")


class SweepWorker:
    """The process, as the one that forked it sees it.

    Attributes:
        pid: its number.
        kind: of its runs; None: it takes no other run.
        run: the number of the one under way; None: it waits for one.
        channel: to it.
    """

    def __init__(self, pid: int, kind: str | None, run: int, channel: socket.socket) -> None:
        """
        Args:
            pid: the process.
            kind: of its runs; None: it takes no other run.
            run: the number of the first.
            channel: to the process.
        """
        self.pid, self.kind, self.channel = pid, kind, channel
        self.run: int | None = run

    def takes(self, kind: str | None) -> bool:
        """Whether it waits for a run of this kind."""
        return self.run is None and kind is not None and self.kind == kind

    def give(self, run: int, request: dict[str, Any]) -> bool:
        """Let it carry out a run.

        Args:
            run: its number.
            request: what ``carry_out_runs`` reads.

        Returns:
            Whether it has got it; else it is gone.
        """
        try:
            self.channel.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            self.kind = None
            return False
        self.run = run
        return True

    def ended_well(self) -> int | None:
        """The number of the run that has ended well since the last call; None: none has."""
        try:
            read = self.channel.recv(16, socket.MSG_DONTWAIT)
        except OSError:
            return None
        if not read:
            return None
        if read == ENDED_AND_GONE:
            self.kind = None
        run, self.run = self.run, None
        return run

    def dismiss(self) -> None:
        """Let it end, now or after its run."""
        self.kind = None
        self.channel.close()


def carry_out_runs(request: dict[str, Any], channel: socket.socket) -> NoReturn:
    """In the fork: carry a run out, and those that come through the channel afterwards.

    Args:
        request: "argv": the words after ``dqn-tf``; "log": the file that its output is added to; "kind": what runs of
            this process have in common, or None, if there is to be only one.
        channel: to the process that forked this one.
    """
    first_bytes, code = 0, 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if request["kind"] is not None:
            _keep_learner()
        with channel.makefile("rb") as requests:
            while True:
                code = _carry_out(request)
                if code or request["kind"] is None:
                    break
                first_bytes = first_bytes or _private_bytes()
                grown = _private_bytes() - first_bytes > GROWTH_BYTES
                channel.sendall(ENDED_AND_GONE if grown else ENDED)
                if grown or not (line := requests.readline()):
                    break
                request = json.loads(line)
    except OSError:  # the channel's other end is gone
        pass
    finally:
        os._exit(code)


def _keep_learner() -> None:
    from dqn_tf.execution import kept_learners

    kept_learners.keep(1)


def _carry_out(request: dict[str, Any]) -> int:
    """One command; its exit code."""
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    code: Any = 1
    try:
        sys.argv = ["dqn_tf", *request["argv"]]
        runpy.run_module("dqn_tf", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = 0 if end.code is None else end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    for number in (signal.SIGTERM, signal.SIGINT):  # while it waits, either ends it
        signal.signal(number, signal.SIG_DFL)
    return int(code)


def _private_bytes() -> int:
    """Memory of this process that is no file's."""
    _, resident, shared, *_ = Path("/proc/self/statm").read_text().split()
    return (int(resident) - int(shared)) * _PAGE
