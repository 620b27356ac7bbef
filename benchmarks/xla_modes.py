#!/usr/bin/env python3
"""What XLA should compile: the update of a preset in each mode, alternating in one process.

    python benchmarks/xla_modes.py [--presets dqn_nature,dqn_dopamine] [--threads 1,2] [--updates 40] [--out FILE.md]

Every row is a process of its own (threads are pinned for a process's life); within it the modes take turns.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

MODES: tuple[Literal["optimizer", "update", "none"], ...] = ("none", "update", "optimizer")


def child(preset: str, threads: int, updates: int) -> dict[str, list[float]]:
    """Time updates in each mode, taking turns.

    Args:
        preset: its settings.
        threads: of TensorFlow.
        updates: timed in each mode.

    Returns:
        Mode -> milliseconds of each update.
    """
    import numpy as np

    from dqn_tf import determinism, envs, make_config
    from dqn_tf.execution.learner import Learner
    from dqn_tf.modes import Interleaved
    from dqn_tf.types import Sample, Transition

    config = make_config(preset, "breakout", frames=1_000_000)
    determinism.enable(threads)
    spec = envs.make(config.environment, config.protocol, 0).spec
    batch, random = config.agent.batch_size, np.random.default_rng(0)
    states = [random.integers(0, 256, (batch, *spec.observation.shape), dtype=np.uint8) for _ in range(2)]
    ones, actions = np.ones(batch, np.float32), np.zeros(batch, np.int32)
    sample = Sample(Transition(states[0], actions, ones, 0.99 * ones, states[1]), np.arange(batch), ones)
    learners = {}
    for mode in MODES:
        execution = Interleaved(xla=mode, threads=threads)
        learners[mode] = Learner(dataclasses.replace(config.agent, execution=execution), spec, seed=0)
        for _ in range(3):
            learners[mode].update(sample)
    taken: dict[str, list[float]] = {mode: [] for mode in MODES}
    for _ in range(updates):
        for mode, learner in learners.items():
            begun = time.perf_counter()
            learner.update(sample).loss.numpy()
            taken[mode].append(1e3 * (time.perf_counter() - begun))
    return taken


def main() -> int:
    """Run every row, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", default="dqn_nature,dqn_dopamine")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--updates", type=int, default=40)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(options.child[0], int(options.child[1]), options.updates)))
        return 0
    lines = [
        "| preset | threads | none | update | optimizer | fastest over `none` |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for preset in options.presets.split(","):
        for threads in options.threads.split(","):
            command = [sys.executable, __file__, "--child", preset, threads, "--updates", str(options.updates)]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            medians = {mode: statistics.median(ms) for mode, ms in json.loads(out.splitlines()[-1]).items()}
            best = medians["none"] / min(medians.values())
            cells = " | ".join(f"{medians[mode]:.1f} ms" for mode in MODES)
            lines.append(f"| {preset} | {threads} | {cells} | {best:.2f} |")
            print(lines[-1], flush=True)
    if options.out:
        from dqn_tf import determinism

        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(
            f"Milliseconds of one update, median of {options.updates}, modes alternating in one process "
            f"(`benchmarks/xla_modes.py`), {determinism.cpu_model()}.\n\n" + "\n".join(lines) + "\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
