"""Progress: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io

import pytest

from dqn_tf.training import progress
from dqn_tf.training.progress import Progress


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that stands still until it is moved."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_plain_line_a_minute_with_rate_and_time_left(clock: Clock) -> None:
    """Begun at 100,000 of 1,000,000 frames; 30,000 more in 60 seconds: 500 a second, 870,000 to go."""
    stream = io.StringIO()
    shown = Progress(1_000_000, 100_000, "run", stream=stream)
    for seconds in range(1, 61):
        clock.now = 1000 + seconds
        shown.advance(100_000 + 500 * seconds)
    assert stream.getvalue() == "run: 130,000 of 1,000,000 frames (13.0 %), 500 frames/s, 0:29:00 left\n"
    clock.now += 59
    shown.advance(159_500)
    assert stream.getvalue().count("\n") == 1
    clock.now += 1
    shown.advance(160_000)
    assert stream.getvalue().count("\n") == 2
    shown.close()


def test_nothing_happens_at_the_start(clock: Clock) -> None:
    stream = io.StringIO()
    shown = Progress(100, 0, "run", stream=stream)
    shown.advance(0)
    shown.close()
    assert stream.getvalue() == ""


def test_what_is_said_is_a_line() -> None:
    stream = io.StringIO()
    Progress(100, 0, "run", stream=stream).say("Iteration 0")
    assert stream.getvalue() == "run: Iteration 0\n"


def test_disabled_is_silent(clock: Clock) -> None:
    for stream in (io.StringIO(), Terminal()):
        shown = Progress(100, 0, "run", enabled=False, stream=stream)
        clock.now += 1000
        shown.advance(50)
        shown.say("Iteration 0")
        shown.close()
        assert stream.getvalue() == ""


def test_a_bar_on_a_terminal() -> None:
    stream = Terminal()
    shown = Progress(2000, 1000, "run", stream=stream)
    shown.advance(1500)
    shown.say("Iteration 0")
    shown.close()
    text = stream.getvalue()
    assert "run:  50%" in text and "1.00k/2.00k" in text  # it starts where the run does
    assert "Iteration 0\n" in text and "\r" in text
    assert "1.50k/2.00k" in text.split("Iteration 0")[-1]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00:00"), (59.9, "0:00:59"), (1e6, "277:46:40")])
def test_time_left(seconds: float, text: str) -> None:
    assert progress._clock(seconds) == text


class Gone(io.StringIO):
    """A stream whose other end has left after the first line."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal, self.calls = terminal, 0

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        self.calls += 1
        if self.calls > 2:
            raise BrokenPipeError(32, "Broken pipe") if self.calls % 2 else OSError(5, "Input/output error")
        return len(text)


@pytest.mark.parametrize("terminal", [False, True])
def test_no_run_ends_because_nobody_looks(terminal: bool, clock: Clock) -> None:
    stream = Gone(terminal)
    shown = Progress(1000, 0, "run", stream=stream)
    for frames in range(0, 1000, 100):
        clock.now += 60
        shown.advance(frames)
        shown.say("a line")
        shown.say("a warning", always=True)
    shown.close()
    assert 2 < stream.calls < 8  # and it is not tried again and again
    closed = io.StringIO()
    shown = Progress(1000, 0, "run", stream=closed)
    closed.close()
    shown.say("a line")
