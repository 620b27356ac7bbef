"""SIGTERM and Ctrl-C: asked for once, obeyed between steps, with the exit codes that callers expect."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from dqn_tf.replay.ring import segment_digest
from dqn_tf.training import checkpoint, stop
from dqn_tf.training.checkpoint import Store
from dqn_tf.training.stop import Interrupted, StopRequests


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_at_the_next_check(number: signal.Signals, code: int) -> None:
    with StopRequests() as requests:
        requests.check()
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted, match=f"Stopped by {number.name}.") as caught:
            requests.check()
        assert caught.value.exit_code == code


def test_everything_of_before_is_put_back() -> None:
    before, others = [signal.getsignal(s) for s in StopRequests.SIGNALS], set(threading.enumerate())
    with StopRequests() as requests:
        assert [signal.getsignal(s) for s in StopRequests.SIGNALS] == [requests._handle] * 2
        os.kill(os.getpid(), signal.SIGTERM)
    assert [signal.getsignal(s) for s in StopRequests.SIGNALS] == before
    assert set(threading.enumerate()) == others
    assert signal.set_wakeup_fd(-1) == -1


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> queue.SimpleQueue[int]:
    """The codes with which the process would have ended at once."""
    codes: queue.SimpleQueue[int] = queue.SimpleQueue()
    monkeypatch.setattr(os, "_exit", codes.put)
    return codes


def test_a_second_ctrl_c_ends_at_once(exits: queue.SimpleQueue[int], capfd: pytest.CaptureFixture[str]) -> None:
    with StopRequests():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)  # at once: the same press, passed on by a launcher
        with pytest.raises(queue.Empty):
            exits.get(timeout=2 * stop.ONE_PRESS_SECONDS)
        os.kill(os.getpid(), signal.SIGINT)
        assert exits.get(timeout=10) == 130
    assert "Ended at once (a second Ctrl-C), without a new checkpoint" in capfd.readouterr().err


def test_a_second_sigterm_changes_nothing(exits: queue.SimpleQueue[int]) -> None:
    """Schedulers send it more than once."""
    with StopRequests() as requests:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(queue.Empty):
            exits.get(timeout=0.1)
        assert requests.number == signal.SIGTERM


def test_the_first_ctrl_c_after_sigterm_is_not_a_second_one(exits: queue.SimpleQueue[int]) -> None:
    with StopRequests():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(queue.Empty):
            exits.get(timeout=2 * stop.ONE_PRESS_SECONDS)
        os.kill(os.getpid(), signal.SIGINT)
        assert exits.get(timeout=10) == 130


def test_other_signals_change_nothing(exits: queue.SimpleQueue[int]) -> None:
    """The interpreter tells of every signal that has a handler."""
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with StopRequests() as requests:
            os.kill(os.getpid(), signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGINT)
            with pytest.raises(queue.Empty):
                exits.get(timeout=0.1)
            assert requests.number == signal.SIGINT
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_run_that_does_not_end_is_ended(
    exits: queue.SimpleQueue[int], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stop, "GRACE_SECONDS", 0.05)
    with StopRequests():
        os.kill(os.getpid(), signal.SIGTERM)
        assert exits.get(timeout=10) == 143
    assert "nothing has moved for 0.05 seconds" in capfd.readouterr().err


def test_one_that_still_moves_is_not(exits: queue.SimpleQueue[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint of many pieces may take longer than the time without a sign of life."""
    monkeypatch.setattr(stop, "GRACE_SECONDS", 2.0)
    with StopRequests() as requests:
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(30):
            time.sleep(0.1)
            requests.alive()
        assert exits.empty()


def test_one_that_told_it_would_be_silent_is_not_either(
    exits: queue.SimpleQueue[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the signal comes after that."""
    monkeypatch.setattr(stop, "GRACE_SECONDS", 0.05)
    with StopRequests() as requests:
        requests.alive(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(queue.Empty):
            exits.get(timeout=0.3)
        requests.alive()
        assert exits.get(timeout=10) == 143


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_is_stopped_by_its_own_signals(exits: queue.SimpleQueue[int]) -> None:
    """It shares the socket: its Ctrl-C must not be the parent's second one, nor its life the parent's."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopRequests() as requests:
            child = os.fork()
            if not child:
                ours = signal.getsignal(signal.SIGINT) == signal.SIG_IGN and signal.set_wakeup_fd(-1) == -1
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(60 if ours else 0)
                os.abort()  # _exit is not itself here
            os.kill(os.getpid(), signal.SIGINT)
            with pytest.raises(queue.Empty):
                exits.get(timeout=2 * stop.ONE_PRESS_SECONDS)
            assert requests.number == signal.SIGINT
        assert os.waitpid(child, os.WNOHANG) == (0, 0)  # left while it lives
    finally:
        signal.signal(signal.SIGINT, before)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_writing_a_checkpoint_is_a_sign_of_life(tmp_path: Path) -> None:
    columns = {"x": np.zeros(3)}
    pieces = {segment_digest({"x": np.full(3, i)}): (lambda: columns) for i in range(4)}
    moved: list[int] = []
    Store(tmp_path / "checkpoints", "0" * 64).save(1, {"at": 1}, pieces, lambda: moved.append(1))
    assert len(moved) == 4 + 3  # and the state, the arrays, the manifest


def test_a_large_file_of_a_checkpoint_is_many_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "WRITE_BYTES", 1000)
    moved: list[int] = []
    array = np.arange(5_000.0)
    store = Store(tmp_path / "checkpoints", "0" * 64)
    store.save(1, {"at": array}, {}, lambda: moved.append(1))
    assert len(moved) >= 40
    found = store.load(pytest.fail)
    assert found is not None and np.array_equal(found[1]["at"], array)


HUNG = """
import sys
from dqn_tf.training import stop
import tensorflow as tf
stop.GRACE_SECONDS = float(sys.argv[1])
with stop.StopRequests():
    empty = tf.queue.FIFOQueue(1, [tf.bool])
    print("hung", flush=True)
    empty.dequeue()
"""


@pytest.mark.parametrize(
    ("grace", "numbers", "code"), [(1, [signal.SIGTERM], 143), (600, [signal.SIGINT] * 2, 130)], ids=["wait", "Ctrl-C"]
)
def test_a_hung_native_call_does_not_keep_the_process(grace: int, numbers: list[signal.Signals], code: int) -> None:
    """Python's own handlers never run while the main thread is in one."""
    process = subprocess.Popen([sys.executable, "-c", HUNG, str(grace)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdout.readline() == b"hung\n"
        for number in numbers:
            time.sleep(0.5)  # so that it is in the call, and the second is not merged with the first
            process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code
    assert b"Ended at once" in errors


@pytest.mark.parametrize("reader", ["gone", "asleep"])
def test_nor_does_a_stderr_that_nobody_reads(reader: str) -> None:
    """`dqn-tf train 2>&1 | tee log`, and Ctrl-C ends tee; or Ctrl-S."""
    told, tells = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", HUNG, "1"], stdout=subprocess.PIPE, stderr=tells)
    try:
        assert process.stdout is not None and process.stdout.readline() == b"hung\n"
        if reader == "gone":
            os.close(told)
        else:
            os.set_blocking(tells, False)  # of the description, so of the child's too, until it is full
            with suppress(BlockingIOError):
                while True:
                    os.write(tells, bytes(1 << 12))
            os.set_blocking(tells, True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 143
    finally:
        process.kill()
        process.wait()
        os.close(tells)
        if reader != "gone":
            os.close(told)


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
