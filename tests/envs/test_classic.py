"""Gymnasium environments under the same interface as the Atari games."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from dqn_tf import envs
from dqn_tf.checks import ConfigError, EnvironmentFault, RunError
from dqn_tf.envs.classic import GymnasiumEnvironment
from dqn_tf.types import StepType, TimeStep


class Counting(gymnasium.Env[np.ndarray, Any]):
    """Shows (start, steps, last action); ends after five steps.  Actions 3, 4, 5."""

    observation_space = gymnasium.spaces.Box(-10, 1e9, (3,), np.float64)
    action_space = gymnasium.spaces.Discrete(3, start=3)
    noisy = False

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.seen = np.array([self.np_random.integers(1000), 0.0, -1.0])
        return self.seen, {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.seen[1:] = self.seen[1] + 1, action  # the same array each time: the wrapper must copy
        if self.noisy:
            self.seen[0] = np.random.default_rng().random()
        return self.seen, float(action), self.seen[1] >= 5, False, {}


class Noisy(Counting):
    noisy = True


class Pictures(Counting):
    observation_space = gymnasium.spaces.Box(0, 255, (8, 8, 3), np.uint8)


class Continuous(Counting):
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)


@pytest.fixture(autouse=True)
def registered() -> Any:
    for cls in (Counting, Noisy, Pictures, Continuous):
        gymnasium.register(f"Dqn{cls.__name__}-v0", entry_point=cls, max_episode_steps=4 if cls is Noisy else None)
    yield
    for cls in (Counting, Noisy, Pictures, Continuous):
        del gymnasium.registry[f"Dqn{cls.__name__}-v0"]


def play(env: GymnasiumEnvironment, actions: np.random.Generator, steps: int) -> list[TimeStep]:
    answers: list[TimeStep] = []
    for _ in range(steps):
        due = env.state()["episode"] == -1 or env.last.step_type == StepType.LAST
        answers.append(env.reset() if due else env.step(int(actions.integers(env.spec.num_actions))))
    return answers


def same(a: list[TimeStep], b: list[TimeStep]) -> bool:
    return all(x.observation.tobytes() == y.observation.tobytes() and x[2:] == y[2:] for x, y in zip(a, b, strict=True))


def test_spec_and_signals() -> None:
    env = GymnasiumEnvironment("DqnCounting-v0", seed=0)
    assert env.spec.observation.shape == (3,)
    assert (env.spec.observation.dtype, env.spec.observation.stack, env.spec.frame_skip) == ("float32", None, 1)
    assert env.spec.action_names == ("3", "4", "5")
    first = env.reset()
    assert (first.step_type, first.frames, first.reward, first.discount) == (StepType.FIRST, 0, 0.0, 1.0)
    steps = [env.step(a) for a in (0, 1, 2, 0, 1)]
    assert [s.reward for s in steps] == [3, 4, 5, 3, 4]
    assert [s.observation[1] for s in steps] == [1, 2, 3, 4, 5]
    assert [s.step_type for s in steps] == [StepType.MID] * 4 + [StepType.LAST]
    assert (steps[-1].discount, steps[-1].episode_over, steps[-1].truncated) == (0.0, True, False)
    assert {s.observation.dtype for s in steps} == {np.dtype(np.float32)}
    assert {s.frames for s in steps} == {1}


def test_truncation_keeps_the_discount() -> None:
    env = GymnasiumEnvironment("CartPole-v1", seed=0)
    env.reset()
    env._env._max_episode_steps = 3  # type: ignore[attr-defined]
    last = [env.step(i % 2) for i in range(3)][-1]
    assert (last.step_type, last.discount, last.episode_over, last.truncated) == (StepType.LAST, 1.0, True, True)


@pytest.mark.parametrize("env_id", ["CartPole-v1", "MountainCar-v0", "Acrobot-v1", "DqnCounting-v0"])
def test_save_and_restore(env_id: str) -> None:
    source, used = GymnasiumEnvironment(env_id, seed=3), GymnasiumEnvironment(env_id, seed=3)
    play(used, np.random.default_rng(1), 17)
    actions = np.random.default_rng(0)
    for steps in (0, 1, 1, 30, 40):
        play(source, actions, steps)
        state, position = source.state(), actions.bit_generator.state
        ahead = play(source, actions, 30)
        for env in (GymnasiumEnvironment(env_id, seed=3), used, source):
            env.restore(state)
            actions.bit_generator.state = position
            assert same(play(env, actions, 30), ahead)


def test_episodes_differ_by_seed_stream_and_number_alone() -> None:
    def first(seed: int, stream: str, number: int) -> bytes:
        env = GymnasiumEnvironment("CartPole-v1", seed, stream)
        return [env.reset() for _ in range(number)][-1].observation.tobytes()

    assert first(0, "train", 1) == first(0, "train", 1)
    assert len({first(0, "train", 1), first(1, "train", 1), first(0, "eval", 1), first(0, "train", 2)}) == 4


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("CartPol-v1", r"Unknown Gymnasium environment 'CartPol-v1'. Did you mean 'CartPole-v1'"),
        (
            "DqnPictures-v0",
            r"Expected vectors for `DqnPictures-v0`, got images, Box\(0, 255, \(8, 8.*--protocol image, and the preset",
        ),
        ("Blackjack-v1", r"Expected observations that are one array .* got Tuple.* examples/flattened.py"),
        ("DqnContinuous-v0", r"Expected actions of the form Discrete for `DqnContinuous-v0`, got Box"),
    ],
)
def test_what_is_refused(env_id: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GymnasiumEnvironment(env_id, seed=0)


def test_call_order_and_action_range() -> None:
    env = GymnasiumEnvironment("DqnCounting-v0", seed=0)
    with pytest.raises(RunError, match="Call reset"):
        env.step(0)
    with pytest.raises(RunError, match="`last`"):
        _ = env.last
    env.reset()
    for action in (-1, 3):
        with pytest.raises(ConfigError, match=rf"Expected a number in \[0, 3\) for `action`, got {action}"):
            env.step(action)
    assert len(env.state()["log"]) == 0  # type: ignore[arg-type]
    play(env, np.random.default_rng(0), 5)
    with pytest.raises(RunError, match="Call reset"):
        env.step(0)


def test_states_that_do_not_fit_are_refused() -> None:
    env = GymnasiumEnvironment("CartPole-v1", seed=0)
    with pytest.raises(RunError, match=r"Expected a state of 'CartPole-v1\|0\|train\|True'"):
        env.restore(GymnasiumEnvironment("CartPole-v1", seed=1).state())
    noisy = GymnasiumEnvironment("DqnNoisy-v0", seed=0)
    play(noisy, np.random.default_rng(0), 3)
    with pytest.raises(RunError, match="Is the environment deterministic"):
        noisy.restore(noisy.state())


def test_what_cannot_draw_itself_says_so() -> None:
    env = GymnasiumEnvironment("DqnCounting-v0", seed=0)
    env.reset()
    with pytest.raises(RunError, match="draws RGB images"):
        env.render()
    env.close()


# -- numbers become vectors --------------------------------------------------------------------------------------------
class Numbers(gymnasium.Env[Any, Any]):
    """Shows what it is told to."""

    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, space: gymnasium.Space[Any], shown: Any) -> None:
        self.observation_space, self.shown = space, shown

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return self.shown, {}

    def step(self, action: Any) -> Any:
        return self.shown, 0.0, True, False, {}


SPACES = [
    (gymnasium.spaces.Discrete(4), 2, [0, 0, 1, 0]),
    (gymnasium.spaces.Discrete(3, start=-1), np.int64(-1), [1, 0, 0]),
    (gymnasium.spaces.MultiDiscrete([2, 3]), np.array([1, 2]), [0, 1, 0, 0, 1]),
    (gymnasium.spaces.MultiBinary(3), np.array([1, 0, 1], np.int8), [1, 0, 1]),
    (gymnasium.spaces.Box(-9, 9, (), np.float32), np.float32(2.5), [2.5]),
]


@pytest.mark.parametrize(("space", "shown", "wanted"), SPACES)
def test_numbers_become_vectors(space: Any, shown: Any, wanted: list[float]) -> None:
    name = envs.identify(lambda: Numbers(space, shown))
    environment = envs.make(name, None, seed=0)
    assert environment.spec.observation.shape == (len(wanted),)
    assert environment.reset().observation.tolist() == environment.step(0).observation.tolist() == wanted


@pytest.mark.parametrize(
    ("space", "shown"),
    [
        (gymnasium.spaces.Discrete(4), 4),
        (gymnasium.spaces.Discrete(4, start=1), 0),  # which an index of -1 would take for the last one
        (gymnasium.spaces.Discrete(4), np.array([1])),
        (gymnasium.spaces.MultiBinary(3), np.array([1, 0, 2], np.int8)),
        (gymnasium.spaces.MultiDiscrete([2, 3]), np.array([1, -1])),
        (gymnasium.spaces.Box(-9, 9, (), np.float32), np.zeros(1, np.float32)),
    ],
)
def test_numbers_that_the_space_does_not_have_are_named(space: Any, shown: Any) -> None:
    environment = envs.make(envs.identify(lambda: Numbers(space, shown)), None, seed=0)
    with pytest.raises(EnvironmentFault, match=r"episode 0, at its reset: expected an observation of .*, got "):
        environment.reset()


def test_a_task_of_states_is_played() -> None:
    environment = envs.make("FrozenLake-v1", None, seed=1)
    first = environment.reset().observation
    assert (first.shape, first.sum(), first[0]) == ((16,), 1.0, 1.0)


def test_the_example_of_a_flattened_tuple(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    assert envs.make("examples.flattened:blackjack", None, seed=0).spec.observation.shape == (45,)
