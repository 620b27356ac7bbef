"""dqn_tf itself, watched as ``peers.py`` watches the others.  ``versus_peers.py`` starts it.

    python benchmarks/ours.py PRESET COUNTER [FIELD=VALUE ...]

The first line of output is JSON: the floor of this agent on this machine, and releases.
"""

from __future__ import annotations

import json
import sys

from peers import CAPACITY, Meter, versions

from dqn_tf import bench, determinism, make_config
from dqn_tf.training import run_state
from dqn_tf.training.loop import make_loop


def main() -> None:
    """Train until killed."""
    preset, counter, *settings = sys.argv[1:]
    meter = Meter(counter)
    settings = [*settings, f"replay.capacity={CAPACITY}"]
    config = bench.measured(make_config(preset, "breakout", frames=100_000_000, settings=settings))
    determinism.enable(config.agent.execution.threads)
    trainer = make_loop(config)
    floor = bench.floor(trainer, bench.emulation_rate(config.environment))["floor_frames_per_s"]
    print(json.dumps({"versions": versions(), "floor_frames_per_s": floor}), flush=True)
    meter.before(run_state, "check_finite", meter.update)
    steps = 0
    for _ in trainer.records(lambda: None):
        meter.step(trainer.run.counters.steps - steps)
        steps = trainer.run.counters.steps


if __name__ == "__main__":
    main()
