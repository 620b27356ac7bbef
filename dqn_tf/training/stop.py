"""SIGTERM and Ctrl-C: finish the step, save, and exit with the usual code."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import Any

GRACE_SECONDS = 60.0
ONE_PRESS_SECONDS = 0.3  # a launcher that forwards Ctrl-C makes two signals of one


class Interrupted(Exception):
    """The run was asked to stop; its state is consistent and can be saved."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number
        super().__init__(f"Stopped by {signal.Signals(number).name}.")


class StopRequests:
    """While entered, SIGTERM and SIGINT set a flag that ``check`` turns into Interrupted.

    A second Ctrl-C ends the process at once, and so do ``GRACE_SECONDS`` after a signal without progress (a native call
    or a disk that hangs).  It says so; the last checkpoint is complete either way.  Code that makes progress while the
    process is stopping calls ``alive``.  A child that is forked meanwhile has the earlier handlers.

    Python runs handlers in the main thread between two instructions, so never while that thread is inside a native
    call.  The time is therefore kept by another thread, which the interpreter's own handler wakes through a socket.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.number: int | None = None
        self._moved = 0.0
        self._before: dict[int, Any] = {}
        self._watcher: threading.Thread | None = None

    def __enter__(self) -> StopRequests:
        if threading.current_thread() is threading.main_thread():
            self._wakeup_read, self._wakeup_write = socket.socketpair()
            self._wakeup_write.setblocking(False)
            self._watcher = threading.Thread(target=self._watch, name="stop requests", daemon=True)
            self._watcher.start()
            self._woken_before = signal.set_wakeup_fd(self._wakeup_write.fileno(), warn_on_full_buffer=False)
            self._before = {s: signal.signal(s, self._handle) for s in self.SIGNALS}
            _entered.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._watcher is None:
            return
        _entered.remove(self)
        self.put_back()
        self._wakeup_write.shutdown(socket.SHUT_RDWR)  # which ends the watcher, whoever else has a copy of the socket
        self._wakeup_write.close()
        self._watcher.join()
        self._wakeup_read.close()

    def put_back(self) -> None:
        """Restore the handlers of before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._woken_before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.number = self.number or number

    def _watch(self) -> None:
        first = None  # the first signal; ``number`` may not know of it yet
        pressed = None  # when Ctrl-C first came
        while True:
            try:
                self._wakeup_read.settimeout(None if first is None else max(0.01, self._left()))
                received = self._wakeup_read.recv(1)
            except TimeoutError:
                if first is not None and self._left() <= 0:
                    _end(first, f"nothing has moved for {GRACE_SECONDS:g} seconds")
                    return
                continue
            if not received:
                return
            number, now = received[0], time.monotonic()
            if first is None and number in self.SIGNALS:
                first = number
                self._moved = max(self._moved, now)
            if number == signal.SIGINT:
                pressed = now if pressed is None else pressed
                if now - pressed > ONE_PRESS_SECONDS:
                    _end(number, "a second Ctrl-C")
                    return

    def _left(self) -> float:
        return self._moved + GRACE_SECONDS - time.monotonic()

    def alive(self, seconds: float = 0.0) -> None:
        """Report that the process is not hung.  seconds: it may take so long until the next report."""
        self._moved = time.monotonic() + seconds

    def check(self) -> None:
        """Stop here if a signal has come.

        Raises:
            Interrupted: one has.
        """
        if self.number is not None:
            self.alive()
            raise Interrupted(self.number)


_entered: list[StopRequests] = []


def _forked() -> None:
    for requests in _entered:
        requests.put_back()


os.register_at_fork(after_in_child=_forked)


def _end(number: int, why: str) -> None:
    text = f"\nEnded at once ({why}), without a new checkpoint; the same command continues from the last one.\n"
    try:
        says = threading.Thread(target=_say, args=(text.encode(),), daemon=True)  # nobody may be reading
        says.start()
        says.join(1.0)
    finally:
        os._exit(128 + number)


def _say(text: bytes) -> None:
    with suppress(OSError):
        os.write(2, text)
