"""Environments that misbehave are named, with episode, step and what came, before anything of theirs is used."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import envs
from dqn_tf.checks import ConfigError, EnvironmentFault, InexactRestore
from dqn_tf.envs import vector
from dqn_tf.envs.classic import GymnasiumEnvironment
from dqn_tf.envs.vector import RESET, Plan
from dqn_tf.types import StepType, TimeStep

Name = Callable[[str], str]


def played(environment: Any, steps: int) -> list[TimeStep]:
    """Two steps right, one left, and so on."""
    out: list[TimeStep] = []
    for step in range(steps):
        over = not out or out[-1].step_type == StepType.LAST
        out.append(environment.reset() if over else environment.step(int(step % 3 < 2)))
    return out


def drive(environments: vector.Environments, *actions: int) -> None:
    """The same of two environments."""
    for action in actions:
        environments.step([action, action])


AT = r"^misbehaving:{}-v0, episode 2, step 7 \(action [01]\): "
VALUES = {
    "NanReward": r"a reward that is finite and fits float32, got nan\.",
    "InfReward": r"a reward that is finite and fits float32, got -inf\.",
    "HugeReward": r"a reward that is finite and fits float32, got 1e\+39\.",
    "HugeIntReward": r"a reward that is finite and fits float32, got 1000",
    "NoneReward": r"a number for the reward, got None\.",
    "NanObservation": r"an observation that is finite and fits float32, got nan at place 1 of 2\.",
    "HugeObservation": r"an observation that is finite and fits float32, got -1e\+300 at place 1 of 2\.",
    "ShapeLater": r"an observation of shape \(2,\) and type float32, as its observation_space declares, got an array",
}


@pytest.mark.parametrize("name", VALUES)
def test_a_fault_in_mid_run_is_named_and_the_state_is_that_of_before(name: str, misbehaving: Name) -> None:
    environment = GymnasiumEnvironment(misbehaving(name), seed=1)
    for _ in range(3):
        environment.reset()
    for step in range(6):
        environment.step(step % 2)
    before, last = environment.state(), environment.last
    with pytest.raises(EnvironmentFault, match=AT.format(name) + "expected " + VALUES[name]):
        environment.step(1)
    assert environment.last is last
    after = environment.state()
    assert (after["digest"], after["log"].tolist()) == (before["digest"], before["log"].tolist())
    assert after["evidence"][-1]["digest"] == before["evidence"][-1]["digest"]


AT_ONCE = {
    "TwoRewards": r"episode 0, step 1 .* expected a number for the reward, got an array of shape \(2,\)",
    "TextReward": r"episode 0, step 1 .* expected a number for the reward, got a str of 3",
    "ResetBare": r"episode 0, at its reset: expected \(observation, info\) from reset\(\), got an array of shape .2,. "
    r"and type float32 alone\. This is the manner before Gymnasium 0\.26",
    "ResetInfo": r"at its reset: expected .*, info a dict, got None in the place of info",
    "FourValues": r"episode 0, step 1 .*, info\) from step\(\), got 4 values\. This is the manner before Gymn",
    "SixValues": r"episode 0, step 1 .*, info\) from step\(\), got something else \(too many values to unpack",
    "StepNothing": r"episode 0, step 1 .*, info\) from step\(\), got something else \(cannot unpack",
    "Shape": r"at its reset: expected an observation of shape \(2,\) and type float32, as its observation_space "
    r"declares, got an array of shape \(1,\)",
    "Column": r"at its reset: expected an observation of shape \(2,\) .* got an array of shape \(1, 2\)",
    "Objects": r"at its reset: expected an observation of shape \(2,\) .* got an array of shape \(2,\) and type object",
    "Ragged": r"at its reset: expected an observation of shape \(2,\) and type float32, got a list of 2 .*inhom",
    "Floats": r"at its reset: .* type uint8, as its observation_space declares, got an array of .* type float32",
    "DoneText": r"episode 0, step 1 .* expected True or False for terminated, got a str of 2",
    "DoneNone": r"episode 0, step 1 .* expected True or False for truncated, got None",
}


@pytest.mark.parametrize(
    ("name", "workers"),
    [*((name, 0) for name in AT_ONCE), *((name, 1) for name in ("ResetBare", "FourValues", "Shape"))],
)
def test_an_answer_of_another_form_is_named_at_the_first(name: str, workers: int, misbehaving: Name) -> None:
    environments = vector.make(Plan(f"gym:{misbehaving(name)}", None, 1, ("a", "b")), workers)
    try:
        with pytest.raises(EnvironmentFault, match=f"misbehaving:{name}-v0, .*{AT_ONCE[name]}"):
            drive(environments, RESET, 0)
    finally:
        environments.close()


def test_answers_without_wrappers_are_read_the_same(misbehaving: Name) -> None:
    environment = GymnasiumEnvironment(misbehaving("FourValues"), seed=1)
    environment._env = environment._env.unwrapped  # as an environment that is registered without a time limit
    environment.reset()
    with pytest.raises(EnvironmentFault, match=r"got 4 values\. This is the manner before"):
        environment.step(0)


@pytest.mark.parametrize("name", ["RewardArray", "RewardScalar", "Lists", "DoneNumbers", "InPlace", "RewardBool"])
def test_what_can_mean_one_thing_only_is_taken(name: str, misbehaving: Name) -> None:
    odd, plain = (GymnasiumEnvironment(misbehaving(n), seed=1) for n in (name, "Walk"))
    for a, b in zip(played(odd, 60), played(plain, 60), strict=True):
        assert a.observation.dtype == np.float32
        assert a.observation.tobytes() == b.observation.tobytes()
        assert a[2:] == b[2:]
        assert type(a.reward) is float
        assert type(a.truncated) is bool


def test_a_large_observation_is_no_fault(misbehaving: Name) -> None:
    environment = GymnasiumEnvironment(misbehaving("LargeObservation"), seed=1)
    assert math.isfinite(float(played(environment, 30)[-1].observation[1]))


def test_wide_observations_are_looked_at_whole() -> None:
    from gymnasium.spaces import Box

    from dqn_tf.envs.answers import Answers, InvalidAnswer

    for size, at in itertools.product((1, 32, 33, 500), (0, -1)):
        answers, seen = Answers(Box(-np.inf, np.inf, (size,), np.float32)), np.ones(size, np.float32)
        assert answers.observation(seen).tobytes() == seen.tobytes()
        seen[at] = np.inf
        with pytest.raises(InvalidAnswer, match=f"got inf at place {at % size} of {size}"):
            answers.observation(seen)


def test_a_reset_without_seed_is_refused_before_it_is_called(misbehaving: Name) -> None:
    with pytest.raises(
        ConfigError, match=r"Expected reset\(self, \*, seed=None, options=None\) .* takes no seed and no op"
    ):
        GymnasiumEnvironment(misbehaving("NoSeed"), seed=1)


# -- errors of the environment's own -----------------------------------------------------------------------------------
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("Crash", "ZeroDivisionError: the simulator is upside down"),
        ("Quits", "SystemExit: the simulator says good-bye"),
    ],
)
def test_an_error_of_the_environment_is_told_in_its_words(
    name: str, error: str, workers: int, misbehaving: Name
) -> None:
    environments = vector.make(Plan(f"gym:{misbehaving(name)}", None, 1, ("a", "b"), training=False), workers)
    words = (
        rf"{': ' if workers else ''}misbehaving:{name}-v0, in an evaluation, episode 2, step 7 \(action 1\): "
        rf"the environment raised {error} \(misbehaving.py, line \d+\)"
    )
    try:
        with pytest.raises(EnvironmentFault, match=words) as caught:
            drive(environments, RESET, RESET, RESET, *[1] * 7)
        assert ",:" not in str(caught.value)
    finally:
        environments.close()


def test_an_error_at_a_reset(misbehaving: Name) -> None:
    environment = GymnasiumEnvironment(misbehaving("CrashAtReset"), seed=1)
    played(environment, 23)
    with pytest.raises(
        EnvironmentFault, match="episode 2, at its reset: the environment raised OSError: no contact to the"
    ):
        environment.reset()
    assert environment.state()["episode"] == 1


# -- exactness ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "steps", "workers"),
    [
        ("Curriculum", 75, 0),
        ("Curriculum", 75, 1),
        ("Unseeded", 30, 0),
        ("OwnSeed", 50, 0),
        ("NoisySteps", 5, 0),
        ("Stateful", 50, 0),
    ],
)
def test_a_restore_that_plays_something_else_is_found(name: str, steps: int, workers: int, misbehaving: Name) -> None:
    plan = Plan(f"gym:{misbehaving(name)}", None, 1, ("a",))
    one, other = vector.make(plan, workers), vector.make(plan, workers)
    try:
        over = True
        for step in range(steps):
            answer = one.step([RESET if over else step % 2])[0]
            assert answer
            over = answer.step_type == StepType.LAST
        states = one.state()
        with pytest.raises(InexactRestore, match=rf"Expected the replay of episode \d+ of misbehaving:{name}-v0 to "):
            other.restore(states)
        other.close()
        other = vector.make(plan, workers)
        assert other.restore(states, inexact=True) == [None]
        begun = other.step([RESET])[0]
        assert begun
        assert begun.step_type == StepType.FIRST
        assert other.state()[0]["episode"] == states[0]["episode"] + 1
    finally:
        one.close()
        other.close()


def test_the_episode_before_is_played_again_too(misbehaving: Name) -> None:
    """The present episode, five steps old, is the same for every level: only the one before it tells."""
    environment = GymnasiumEnvironment(misbehaving("Curriculum"), seed=1)
    played(environment, 31 + 30 + 5)
    state = environment.state()
    assert [e["episode"] for e in state["evidence"]] == [1, 2]
    with pytest.raises(InexactRestore, match="replay of episode 1 "):
        GymnasiumEnvironment(misbehaving("Curriculum"), seed=1).restore(state)
    state["evidence"] = state["evidence"][1:]
    GymnasiumEnvironment(misbehaving("Curriculum"), seed=1).restore(state)


def test_what_is_not_seen_at_the_end_is_found_all_the_same(misbehaving: Name) -> None:
    """The last answer is the same, one on the way there is not."""
    environment = GymnasiumEnvironment(misbehaving("Walk"), seed=1)
    played(environment, 15)
    state = environment.state()
    environment.restore(state)
    log = state["evidence"][-1]["log"]
    state["evidence"][-1]["log"] = np.concatenate([log[1::-1], log[2:]])  # right and left: the same place
    with pytest.raises(InexactRestore, match="give the same answers"):
        environment.restore(state)


def test_states_of_earlier_versions_are_restored(misbehaving: Name) -> None:
    environment = GymnasiumEnvironment(misbehaving("Walk"), seed=1)
    played(environment, 30)
    state = environment.state()
    del state["evidence"]
    other = GymnasiumEnvironment(misbehaving("Walk"), seed=1)
    other.restore(state)
    assert other.state()["digest"] == state["digest"]


def test_after_an_abandoned_episode_states_are_exact_again(misbehaving: Name) -> None:
    one, other = (GymnasiumEnvironment(misbehaving("Walk"), seed=1) for _ in range(2))
    played(one, 30)
    other.abandon_episode(one.state())
    waiting = other.state()
    assert (waiting["episode"], waiting["digest"], waiting["evidence"]) == (1, "", [])
    one.restore(waiting)
    assert one.reset().observation.tobytes() == other.reset().observation.tobytes()
    other.step(1)
    one.restore(other.state())
    assert [e["episode"] for e in other.state()["evidence"]] == [2]


# -- drawing -----------------------------------------------------------------------------------------------------------
def test_nothing_is_drawn_unless_pictures_are_wanted(misbehaving: Name) -> None:
    import misbehaving as module  # type: ignore[import-not-found]

    for name in ("Draws", "Window"):
        played(envs.make(misbehaving(name), None, seed=1), 30)
    assert module.Draws.pictures == 0
    drawing = envs.make(misbehaving("Draws"), None, seed=1, drawing=True)
    played(drawing, 3)
    assert module.Draws.pictures == 2
    assert drawing.render().shape == (8, 8, 3)


def test_a_constructor_without_render_mode_is_not_given_one(misbehaving: Name) -> None:
    for drawing in (False, True):
        environment = envs.make(misbehaving("NoMode"), None, seed=1, drawing=drawing)
        environment.reset()
        with pytest.raises(RuntimeError, match="Expected an environment that draws RGB images"):
            environment.render()
