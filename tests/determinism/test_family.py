"""Every combination of ideas that a preset has, small and on CartPole: stopped in the middle, saved, restored and
continued, it is as if never stopped.

The run that is not stopped looks ahead (threads=2), the continued one does not: that changes no byte either.  Where
execution is fused, one of them runs two operations at a time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.no_auxiliary import NoAuxiliary
from dqn_tf.agent.resets import NoResets
from dqn_tf.agent.unaugmented import Unaugmented
from dqn_tf.config import RunConfig
from dqn_tf.modes import Fused, Interleaved
from dqn_tf.presets import load
from dqn_tf.training.checkpoint import Store
from dqn_tf.training.interleaved_loop import InterleavedLoop
from dqn_tf.training.records import IterationRecord

pytestmark = pytest.mark.slow
SMALLER = {
    "categorical": {"atoms": 11},
    "quantile": {"quantiles": 7},
    "implicit_quantile": {"samples": 4, "target_samples": 5, "policy_samples": 6, "cosines": 8},
    "fqf": {"fractions": 4, "cosines": 8},
}
STOP, END = 91, 160
ROLLOUTS = ("pqn_classic", "pqn_minatar", "pqn_atari")  # a loop of their own: tests/training/test_rollout_loop.py
FUSED = ("dqn_classic", "rainbow_classic", "fqf_classic", "m_iqn_classic", "noisy_classic", "prioritized_rank_classic")


def small(config: RunConfig, preset: str, threads: int, execution: Any = Interleaved) -> RunConfig:
    """The preset's ideas at a size for tests; 160 steps, iterations of 60, a ring of 70 rows."""
    agent = load(preset).agent
    agent = dataclasses.replace(
        agent,
        network=MLP(hidden=(8, 8)),
        value=dataclasses.replace(agent.value, **SMALLER.get(agent.value.KIND, {})),
        storage=dataclasses.replace(agent.storage, capacity=70),
        exploration=dataclasses.replace(agent.exploration, decay_steps=40),
        optimizer=dataclasses.replace(agent.optimizer, learning_rate=1e-3),
        augmentation=Unaugmented(),
        auxiliary=NoAuxiliary(),
        resets=NoResets(),
        batch_size=4,
        steps_per_update=2,
        target_update_steps=25,
        min_replay_steps=30,
        execution=execution(xla="none", threads=threads),
    )
    return dataclasses.replace(config, preset=preset, agent=agent, frames=END, iteration_frames=60)


def run(trainer: InterleavedLoop, until: int) -> list[Any]:
    """Go on until so many steps are made and every record of them is out."""
    out = []
    for record in trainer.records(lambda: None):
        out.append(record)
        if trainer.run.counters.steps >= until and until < END:
            break
    return out


def test_stopped_and_continued(preset_of_ideas: str, tmp_path: Path, cartpole: Callable[..., RunConfig]) -> None:
    """Presets of the same ideas differ in numbers, which are saved by nobody: they are in the configuration."""
    if preset_of_ideas in ROLLOUTS:
        pytest.skip("its loop is another one: tests/training/test_rollout_loop.py")
    stop_and_continue(cartpole(), preset_of_ideas, Interleaved, tmp_path)


@pytest.mark.parametrize("preset", FUSED)
def test_fused_stopped_and_continued(preset: str, tmp_path: Path, cartpole: Callable[..., RunConfig]) -> None:
    stop_and_continue(cartpole(), preset, Fused, tmp_path)


def stop_and_continue(config: RunConfig, preset: str, execution: Any, tmp_path: Path) -> None:
    whole = InterleavedLoop(small(config, preset, 2, execution))
    run(whole, STOP)
    store = Store(tmp_path / "checkpoints", "identity")
    store.save(STOP, {"run": whole.state()}, whole.run.pieces())
    at_stop = whole.run.learner.parameters.state()
    continued = InterleavedLoop(small(config, preset, 1, execution))
    loaded = Store(tmp_path / "checkpoints", "identity").load(pytest.fail)
    assert loaded is not None
    continued.restore(loaded[1]["run"], loaded[2])
    assert continued.digest() == whole.digest()
    records = run(whole, END)
    again = run(continued, END)
    # Rows as text: nan is nan.  Monitors among them, so that these too are functions of the saved state.
    rows = [[str(r.row) for r in found if isinstance(r, IterationRecord)] for found in (records, again)]
    assert rows[0] == rows[1] and len(rows[0]) == 2
    assert set(whole.run.monitors.columns) <= set(next(r for r in records if isinstance(r, IterationRecord)).row)
    assert continued.digest() == whole.digest() and continued.run.counters == whole.run.counters
    assert continued.updater.commits == 0
    # What could have differed occurred after the stop: updates, a copy, ends of episodes, a wrap, an evaluation.
    assert whole.run.counters.updates >= 30 and whole.run.counters.episodes >= 3 and whole.run.replay.ring.head > 2 * 70
    assert any(isinstance(r, IterationRecord) and r.row["eval_episodes"] > 0 for r in records)
    now = whole.run.learner.parameters.state()
    for part in ("online", "target", "optimizer"):
        names = [name for name in now if name.startswith(f"{part}/")]
        assert any(not np.array_equal(now[name], at_stop[name]) for name in names), part
    if whole.run.replay.sampler.has_priorities:
        assert whole.run.replay.sampler.transitions == END - len(whole.run.replay._accumulator)
        assert whole.run.replay.sampler.largest != 1.0 or "priority" in str(whole.run.replay.sampler.state().keys())
    for trainer in (whole, continued):
        trainer.environment.close()
