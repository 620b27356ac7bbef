#!/usr/bin/env python3
"""Frames per second of PQN on Breakout: ours with its emulators, and CleanRL's network and update without any.

    python benchmarks/pqn_speed.py ours [--preset pqn_atari] [--environment breakout] [--seconds 30] [--set FIELD=VALUE]
    PYTHON_WITH_TORCH benchmarks/pqn_speed.py cleanrl CHECKOUT [--seconds 30] [--threads 2]

``ours``: whole rollouts with their updates, after two to warm up; a line of JSON with frames/s, and the share of each
phase.  `--preset dqn_nature` has 5,000 steps to warm up.  ``cleanrl``: `cleanrl/pqn_atari_envpool.py` of a checkout
(vwxyzjn/cleanrl@fe8d8a03): its QNetwork, which acts in 8 environments for 128 steps, and its own lines from "Compute
Q(lambda) targets" to the end of the last epoch, on random frames.  Emulation is left out, so its program is slower than
that.  Run both in turn on an idle machine.
"""

from __future__ import annotations

import argparse
import ast
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

FRAME_SKIP = 4


def ours(options: argparse.Namespace) -> dict[str, Any]:
    """Train until the time is over.

    Args:
        options: preset, environment, seconds, settings.

    Returns:
        frames/s, and the share of each phase.
    """
    from dqn_tf import determinism, make_config
    from dqn_tf.training.loop import make_loop

    settings = ["evaluation.period_iterations=0", "iteration_frames=204800000", *options.set]
    if options.preset.startswith("dqn"):
        settings += ["min_replay_steps=5000", "replay.capacity=20000"]
    config = make_config(options.preset, options.environment, frames=204_800_000, settings=settings)
    determinism.enable(config.agent.execution.threads)
    loop = make_loop(config)
    try:
        records, agent = loop.records(lambda: None), config.agent
        warm = agent.min_replay_steps + max(agent.steps_per_update, 500)
        while loop.run.counters.steps < warm:
            next(records)
        loop.run.seconds.clear()
        begun, first, updates = time.perf_counter(), loop.run.counters.frames, loop.run.counters.updates
        while time.perf_counter() - begun < options.seconds or loop.run.counters.steps % agent.steps_per_update:
            next(records)
        wall = time.perf_counter() - begun
        shares = {name: round(seconds / wall, 3) for name, seconds in loop.run.seconds.items()}
        made = loop.run.counters.updates - updates
        return {"frames_per_s": (loop.run.counters.frames - first) / wall, "updates_per_s": made / wall, **shares}
    finally:
        loop.close()


def cleanrl(options: argparse.Namespace) -> dict[str, Any]:
    """Time their rollouts and updates.

    Args:
        options: checkout, seconds, threads.

    Returns:
        frames/s, were emulation free.
    """
    import torch  # type: ignore[import-not-found, unused-ignore]
    from torch import nn, optim

    torch.set_num_threads(options.threads)
    tree = ast.parse((options.checkout / "cleanrl" / "pqn_atari_envpool.py").read_text())
    made: list[Any] = [node for node in ast.walk(tree) if getattr(node, "name", "") in ("layer_init", "QNetwork")]
    loop = next(n for n in ast.walk(tree) if isinstance(n, ast.For) and ast.unparse(n.target) == "iteration")
    starts = next(i for i, node in enumerate(loop.body) if isinstance(node, ast.With))
    ends = next(i for i, node in enumerate(loop.body) if isinstance(node, ast.For) and "epoch" in ast.unparse(node))
    space = type("Space", (), {"shape": (4, 84, 84), "n": 4})
    envs: Any = type("Envs", (), {"single_observation_space": space, "single_action_space": space})
    names: dict[str, Any] = {"np": np, "torch": torch, "nn": nn, "F": torch.nn.functional, "envs": envs}
    exec(compile(ast.Module(made, []), "<cleanrl>", "exec"), names)
    network = names["QNetwork"](envs)
    envs.single_action_space = type("Actions", (), {"shape": ()})
    steps, number = 128, 8
    frames = torch.randint(0, 256, (steps, number, 4, 84, 84)).float()
    update = compile(ast.Module(loop.body[starts : ends + 1], []), "<cleanrl>", "exec")
    args = {"num_steps": steps, "gamma": 0.99, "q_lambda": 0.65, "update_epochs": 4, "max_grad_norm": 10.0}
    args |= {"batch_size": steps * number, "minibatch_size": steps * number // 4}
    names.update(
        args=argparse.Namespace(**args),
        device="cpu",
        q_network=network,
        obs=frames,
        next_obs=frames[0],
        optimizer=optim.RAdam(network.parameters(), lr=2.5e-4),
        actions=torch.randint(0, 4, (steps, number)),
        rewards=torch.randn(steps, number),
        dones=torch.zeros(steps, number),
        next_done=torch.zeros(number),
    )
    begun, rollouts = time.perf_counter(), -1
    while rollouts < 1 or time.perf_counter() - begun < options.seconds:
        if rollouts == 0:
            begun = time.perf_counter()  # the first one warms up
        with torch.no_grad():
            names["values"] = torch.stack([network(frames[t]).max(-1).values for t in range(steps)])
        exec(update, names)
        rollouts += 1
    return {"frames_per_s_without_emulation": rollouts * steps * number * FRAME_SKIP / (time.perf_counter() - begun)}


def main() -> None:
    """Measure, and print a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", choices=["ours", "cleanrl"])
    parser.add_argument("checkout", nargs="?", type=Path)
    parser.add_argument("--preset", default="pqn_atari")
    parser.add_argument("--environment", default="breakout")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    print(json.dumps(ours(options) if options.program == "ours" else cleanrl(options)), flush=True)


if __name__ == "__main__":
    main()
