"""SIGTERM and Ctrl-C: asked for once, obeyed between steps, with the exit codes that callers expect."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from dqn_tf.training import stop
from dqn_tf.training.stop import Interrupted, StopRequests


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_at_the_next_check(number: signal.Signals, code: int) -> None:
    with StopRequests() as requests:
        requests.check()
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted, match=f"Stopped by {number.name}.") as caught:
            requests.check()
        assert caught.value.exit_code == code


def test_the_handlers_of_before_are_put_back() -> None:
    before = [signal.getsignal(s) for s in StopRequests.SIGNALS]
    with StopRequests() as requests:
        assert [signal.getsignal(s) for s in StopRequests.SIGNALS] == [requests._handle] * 2
        os.kill(os.getpid(), signal.SIGTERM)
    assert [signal.getsignal(s) for s in StopRequests.SIGNALS] == before
    assert requests._watchdog is not None
    requests._watchdog.join(5)  # cancelled: it ends without ending the process
    assert not requests._watchdog.is_alive()


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The codes with which the process would have ended at once."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    return codes


def test_a_second_ctrl_c_ends_at_once(exits: list[int]) -> None:
    with StopRequests():
        os.kill(os.getpid(), signal.SIGINT)
        assert exits == []
        os.kill(os.getpid(), signal.SIGINT)
        assert exits == [130]


def test_a_second_sigterm_changes_nothing(exits: list[int]) -> None:
    """Schedulers send it more than once."""
    with StopRequests() as requests:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert exits == [] and requests.number == signal.SIGTERM


def test_a_run_that_does_not_end_is_ended(exits: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop, "GRACE_SECONDS", 0.01)
    with StopRequests() as requests:
        os.kill(os.getpid(), signal.SIGTERM)
        assert requests._watchdog is not None
        requests._watchdog.join(10)
        assert exits == [143]


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    """Python allows handlers in the main thread only; a run in another one is stopped by its caller."""
    problems: list[BaseException] = []

    def run() -> None:
        try:
            with StopRequests() as requests:
                requests.check()
        except BaseException as error:
            problems.append(error)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert problems == [] and signal.getsignal(signal.SIGTERM) == before
