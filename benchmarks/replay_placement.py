#!/usr/bin/env python3
"""Time of an update with the replay on the host, on the device, and there with many updates per call.

    python benchmarks/replay_placement.py [--preset dqn_nature] [--rounds 5] [--updates 50] [--per-call 25]

Each round makes the same updates in all three ways, one after the other, on a replay of random frames; what is printed
are medians over rounds, of seconds and of ratios within a round, so that a machine that is busy disturbs all alike.
An update is the draw, the batch, the gradients and the step; nothing acts meanwhile.  They must agree in every bit.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from typing import Any, Literal

import numpy as np

from dqn_tf import determinism, envs, make_config
from dqn_tf.execution.learner import Learner
from dqn_tf.execution.update_scan import UpdateScan
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform
from dqn_tf.types import StepType, TimeStep

ROWS = 5_000


def build(preset: str, placement: Literal["host", "device"]) -> tuple[Replay, Learner]:
    """A replay of ``ROWS`` frames with episodes of 500 steps, and a learner.

    Args:
        preset: the learner's settings.
        placement: where frames are kept.

    Returns:
        Both, ready for updates.
    """
    config = make_config(preset, "breakout", frames=1_000_000)
    determinism.enable(config.agent.execution.threads)
    environment = envs.make(config.environment, config.protocol, 0)
    spec = environment.spec
    environment.close()
    storage = Storage(capacity=ROWS, placement=placement)
    agent = dataclasses.replace(config.agent, replay=Uniform(), storage=storage, min_replay_steps=ROWS)
    replay = Replay(agent.replay, agent.storage, spec.observation, agent.n_step, agent.discount, 0)
    random = np.random.default_rng(0)
    for row in range(ROWS):
        frame = random.integers(0, 256, spec.observation.frame_shape, np.uint8)
        kind = {0: StepType.FIRST, 499: StepType.LAST}.get(row % 500, StepType.MID)
        answer = TimeStep(frame, frame, 1.0, 1.0, kind, False, False, 1, 4)
        if kind == StepType.FIRST:
            replay.add_first(answer)
        else:
            replay.add(row % spec.num_actions, float(random.normal()), answer)
    return replay, Learner(agent, spec, 0, replay.gather_in_graph)


def one_by_one(replay: Replay, learner: Learner, first: int, number: int, size: int) -> None:
    """Carry out updates one after the other.

    Args:
        replay: samples come from it.
        learner: carries them out.
        first: number of the first update.
        number: how many updates.
        size: transitions of a batch.
    """
    for update in range(first, first + number):
        learner.update(replay.gather(replay.sample_indices(size, update), update), update).loss.numpy()


def in_calls(replay: Replay, block: UpdateScan, first: int, number: int, size: int, per_call: int) -> None:
    """Carry out updates several per compiled call.

    Args:
        replay: samples come from it.
        block: carries them out.
        first: number of the first update.
        number: how many updates, a multiple of ``per_call``.
        size: transitions of a batch.
        per_call: updates of one call.
    """
    for begin in range(first, first + number, per_call):
        block.run(replay.sample_indices_ahead(size, begin, per_call), begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="dqn_nature")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--updates", type=int, default=50, help="a multiple of --per-call (default: %(default)s)")
    parser.add_argument("--per-call", type=int, default=25)
    options = parser.parse_args()
    number = options.updates - options.updates % options.per_call
    makers: dict[str, Any] = {
        "host": build(options.preset, "host"),
        "device": build(options.preset, "device"),
        f"device, {options.per_call} per call": build(options.preset, "device"),
    }
    blocks = {name: UpdateScan(learner) for name, (_, learner) in makers.items()}
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in makers}
    for round_ in range(options.rounds + 1):
        for name, (replay, learner) in makers.items():
            size = learner.config.batch_size
            wall, core = time.perf_counter(), time.process_time()
            if "per call" in name:
                in_calls(replay, blocks[name], round_ * number, number, size, options.per_call)
            else:
                one_by_one(replay, learner, round_ * number, number, size)
            if round_:  # the first compiles
                seconds[name].append((time.perf_counter() - wall, time.process_time() - core))
    digests = {determinism.digest(learner.parameters.state()) for _, learner in makers.values()}
    base = np.array(seconds["host"])
    for name, found in seconds.items():
        times, ratios = np.median(1e3 * np.array(found) / number, axis=0), np.array(found) / base
        low, middle, high = np.quantile(ratios, (0, 0.5, 1), axis=0)
        print(f"{name:24}", end="")
        for column, kind in enumerate(("wall clock", "core time")):
            print(
                f"  {kind} {times[column]:6.2f} ms an update, {middle[column]:.2f} of the host's"
                f" ({low[column]:.2f} to {high[column]:.2f})",
                end="",
            )
        print()
    print("The same bytes." if len(digests) == 1 else "DIFFERENT BYTES.")


if __name__ == "__main__":
    main()
