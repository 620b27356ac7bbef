"""CartPoles in array form beside Gymnasium's, bit by bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dqn_tf.envs import cartpoles, steppers
from dqn_tf.envs.cartpoles import CartPoles
from dqn_tf.envs.classic import GymnasiumEnvironment
from dqn_tf.envs.simple_protocols import GymnasiumProtocol

TERMINAL = GymnasiumProtocol(max_steps_per_episode=30, time_limit="terminal")


def objects(number: int, name: str = "CartPole-v1", protocol: GymnasiumProtocol | None = None) -> list[Any]:
    return [GymnasiumEnvironment(name, seed, protocol=protocol) for seed in range(number)]


def everything(environment: GymnasiumEnvironment) -> list[object]:
    """All that an object is, as far as it decides the future or is saved."""
    simulator = environment._env
    pole, state = simulator.unwrapped, environment.state()
    plain = {**state, "log": state["log"].tolist(), "evidence": repr(state["evidence"])}
    return [plain, pole.state.tobytes(), pole.steps_beyond_terminated, simulator._elapsed_steps, repr(environment.last)]


@pytest.mark.parametrize(
    ("name", "protocol"),
    [("CartPole-v1", None), ('CartPole-v1{"sutton_barto_reward": true}', None), ("CartPole-v1", TERMINAL)],
)
@pytest.mark.parametrize("number", [1, 9])
def test_every_bit_is_gymnasiums(number: int, name: str, protocol: GymnasiumProtocol | None) -> None:
    """500 steps of each, good actions and bad ones, over ends of both kinds; brought up to date now and then."""
    ours, theirs = objects(number, name, protocol), objects(number, name, protocol)
    assert cartpoles.can_play(ours)
    for environment in (*ours, *theirs):
        environment.reset()
    together, random = CartPoles(ours), np.random.default_rng(number)
    ends = 0
    for step in range(500):
        leaning = [environment.last.observation[2] > 0 for environment in theirs]
        actions = np.where(random.random(number) < 0.1 * np.arange(number), random.integers(0, 2, number), leaning)
        stepped = together.step(actions)
        for k, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            answer = other.step(int(actions[k]))
            assert stepped.observations[k].tobytes() == answer.observation.tobytes()
            told = stepped.rewards[k], stepped.discounts[k], stepped.over[k]
            assert told == (answer.reward, answer.discount, answer.episode_over)
            if answer.episode_over or (step + k) % 50 == 0:
                assert repr(together.settle(k)) == repr(answer)
                assert everything(one) == everything(other)
            if answer.episode_over:
                ends += 1
                one.reset(), other.reset()
                together.adopt(k)
    assert ends or number == 1


def test_cosine_and_sine_of_an_array_are_those_of_its_numbers() -> None:
    angles = np.random.default_rng(0).uniform(-0.5, 0.5, 20_000)
    for function in (np.cos, np.sin):
        alone = np.array([function(angle) for angle in angles])
        for length in (1, 2, 3, 5, 8, 13, 20_000):
            pieces = [function(angles[i : i + length]) for i in range(0, len(angles), length)]
            assert np.concatenate(pieces).tobytes() == alone.tobytes()


def test_other_simulators_are_stepped_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not cartpoles.can_play(objects(2, "Acrobot-v1"))
    assert not cartpoles.can_play([*objects(1), *objects(1, "MountainCar-v0")])
    changed = objects(2)
    changed[1]._env.unwrapped.kinematics_integrator = "semi-implicit"
    assert not cartpoles.can_play(changed)
    acrobots = objects(2, "Acrobot-v1")
    assert isinstance(steppers.make(acrobots, [e.step for e in acrobots]), steppers.OneByOne)
    monkeypatch.setattr(cartpoles, "KNOWN", ("another release's",))
    cartpoles._known.cache_clear()
    assert not cartpoles.can_play(objects(2))
    monkeypatch.undo()
    cartpoles._known.cache_clear()


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
