"""The package equals the single-file DQN of examples/dqn_in_one_file.py, bit for bit, for some hundred updates."""

from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.optimizers import Adam, RMSProp
from dqn_tf.agent.values.expected import Expected
from dqn_tf.config import AgentConfig, Evaluation, RunConfig
from dqn_tf.modes import Interleaved
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform
from dqn_tf.training.interleaved_loop import InterleavedLoop
from dqn_tf.training.records import EpisodeRecord

EXAMPLE = Path(__file__).parents[2] / "examples" / "dqn_in_one_file.py"
GRID = "OracleGrid-v0"


def _load_oracle() -> Any:
    spec = importlib.util.spec_from_file_location("dqn_in_one_file", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["dqn_in_one_file"] = module
    spec.loader.exec_module(module)
    return module


oracle = _load_oracle()

SIZE, GOAL, PIT, LIMIT = 4, (3, 3), (1, 2), 12
MOVES = ((0, 1), (1, 0), (0, -1), (-1, 0))  # right, down, left, up: (row, column)


class Grid:
    """An agent walks from a cell that the seed decides.  The goal (+1) and the pit (-1) terminate the episode, and
    after 12 steps it is truncated.  Every step costs 0.03.  The agent sees four numbers."""

    inputs, actions = 4, len(MOVES)

    def reset(self, seed: int) -> np.ndarray:
        cells = [(r, c) for r in range(SIZE) for c in range(SIZE) if (r, c) not in (GOAL, PIT)]
        self.cell, self.age = cells[seed % len(cells)], 0
        return self.observation()

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool]:
        """observation, reward, terminated, truncated"""
        row, column = (x + dx for x, dx in zip(self.cell, MOVES[action], strict=True))
        if 0 <= row < SIZE and 0 <= column < SIZE:
            self.cell = (row, column)
        self.age += 1
        reward = {GOAL: 1.0, PIT: -1.0}.get(self.cell, 0.0) - 0.03
        terminated = self.cell in (GOAL, PIT)
        return self.observation(), reward, terminated, self.age >= LIMIT and not terminated

    def observation(self) -> np.ndarray:
        (row, column), (goal_row, goal_column) = self.cell, GOAL
        return np.array([row / 3, column / 3, (goal_row - row) / 3, (goal_column - column) / 3], np.float32)


class _GridEnv(gymnasium.Env):
    """The grid behind Gymnasium's interface."""

    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (4,), np.float32)
    action_space = gymnasium.spaces.Discrete(4)

    def __init__(self) -> None:
        self._grid = Grid()

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        assert seed is not None
        return self._grid.reset(seed), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        return (*self._grid.step(int(action)), {})


@pytest.fixture(scope="module", autouse=True)
def _registered() -> Iterator[None]:
    gymnasium.register(GRID, entry_point=_GridEnv)
    yield
    del gymnasium.registry[GRID]


def composed_config(s: Any) -> RunConfig:
    """The package's configuration that says what the oracle's settings say."""
    optimizer = Adam if s.optimizer == "adam" else RMSProp
    agent = AgentConfig(
        network=MLP(hidden=s.hidden, initialization=s.initialization),
        value=Expected(loss=s.loss),
        replay=Uniform(),
        storage=Storage(capacity=s.capacity),
        exploration=EpsilonGreedy(
            initial_epsilon=s.initial_epsilon,
            final_epsilon=s.final_epsilon,
            decay_steps=s.decay_steps,
            random_ties=s.random_ties,
        ),
        optimizer=optimizer(learning_rate=s.learning_rate),
        discount=s.discount,
        batch_size=s.batch_size,
        steps_per_update=s.steps_per_update,
        target_update_steps=s.target_update_steps,
        min_replay_steps=s.min_replay_steps,
        max_grad_norm=s.max_grad_norm,
        execution=Interleaved(xla=s.xla, threads=1),
    )
    evaluation = Evaluation(epsilon=0.0, episodes=1, final_episodes=1, period_iterations=0)
    return RunConfig(
        preset="oracle",
        agent=agent,
        environment=f"gym:{s.environment}",
        evaluation=evaluation,
        seed=s.seed,
        frames=s.steps,
        iteration_frames=10 * s.steps,
        heldout_states=5,
    )


def composed(s: Any) -> Any:
    """The oracle's trace, made by the package's InterleavedLoop, Learner, Replay and Behavior."""
    trainer, trace = InterleavedLoop(composed_config(s)), oracle.Trace()
    sampled: list[list[int]] = []
    learner, act, rows = trainer.run.learner, trainer.run.behavior.action, trainer.run.replay.sample_indices
    update, sync = learner.update, learner.parameters.sync_target

    def recording_act(q_values: Any, step: int, mask: Any) -> int:
        trace.actions.append(act(q_values, step, mask))
        return trace.actions[-1]

    def recording_rows(batch_size: int, number: int) -> Any:
        out = rows(batch_size, number)
        sampled.append(out[0].tolist())
        return out

    def recording_update(sample: Any, number: int) -> Any:
        out = update(sample, number)
        fingerprint = oracle.fingerprint(learner.online.variables)
        trace.updates.append((sampled[-1], float(out.loss), float(out.grad_norm), fingerprint))
        return out

    def recording_sync() -> None:
        sync()
        trace.target_updates += 1

    trainer.run.behavior.action, trainer.run.replay.sample_indices = recording_act, recording_rows  # type: ignore[method-assign]
    learner.update, learner.parameters.sync_target = recording_update, recording_sync  # type: ignore[method-assign]
    for record in trainer.records(lambda: None):
        if isinstance(record, EpisodeRecord):
            trace.episodes.append((record.steps, record.return_raw, bool(record.truncated)))
    trainer.environment.close()
    assert learner.traces == 1
    trace.weights = [v.numpy() for v in learner.online.variables]
    trace.target_weights = [v.numpy() for v in learner.target.variables]
    trace.slots = [np.asarray(v) for v in learner.optimizer.variables]
    return trace


def assert_equal(ours: Any, theirs: Any) -> None:
    """Every field of two traces, the first difference in time first."""
    for name in ("actions", "updates", "episodes", "target_updates"):
        a, b = getattr(ours, name), getattr(theirs, name)
        if a != b:
            where = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
            raise AssertionError(f"{name} differ first at {where}: {a[where : where + 1]} and {b[where : where + 1]}")
    for name in ("weights", "target_weights", "slots"):
        a, b = getattr(ours, name), getattr(theirs, name)
        assert [(x.shape, x.dtype, x.tobytes()) for x in a] == [(x.shape, x.dtype, x.tobytes()) for x in b], name


SMALL = {
    "environment": GRID,
    "steps": 700,
    "hidden": (16, 16),
    "loss": "huber",
    "optimizer": "rmsprop",
    "learning_rate": 2.5e-3,
    "max_grad_norm": None,
    "discount": 0.9,
    "capacity": 150,
    "batch_size": 16,
    "min_replay_steps": 100,
    "steps_per_update": 1,
    "target_update_steps": 40,
    "decay_steps": 300,
    "random_ties": True,
}
VARIANTS = {
    "nature": SMALL,
    "classic": {
        **SMALL,
        "optimizer": "adam",
        "loss": "squared",
        "max_grad_norm": 0.2,
        "random_ties": False,
        "seed": 3,
        "learning_rate": 3e-3,
        "steps_per_update": 2,
        "target_update_steps": 27,
        "hidden": (16,),
    },
    "dopamine": {**SMALL, "initialization": "glorot_uniform", "xla": "optimizer", "steps_per_update": 2, "seed": 2**40},
}


def trained(s: Any) -> Any:
    """The trace of the single file."""
    return oracle.train(s, Grid() if s.environment == GRID else oracle.GymnasiumTask(s.environment))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_composed_agent_equals_the_single_file(variant: str) -> None:
    settings = oracle.Settings(**VARIANTS[variant])
    theirs, ours = trained(settings), composed(settings)
    assert_equal(ours, theirs)
    # The comparison means something: learning, both kinds of episode end, syncs and a wrapped ring all occurred.
    assert len(ours.updates) >= 300 and len({theta for *_, theta in ours.updates}) == len(ours.updates)
    assert {truncated for _, _, truncated in ours.episodes} == {True, False}
    assert ours.target_updates >= 10 and len(ours.actions) > 2 * settings.capacity
    if (limit := settings.max_grad_norm) is not None:
        norms = [norm for _, _, norm, _ in ours.updates]
        assert min(norms) < limit < max(norms)
    assert not all(np.array_equal(a, b) for a, b in zip(ours.weights, ours.target_weights, strict=True))


def test_the_same_on_cartpole() -> None:
    """What the file trains when it is run, for its first 300 updates."""
    settings = oracle.Settings(steps=2_200)
    theirs, ours = trained(settings), composed(settings)
    assert_equal(ours, theirs)
    assert len(ours.updates) > 300 and len(ours.episodes) > 50


def test_the_wholly_compiled_update_agrees_up_to_rounding() -> None:
    """xla="update": XLA fuses across the lines of the update, and fuses two differently written programs differently,
    so that only the last bits may differ; 40 updates keep them from being amplified."""
    settings = oracle.Settings(**{**SMALL, "xla": "update", "steps": 140})
    theirs, ours = trained(settings), composed(settings)
    assert ours.actions == theirs.actions and len(ours.updates) > 40
    (indices, losses), (their_indices, their_losses) = (list(zip(*t.updates, strict=True))[:2] for t in (ours, theirs))
    assert indices == their_indices
    np.testing.assert_allclose(losses, their_losses, rtol=1e-4)
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def short() -> tuple[Any, Any]:
    """Settings of a short run, and the composed agent's trace of it."""
    settings = oracle.Settings(**{**SMALL, "steps": 260})
    return settings, composed(settings)


@pytest.mark.parametrize(
    "change",
    [
        {"discount": 0.9000001},
        {"target_update_steps": 41},
        {"loss": "squared"},
        {"capacity": 151},
        {"seed": 1},
        {"decay_steps": 250},
    ],
)
def test_the_comparison_notices_a_small_change(short: tuple[Any, Any], change: dict[str, Any]) -> None:
    settings, ours = short
    with pytest.raises(AssertionError):
        assert_equal(ours, trained(dataclasses.replace(settings, **change)))


def test_the_example_is_one_short_file_that_imports_nothing_of_the_package() -> None:
    text = EXAMPLE.read_text()
    assert len(text.splitlines()) <= 300
    imports = [line.split()[1] for line in text.splitlines() if line.strip().startswith(("import ", "from "))]
    standard = {"__future__", "argparse", "collections.abc", "dataclasses", "hashlib", "itertools", "typing"}
    assert set(imports) <= standard | {"gymnasium", "numpy", "tensorflow"}


def test_the_file_runs_as_it_says() -> None:
    arguments = ["--environment", "CartPole-v1", "--seed", "1", "--steps", "1500"]
    done = subprocess.run([sys.executable, EXAMPLE, *arguments], capture_output=True, text=True, check=True)
    means = [float(line.split()[-1]) for line in done.stdout.splitlines()]
    assert len(means) >= 2 and all(5 < mean < 500 for mean in means)
