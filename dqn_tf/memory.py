"""What a run's replay will take, checked against what the machine has before anything is allocated."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

from dqn_tf import envs
from dqn_tf.checks import ConfigError
from dqn_tf.config import RunConfig
from dqn_tf.replay.ring import row_bytes

HEADROOM = 2**30  # TensorFlow, emulator, batches: what a run takes beside its replay


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


def replay_bytes(config: RunConfig, capacity: int | None = None) -> int:
    """Memory that the replay will come to hold: its rows, or fewer if the budget is shorter, and what its sampler
    keeps of all of them.  capacity: another one than the configuration's."""
    spec = envs.observation_spec(config.environment, config.protocol)
    sampler = config.agent.replay
    if capacity is not None:
        sampler = dataclasses.replace(sampler, capacity=capacity)
    rows = min(sampler.capacity, config.steps + config.steps // 5 + 1)  # and the last frames of episodes
    return rows * row_bytes(spec) + int(sampler.sampler_bytes)


def largest_that_fits(config: RunConfig, memory: int) -> int:
    """The largest capacity whose replay takes at most so many bytes; 0 if there is none."""
    low, high = 1, config.agent.replay.capacity  # the one is no replay, the other does not fit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if replay_bytes(config, middle) <= memory else (low, middle)
    return low if low > 1 else 0


def describe(config: RunConfig) -> str:
    """The replay's budget in a sentence."""
    (have, whose), need = available(), replay_bytes(config)
    return (
        f"Replay: {config.agent.replay.capacity:,} transitions, {need / 1e9:.2f} GB of the {have / 1e9:.2f} GB {whose}."
    )


def check_replay(config: RunConfig) -> None:
    """Raises ConfigError, with numbers and a capacity that fits, if memory does not suffice."""
    (have, whose), need = available(), replay_bytes(config)
    if need + HEADROOM > have:
        fits = largest_that_fits(config, have - HEADROOM)
        do = f"A replay of {fits:,} would fit: --set replay.capacity={fits}" if fits else "No replay would fit."
        raise ConfigError(
            f"Expected memory for a replay of {config.agent.replay.capacity:,} transitions: {need / 1e9:.2f} GB and "
            f"{HEADROOM / 1e9:.2f} GB for the rest, but {have / 1e9:.2f} GB are {whose}. {do}"
        )
