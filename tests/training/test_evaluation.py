"""Scores: whole episodes of environments of their own, a function of weights, seed and phase alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import envs
from dqn_tf.config import Evaluation, RunConfig
from dqn_tf.envs import steppers
from dqn_tf.envs.protocols import PROTOCOLS
from dqn_tf.modes import Concurrent
from dqn_tf.training import evaluation
from dqn_tf.training.evaluation import Score, play, summary
from dqn_tf.types import EnvironmentSpec, ObservationSpec, StepType, TimeStep

Play = Callable[..., list[Score]]


def toward_the_fall(observations: np.ndarray) -> np.ndarray:
    """Q-values [B, 2] of a policy that pushes to where the pole falls; it balances for a while."""
    lean = observations[:, 2] + observations[:, 3]
    return np.stack([-lean, lean], axis=1)


def always_left(observations: np.ndarray) -> np.ndarray:
    return np.tile(np.float32([1, 0]), (len(observations), 1))


@pytest.fixture
def scores(cartpole: Callable[..., RunConfig]) -> Play:
    """A function (policy, phase, ...) -> the scores of a phase on CartPole, greedy."""
    return lambda policy=always_left, phase="evaluation/0", **how: play(cartpole(), policy, phase, **how)


@pytest.mark.parametrize("episodes", [1, 3, 8, 11])
def test_as_many_episodes_as_asked_for(scores: Play, episodes: int) -> None:
    assert len(scores(episodes=episodes)) == episodes


def test_raw_returns_and_lengths(scores: Play) -> None:
    """CartPole pays 1 a step; pushing left for ever loses the pole after eight to eleven."""
    for score in scores(episodes=5):
        assert score.return_raw == score.length_steps == score.length_frames
        assert 8 <= score.return_raw <= 11 and not score.truncated


def test_a_cut_off_game_says_so(scores: Play) -> None:
    """CartPole-v1 is cut off after 500 steps, which this policy reaches from some starts."""
    found = scores(toward_the_fall, episodes=8)
    assert {s.truncated for s in found if s.length_steps == 500} == {True}
    assert not any(s.truncated for s in found if s.length_steps < 500)
    assert max(s.length_steps for s in found) == 500


def test_the_same_phase_twice_gives_the_same_scores(scores: Play) -> None:
    assert scores(toward_the_fall, episodes=4, epsilon=0.3) == scores(toward_the_fall, episodes=4, epsilon=0.3)


def test_other_phases_and_seeds_start_elsewhere(scores: Play, cartpole: Callable[..., RunConfig]) -> None:
    one = scores(toward_the_fall, episodes=4, epsilon=0.3)
    assert one != scores(toward_the_fall, "evaluation/1", episodes=4, epsilon=0.3)
    assert one != play(cartpole(seed=1), toward_the_fall, "evaluation/0", episodes=4, epsilon=0.3)


def test_epsilon_is_the_configuration_s_unless_given(scores: Play, cartpole: Callable[..., RunConfig]) -> None:
    random = cartpole(evaluation=Evaluation(epsilon=1.0, episodes=2))
    by_config = play(random, always_left, "evaluation/0", episodes=6)
    assert by_config == scores(episodes=6, epsilon=1.0) != scores(episodes=6)


def test_a_budget_of_frames_is_spent_in_whole_episodes(scores: Play) -> None:
    """Eight lanes of 20 frames each; episodes of 8 to 11 frames, so two or three in each."""
    found = scores(frames=160)
    assert 16 <= len(found) <= 24
    assert 160 <= sum(s.length_frames for s in found) <= 160 + 8 * 11


def test_at_least_one_episode(scores: Play) -> None:
    assert len(scores(frames=1)) == evaluation.LANES


def test_lanes_are_fixed_and_the_batch_keeps_its_size(scores: Play) -> None:
    """As many lanes as episodes, at most eight; the network always sees all of them, also those that are done."""
    for episodes, lanes in ((1, 1), (3, 3), (11, 8)):
        sizes = set()

        def policy(observations: np.ndarray, sizes: set[int] = sizes) -> np.ndarray:
            sizes.add(len(observations))
            return always_left(observations)

        scores(policy, episodes=episodes)
        assert sizes == {lanes}


def test_episodes_are_shared_out_evenly(scores: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = []
    lane = evaluation._Lane

    def watched(stream: Any, episodes: Any, frames: Any, most_steps: Any) -> Any:
        shares.append(episodes)
        return lane(stream, episodes, frames, most_steps)

    monkeypatch.setattr(evaluation, "_Lane", watched)
    scores(episodes=11)
    assert shares == [2, 2, 2, 1, 1, 1, 1, 1]


def test_short_episodes_count_no_more_than_long_ones(scores: Play) -> None:
    """The first episodes of a phase are the same however many are asked for: none is dropped for being slow."""
    few, many = scores(toward_the_fall, episodes=8), scores(toward_the_fall, episodes=16)
    assert few == many[::2]  # two in each lane


class TwoLives:
    """A game of four steps that pay 1, 2, 3, 4; the agent's episode ends after two of them, and each beginning (with
    two frames of no-ops) pays 10."""

    spec = EnvironmentSpec(ObservationSpec((4,), "float32"), ("left", "right"), 4)

    def __init__(self) -> None:
        self.at = 0

    def reset(self) -> TimeStep:
        self.at %= 4
        return self._answer(10.0, StepType.FIRST, 2)

    def step(self, action: int) -> TimeStep:
        self.at += 1
        return self._answer(float(self.at), StepType.MID if self.at % 2 else StepType.LAST, 4)

    def _answer(self, reward: float, step_type: StepType, frames: int) -> TimeStep:
        seen, over = np.zeros(4, np.float32), self.at == 4
        return TimeStep(seen, seen, reward, 1.0 - (step_type == StepType.LAST), step_type, over, False, 1, frames)

    def close(self) -> None:
        pass


def test_a_lost_life_ends_the_agent_s_episode_but_not_the_score(scores: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """10 + 1 + 2, then 10 + 3 + 4, over 2 + 8 + 2 + 8 frames."""
    monkeypatch.setattr(envs, "make", lambda *arguments, **more: TwoLives())
    assert scores(episodes=2) == [Score(30.0, 20, 4, False)] * 2


@pytest.mark.parametrize("asked", [{"episodes": 11}, {"frames": 160}, {"episodes": 2}])
def test_played_by_workers_the_scores_are_the_same(cartpole: Callable[..., RunConfig], asked: dict[str, int]) -> None:
    """Also where there are fewer games than workers; and what is drawn at each call does not shift."""

    def scores(workers: int) -> tuple[list[Score], list[bytes]]:
        config, seen = cartpole(), []
        execution = Concurrent(environments=4, workers=workers)
        config = dataclasses.replace(config, agent=dataclasses.replace(config.agent, execution=execution))

        def policy(observations: np.ndarray) -> np.ndarray:
            seen.append(observations.tobytes())
            return toward_the_fall(observations)

        return play(config, policy, "evaluation/0", epsilon=0.3, **asked), seen

    assert scores(0) == scores(1) == scores(3)


@pytest.mark.parametrize("name", ["CartPole-v1", "Acrobot-v1", "MountainCar-v0"])
def test_played_as_arrays_the_scores_are_the_same(
    name: str, cartpole: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random actions, ties, lanes that are done before others, a cap that cuts episodes off."""
    evaluated = dataclasses.replace(cartpole().evaluation, max_steps_per_episode=70)
    config = cartpole(environment=f"gym:{name}", evaluation=evaluated)
    actions = 2 if name.startswith("CartPole") else 3

    def tied(observations: np.ndarray) -> np.ndarray:
        """The same for two actions where the first number is above 0."""
        q_values = np.zeros((len(observations), actions), np.float32)
        q_values[:, 0] = observations[:, 0] < 0
        return q_values

    def scores() -> list[list[Score]]:
        return [play(config, tied, "evaluation/0", episodes=11, epsilon=epsilon) for epsilon in (0.0, 0.3)]

    as_arrays = scores()
    monkeypatch.setattr(steppers, "in_arrays", lambda environments: None)
    assert as_arrays == scores()
    assert any(score.cut_off for score in as_arrays[0]) or name.startswith("CartPole")


def test_whoever_watches_sees_every_step_of_the_first_episode(scores: Play) -> None:
    """And nothing else; workers' environments cannot be watched, so they are not used then."""
    seen: list[float] = []
    found = scores(episodes=11, watch=lambda environment: seen.append(environment.last.reward))
    assert seen == [1.0] * found[0].length_steps


def test_training_is_not_touched(scores: Play, cartpole: Callable[..., RunConfig]) -> None:
    train = envs.make("gym:CartPole-v1", None, 0)
    train.reset()
    before = train.state()
    scores(episodes=2)
    after = train.state()
    assert {k: str(v) for k, v in before.items()} == {k: str(v) for k, v in after.items()}


def test_a_stop_request_is_heard_at_every_step(scores: Play) -> None:
    class Stop(Exception):
        pass

    calls = []

    def each_step() -> None:
        calls.append(1)
        if len(calls) == 5:
            raise Stop

    with pytest.raises(Stop):
        scores(episodes=2, each_step=each_step)


def test_neither_episodes_nor_frames_is_refused(outcome, scores: Play) -> None:
    assert outcome(scores) == "Expected a number of episodes or frames to play, got neither."


def test_values_that_are_not_finite_stop_it(outcome, scores: Play) -> None:
    message = outcome(scores, lambda o: np.full((len(o), 2), np.nan), episodes=1)
    assert message.startswith("Q-values are not finite")


def test_no_ops_of_the_evaluation_replace_the_protocol_s(cartpole: Callable[..., RunConfig]) -> None:
    from dqn_tf.envs.protocols import PROTOCOLS

    def noops(noops_max: int | None) -> tuple[int, int]:
        run = dataclasses.replace(
            cartpole(frames=400, iteration_frames=400),
            protocol=PROTOCOLS["nature2015"],
            evaluation=Evaluation(episodes=1, noops_max=noops_max),
        )
        protocol = evaluation.scoring_protocol(run)
        return protocol.noops_min, protocol.noops_max

    assert [noops(n) for n in (None, 0, 5)] == [(1, 30), (0, 0), (1, 5)]


def test_summary_by_hand() -> None:
    found = summary([Score(r, 4, 1, False) for r in (1.0, 2.0, 6.0)])
    assert found == {
        "return_mean": 3.0,
        "return_std": pytest.approx(7**0.5),
        "return_min": 1.0,
        "return_max": 6.0,
        "episodes": 3,
    }
    assert np.isnan(summary([Score(1.0, 4, 1, False)])["return_std"])


# -- episodes that never end -------------------------------------------------------------------------------------------
class Endless:
    """Pays 1 a step and never ends; counts how often it was begun."""

    spec = EnvironmentSpec(ObservationSpec((4,), "float32"), ("left", "right"), 1)
    begun = 0

    def reset(self) -> TimeStep:
        Endless.begun += 1
        return self._answer(StepType.FIRST)

    def step(self, action: int) -> TimeStep:
        return self._answer(StepType.MID)

    def _answer(self, step_type: StepType) -> TimeStep:
        seen = np.zeros(4, np.float32)
        stepped = int(step_type != StepType.FIRST)
        return TimeStep(seen, seen, float(stepped), 1.0, step_type, False, False, 1, stepped)

    def close(self) -> None:
        pass


@pytest.fixture
def endless(cartpole: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch) -> Play:
    """A function (...) -> the scores of a phase on a task without end, cut off after 7 steps."""
    monkeypatch.setattr(envs, "make", lambda *arguments, **more: Endless())
    monkeypatch.setattr(Endless, "begun", 0)
    config = cartpole(evaluation=Evaluation(epsilon=0.0, episodes=2, max_steps_per_episode=7))
    return lambda **how: play(config, always_left, "evaluation/0", **how)


def test_an_episode_without_end_is_cut_off_and_counts_as_truncated(endless: Play) -> None:
    """And the next one begins anew: 11 episodes in 8 lanes are 11 beginnings."""
    assert endless(episodes=11) == [Score(7.0, 7, 7, True, True)] * 11
    assert Endless.begun == 11


def test_a_budget_of_frames_without_an_end_of_an_episode(endless: Play) -> None:
    assert endless(frames=112) == [Score(7.0, 7, 7, True, True)] * 16  # 14 frames in each of 8 lanes


def test_an_episode_that_ends_with_the_cap_is_not_cut_off(scores: Play, cartpole: Callable[..., RunConfig]) -> None:
    length = scores(episodes=1)[0].length_steps
    evaluated = Evaluation(epsilon=0.0, episodes=2, max_steps_per_episode=length)
    assert play(cartpole(evaluation=evaluated), always_left, "evaluation/0", episodes=1) == scores(episodes=1)
    shorter = dataclasses.replace(evaluated, max_steps_per_episode=length - 1)
    found = play(cartpole(evaluation=shorter), always_left, "evaluation/0", episodes=1)
    assert found == [Score(length - 1.0, length - 1, length - 1, True, True)]


def test_what_was_cut_off_is_said(endless: Play) -> None:
    found = summary(endless(episodes=3))
    assert found["cut_off"] == 3
    words = evaluation.words({**found, "network": "best", "network_frames": 300}, updates=1)
    assert words.endswith("over 3 episodes (3 of them cut off by `evaluation.max_steps_per_episode`)")
    assert "cut_off" not in summary([Score(1.0, 4, 1, True)])  # the environment's own limit is no news


def test_a_phase_that_takes_long_says_how_far_it_is(endless: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    endless(episodes=2, say=said.append)
    assert said == []
    monkeypatch.setattr(evaluation, "LINE_SECONDS", 0.0)
    endless(episodes=2, say=said.append)
    assert said[2] == (
        "Playing evaluation/0, 2 episodes: 0 episodes are over, the longest of the others has 3 steps. An episode is "
        "cut off after 7 steps (`evaluation.max_steps_per_episode`)."
    )


def test_the_cap_leaves_identities_as_they_were(cartpole: Callable[..., RunConfig]) -> None:
    assert "max_steps_per_episode" not in cartpole().to_json()["evaluation"]
    longer = Evaluation(epsilon=0.0, episodes=2, final_episodes=2, max_steps_per_episode=10)
    assert cartpole(evaluation=longer).to_json()["evaluation"]["max_steps_per_episode"] == 10


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_of_atari_cuts_games_off_itself(outcome, name: str, cartpole: Callable[..., RunConfig]) -> None:
    """An untrained agent that never fires plays no longer than that; another cap in steps would be a second rule."""
    protocol = PROTOCOLS[name]
    assert max(protocol.cap_frames(True), protocol.cap_frames(False)) <= 108_000
    message = outcome(
        cartpole,
        frames=400,
        iteration_frames=400,
        environment="ale:breakout",
        protocol=protocol,
        evaluation=Evaluation(episodes=1, max_steps_per_episode=10),
    )
    assert "--set protocol.max_frames_per_evaluation_episode=N" in message


def test_a_game_that_nobody_starts_is_cut_off(cartpole: Callable[..., RunConfig]) -> None:
    """Breakout waits for FIRE; this agent does nothing."""
    protocol = dataclasses.replace(PROTOCOLS["dopamine"], max_frames_per_evaluation_episode=100)
    config = cartpole(
        frames=400,
        iteration_frames=400,
        environment="ale:breakout",
        protocol=protocol,
        evaluation=Evaluation(epsilon=0.0, frames=200),
    )
    found = play(config, lambda o: np.tile(np.float32([1, 0, 0, 0]), (len(o), 1)), "evaluation/0", frames=200)
    assert found == [Score(0.0, 100, 25, True)] * evaluation.LANES
