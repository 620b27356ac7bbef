"""Runs ``dqn-tf`` many times from one process that has imported TensorFlow once, and ends runs at exact points.

Importing TensorFlow takes several times as long as the small runs of these tests; a fork of a process that has
imported it, but not used it, is as good as a new process.  (That it is shows in the comparison with runs started in the
ordinary way.)  Reads one job per line from stdin, a JSON object:

    argv    the words after `dqn-tf`
    output  the file that takes what the run prints
    at      "" or a point: "training:N" (before the N-th agent step of training in this process), "evaluation/0:N" (of
            the evaluation with this name), "saving:N" (before the N-th change to a file while checkpoints are saved),
            "loading:1" (before checkpoints are looked for)
    what    what happens there: the name of a signal that the process sends itself, or "fsize:N": from then on no file
            can grow beyond N bytes, as on a full disk
    segment_bytes   size of the pieces in which checkpoints write the replay; 0 leaves it as it is

and answers with {"pid": ...}, then {"exit": ..., "seconds": since the point was reached, or null}.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir"}


class Trigger:
    """Counts events by name, and does ``what`` at the N-th of one of them."""

    def __init__(self, at: str, what: str, mark: Path) -> None:
        self.name, _, number = at.rpartition(":")
        self.number, self.what, self.mark = int(number or 0), what, mark
        self.seen: Counter[str] = Counter()

    def count(self, name: str) -> None:
        self.seen[name] += 1
        if name == self.name and self.seen[name] == self.number:
            self.mark.write_text(str(time.monotonic()))
            kind, _, size = self.what.partition(":")
            if kind == "fsize":
                resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), resource.RLIM_INFINITY))
            else:
                os.kill(os.getpid(), signal.Signals[kind])


def arm(trigger: Trigger) -> None:
    """Let the package tell the trigger what it does."""
    from dqn_tf.training import checkpoint, evaluation, stop

    doing = ["training"]

    def within(name: Callable[..., str], function: Any) -> Any:
        def wrapped(*arguments: Any, **more: Any) -> Any:
            doing.append(name(*arguments))
            try:
                return function(*arguments, **more)
            finally:
                doing.pop()

        return wrapped

    def check(self: Any, original: Any = stop.StopRequests.check) -> None:
        trigger.count(doing[-1])
        original(self)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if doing[-1] == "saving":
            opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            if event in CHANGES or opened:
                trigger.count("saving")

    def load(*arguments: Any, original: Any = checkpoint.Store.load) -> Any:
        trigger.count("loading")
        return original(*arguments)

    stop.StopRequests.check = check  # type: ignore[method-assign]
    checkpoint.Store.load = load  # type: ignore[method-assign, assignment]
    evaluation.play = within(lambda config, q_values, phase, *_: phase, evaluation.play)
    checkpoint.Store.save = within(lambda *_: "saving", checkpoint.Store.save)  # type: ignore[method-assign]
    sys.addaudithook(audit)


def child(job: dict[str, Any], mark: Path) -> None:
    """The run itself; never returns."""
    code = 1
    try:
        output = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if job["at"]:
            arm(Trigger(job["at"], job["what"], mark))
        from dqn_tf import cli
        from dqn_tf.replay import ring

        ring.SEGMENT_BYTES = job["segment_bytes"] or ring.SEGMENT_BYTES
        sys.argv = ["dqn-tf", *job["argv"]]
        code = cli.main(job["argv"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    # Everything that a run imports, the package first: it quietens TensorFlow.
    import dqn_tf.api
    import dqn_tf.cli
    import dqn_tf.training.run  # noqa: F401
    from dqn_tf import lazy_tf

    _ = lazy_tf.keras
    import ale_py  # noqa: F401
    import gymnasium  # noqa: F401

    for line in sys.stdin:
        job = json.loads(line)
        mark = Path(job["output"]).with_suffix(".mark")
        mark.unlink(missing_ok=True)
        pid = os.fork()
        if pid == 0:
            child(job, mark)
        print(json.dumps({"pid": pid}), flush=True)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        seconds = time.monotonic() - float(mark.read_text()) if mark.exists() else None
        print(json.dumps({"exit": code, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
