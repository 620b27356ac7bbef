"""dqn_tf itself, watched as ``peers.py`` watches the others.  ``versus_peers.py`` starts it.

    python benchmarks/ours.py PRESET ENVIRONMENT COUNTER [seeds_together=K] [FIELD=VALUE ...]

With seeds_together, K seeds in step (training/in_step.py): steps and updates are those of all of them.
The first line of output is JSON: the floor of this agent on this machine, and releases.  It also runs 0.1.0.dev0,
whose loop has another name (``versus_peers.py --before``).
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from peers_meter import CAPACITY, Meter, versions

from dqn_tf import bench, determinism, make_config

TOGETHER = "seeds_together="


def modules() -> tuple[Any, Callable[..., Any]]:
    """The module that looks at each update's loss, and what makes the loop."""
    try:
        return import_module("dqn_tf.training.run_state"), import_module("dqn_tf.training.loop").make_loop
    except ModuleNotFoundError:
        return import_module("dqn_tf.training.loop"), import_module("dqn_tf.training.concurrent").trainer_of


def together(config: Any, number: int, meter: Meter) -> None:
    """Train several seeds in step until killed.

    Args:
        config: of all of them, but for the seed.
        number: of seeds.
        meter: counts steps and updates of all of them.
    """
    in_step, loop = (import_module(f"dqn_tf.training.{name}") for name in ("in_step", "interleaved_loop"))
    loops = [loop.InterleavedLoop(dataclasses.replace(config, seed=seed)) for seed in range(number)]
    seeds = in_step.InStep(loops)
    while True:
        before = seeds.steps
        happened = seeds.advance(64)
        if happened.errors:
            raise happened.errors.popitem()[1]
        meter.step(number * (seeds.steps - before))
        for k in happened.records:
            seeds.adopt(k)


def main() -> None:
    """Train until killed."""
    preset, environment, counter, *settings = sys.argv[1:]
    meter = Meter(counter)
    seeds = [int(s.partition("=")[2]) for s in settings if s.startswith(TOGETHER)]
    settings = [s for s in settings if not s.startswith(TOGETHER)]
    settings = [*settings, f"replay.capacity={CAPACITY}"]
    config = bench.measured(make_config(preset, environment, frames=100_000_000, settings=settings))
    determinism.enable(config.agent.execution.threads)
    notes, make = modules()
    trainer = make(config)
    floor = bench.floor(trainer, bench.emulation_rate(config.environment))["floor_frames_per_s"]
    print(json.dumps({"versions": versions(), "floor_frames_per_s": floor}), flush=True)
    meter.before(notes, "check_finite", meter.update)
    if seeds:
        together(config, seeds[0], meter)
    steps = 0
    for _ in trainer.records(lambda: None):
        counters = getattr(trainer, "run", trainer).counters
        meter.step(counters.steps - steps)
        steps = counters.steps


if __name__ == "__main__":
    main()
