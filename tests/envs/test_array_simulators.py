"""Simulators in array form beside Gymnasium's, bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from gymnasium.envs.classic_control.cartpole import CartPoleEnv

from dqn_tf.envs import known_simulators, quick_steps, steppers
from dqn_tf.envs.acrobots import Acrobots
from dqn_tf.envs.array_simulators import ArraySimulators
from dqn_tf.envs.cartpoles import CartPoles
from dqn_tf.envs.classic import GymnasiumEnvironment
from dqn_tf.envs.mountain_cars import MountainCars
from dqn_tf.envs.simple_protocols import GymnasiumProtocol

TERMINAL = GymnasiumProtocol(max_steps_per_episode=30, time_limit="terminal")


def objects(number: int, name: str = "CartPole-v1", protocol: GymnasiumProtocol | None = None) -> list[Any]:
    return [GymnasiumEnvironment(name, seed, protocol=protocol) for seed in range(number)]


def everything(environment: GymnasiumEnvironment) -> list[object]:
    """All that an object is, as far as it decides the future or is saved."""
    simulator = environment._env
    inner, state = simulator.unwrapped, environment.state()
    plain = {**state, "log": state["log"].tolist(), "evidence": repr(state["evidence"])}
    beyond = getattr(inner, "steps_beyond_terminated", None)
    return [plain, np.array(inner.state).tobytes(), beyond, simulator._elapsed_steps, repr(environment.last)]


CASES = [
    ("CartPole-v1", None, CartPoles),
    ('CartPole-v1{"sutton_barto_reward": true}', None, CartPoles),
    ("CartPole-v1", TERMINAL, CartPoles),
    ("MountainCar-v0", None, MountainCars),
    ("Acrobot-v1", None, Acrobots),
    ("Acrobot-v1", TERMINAL, Acrobots),
]


def choose(name: str, environments: Sequence[GymnasiumEnvironment], random: np.random.Generator) -> np.ndarray:
    """Actions by which some reach the goal, or do not fall: by the lean, the speed, the swing; others are random."""
    seen = np.array([environment.last.observation for environment in environments])
    if name.startswith("CartPole"):
        good = (seen[:, 2] > 0).astype(np.int64)
    else:
        good = np.where(seen[:, 1] > 0 if name.startswith("MountainCar") else seen[:, 4] < 0, 2, 0)
    number, actions = len(environments), environments[0].spec.num_actions
    return np.where(random.random(number) < 0.1 * np.arange(number), random.integers(0, actions, number), good)


@pytest.mark.parametrize(("name", "protocol", "kind"), CASES)
@pytest.mark.parametrize("number", [1, 9])
def test_every_bit_is_gymnasiums(
    number: int,
    name: str,
    protocol: GymnasiumProtocol | None,
    kind: type[ArraySimulators],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """250 steps of each, good actions and bad ones, over ends of both kinds; brought up to date now and then.

    As arrays, by Gymnasium alone, and by Python's numbers.
    """
    ours, theirs, quick = (objects(number, name, protocol) for _ in range(3))
    step_quickly, taken = quick_steps.step, []

    def step_unless_theirs(env: Any, action: int) -> Any:
        taken.append(None if any(env is other._env for other in theirs) else step_quickly(env, action))
        return taken[-1]

    monkeypatch.setattr(quick_steps, "step", step_unless_theirs)
    assert kind.plays(ours)
    for environment in (*ours, *theirs, *quick):
        environment.reset()
    together, random = steppers.in_arrays(ours), np.random.default_rng(number)
    assert isinstance(together, kind)
    ends = 0
    for step in range(250):
        actions = choose(name, theirs, random)
        stepped = together.step(actions)
        for k, (one, other, third) in enumerate(zip(ours, theirs, quick, strict=True)):
            answer = other.step(int(actions[k]))
            assert taken[-1] is None and repr(third.step(int(actions[k]))) == repr(answer) and taken[-1] is not None
            assert stepped.observations[k].tobytes() == answer.observation.tobytes()
            numbers = stepped.rewards[k], stepped.discounts[k], stepped.over[k], stepped.truncated[k]
            assert numbers == (answer.reward, answer.discount, answer.episode_over, answer.truncated)
            if answer.episode_over or (step + k) % 50 == 0:
                assert repr(together.settle(k)) == repr(answer)
                assert everything(one) == everything(other) == everything(third)
            if answer.episode_over:
                ends += 1
                one.reset(), other.reset(), third.reset()
                together.adopt(k)
    assert ends or number == 1


def test_cosine_and_sine_of_an_array_are_those_of_its_numbers() -> None:
    angles = np.random.default_rng(0).uniform(-10.0, 10.0, 20_000)
    for function in (np.cos, np.sin):
        alone = np.array([function(angle) for angle in angles])
        for length in (1, 2, 3, 5, 8, 13, 20_000):
            pieces = [function(angles[i : i + length]) for i in range(0, len(angles), length)]
            assert np.concatenate(pieces).tobytes() == alone.tobytes()


def test_other_simulators_are_stepped_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not CartPoles.plays(objects(2, "Acrobot-v1"))
    assert not CartPoles.plays([*objects(1), *objects(1, "MountainCar-v0")])
    for name, kind, setting, value in (
        ("CartPole-v1", CartPoles, "kinematics_integrator", "semi-implicit"),
        ("Acrobot-v1", Acrobots, "torque_noise_max", 0.1),
        ("Acrobot-v1", Acrobots, "book_or_nips", "nips"),
    ):
        changed = objects(2, name)
        setattr(changed[1]._env.unwrapped, setting, value)
        assert not kind.plays(changed)
    poles = objects(2)
    assert CartPoles.plays(poles)
    monkeypatch.setitem(known_simulators.KNOWN, CartPoleEnv, "another release's")
    assert not CartPoles.plays(poles)
    assert isinstance(steppers.make(poles, [e.step for e in poles]), steppers.OneByOne)


def test_one_that_raises_is_told_and_stops_no_other() -> None:
    environments = objects(3, "Acrobot-v1")
    first = [environment.reset() for environment in environments]

    def broken(action: int) -> Any:
        raise RuntimeError("the solver did not converge")

    steps = [environments[0].step, broken, environments[2].step]
    together = steppers.OneByOne(environments, steps)
    stepped = together.step(np.array([0, 1, 2]))
    assert list(stepped.errors) == [1] and together.settle(1) is None
    for k in (0, 2):
        assert stepped.observations[k].tobytes() == environments[k].last.observation.tobytes()
        assert stepped.observations[k].tobytes() != first[k].observation.tobytes()
        assert together.settle(k) is environments[k].last
