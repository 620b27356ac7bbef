"""What a worker and its owner share: memory for actions and answers, and a channel for messages.

Imported by both sides (vector.py, worker.py).
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import mmap
import os
import socket
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from dqn_tf.types import ObservationSpec, StepType, TimeStep

Answer = TypeVar("Answer")


class Shared:
    """Arrays in shared memory: commands to the environments, and their answers."""

    def __init__(self, spec: ObservationSpec, environments: int, workers: int, file: int | None = None) -> None:
        """
        Args:
            spec: of the observations.
            environments: how many.
            workers: how many.
            file: of the memory, if it exists already; None: it is made.
        """
        e = environments
        layout: dict[str, tuple[tuple[int, ...], Any]] = {
            "observation": ((e, *spec.shape), spec.dtype),
            "frame": ((e, *spec.frame_shape), spec.dtype),
            "reward": ((e,), np.float64),
            "discount": ((e,), np.float64),
            "numbers": ((e, 5), np.int64),  # step_type, episode_over, truncated, lives, frames
            "mask": ((e, max(1, spec.mask_size)), bool),
            "command": ((e,), np.int64),
            "at_work_on": ((workers,), np.int64),  # an environment, or -1
        }
        starts, size = {}, 0
        for name, (shape, dtype) in layout.items():
            starts[name] = size
            size += -(-int(np.prod(shape)) * np.dtype(dtype).itemsize // 64) * 64
        self.file = os.memfd_create("dqn_tf environments") if file is None else file
        if file is None:
            os.ftruncate(self.file, size)
        memory = mmap.mmap(self.file, size)
        arrays = {k: np.ndarray(shape, dtype, memory, starts[k]) for k, (shape, dtype) in layout.items()}
        self.observation, self.frame = arrays["observation"], arrays["frame"]
        self.reward, self.discount, self.numbers = arrays["reward"], arrays["discount"], arrays["numbers"]
        self.command, self.at_work_on = arrays["command"], arrays["at_work_on"]
        self.mask = arrays["mask"] if spec.mask_size else None

    def write(self, index: int, t: TimeStep) -> None:
        """Write an environment's answer.

        Args:
            index: of the environment.
            t: the answer.
        """
        self.observation[index], self.frame[index] = t.observation, t.frame
        self.reward[index], self.discount[index] = t.reward, t.discount
        self.numbers[index] = t.step_type, t.episode_over, t.truncated, t.lives, t.frames
        if self.mask is not None:
            self.mask[index] = t.mask

    def read(self, index: int) -> TimeStep:
        """What ``write`` put down; the arrays are views."""
        kind, over, truncated, lives, frames = self.numbers[index].tolist()
        return TimeStep(
            observation=self.observation[index],
            frame=self.frame[index],
            reward=float(self.reward[index]),
            discount=float(self.discount[index]),
            step_type=StepType(kind),
            episode_over=bool(over),
            truncated=bool(truncated),
            lives=lives,
            frames=frames,
            mask=None if self.mask is None else self.mask[index],
        )


def share(environments: int, workers: int) -> list[range]:
    """Which environments each worker has: consecutive ones, as evenly as they divide.

    Args:
        environments: how many.
        workers: how many, at most as many.

    Returns:
        A range for each worker.

    >>> share(5, 2)
    [range(0, 2), range(2, 5)]
    """
    cuts = [environments * w // workers for w in range(workers + 1)]
    return [range(a, b) for a, b in itertools.pairwise(cuts)]


def send(channel: socket.socket, message: bytes = b"", waits: int = 1) -> None:
    """Send a message, with its length before it.

    Args:
        channel: to the other side.
        message: the empty one means "step", and "done".
        waits: how often the channel's own time limit, if it has one, may pass.

    Raises:
        OSError: the other side is gone; TimeoutError: it is silent.
    """
    rest = memoryview(len(message).to_bytes(8, "little") + message)
    while rest:
        rest = rest[_patiently(functools.partial(channel.send, rest), waits) :]


def receive(channel: socket.socket, waits: int = 1) -> bytes:
    """The next message.

    Args:
        channel: to the other side.
        waits: how often the channel's own time limit, if it has one, may pass.

    Returns:
        What ``send`` was given.

    Raises:
        EOFError: the other side is gone.
        TimeoutError: it is silent.
    """
    return _exactly(channel, int.from_bytes(_exactly(channel, 8, waits), "little"), waits)


def _exactly(channel: socket.socket, size: int, waits: int) -> bytes:
    data = b""
    while len(data) < size:
        part = _patiently(functools.partial(channel.recv, size - len(data)), waits)
        if not part:
            raise EOFError
        data += part
    return data


def _patiently(call: Callable[[], Answer], waits: int) -> Answer:
    for _ in range(waits - 1):
        with contextlib.suppress(TimeoutError):
            return call()
    return call()
