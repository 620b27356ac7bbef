"""What a run's replay will take, and whether the machine has it: before anything is allocated, and as it grows."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from dqn_tf import envs
from dqn_tf import lazy_tf as tf
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.config import Concurrent, RunConfig
from dqn_tf.replay.device_ring import DEVICE_COLUMN_BYTES
from dqn_tf.replay.frames import expected_bytes
from dqn_tf.replay.ring import COLUMN_BYTES, Ring

HEADROOM = 2**30  # TensorFlow, emulator, batches: what a run takes beside its replay, on either device
RESERVE = 2**28  # with less left a growing replay is not let to grow; saving takes a tenth of it
ASIDE = 2**30  # of concurrent execution's frames of a period; a checkpoint copies them twice, and reads 4 GiB at most
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


def gpu_memory() -> tuple[int, str] | None:
    """Bytes free on the GPU that TensorFlow will use, and whose they are; None without a GPU.

    The driver's own tool is asked: TensorFlow tells what it has taken, not what is left, and only when it has begun to.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return None
    which = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0] or "0"
    question = ["nvidia-smi", "-i", which, "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError, IndexError):
        answer = subprocess.run(question, capture_output=True, text=True, check=True, timeout=30).stdout
        name = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
        return int(answer.split()[0]) * 2**20, f"free on the {name}"
    return 2**63, "unknown"


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
    row += DEVICE_COLUMN_BYTES if sampler.placement == "device" else 0
    return _rows(config, capacity) * row + int(sampler.sampler_bytes) + _aside_bytes(config)


def gpu_bytes(config: RunConfig, capacity: int | None = None) -> int:
    """What a replay on a GPU takes there: all of its rows, from the start, and a row of zeros."""
    frame = expected_bytes(envs.observation_spec(config.environment, config.protocol), "none")
    capacity = config.agent.replay.capacity if capacity is None else capacity
    return capacity * (frame + DEVICE_COLUMN_BYTES) + frame


def beside_gpu_bytes(config: RunConfig, capacity: int | None = None) -> int:
    """What such a replay takes on the host: its columns, what its sampler keeps, and what is kept aside for it."""
    sampler = config.agent.replay
    sampler = dataclasses.replace(sampler, capacity=sampler.capacity if capacity is None else capacity)
    return _rows(config, capacity) * COLUMN_BYTES + int(sampler.sampler_bytes) + _aside_bytes(config)


def largest_that_fits(config: RunConfig, memory: int, needed: Callable[[RunConfig, int], int] = replay_bytes) -> int:
    """The largest capacity whose replay takes at most so many bytes; 0 if there is none.

    needed: what one of a certain capacity takes.
    """
    low, high = 1, config.agent.replay.capacity  # the one is no replay, the other does not fit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if needed(config, middle) <= memory else (low, middle)
    return low if low > 1 else 0


def describe(config: RunConfig) -> str:
    """The replay's budget in a sentence."""
    if config.agent.replay.placement == "device" and (gpu := gpu_memory()):
        return (
            f"Replay: {config.agent.replay.capacity:,} transitions, {gpu_bytes(config) / 1e9:.2f} GB of the "
            f"{gpu[0] / 1e9:.2f} GB {gpu[1]}, and {beside_gpu_bytes(config) / 1e9:.2f} GB on the host."
        )
    (have, whose), need, raw = available(), replay_bytes(config), raw_bytes(config)
    least = f" ({raw / 1e9:.2f} GB if its frames have nothing in common)" if need < raw else ""
    return (
        f"Replay: {config.agent.replay.capacity:,} transitions, {'about ' if least else ''}{need / 1e9:.2f} GB{least} "
        f"of the {have / 1e9:.2f} GB {whose}."
    )


def check_replay(config: RunConfig) -> None:
    """Raises ConfigError, with numbers and what would fit, if memory does not suffice."""
    _check_aside(config)
    replay = config.agent.replay
    if replay.placement == "device" and (gpu := gpu_memory()):
        _check_gpu(config, *gpu)
        return
    (have, whose), need, raw = available(), replay_bytes(config), raw_bytes(config)
    if need + HEADROOM > have:
        fits = largest_that_fits(config, have - HEADROOM)
        ways = [f"A replay of {fits:,} would fit: --set replay.capacity={fits}"] if fits else []
        packed, on_host = replay_bytes(config, compression="delta"), replay.placement == "host"
        if packed < need and packed + HEADROOM <= have:
            also = "" if on_host else " --set replay.placement=host"
            ways.append(f"Or compress it, to some {packed / 1e9:.2f} GB: --set replay.compression=delta{also}")
        if on_host and replay.compression == "none" and beside_gpu_bytes(config) + HEADROOM <= have:
            gpu = gpu_memory()
            if gpu and gpu_bytes(config) + HEADROOM <= gpu[0] < 2**63:
                ways.append(f"Or keep it where {gpu[0] / 1e9:.2f} GB are {gpu[1]}: --set replay.placement=device")
        do = ". ".join(ways) or "No replay would fit."
        about = "some " if need < raw else ""
        raise ConfigError(
            f"Expected memory for a replay of {config.agent.replay.capacity:,} transitions: {about}{need / 1e9:.2f} GB "
            f"and {HEADROOM / 1e9:.2f} GB for the rest, but {have / 1e9:.2f} GB are {whose}. {do}"
        )


def _check_aside(config: RunConfig) -> None:
    if (aside := _aside_bytes(config)) > ASIDE:
        assert isinstance(config.agent.execution, Concurrent)
        fits = ASIDE * min(config.agent.target_update_steps, config.steps) // aside
        fits -= fits % config.agent.execution.environments  # a period is of whole rounds
        raise ConfigError(
            f"Expected at most {fits:,} steps for `target_update_steps` in concurrent execution, got "
            f"{config.agent.target_update_steps:,}: the frames of a period, {aside / 1e9:.2f} GB, are kept aside until "
            "its end, and in checkpoints. Lower it, or take another execution."
        )


def _check_gpu(config: RunConfig, have: int, whose: str) -> None:
    """``check_replay`` of a replay on a GPU that has so many bytes, which are ``whose``; and of the host beside it."""
    for need, there, whose_there, needed, where in (
        (gpu_bytes(config), have, whose, gpu_bytes, "on the GPU"),
        (beside_gpu_bytes(config), *available(), beside_gpu_bytes, "beside the GPU"),
    ):
        if need + HEADROOM <= there:
            continue
        fits = largest_that_fits(config, there - HEADROOM, needed)
        ways = [f"A replay of {fits:,} would fit: --set replay.capacity={fits}"] if fits else []
        on_host = dataclasses.replace(config.agent.replay, placement="host")
        host = dataclasses.replace(config, agent=dataclasses.replace(config.agent, replay=on_host))
        if replay_bytes(host) + HEADROOM <= available()[0]:
            ways.append(f"{'Or k' if fits else 'K'}eep it on the host: --set replay.placement=host")
        raise ConfigError(
            f"Expected memory {where} for a replay of {config.agent.replay.capacity:,} transitions: {need / 1e9:.2f} "
            f"GB and {HEADROOM / 1e9:.2f} GB for the rest, but {there / 1e9:.2f} GB are {whose_there}. "
            + (". ".join(ways) or "No replay would fit.")
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
