"""The memory of a run's replay: how much it needs, and whether there is so much, before the run and while it grows."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dqn_tf import envs, lean, rng
from dqn_tf import lazy_tf as tf
from dqn_tf.agent.exploration import random_action
from dqn_tf.checks import ConfigError, EnvironmentFault, RunError
from dqn_tf.config import RunConfig
from dqn_tf.envs import ImageProtocol
from dqn_tf.modes import Concurrent, Rollouts
from dqn_tf.replay.device_ring import device_column_bytes
from dqn_tf.replay.frame_store import GROUP, DeltaFrames, expected_bytes
from dqn_tf.replay.ring import Ring, column_bytes
from dqn_tf.types import StepType

HEADROOM = 2**30  # what a run needs beside its replay, on the host and on a GPU: TensorFlow, emulator, batches
RESERVE = 2**28  # a growing replay is stopped when less is left; saving needs a tenth of it
ASIDE = 2**30  # at most, of the frames of a period in concurrent execution; checkpoints copy them twice
SAMPLE = 4 * GROUP  # frames of images whose compression is not known, to measure it; they are played at random
MARGIN = 1.5  # later frames may be richer than those of random play
MEANINGFUL_ROWS = 1_000  # with fewer frames their mean size is not known well


def available() -> tuple[int, str]:
    """The memory that this process may still take.

    Returns:
        Bytes, and in words whose limit that is: the machine's, or that of a control group.
    """
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
    """Bytes of a control group's usage that the kernel can reclaim: cached files."""
    try:
        entries = dict(line.split(maxsplit=1) for line in stat.read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(entries.get("total_inactive_file", entries.get("inactive_file", 0)))


def _cgroup_files() -> list[tuple[Path, Path]]:
    """(limit, usage) files of this process's memory control group and its ancestors, of version 2 and 1."""
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
    """The free memory of the GPU that TensorFlow will use.

    It is read from the driver's own tool, as TensorFlow knows only what it has taken itself.

    Returns:
        Bytes, and in words where they are; None without a GPU.
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
    """Rows that the replay will hold in the end: its capacity, or fewer in a shorter run."""
    limit = config.agent.storage.capacity if capacity is None else capacity
    return min(limit, config.steps + config.steps // 5 + 1)  # the last frames of episodes take rows too


def _aside_bytes(config: RunConfig) -> int:
    """Bytes of the frames that concurrent execution keeps aside until the end of a period."""
    if not isinstance(config.agent.execution, Concurrent):
        return 0
    spec = envs.observation_spec(config.environment, config.protocol)
    return min(config.agent.target_update_steps, config.steps) * (expected_bytes(spec, "none") + spec.mask_size)


def raw_bytes(config: RunConfig) -> int:
    """Bytes that the replay will need with uncompressed frames."""
    return replay_bytes(config, compression="none")


def replay_bytes(config: RunConfig, capacity: int | None = None, compression: str | None = None) -> int:
    """The host memory that the replay will need in the end: its rows, its sampler, and the frames that are kept aside.

    Compressed frames are counted with the size that they have in most Atari games; of other images, with that of a
    sample of random play.

    Args:
        config: the run.
        capacity: another one than the configuration's, in transitions.
        compression: another one than the configuration's.

    Returns:
        Bytes.
    """
    spec, storage = envs.observation_spec(config.environment, config.protocol), config.agent.storage
    row = _frame_bytes(config, compression or storage.compression) + column_bytes(spec)
    row += device_column_bytes(spec) if storage.placement == "device" else 0
    return _rows(config, capacity) * row + _sampler_bytes(config, capacity) + _aside_bytes(config)


def _frame_bytes(config: RunConfig, compression: str) -> int:
    """Bytes to plan for per frame: of games of this package what is known, of other images what a sample takes."""
    spec, protocol = envs.observation_spec(config.environment, config.protocol), config.protocol
    raw = expected_bytes(spec, "none")
    if not isinstance(protocol, ImageProtocol):
        return expected_bytes(spec, compression)
    if compression == "none" or spec.dtype == "bool":
        return raw
    return min(raw, round(MARGIN * _sampled(config.environment, protocol)))


@functools.lru_cache
def _sampled(environment: str, protocol: ImageProtocol) -> float:
    """Bytes per frame of a compressed replay that holds a few frames of random play."""
    env = envs.make(environment, protocol, 0, "memory")
    try:
        spec, actions = env.spec.observation, rng.Stream(0, "memory/actions")
        frames, answer = DeltaFrames(SAMPLE, spec.frame_shape, spec.dtype), env.reset()
        for slot in range(SAMPLE):
            frames.put(slot, answer.frame)
            over = answer.step_type == StepType.LAST
            action = random_action(env.spec.num_actions, actions.at(slot), answer.mask)
            answer = env.reset() if over else env.step(action)
        return frames.bytes_per_frame
    except EnvironmentFault:  # it will be told by the trial before training, or by the run
        return float(expected_bytes(env.spec.observation, "none"))
    finally:
        env.close()


def _sampler_bytes(config: RunConfig, capacity: int | None) -> int:
    """What the sampler keeps of the rows.  capacity: another than the configuration's."""
    return config.agent.replay.sampler_bytes(config.agent.storage.capacity if capacity is None else capacity)


def gpu_bytes(config: RunConfig, capacity: int | None = None) -> int:
    """Bytes that a replay on a GPU needs there: all its rows, from the start, and one row of zeros.

    Args:
        config: the run.
        capacity: another one than the configuration's, in transitions.

    Returns:
        Bytes.
    """
    spec = envs.observation_spec(config.environment, config.protocol)
    frame = expected_bytes(spec, "none")
    capacity = config.agent.storage.capacity if capacity is None else capacity
    return capacity * (frame + device_column_bytes(spec)) + frame


def beside_gpu_bytes(config: RunConfig, capacity: int | None = None) -> int:
    """Bytes that such a replay needs on the host: columns, sampler, and the frames that are kept aside.

    Args:
        config: the run.
        capacity: another one than the configuration's, in transitions.

    Returns:
        Bytes.
    """
    row = column_bytes(envs.observation_spec(config.environment, config.protocol))
    return _rows(config, capacity) * row + _sampler_bytes(config, capacity) + _aside_bytes(config)


def largest_that_fits(config: RunConfig, memory: int, needed: Callable[[RunConfig, int], int] = replay_bytes) -> int:
    """The largest capacity whose replay fits.

    Args:
        config: the run.
        memory: available bytes.
        needed: (run, capacity) -> bytes.

    Returns:
        Transitions; 0 if no capacity fits.
    """
    low, high = 1, config.agent.storage.capacity  # low is no replay, high does not fit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if needed(config, middle) <= memory else (low, middle)
    return low if low > 1 else 0


def rollout_bytes(config: RunConfig) -> int:
    """Bytes of a rollout (PQN): whole observations, once as they are collected and once as they are learned from."""
    spec, agent = envs.observation_spec(config.environment, config.protocol), config.agent
    observation = math.prod(spec.shape) * np.dtype(spec.dtype).itemsize
    return 2 * agent.steps_per_update * (observation + spec.mask_size + 32)


def _check_rollout(config: RunConfig) -> None:
    (have, whose), need = available(), rollout_bytes(config)
    if need + HEADROOM > have:
        number = config.agent.steps_per_update
        raise ConfigError(
            f"Expected memory for a rollout of {number:,} steps: {need / 1e9:.2f} GB and {HEADROOM / 1e9:.2f} GB for "
            f"the rest, but {have / 1e9:.2f} GB are {whose}. Make it shorter (`steps_per_update`)."
        )


def describe(config: RunConfig) -> str:
    """The memory of the replay in a sentence: how much it needs, and how much there is."""
    if isinstance(config.agent.execution, Rollouts):
        (have, whose), number = available(), config.agent.steps_per_update
        return f"Rollout: {number:,} steps, {rollout_bytes(config) / 1e9:.2f} GB of the {have / 1e9:.2f} GB {whose}."
    if config.agent.storage.placement == "device" and (gpu := gpu_memory()):
        return (
            f"Replay: {config.agent.storage.capacity:,} transitions, {gpu_bytes(config) / 1e9:.2f} GB of the "
            f"{gpu[0] / 1e9:.2f} GB {gpu[1]}, and {beside_gpu_bytes(config) / 1e9:.2f} GB on the host."
        )
    (have, whose), need, raw = available(), replay_bytes(config), raw_bytes(config)
    least = f" ({raw / 1e9:.2f} GB if its frames have nothing in common)" if need < raw else ""
    return (
        f"Replay: {config.agent.storage.capacity:,} transitions, {'about ' if least else ''}{need / 1e9:.2f} GB{least} "
        f"of the {have / 1e9:.2f} GB {whose}."
    )


def check_replay(config: RunConfig) -> None:
    """Check that there is enough memory for the replay.

    Raises:
        ConfigError: there is not; with the numbers, and with settings that would fit.
    """
    if isinstance(config.agent.execution, Rollouts):
        _check_rollout(config)
        return
    _check_aside(config)
    storage = config.agent.storage
    if storage.placement == "device" and (gpu := gpu_memory()):
        _check_gpu(config, *gpu)
        return
    (have, whose), need, raw = available(), replay_bytes(config), raw_bytes(config)
    if need + HEADROOM > have:
        fits = largest_that_fits(config, have - HEADROOM)
        ways = [f"A replay of {fits:,} would fit: --set replay.capacity={fits}"] if fits else []
        packed, on_host = replay_bytes(config, compression="delta"), storage.placement == "host"
        if packed < need and packed + HEADROOM <= have:
            also = "" if on_host else " --set replay.placement=host"
            ways.append(f"Or compress it, to some {packed / 1e9:.2f} GB: --set replay.compression=delta{also}")
        if on_host and storage.compression == "none" and beside_gpu_bytes(config) + HEADROOM <= have:
            gpu = gpu_memory()
            if gpu and gpu_bytes(config) + HEADROOM <= gpu[0] < 2**63:
                ways.append(f"Or keep it where {gpu[0] / 1e9:.2f} GB are {gpu[1]}: --set replay.placement=device")
        do = ". ".join(ways) or "No replay would fit."
        about = "some " if need < raw else ""
        raise ConfigError(
            f"Expected memory for a replay of {storage.capacity:,} transitions: {about}{need / 1e9:.2f} GB "
            f"and {HEADROOM / 1e9:.2f} GB for the rest, but {have / 1e9:.2f} GB are {whose}. {do}"
        )


def _check_aside(config: RunConfig) -> None:
    if (aside := _aside_bytes(config)) > ASIDE:
        assert isinstance(config.agent.execution, Concurrent)
        fits = ASIDE * min(config.agent.target_update_steps, config.steps) // aside
        fits -= fits % config.agent.execution.environments  # a period has whole rounds
        raise ConfigError(
            f"Expected at most {fits:,} steps for `target_update_steps` in concurrent execution, got "
            f"{config.agent.target_update_steps:,}: the frames of a period, {aside / 1e9:.2f} GB, are kept aside until "
            "its end, and in checkpoints. Lower it, or take another execution."
        )


def _check_gpu(config: RunConfig, have: int, whose: str) -> None:
    """``check_replay`` for a replay on a GPU with ``have`` free bytes, and for the host beside it."""
    for need, there, whose_there, needed, where in (
        (gpu_bytes(config), have, whose, gpu_bytes, "on the GPU"),
        (beside_gpu_bytes(config), *available(), beside_gpu_bytes, "beside the GPU"),
    ):
        if need + HEADROOM <= there:
            continue
        fits = largest_that_fits(config, there - HEADROOM, needed)
        ways = [f"A replay of {fits:,} would fit: --set replay.capacity={fits}"] if fits else []
        on_host = dataclasses.replace(config.agent.storage, placement="host")
        host = dataclasses.replace(config, agent=dataclasses.replace(config.agent, storage=on_host))
        if replay_bytes(host) + HEADROOM <= available()[0]:
            ways.append(f"{'Or k' if fits else 'K'}eep it on the host: --set replay.placement=host")
        raise ConfigError(
            f"Expected memory {where} for a replay of {config.agent.storage.capacity:,} transitions: {need / 1e9:.2f} "
            f"GB and {HEADROOM / 1e9:.2f} GB for the rest, but {there / 1e9:.2f} GB are {whose_there}. "
            + (". ".join(ways) or "No replay would fit.")
        )


class Shortage(RunError):
    """Memory is nearly used up.  The run's state is consistent and can be saved."""


class Watch:
    """Watches a compressed replay while it grows, as only then it is known how well its frames compress."""

    def __init__(self, config: RunConfig, say: Callable[[str], None]) -> None:
        """
        Args:
            config: of the run.
            say: called with a warning, once.
        """
        self._rows, self._say, self._warned = _rows(config), say, False
        self._needed, self._begins = config.agent.storage.compression != "none", True

    def check(self, ring: Ring) -> None:
        """Look at the memory that is left.

        Warns once, with numbers, if it will not suffice when further frames compress like those so far.

        Raises:
            Shortage: less than ``RESERVE`` is left; that is enough to save the run.
        """
        if self._begins:  # what compilation needed is not needed any more
            self._begins = False
            lean.release_heap()
            if tf.LEAN:
                lean.release_code()
        if not self._needed or len(ring) < MEANINGFUL_ROWS:
            return
        (have, whose), each = available(), ring.frames.bytes_per_frame + column_bytes(ring.spec)
        more = max(0, self._rows - len(ring)) * each
        numbers = f"{len(ring):,} of {self._rows:,} rows are held, {each:,.0f} bytes each"
        if have < RESERVE:
            raise Shortage(
                f"Expected memory for the replay, but {have / 1e9:.2f} GB are {whose}: {numbers}. The run was saved "
                "and stopped; the same command continues it where more memory is free. Or start again with a smaller "
                f"replay: --set replay.capacity={int(len(ring) * 0.9)}"
            )
        if more > have - RESERVE and not self._warned:
            self._warned = True
            self._say(
                f"Memory may not suffice: {numbers}, so that {more / 1e9:.2f} GB more will be needed, and "
                f"{have / 1e9:.2f} GB are {whose}. When less than {RESERVE / 1e9:.2f} GB are left, the run is saved "
                "and stops."
            )
