"""The composed agent equals the single-file DQN of ``dqn_oracle.py``, bit for bit, for some hundred updates."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from dqn_tf.config import AgentConfig, Evaluation, Interleaved, RunConfig
from dqn_tf.learning.exploration import EpsilonGreedy
from dqn_tf.learning.optimizers import Adam, RMSProp
from dqn_tf.networks.torsos import MLP
from dqn_tf.replay.uniform import Uniform
from dqn_tf.training.loop import EpisodeRecord, Trainer
from dqn_tf.values.expected import Expected

HERE = Path(__file__).parent
ENV_ID = "OracleGrid-v0"


def _load_oracle() -> Any:
    spec = importlib.util.spec_from_file_location("dqn_oracle", HERE / "dqn_oracle.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["dqn_oracle"] = module
    spec.loader.exec_module(module)
    return module


oracle = _load_oracle()


class _GridEnv(gymnasium.Env):
    """The oracle's grid behind Gymnasium's interface."""

    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (4,), np.float32)
    action_space = gymnasium.spaces.Discrete(4)

    def __init__(self) -> None:
        self._grid = oracle.Grid()

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        assert seed is not None
        return self._grid.reset(seed), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        return (*self._grid.step(int(action)), {})


@pytest.fixture(scope="module", autouse=True)
def _registered() -> Iterator[None]:
    gymnasium.register(ENV_ID, entry_point=_GridEnv)
    yield
    del gymnasium.registry[ENV_ID]


def composed_config(s: Any) -> RunConfig:
    """The package's configuration that says what the oracle's settings say."""
    optimizer = Adam if s.optimizer == "adam" else RMSProp
    agent = AgentConfig(
        network=MLP(hidden=s.hidden, initialization=s.initialization),
        value=Expected(loss=s.loss),
        replay=Uniform(capacity=s.capacity),
        exploration=EpsilonGreedy(initial_epsilon=s.initial_epsilon, final_epsilon=s.final_epsilon,
                                  decay_steps=s.decay_steps, random_ties=s.random_ties),
        optimizer=optimizer(learning_rate=s.learning_rate),
        discount=s.discount,
        batch_size=s.batch_size,
        steps_per_update=s.steps_per_update,
        target_update_steps=s.target_update_steps,
        min_replay_steps=s.min_replay_steps,
        max_grad_norm=s.max_grad_norm,
        execution=Interleaved(xla=s.xla, threads=1),
    )  # fmt: skip
    evaluation = Evaluation(epsilon=0.0, episodes=1, final_episodes=1, period_iterations=0)
    return RunConfig(preset="oracle", agent=agent, environment=f"gym:{ENV_ID}", evaluation=evaluation, seed=s.seed,
                     frames=s.steps, iteration_frames=10 * s.steps, heldout_states=5)  # fmt: skip


def composed(s: Any) -> Any:
    """The oracle's trace, made by the package's Trainer, Learner, Replay and Behavior."""
    trainer, trace = Trainer(composed_config(s)), oracle.Trace()
    learner, act, rows, update, sync = (trainer.learner, trainer.behavior.action, trainer.replay.rows,
                                      trainer.learner.update, trainer.learner.sync_target)  # fmt: skip

    def recording_act(q_values: Any, step: int) -> int:
        trace.actions.append(act(q_values, step))
        return trace.actions[-1]

    def recording_rows(batch_size: int, number: int) -> Any:
        out = rows(batch_size, number)
        trace.rows.append(out[0].tolist())
        return out

    def recording_update(sample: Any, number: int) -> Any:
        out = update(sample, number)
        trace.losses.append(float(out.loss))
        trace.grad_norms.append(float(out.grad_norm))
        trace.weights_after.append(oracle.fingerprint([v.numpy() for v in learner.online.variables]))
        return out

    def recording_sync() -> None:
        sync()
        trace.syncs += 1

    trainer.behavior.action, trainer.replay.rows = recording_act, recording_rows  # type: ignore[method-assign]
    learner.update, learner.sync_target = recording_update, recording_sync  # type: ignore[method-assign]
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
    for name in ("actions", "rows", "losses", "grad_norms", "weights_after", "episodes", "syncs"):
        a, b = getattr(ours, name), getattr(theirs, name)
        if a != b:
            where = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
            raise AssertionError(f"{name} differ first at {where}: {a[where : where + 1]} and {b[where : where + 1]}")
    for name in ("weights", "target_weights", "slots"):
        a, b = getattr(ours, name), getattr(theirs, name)
        assert [(x.shape, x.dtype, x.tobytes()) for x in a] == [(x.shape, x.dtype, x.tobytes()) for x in b], name


VARIANTS = {
    "nature": {},
    "classic": {"optimizer": "adam", "loss": "squared", "max_grad_norm": 0.2, "random_ties": False, "seed": 3,
                "learning_rate": 3e-3, "steps_per_update": 2, "target_update_steps": 27, "hidden": (16,)},
    "dopamine": {"initialization": "glorot_uniform", "xla": "optimizer", "steps_per_update": 2, "seed": 2**40},
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_composed_agent_equals_the_single_file(variant: str) -> None:
    settings = oracle.Settings(**VARIANTS[variant])
    theirs, ours = oracle.train(settings), composed(settings)
    assert_equal(ours, theirs)
    # The comparison means something: learning, both kinds of episode end, syncs and a wrapped ring all occurred.
    assert len(ours.rows) >= 300 and len(set(ours.weights_after)) == len(ours.rows)
    assert {truncated for _, _, truncated in ours.episodes} == {True, False}
    assert ours.syncs >= 10 and len(ours.actions) > 2 * settings.capacity
    if (limit := settings.max_grad_norm) is not None:
        assert min(ours.grad_norms) < limit < max(ours.grad_norms)
    assert not all(np.array_equal(a, b) for a, b in zip(ours.weights, ours.target_weights, strict=True))


def test_the_wholly_compiled_update_agrees_up_to_rounding() -> None:
    """xla="update": XLA fuses across the lines of the update, and fuses two differently written programs differently,
    so that only the last bits may differ; 40 updates keep them from being amplified."""
    settings = oracle.Settings(xla="update", steps=140)
    theirs, ours = oracle.train(settings), composed(settings)
    assert ours.rows == theirs.rows and ours.actions == theirs.actions and len(ours.rows) > 40
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=1e-4)
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def short() -> tuple[Any, Any]:
    """Settings of a short run, and the composed agent's trace of it."""
    settings = oracle.Settings(steps=260)
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
        assert_equal(ours, oracle.train(dataclasses.replace(settings, **change)))


def test_the_oracle_is_one_short_file_that_imports_nothing_of_the_package() -> None:
    text = (HERE / "dqn_oracle.py").read_text()
    assert len(text.splitlines()) <= 300
    imports = [line.split()[1] for line in text.splitlines() if line.strip().startswith(("import ", "from "))]
    assert set(imports) <= {"__future__", "dataclasses", "hashlib", "itertools", "typing", "numpy", "tensorflow"}
