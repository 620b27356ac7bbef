"""Catch: a toy that rewards only what was done some steps ago, and settings that let every preset learn it in seconds.

    python tests/presets/catch.py [--seeds 1,2,3] [PRESET ...]      # what each preset scores, untrained and trained

A ball falls through a board of 5 columns while a paddle moves left, stays or moves right.  The last of 5 steps pays 1
if the ball is caught and -1 if it is not, and nothing pays before: what the first steps are worth is known only by what
the later ones are.  All 25 starts can be caught.  Chance scores -0.6, and so does every constant action.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from typing import Any

import gymnasium
import numpy as np

from dqn_tf.agent.networks.impala import Impala
from dqn_tf.agent.networks.torsos import CNN, MLP
from dqn_tf.agent.no_auxiliary import NoAuxiliary
from dqn_tf.agent.resets import NoResets, ShrinkPerturb
from dqn_tf.agent.unaugmented import Unaugmented
from dqn_tf.config import Evaluation, RunConfig
from dqn_tf.envs import ImageProtocol
from dqn_tf.modes import Interleaved, Rollouts
from dqn_tf.presets import PRESETS, load
from dqn_tf.replay.storage import Storage

ENV_ID, SCREENS_ID = "Catch-v0", "CatchScreens-v0"
COLUMNS, STEPS = 5, 5
SOLVED, HOPELESS = 0.6, 0.0  # mean return of 100 greedy episodes


class Catch(gymnasium.Env[np.ndarray, int]):
    """Observation: the board's 25 cells with the ball in it, and the paddle's 5: [30] of 0 and 1."""

    observation_space = gymnasium.spaces.Box(0.0, 1.0, (COLUMNS * STEPS + COLUMNS,), np.float32)
    action_space = gymnasium.spaces.Discrete(3)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        assert seed is not None
        self.ball, self.paddle = divmod(seed % COLUMNS**2, COLUMNS)
        self.age = 0
        return self.observation(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.paddle = min(max(self.paddle + int(action) - 1, 0), COLUMNS - 1)
        self.age += 1
        over = self.age == STEPS
        reward = (1.0 if self.paddle == self.ball else -1.0) if over else 0.0
        return self.observation(), reward, over, False, {}

    def observation(self) -> np.ndarray:
        board = np.zeros((STEPS + 1, COLUMNS), np.float32)
        if self.age < STEPS:
            board[self.age, self.ball] = 1
        board[-1, self.paddle] = 1
        return board.ravel()


class CatchScreens(Catch):
    """The same game on screens [6, 5, 1] of bytes: the board, and below it the paddle's row."""

    observation_space = gymnasium.spaces.Box(0, 255, (STEPS + 1, COLUMNS, 1), np.uint8)

    def observation(self) -> np.ndarray:
        return (255 * super().observation()).astype(np.uint8).reshape(STEPS + 1, COLUMNS, 1)


SMALLER: dict[str, dict[str, Any]] = {
    "expected": {},
    "categorical": {"atoms": 21, "v_min": -2.0, "v_max": 2.0},
    "quantile": {"quantiles": 11},
    "implicit_quantile": {"samples": 8, "target_samples": 8, "policy_samples": 8, "cosines": 16},
    "fqf": {"fractions": 8, "cosines": 16},
    "random_ensemble": {"heads": 8},
    "cloning": {},
    "uniform": {},
    "prioritized": {},
    "prioritized_rank": {"sort_updates": 200},
}


def config(preset: str, seed: int = 1) -> RunConfig:
    """The preset on Catch.  Sizes, clocks and the learning rate are the toy's; every idea and its fields are the
    preset's: value, bootstrap, head, layers, replay, n-step, exploration, optimizer, clipping."""
    agent = load(preset).agent
    if hasattr(agent.optimizer, "decay_updates"):
        agent = dataclasses.replace(agent, optimizer=dataclasses.replace(agent.optimizer, decay_updates=None))
    if hasattr(agent.returns, "decay_updates"):
        agent = dataclasses.replace(agent, returns=dataclasses.replace(agent.returns, decay_updates=300))
    replay: dict[str, Any] = dict(SMALLER[agent.replay.KIND])
    if hasattr(agent.replay, "importance"):
        replay["importance"] = dataclasses.replace(agent.replay.importance, start=0, end=1_000)
    rollouts = isinstance(agent.execution, Rollouts)
    toy: dict[str, Any] = {
        "network": MLP(
            hidden=(32, 32), initialization=agent.network.initialization, in_head="all" if rollouts else "last"
        ),
        "value": dataclasses.replace(agent.value, **SMALLER[agent.value.KIND]),
        "replay": dataclasses.replace(agent.replay, **replay),
        "storage": dataclasses.replace(agent.storage, capacity=2_000),
        "exploration": _exploration(agent.exploration),
        "optimizer": dataclasses.replace(agent.optimizer, learning_rate=LEARNING_RATE),
        "augmentation": Unaugmented(),
        "auxiliary": NoAuxiliary(),
        "resets": NoResets(),
        "batch_size": 32,
        "steps_per_update": 2 * agent.updates_at_once,
        "target_update_steps": 60,
        "min_replay_steps": 200,
        "execution": Interleaved(xla="none", threads=1),
    }
    agent = dataclasses.replace(agent, **{**toy, **(ROLLOUTS if rollouts else {})})
    return RunConfig(
        preset=preset,
        agent=agent,
        environment=f"gym:{ENV_ID}",
        evaluation=Evaluation(epsilon=0.0, final_episodes=100, period_iterations=0),
        seed=seed,
        frames=FRAMES,
        iteration_frames=FRAMES,
        heldout_states=10,
    )


def on_screens(preset: str, seed: int = 1) -> RunConfig:
    """``config`` on screens: a convolution for a torso, or IMPALA's at a tiny size; the preset's auxiliary loss, two
    steps ahead; and one of its resets, where it has some."""
    run, agent = config(preset, seed), load(preset).agent
    torso: Any = CNN(channels=(4,), kernels=(3,), strides=(1,), padding="same", hidden=32, latent="min_max")
    if isinstance(agent.network, Impala):
        torso = dataclasses.replace(agent.network, channels=(2,), blocks=1, hidden=32)
    auxiliary = agent.auxiliary
    if not isinstance(auxiliary, NoAuxiliary):
        auxiliary = dataclasses.replace(auxiliary, steps=2)
    resets = agent.resets
    if isinstance(resets, ShrinkPerturb):
        resets = dataclasses.replace(resets, period_steps=400, until_steps=400)
    changed = dataclasses.replace(
        run.agent,
        network=dataclasses.replace(torso, initialization=agent.network.initialization),
        auxiliary=auxiliary,
        resets=resets,
    )
    protocol = ImageProtocol(stack=1)
    length = dict.fromkeys(("frames", "iteration_frames"), 1_500 if resets is agent.resets else 2_000)
    return dataclasses.replace(run, environment=f"gym:{SCREENS_ID}", protocol=protocol, agent=changed, **length)


def _exploration(rule: Any) -> Any:
    """A constant epsilon of 0.01 ("Revisiting Rainbow") finds too little in 2,500 steps: the toy's own decays to it."""
    constant = rule.initial_epsilon == rule.final_epsilon > 0
    first = 1.0 if constant else rule.initial_epsilon
    return dataclasses.replace(rule, initial_epsilon=first, decay_steps=1_000)


LEARNING_RATE, FRAMES = 4e-3, 2_500
ROLLOUTS: dict[str, Any] = {  # 10 steps of 5 environments; 8 epochs of 2 minibatches
    **dict.fromkeys(("steps_per_update", "target_update_steps", "min_replay_steps"), 50),
    "storage": Storage(capacity=50),
    "batch_size": 25,
    "updates_at_once": 16,
    "execution": Rollouts(xla="none", threads=1, environments=5, workers=0),
}


def scores(run: RunConfig) -> tuple[float, float]:
    """Mean return of the greedy agent before and after training."""
    from dqn_tf.training import iterations
    from dqn_tf.training.loop import make_loop

    trainer = make_loop(run)
    try:
        before = [score.return_raw for score in iterations.final_scores(trainer.run, lambda: None)]
        for _ in trainer.records(lambda: None):
            pass
        after = [score.return_raw for score in iterations.final_scores(trainer.run, lambda: None)]
    finally:
        trainer.close()
    return float(np.mean(before)), float(np.mean(after))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("presets", nargs="*", default=PRESETS)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    gymnasium.register(ENV_ID, entry_point=Catch)
    for preset in options.presets:
        for seed in map(int, options.seeds.split(",")):
            clock, wall = time.process_time(), time.perf_counter()
            before, after = scores(config(preset, seed).with_settings(options.set))
            spent = f"{time.process_time() - clock:.1f} s of CPU, {time.perf_counter() - wall:.1f} s"
            print(f"{preset:26} seed {seed}: {before:5.2f} -> {after:5.2f}   {spent}", flush=True)


if __name__ == "__main__":
    main()
