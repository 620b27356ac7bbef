"""The loop: when it acts, learns, copies, reports, and what a state of it holds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.checks import RunError
from dqn_tf.config import Evaluation, RunConfig
from dqn_tf.envs.protocols import PROTOCOLS
from dqn_tf.training.interleaved_loop import InterleavedLoop
from dqn_tf.training.records import EpisodeRecord, IterationRecord


@pytest.fixture
def trainer(cartpole: Callable[..., RunConfig]) -> Iterator[Callable[..., InterleavedLoop]]:
    """A function (field=value, ...) -> a trainer of the tiny agent on CartPole; agent fields are given as agent={}."""
    made = []

    def build(agent: dict[str, Any] | None = None, **changes: Any) -> InterleavedLoop:
        config = cartpole(**changes)
        made.append(
            InterleavedLoop(dataclasses.replace(config, agent=dataclasses.replace(config.agent, **(agent or {}))))
        )
        return made[-1]

    yield build
    for one in made:
        one.close()


def run(one: InterleavedLoop, steps: int | None = None) -> list[Any]:
    """What a trainer yields that is not None, to the end or for so many steps."""
    records, stop_at = [], math.inf if steps is None else one.run.counters.steps + steps
    for record in one.records(lambda: None):
        records.append(record)
        if one.run.counters.steps >= stop_at:
            break
    return [r for r in records if r is not None]


def watched(one: InterleavedLoop, owner: Any, name: str) -> list[int]:
    """The agent steps after which a method is called."""
    steps: list[int] = []
    method = getattr(owner, name)

    def call(*arguments: Any, **more: Any) -> Any:
        steps.append(one.run.counters.steps)
        return method(*arguments, **more)

    setattr(owner, name, call)
    return steps


# -- the paper's interleaving ------------------------------------------------------------------------------------------
def test_when_it_learns_and_copies(trainer: Callable[..., InterleavedLoop]) -> None:
    """min_replay_steps = 8, an update every 4 steps, a copy every 20: Mnih et al. 2015, algorithm 1."""
    one = trainer()
    updates, copies = watched(one, one.updater, "update"), watched(one, one.run.learner.parameters, "sync_target")
    run(one)
    assert updates == list(range(8, 101, 4))
    assert copies == [20, 40, 60, 80, 100]
    assert one.run.counters.updates == len(updates) == 24


def test_no_copy_before_learning_starts(trainer: Callable[..., InterleavedLoop]) -> None:
    one = trainer(agent={"min_replay_steps": 50, "steps_per_update": 1})
    updates, copies = watched(one, one.updater, "update"), watched(one, one.run.learner.parameters, "sync_target")
    run(one)
    assert updates == list(range(50, 101)) and copies == [60, 80, 100]


def test_each_batch_is_drawn_from_its_own_counter(trainer: Callable[..., InterleavedLoop]) -> None:
    one = trainer()
    drawn: list[tuple[int, int]] = []
    rows = one.run.replay.sample_indices
    one.run.replay.sample_indices = lambda size, update: drawn.append((size, update)) or rows(size, update)
    run(one)
    assert drawn == [(4, update) for update in range(24)]


def test_counters(trainer: Callable[..., InterleavedLoop]) -> None:
    one = trainer()
    episodes = [r for r in run(one) if isinstance(r, EpisodeRecord)]
    assert one.run.counters._asdict() == {
        "frames": 100,
        "steps": 100,
        "updates": 24,
        "episodes": len(episodes),
        "iterations": 3,
    }


def test_every_step_is_stored(trainer: Callable[..., InterleavedLoop]) -> None:
    """One row per step, and one for the first frame of each episode."""
    one = trainer(agent={"min_replay_steps": 8})
    run(one, steps=40)
    episodes = one.run.counters.episodes
    assert one.run.replay.ring.head == 40 + episodes + (0 if one.timestep.step_type == 2 else 1)


# -- records -----------------------------------------------------------------------------------------------------------
def test_episodes(trainer: Callable[..., InterleavedLoop]) -> None:
    """CartPole pays 1 a step: lengths and returns agree and add up to the frames at which episodes end."""
    found = [r for r in run(trainer()) if isinstance(r, EpisodeRecord)]
    assert [r.episode for r in found] == list(range(len(found))) and len(found) > 2
    assert [r.frames for r in found] == np.cumsum([r.length_frames for r in found]).tolist()
    assert all(r.return_raw == r.length_frames and r.steps == r.frames and r.truncated == 0 for r in found)


def test_iterations(trainer: Callable[..., InterleavedLoop]) -> None:
    """40, 40, and the 20 that are left; each row sums its own iteration only."""
    one = trainer()
    records = run(one)
    rows = [r.row for r in records if isinstance(r, IterationRecord)]
    episodes = [r for r in records if isinstance(r, EpisodeRecord)]
    assert [(r["iteration"], r["frames"], r["updates"]) for r in rows] == [(0, 40, 9), (1, 80, 19), (2, 100, 24)]
    for row, (low, high) in zip(rows, ((0, 40), (40, 80), (80, 100)), strict=True):
        returns = [e.return_raw for e in episodes if low < e.frames <= high]
        assert row["train_episodes"] == len(returns)
        assert row["train_return_mean"] == (
            pytest.approx(np.mean(returns)) if returns else pytest.approx(np.nan, nan_ok=True)
        )
        assert row["eval_episodes"] == 2 and 8 <= row["eval_return_mean"] <= 500
        assert (
            math.isfinite(row["loss"])
            and row["td_error_std"] >= 0
            and row["grad_norm_max"] >= row["grad_norm_mean"] > 0
        )
    assert [r["replay_size"] for r in rows] == [min(64, row["steps"] + row["episodes"] + 1) for row in rows]
    assert len({r["state_digest"] for r in rows}) == 3


def test_epsilon_is_that_of_the_next_step(trainer: Callable[..., InterleavedLoop]) -> None:
    rule = EpsilonGreedy(initial_epsilon=1.0, final_epsilon=0.0, decay_steps=64)
    rows = [r.row for r in run(trainer(agent={"exploration": rule})) if isinstance(r, IterationRecord)]
    assert [r["epsilon"] for r in rows] == [0.5, 0.0, 0.0]  # 1 - (40 - 8) / 64


def test_mean_max_q_over_states_fixed_before_learning(trainer: Callable[..., InterleavedLoop]) -> None:
    """Five states of the replay at step 8, never changed; the mean over them of max_a Q(s, a)."""
    one = trainer()
    run(one, steps=8)
    states = np.array(one.run.heldout)
    assert states.shape == (5, 4)
    assert all(any(np.array_equal(s, frame) for frame in one.run.replay.ring.frames.read_range(0, 9)) for s in states)
    last = [r for r in run(one) if isinstance(r, IterationRecord)][-1]
    assert np.array_equal(one.run.heldout, states)
    want = np.asarray(one.run.learner.q_values(states)).max(axis=1).mean()
    assert last.row["heldout_max_q_mean"] == pytest.approx(want, rel=1e-6)


def test_evaluation_every_other_iteration(trainer: Callable[..., InterleavedLoop]) -> None:
    one = trainer(evaluation=Evaluation(episodes=1, period_iterations=2))
    rows = [r.row for r in run(one) if isinstance(r, IterationRecord)]
    assert [r["eval_episodes"] for r in rows] == [0, 1, 0]
    assert math.isnan(rows[0]["eval_return_mean"])


def test_evaluation_does_not_change_training(trainer: Callable[..., InterleavedLoop]) -> None:
    digests = []
    for period in (0, 1):
        one = trainer(evaluation=Evaluation(episodes=1, period_iterations=period))
        run(one)
        digests.append(one.digest())
    assert digests[0] == digests[1]


def test_a_budget_shorter_than_the_replay_s_start_learns_nothing(trainer: Callable[..., InterleavedLoop]) -> None:
    one = trainer(agent={"min_replay_steps": 60}, frames=50)
    rows = [r.row for r in run(one) if isinstance(r, IterationRecord)]
    assert one.run.counters.updates == 0 and one.run.heldout is None
    assert math.isnan(rows[-1]["loss"]) and math.isnan(rows[-1]["heldout_max_q_mean"])


# -- rewards -----------------------------------------------------------------------------------------------------------
def test_the_learner_s_rewards_are_clipped_and_the_returns_are_not(trainer: Callable[..., InterleavedLoop]) -> None:
    one = trainer()
    rewards = (-7.0, -1.0, 0.5, 400.0)
    assert [one.run.clipped_reward(r) for r in rewards] == list(rewards)  # CartPole has no protocol
    for clip, want in (((-1.0, 1.0), [-1.0, -1.0, 0.5, 1.0]), (None, list(rewards))):
        protocol = dataclasses.replace(PROTOCOLS["dopamine"], reward_clip=clip)
        one.run.config = dataclasses.replace(one.run.config, protocol=protocol)
        assert [one.run.clipped_reward(r) for r in rewards] == want
    protocol = dataclasses.replace(protocol, frame_skip=1, max_frames_pooled=1, reward_clip=(0.0, 0.25))
    one.run.config = dataclasses.replace(one.run.config, protocol=protocol)
    found = [r for r in run(one) if isinstance(r, EpisodeRecord)]
    assert set(one.run.replay.ring.transitions(np.arange(40, 50)).r_t.tolist()) <= {0.25, 0.0}
    assert all(r.return_raw == r.length_frames for r in found)


# -- what stops it -----------------------------------------------------------------------------------------------------
def test_a_loss_that_is_not_finite_stops_the_run(outcome, trainer: Callable[..., InterleavedLoop]) -> None:
    """Before anything of that update is counted."""
    one = trainer(agent={"exploration": EpsilonGreedy(initial_epsilon=1.0, final_epsilon=1.0)})
    run(one, steps=9)
    for variable in one.run.learner.online.variables:
        variable.assign(np.full(variable.shape, np.nan, np.float32))
    message = outcome(run, one)
    assert message.startswith(
        "The loss is nan and the gradient norm nan at update 1 (step 12): the network has diverged."
    )
    assert "What was saved before is kept" in message
    assert (one.run.counters.updates, one.run.stats.loss.number) == (1, 1)


def test_values_that_are_not_finite_stop_the_run(trainer: Callable[..., InterleavedLoop]) -> None:
    one = trainer(agent={"exploration": EpsilonGreedy(initial_epsilon=0.0, final_epsilon=0.0)})
    one.run.learner.online.variables[-1].assign([np.inf, 0.0])
    with pytest.raises(RunError, match="Q-values are not finite"):
        run(one)


def test_a_stop_request_leaves_a_whole_state(trainer: Callable[..., InterleavedLoop]) -> None:
    """Raised before a step: nothing of that step has happened, and going on is as if nothing had."""

    class Stop(Exception):
        pass

    one, other = trainer(), trainer()
    calls = []

    def each_step() -> None:
        calls.append(1)
        if len(calls) == 31:
            raise Stop

    with pytest.raises(Stop):
        for _ in one.records(each_step):
            pass
    assert one.run.counters.steps == 30
    run(one)
    run(other)
    assert one.digest() == other.digest()


# -- saving ------------------------------------------------------------------------------------------------------------
def copied(one: InterleavedLoop, other: InterleavedLoop) -> InterleavedLoop:
    pieces = one.run.pieces()
    held = {name: {k: np.array(v) for k, v in columns().items()} for name, columns in pieces.items()}
    other.restore(one.state(), held.__getitem__)
    return other


@pytest.mark.parametrize("steps", [0, 7, 40, 63])
def test_state_and_restore_give_the_same_future(trainer: Callable[..., InterleavedLoop], steps: int) -> None:
    """At the start, before the first update, before an iteration's report, and after the ring has wrapped."""
    one, other = trainer(), trainer()
    if steps:
        run(one, steps)
    copied(one, other)
    assert other.digest() == one.digest()
    assert repr(other.run.counters) == repr(one.run.counters)
    futures = [[r.row if isinstance(r, IterationRecord) else r for r in run(t)] for t in (one, other)]
    assert repr(futures[0]) == repr(futures[1])
    assert other.digest() == one.digest()


def test_the_digest_is_of_everything(trainer: Callable[..., InterleavedLoop]) -> None:
    """A change of any part changes it."""
    one = trainer(agent={"n_step": 3})
    run(one, 50)

    def add(variable: Any) -> None:
        variable.assign(variable + 1)

    def increase(name: str) -> None:
        of = one.run if hasattr(one.run, name) else one
        setattr(of, name, getattr(of, name) + 1)

    seen = {one.digest()}
    for change in (
        lambda: add(one.run.learner.online.variables[0]),
        lambda: add(one.run.learner.target.variables[0]),
        lambda: add(one.run.learner.optimizer.variables[-1]),
        lambda: one.run.replay.ring.complete(one.run.replay.ring.head - 5, 1, 0, 9.0, 0.0),
        lambda: one.run.replay._accumulator.add(0, 1.0, 1.0, False),
        lambda: one.run.stats.loss.add(1.0),
        lambda: one.environment.step(0),
        lambda: increase("episode_return"),
        lambda: increase("episode_length"),
        lambda: increase("heldout"),
        lambda: setattr(one.run, "counters", one.run.counters._replace(updates=99)),
    ):
        change()
        assert one.digest() not in seen
        seen.add(one.digest())
