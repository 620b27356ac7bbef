"""What a run's replay will take, and whether the machine has it: before anything is allocated, and as it grows."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path

from dqn_tf import envs
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.config import Concurrent, RunConfig
from dqn_tf.replay.frames import expected_bytes
from dqn_tf.replay.ring import COLUMN_BYTES, Ring

HEADROOM = 2**30  # TensorFlow, emulator, batches: what a run takes beside its replay
RESERVE = 2**28  # with less left a growing replay is not let to grow; saving takes a tenth of it
MEANINGFUL_ROWS = 1_000  # a mean over fewer frames says little


def available() -> tuple[int, str]:
    """Bytes that this process may still take, and whose limit that is (the machine's, or its control group's)."""
    limits: list[tuple[int, str]] = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        kib = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
        limits.append((kib * 1024, "available on this machine"))
    for limit, usage in _cgroup_files():
        with contextlib.suppress(OSError, ValueError):
            used = int(usage.read_text()) - _page_cache(usage.with_name("memory.stat"))
            limits.append((int(limit.read_text()) - used, "left in this control group"))
    return min(limits, default=(2**63, "unknown"))


def _page_cache(stat: Path) -> int:
    """Bytes of a control group's usage that the kernel gives back when asked: files read or written a while ago."""
    try:
        entries = dict(line.split(maxsplit=1) for line in stat.read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(entries.get("total_inactive_file", entries.get("inactive_file", 0)))


def _cgroup_files() -> list[tuple[Path, Path]]:
    """(limit, usage) files of this process's memory control group and its ancestors, version 2 and 1."""
    root, out = (
        Path("/sys/fs/cgroup"),
        [(Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"))],
    )
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            folder = root / line.split(":", 2)[2].lstrip("/")
            while folder != root.parent:
                out.append((folder / "memory.max", folder / "memory.current"))
                folder = folder.parent
    return out


def _rows(config: RunConfig, capacity: int | None = None) -> int:
    """Rows that the replay will come to hold: its capacity, or fewer if the budget is shorter."""
    limit = config.agent.replay.capacity if capacity is None else capacity
    return min(limit, config.steps + config.steps // 5 + 1)  # and the last frames of episodes


def _aside_bytes(config: RunConfig) -> int:
    """What concurrent execution keeps aside of a period, until it goes to the replay: raw frames."""
    if not isinstance(config.agent.execution, Concurrent):
        return 0
    frame = expected_bytes(envs.observation_spec(config.environment, config.protocol), "none")
    return min(config.agent.target_update_steps, config.steps) * frame


def raw_bytes(config: RunConfig) -> int:
    """What the replay will come to hold, its frames uncompressed."""
    return replay_bytes(config, compression="none")


def replay_bytes(config: RunConfig, capacity: int | None = None, compression: str | None = None) -> int:
    """Memory that the replay will come to take: its rows, what its sampler keeps of all of them,
    and what concurrent execution keeps aside for it.

    Compressed frames are counted as most games' are.  capacity, compression: others than the configuration's.
    """
    spec, sampler = envs.observation_spec(config.environment, config.protocol), config.agent.replay
    if capacity is not None:
        sampler = dataclasses.replace(sampler, capacity=capacity)
    row = expected_bytes(spec, compression or sampler.compression) + COLUMN_BYTES
    return _rows(config, capacity) * row + int(sampler.sampler_bytes) + _aside_bytes(config)


def largest_that_fits(config: RunConfig, memory: int) -> int:
    """The largest capacity whose replay takes at most so many bytes; 0 if there is none."""
    low, high = 1, config.agent.replay.capacity  # the one is no replay, the other does not fit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if replay_bytes(config, middle) <= memory else (low, middle)
    return low if low > 1 else 0


def describe(config: RunConfig) -> str:
    """The replay's budget in a sentence."""
    (have, whose), need, raw = available(), replay_bytes(config), raw_bytes(config)
    least = f" ({raw / 1e9:.2f} GB if its frames have nothing in common)" if need < raw else ""
    return (
        f"Replay: {config.agent.replay.capacity:,} transitions, {'about ' if least else ''}{need / 1e9:.2f} GB{least} "
        f"of the {have / 1e9:.2f} GB {whose}."
    )


def check_replay(config: RunConfig) -> None:
    """Raises ConfigError, with numbers and a capacity that fits, if memory does not suffice."""
    (have, whose), need, raw = available(), replay_bytes(config), raw_bytes(config)
    if need + HEADROOM > have:
        fits = largest_that_fits(config, have - HEADROOM)
        do = f"A replay of {fits:,} would fit: --set replay.capacity={fits}" if fits else "No replay would fit."
        if (packed := replay_bytes(config, compression="delta")) < need and packed + HEADROOM <= have:
            stop = "." if fits else ""
            do += f"{stop} Or compress it, to some {packed / 1e9:.2f} GB: --set replay.compression=delta"
        about = "some " if need < raw else ""
        raise ConfigError(
            f"Expected memory for a replay of {config.agent.replay.capacity:,} transitions: {about}{need / 1e9:.2f} GB "
            f"and {HEADROOM / 1e9:.2f} GB for the rest, but {have / 1e9:.2f} GB are {whose}. {do}"
        )


class Shortage(RunError):
    """Memory is nearly used up; the run's state is whole and can be saved."""


class Watch:
    """Looks after a compressed replay while it grows: how well frames compress shows only then, and may change."""

    def __init__(self, config: RunConfig, say: Callable[[str], None]) -> None:
        self._rows, self._say, self._told = _rows(config), say, False
        self._needed = config.agent.replay.compression != "none"

    def check(self, ring: Ring) -> None:
        """Say once, with numbers, that memory will not suffice if the frames to come compress as those so far.

        Raises Shortage when less than ``RESERVE`` is left, which is enough to save.
        """
        if not self._needed or len(ring) < MEANINGFUL_ROWS:
            return
        (have, whose), each = available(), ring.frames.bytes_per_frame + COLUMN_BYTES
        more = max(0, self._rows - len(ring)) * each
        numbers = f"{len(ring):,} of {self._rows:,} rows are held, {each:,.0f} bytes each"
        if have < RESERVE:
            raise Shortage(
                f"Expected memory for the replay, but {have / 1e9:.2f} GB are {whose}: {numbers}. The run was saved "
                "and stopped; the same command continues it where more memory is free. Or start anew with a smaller "
                f"replay: --set replay.capacity={int(len(ring) * 0.9)}"
            )
        if more > have - RESERVE and not self._told:
            self._told = True
            self._say(
                f"Memory may not suffice: {numbers}, so that {more / 1e9:.2f} GB more will be needed, and "
                f"{have / 1e9:.2f} GB are {whose}. When less than {RESERVE / 1e9:.2f} GB are left, the run is saved "
                "and stops."
            )
