"""SIGTERM and Ctrl-C: finish the step, save, leave with the exit code that callers expect."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

GRACE_SECONDS = 60.0


class Interrupted(Exception):
    """The run was asked to stop; the state is whole and can be saved."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number
        super().__init__(f"Stopped by {signal.Signals(number).name}.")


class StopRequests:
    """While entered, SIGTERM and SIGINT set a flag that ``check`` turns into Interrupted.

    A second Ctrl-C, or ``GRACE_SECONDS`` without an end (a hung native call, a disk that does not answer), ends the
    process at once: the last checkpoint is whole either way.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, Any] = {}
        self._watchdog: threading.Timer | None = None

    def __enter__(self) -> StopRequests:
        if threading.current_thread() is threading.main_thread():
            self._before = {s: signal.signal(s, self._handle) for s in self.SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._watchdog:
            self._watchdog.cancel()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            if number == signal.SIGINT:
                os._exit(128 + number)
            return
        self.number = number
        self._watchdog = threading.Timer(GRACE_SECONDS, os._exit, [128 + number])
        self._watchdog.daemon = True
        self._watchdog.start()

    def check(self) -> None:
        """Raise Interrupted if a signal has come."""
        if self.number is not None:
            raise Interrupted(self.number)
