"""One line per run: a block that is redrawn on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import TextIO

from reproduce.executing.jobs import STATES, Outcome
from reproduce.formatting import plain, runs

PLAIN_SECONDS = 30.0
MOST_LINES = 20  # of a block that is redrawn: a sweep of thousands shows who runs and counts the rest


class Board:
    """Shows outcomes as they change."""

    def __init__(self, stream: TextIO | None = None, plain_seconds: float = PLAIN_SECONDS) -> None:
        """Prepare; nothing is written before ``show``.

        Args:
            stream: where to write; None: stdout.
            plain_seconds: between two reports on what runs, where ``stream`` is not a terminal.
        """
        self.stream = stream or sys.stdout
        self.plain_seconds = plain_seconds
        self._drawn = 0
        self._last = 0.0
        self._states: list[str] = []

    def show(self, outcomes: list[Outcome]) -> None:
        """Redraw if a state changed, or if the last time was long ago."""
        changed, terminal, now = self._changed(outcomes), self.stream.isatty(), time.monotonic()
        waited = now - self._last
        if not changed and waited < (1.0 if terminal else self.plain_seconds):
            return
        timely = waited >= self.plain_seconds
        self._states = [o.state for o in outcomes]
        if terminal or timely:
            self._last = now
        if terminal:
            self._redraw(outcomes)
        else:
            self._tell(outcomes, changed, timely)

    def _changed(self, outcomes: list[Outcome]) -> list[Outcome]:
        known = self._states or [""] * len(outcomes)
        return [o for o, before in zip(outcomes, known, strict=True) if o.state != before]

    def _tell(self, outcomes: list[Outcome], changed: list[Outcome], timely: bool) -> None:
        """Write a line for each outcome that changed and, every ``plain_seconds``, for each that runs."""
        few = len(outcomes) <= MOST_LINES
        shown = {id(o) for o in changed if o.state != "waiting" and (few or not o.already)}
        shown |= {id(o) for o in outcomes if timely and o.state == "running"}
        self._write([o for o in outcomes if id(o) in shown])
        if timely and not few:
            self.stream.write(f"{counted(outcomes)}\n")
            self.stream.flush()

    def _redraw(self, outcomes: list[Outcome]) -> None:
        if self._drawn:
            self.stream.write(f"\x1b[{self._drawn}A\x1b[J")
        few = len(outcomes) <= MOST_LINES
        shown = outcomes if few else [o for o in outcomes if o.state == "running"][:MOST_LINES]
        self._drawn = self._write(shown)
        if not few:
            self.stream.write(f"{counted(outcomes)}\n")
            self.stream.flush()
            self._drawn += 1

    def _write(self, outcomes: list[Outcome]) -> int:
        if not outcomes:
            return 0
        text = plain([line(o) for o in outcomes])
        self.stream.write(text + "\n")
        self.stream.flush()
        return text.count("\n") + 1


def counted(outcomes: list[Outcome]) -> str:
    """How many are in each state: "2 running, 1 failed, 3,417 waiting"."""
    counts = Counter(o.state for o in outcomes)
    return f"{runs(len(outcomes))}: {', '.join(f'{counts[state]:,} {state}' for state in STATES if counts[state])}"


def line(outcome: Outcome) -> tuple[str, str, str]:
    """Label, state and progress of a run."""
    job, budget = outcome.job, f"{outcome.job.frames:,} frames"
    if outcome.state == "running":
        left = outcome.seconds_left
        eta = f", about {clock(left)} left" if left is not None else ""
        return job.label, "running", f"{outcome.frames:,} of {budget} ({outcome.frames / job.frames:.0%}){eta}"
    if outcome.state == "complete":
        return job.label, "complete", f"{budget}, {'done before' if outcome.already else clock(outcome.seconds)}"
    if outcome.state == "waiting":
        return job.label, "waiting", f"{budget}, to be started again" if outcome.attempts else budget
    if outcome.state == "elsewhere":
        return job.label, "elsewhere", outcome.message
    return job.label, outcome.state, f"at {outcome.frames:,} of {budget}"


def clock(seconds: float) -> str:
    """Minutes and seconds.

    >>> clock(0.4), clock(75.2), clock(3600)
    ('0:00', '1:15', '60:00')
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
