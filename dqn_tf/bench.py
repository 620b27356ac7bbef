"""``dqn-tf bench``: where the time of a run goes, and the least time that this machine could need for its work."""

from __future__ import annotations

import dataclasses
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dqn_tf import determinism, envs, flops, memory
from dqn_tf import lazy_tf as tf
from dqn_tf.agent.exploration import random_action
from dqn_tf.checks import ConfigError
from dqn_tf.config import RunConfig
from dqn_tf.envs import vector
from dqn_tf.modes import Concurrent, Fused, Interleaved, Rollouts
from dqn_tf.replay.device_ring import device_column_bytes
from dqn_tf.replay.ring import column_bytes
from dqn_tf.training import profile
from dqn_tf.training.loop import Loop, make_loop

Say = Callable[[str], None]
TRACED_SECONDS = 3.0
WARM_UP_STEPS = 200  # of learning before anything is timed, for compilation and caches


def measured(config: RunConfig) -> RunConfig:
    """The run that is measured for ``config``: learning begins early, epsilon has its final value."""
    start = max(5000, config.agent.batch_size, config.agent.n_step)
    if isinstance(config.agent.execution, Concurrent):
        start = -(-start // config.agent.target_update_steps) * config.agent.target_update_steps
    exploration = dataclasses.replace(config.agent.exploration, initial_epsilon=config.agent.exploration.final_epsilon)
    agent = dataclasses.replace(config.agent, min_replay_steps=start, exploration=exploration)
    never = dataclasses.replace(config.evaluation, period_iterations=0)  # only learning is timed
    return dataclasses.replace(config, agent=agent, evaluation=never, iteration_frames=config.frames)


def measure(config: RunConfig, seconds: float, say: Say, trace: Path | None = None) -> dict[str, Any]:
    """Measure a run.

    Learning begins after 5,000 steps and epsilon has its final value, so nearly every step has a forward pass.

    Args:
        config: the run.
        seconds: of training that are measured; concurrent execution ends its period (``target_update_steps``).
        say: called with progress messages.
        trace: where a trace of some seconds more is written (training/profile.py).

    Returns:
        The numbers that ``table`` shows: times in seconds, rates per second, sizes in bytes.

    Raises:
        ConfigError: there is not enough memory for the replay, or the run learns from rollouts.
    """
    if isinstance(config.agent.execution, Rollouts):
        raise ConfigError(
            f"Expected an agent with a replay for dqn-tf bench, got {config.preset} (execution=rollouts): its floor is "
            "not known. benchmarks/pqn_speed.py measures its frames/s."
        )
    config, whole = measured(config), 1
    agent, start, warm_up = config.agent, config.agent.min_replay_steps, WARM_UP_STEPS
    if isinstance(agent.execution, Concurrent):  # acting may be ahead of learning until the period ends
        warm_up = whole = agent.target_update_steps
    memory.check_replay(config)
    profile.check(trace, None, config.frames)
    determinism.enable(agent.execution.threads)
    wait = f" in whole periods of {whole:,} steps, one of them to warm up" if whole > 1 else ""
    say(f"Measuring {config.preset} on {config.environment}, {agent.execution.threads} threads{wait} ...")
    if text := vector.advice(getattr(agent.execution, "workers", 0)):
        say(text)
    loop = make_loop(config)
    try:
        return _measure(loop, start + warm_up, whole, seconds, say, trace)
    finally:
        loop.close()


def _measure(loop: Loop, warm: int, whole: int, seconds: float, say: Say, trace: Path | None = None) -> dict[str, Any]:
    """``measure`` with a new loop, from step ``warm`` on."""
    agent, steps = loop.run.config.agent, loop.records(lambda: None)
    while loop.run.counters.steps < warm:
        next(steps)
    resident = _status("VmRSS") - memory_touched(loop) - agent.replay.sampler_bytes(agent.storage.capacity)
    ring = loop.run.replay.ring
    on_device = device_column_bytes(ring.spec) if agent.storage.placement == "device" else 0
    cpu = _cpu_seconds()
    end_to_end, wall, phases = _train_for(loop, steps, seconds, whole)
    cores = (_cpu_seconds() - cpu) / wall
    with profile.recorded(trace, None, loop, say):  # apart from the seconds that are measured
        if trace is not None:
            _train_for(loop, steps, min(seconds, TRACED_SECONDS), whole)
    say("Measuring the parts and the floor ...")
    parts = _parts(loop)
    floors = floor(loop, parts["emulation_frames_per_s"])
    return {
        "frames_per_s": end_to_end,
        "seconds": wall,
        "cores": cores,
        "phases": phases,
        **parts,
        **floors,
        "resident_bytes_beside_replay": resident,
        "transition_bytes": round(ring.frames.bytes_per_frame) + column_bytes(ring.spec) + on_device,
        "sampler_bytes": agent.replay.sampler_bytes(agent.storage.capacity),
        "placement": agent.storage.placement,
        "threads": agent.execution.threads,
    }


def memory_touched(loop: Loop) -> int:
    """Bytes of the replay that have been written and are therefore resident on the host."""
    ring = loop.run.replay.ring
    return ring.frames.nbytes + len(ring) * column_bytes(ring.spec)


def _train_for(
    loop: Loop, steps: Iterator[object], seconds: float, whole: int
) -> tuple[float, float, dict[str, float]]:
    """Frames/s of learning over a multiple of ``whole`` steps, the seconds that it took, and each phase's share."""
    loop.run.seconds.clear()
    begun, first = time.perf_counter(), loop.run.counters.frames
    while time.perf_counter() - begun < seconds or loop.run.counters.steps % whole:
        next(steps)
    wall = time.perf_counter() - begun
    shares = {name: value / wall for name, value in loop.run.seconds.items()}
    return (loop.run.counters.frames - first) / wall, wall, {**shares, "other": 1 - sum(shares.values())}


def _parts(loop: Loop) -> dict[str, float]:
    """Median seconds of an update, an action, an environment step and a sample; the emulator's frames/s alone."""
    config, learner, agent = loop.run.config, loop.run.learner, loop.run.config.agent
    environment = envs.make(config.environment, config.protocol, config.seed, "bench")
    replay = loop.run.replay
    sample = replay.sample(agent.batch_size, 0)
    observation = environment.reset().observation
    random = np.random.default_rng(0)

    def step() -> None:
        if environment.last.step_type == 2:
            environment.reset()
        environment.step(random_action(environment.spec.num_actions, random, environment.last.mask))

    def draw_and_learn() -> None:  # each draw uses the priorities of the one before
        sampled = replay.sample_indices(agent.batch_size, 0)
        replay.update_priorities(sampled.indices, random.random(agent.batch_size))

    return {
        "update_seconds": _median(lambda: np.asarray(learner.update(sample).loss), 40),
        "action_seconds": _median(lambda: learner.act(observation), 200),
        "step_seconds": _median(step, 400),
        "sample_seconds": _median(lambda: replay.sample(agent.batch_size, 0), 100),
        "priorities_seconds": _median(draw_and_learn, 100) if replay.sampler.has_priorities else 0.0,
        "emulation_frames_per_s": emulation_rate(loop.run.config.environment),
    }


def _median(call: Callable[[], Any], times: int) -> float:
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return float(np.median(taken))


def emulation_rate(environment: str) -> float:
    """Frames/s of the emulator alone, without preprocessing; infinite for other environments."""
    if not environment.startswith("ale:"):
        return float("inf")
    from dqn_tf.envs.emulator import Emulator

    ale = Emulator(environment.removeprefix("ale:")).ale
    actions, random = ale.getMinimalActionSet(), np.random.default_rng(0)
    chosen = [actions[i] for i in random.integers(len(actions), size=4000)]
    begun = time.perf_counter()
    for action in chosen:
        if ale.game_over():
            ale.reset_game()
        ale.act(action)
    return len(chosen) / (time.perf_counter() - begun)


def floor(loop: Loop, emulation: float) -> dict[str, float]:
    """The least time that this machine can need, however the work is arranged.

    It is counted for one cycle, from one time that updates are due to the next.  The arithmetic takes place at the rate
    of matrix products on all cores, or on TensorFlow's threads where they are fewer.  The frames are emulated at the
    rate of the emulator alone, shared by all cores that threads and workers can keep busy.

    Args:
        loop: of the run.
        emulation: the emulator's frames/s on one core.

    Returns:
        Operations of an update and an action, the rate, seconds of an update, and frames/s.
    """
    agent, skip = loop.run.config.agent, loop.run.config.frame_skip
    update, action = map(flops.count, loop.run.learner.graphs())
    cores, threads = len(os.sched_getaffinity(0)), agent.execution.threads
    side_by_side = min(cores, threads)
    rate = matmul_rate(side_by_side)
    frames = agent.steps_per_update * skip
    arithmetic = (agent.updates_at_once * update + agent.steps_per_update * action) / rate
    alone = threads == 1 and isinstance(agent.execution, Interleaved)  # nothing at the same time
    at_work = 1 if alone else min(cores, threads + 1 + getattr(agent.execution, "workers", 0))
    emulating = frames / emulation / at_work
    on_gpu = bool(tf.config.list_physical_devices("GPU"))  # which computes while the cores emulate
    together = arithmetic * side_by_side / at_work + emulating
    seconds = max(arithmetic, emulating if on_gpu else together)
    return {
        "update_flop": update,
        "action_flop": action,
        "matmul_flop_per_s": rate,
        "floor_update_seconds": update / rate,
        "floor_frames_per_s": frames / seconds,
    }


def matmul_rate(number: int, size: int = 1024) -> float:
    """Operations per second of TensorFlow's float32 matrix products.

    The best of 40 short windows, as other programs use the machine too.

    Args:
        number: products at a time, each on one thread (``determinism.enable``).
        size: rows and columns of a matrix.

    Returns:
        Multiplications and additions per second.
    """
    matrices = [
        tf.fill((size, size), 1.0 / (i + 1)) for i in range(number)
    ]  # different ones, as equal ones would be merged
    products = tf.function(lambda *xs: tf.stack([tf.linalg.matmul(x, x)[0, 0] for x in xs]), autograph=False)
    products(*matrices)
    return number * 2.0 * size**3 / min(_median(lambda: products(*matrices).numpy(), 3) for _ in range(40))


def _status(name: str) -> int:
    """A size of this process from /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


def _cpu_seconds() -> float:
    """Core-seconds used so far by this process and its workers."""
    used = 0.0
    children = " ".join(map(_text, Path("/proc/self/task").glob("*/children"))).split()
    for pid in ["self", *children]:
        if fields := _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split():
            used += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime
    return used


def _text(path: Path) -> str:
    """The text of a file of /proc; "" if its thread or process has ended."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _draw(m: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The line about priorities, if there are any."""
    if not m["priorities_seconds"]:
        return []
    share = f"{100 * m['priorities_seconds'] / m['update_seconds']:.1f} % of an update"
    took = f"{1e6 * m['priorities_seconds']:.0f} us"
    return [("priorities", took, f"to draw a batch by them and to set new ones; {share}")]


def _memory(capacity: int, m: dict[str, Any]) -> tuple[str, str, str]:
    sampler = f" and {m['sampler_bytes'] / 1e6:.0f} MB of its sampler" if m["sampler_bytes"] else ""
    return (
        "memory",
        f"{m['transition_bytes']:,} bytes",
        f"per transition; {capacity * m['transition_bytes'] / 1e9:.2f} GB for "
        f"{capacity:,}{sampler}; beside the replay {m['resident_bytes_beside_replay'] / 1e6:.0f} MB resident",
    )


FAR = 0.25  # of the floor's speed; below it, something can be changed
SMALL_UPDATE_SECONDS = 2e-3  # of arithmetic: below it, calls take as long


def advice(config: RunConfig, m: Mapping[str, Any]) -> str:
    """What to change where a run is far from its floor.

    Args:
        config: the run.
        m: what ``measure`` found.

    Returns:
        A sentence; "" where nothing is known to help.
    """
    execution, phases = config.agent.execution, m["phases"]
    if m["frames_per_s"] >= FAR * m["floor_frames_per_s"]:
        return ""
    if phases.get("environment", 0.0) > 0.5:
        return (
            f"the environment's own steps take {100 * phases['environment']:.0f} % of the time: "
            "--set execution=concurrent --set execution.workers=N plays several beside the updates"
        )
    small = m["floor_update_seconds"] < min(SMALL_UPDATE_SECONDS, FAR * m["update_seconds"])
    if isinstance(execution, Interleaved) and small and config.agent.storage.placement == "host":
        return (
            f"calls, not arithmetic: {1e3 * m['floor_update_seconds']:.2f} of the {1e3 * m['update_seconds']:.1f} ms "
            "of an update are matrix products. --set execution=fused makes it one call (another identity, other bits)"
        )
    if isinstance(execution, Fused) and execution.xla == "update" and m["floor_update_seconds"] > 5e-4:
        return "XLA's products are not the fastest for layers this wide: --set execution.xla=none"
    return ""


def _rows(config: RunConfig, m: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(name, value, note) of each line of ``table``."""
    phases = ", ".join(
        f"{name} {100 * share:.0f} %" for name, share in sorted(m["phases"].items(), key=lambda p: -p[1])
    )
    rows = [
        (
            "update",
            f"{1e3 * m['update_seconds']:.1f} ms",
            f"floor {1e3 * m['floor_update_seconds']:.1f} ms, "
            f"{m['update_flop'] / 1e9:.2f} GFLOP at {m['matmul_flop_per_s'] / 1e9:.0f} GFLOP/s; "
            f"{100 * m['floor_update_seconds'] / m['update_seconds']:.0f} % of the floor's speed",
        ),
        ("action", f"{1e6 * m['action_seconds']:.0f} us", "one observation through the network"),
        (
            "environment step",
            f"{1e6 * m['step_seconds']:.0f} us",
            f"{config.frame_skip} frames; emulation {1e6 * config.frame_skip / m['emulation_frames_per_s']:.0f} us "
            f"({m['emulation_frames_per_s']:,.0f} frames/s)",
        ),
        (
            "replay sample",
            f"{1e6 * m['sample_seconds']:.0f} us",
            f"{config.agent.batch_size} transitions, on the {m['placement']}"
            + (": their rows only, the update gathers them" if m["placement"] == "device" else ""),
        ),
        *_draw(m),
        (
            "end to end",
            f"{m['frames_per_s']:.0f} frames/s",
            f"learning phase, {m['seconds']:.0f} s, {m['cores']:.1f} cores; floor "
            f"{m['floor_frames_per_s']:.0f} frames/s, {100 * m['frames_per_s'] / m['floor_frames_per_s']:.0f} % of it",
        ),
        ("time goes to", phases, ""),
        _memory(config.agent.storage.capacity, m),
    ]
    if said := advice(config, m):
        rows.append(("to change", said, ""))
    return rows


def table(config: RunConfig, m: dict[str, Any]) -> str:
    """The numbers of ``measure`` as text.

    Args:
        config: the run.
        m: what ``measure`` found.

    Returns:
        Lines.
    """
    rows = _rows(config, m)
    width = max(len(name) for name, _, _ in rows)
    title = (
        f"{config.preset} on {config.environment}: batch {config.agent.batch_size}, one update per "
        f"{config.agent.steps_per_update} steps, {m['threads']} threads, xla={config.agent.execution.xla}\n"
        f"{determinism.cpu_model()}, {platform.python_implementation()} {platform.python_version()}"
    )
    return "\n".join([title, *(f"{name:{width}}  {value}{'   ' + note if note else ''}" for name, value, note in rows)])
