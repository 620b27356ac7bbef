"""Environments that are given as a function or a class, with arguments, and found again by their id."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from dqn_tf import cli, envs
from dqn_tf.api import make_config
from dqn_tf.checks import ConfigError
from dqn_tf.config import RunConfig
from dqn_tf.envs import registered, trial, vector
from dqn_tf.envs.vector import RESET, Plan

Name = Callable[[str], str]


@pytest.fixture
def module(misbehaving: Name) -> Any:
    import misbehaving as found  # type: ignore[import-not-found]

    return found


def first(environment: str, **more: Any) -> list[float]:
    """The first observation."""
    one = envs.make(environment, None, seed=3, **more)
    try:
        return one.reset().observation.tolist()
    finally:
        one.close()


def test_every_way_to_say_it_is_one_id(module: Any) -> None:
    wanted = 'gym:misbehaving:make_level{"level":3,"start":0.5}'
    for given in (
        envs.identify(functools.partial(module.make_level, level=3, start=0.5)),
        envs.identify(functools.partial(functools.partial(module.make_level, level=1), level=3, start=0.5)),
        envs.identify(functools.partial(module.make_level, 3).func, {"level": 3, "start": 0.5}),
        envs.identify("misbehaving:make_level", {"start": 0.5, "level": 3}),
        envs.identify('misbehaving:make_level{"start": 0.5, "level": 3}'),
        envs.identify('misbehaving:make_level{"start": 0.5, "level": 9}', {"level": 3}),
        envs.identify(wanted),
    ):
        assert given == wanted
    assert envs.identify(module.Level) == "gym:misbehaving:Level"
    assert envs.identify("CartPole-v1") == "gym:CartPole-v1"


def test_arguments_arrive(module: Any) -> None:
    plain = first("misbehaving:Level-v0")
    assert plain[1] == 1
    for name in ("Level-v0", "Level", "make_level"):
        changed = first(f'misbehaving:{name}{{"level":3,"start":0.5}}')
        assert changed == [np.float32(plain[0] + 0.5), 3]
    drawing = envs.make("misbehaving:Draws", None, 0, drawing=True)
    assert drawing._env.render_mode == "rgb_array"  # type: ignore[attr-defined]
    assert envs.observation_spec("misbehaving:Level", None).shape == (2,)
    assert first('CartPole-v1{"sutton_barto_reward":true}') == first("CartPole-v1")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ('breakout{"a":1}', "Expected no arguments for the Atari game breakout"),
        ("CartPole-v1{a:1}", r"Expected keyword arguments as JSON .* got '\{a:1\}'"),
        ("misbehaving:make_nothing", r"got TypeError: make_nothing\(\) gave NoneType, which is no gymnasium.Env"),
        ("misbehaving:make_trouble", r"got OSError: no simulator at port 4711 \(misbehaving.py, line"),
        ("misbehaving:make_level", r"got TypeError: make_level\(\) missing 1 required positional argument: 'level'"),
        ("misbehaving:MODULE", "Unknown environment 'misbehaving:MODULE'"),
        ("misbehaving:make_levels", "Unknown environment 'misbehaving:make_levels'"),
        ("here:__main__:make", r"Expected the program that has the function '__main__:make', .* give it there"),
    ],
)
def test_what_cannot_be_made_is_told(name: str, message: str, misbehaving: Name) -> None:
    with pytest.raises(ConfigError, match=message):
        envs.make(name, envs.PROTOCOLS["dopamine"], seed=0)


def test_arguments_without_a_name_or_that_json_cannot_say(module: Any) -> None:
    with pytest.raises(ConfigError, match=r"Expected keyword arguments only .* got \(3,\)"):
        envs.identify(functools.partial(module.make_level, 3))
    for value in (object(), float("nan"), np.zeros(2)):
        with pytest.raises(ConfigError, match="Expected arguments of plain values"):
            envs.identify(functools.partial(module.make_level, level=value))


def test_functions_that_nobody_else_can_import(module: Any) -> None:
    name = envs.identify(lambda: module.make_level(7))
    assert name.startswith("gym:here:") and name.endswith("<lambda>")
    assert first(name)[1] == 7
    with pytest.raises(
        ConfigError, match=r"worker processes can import, got 'here:.*only this program has this function"
    ):
        vector.make(Plan(name, None, 0, ("a",)), 1)
    assert vector.make(Plan(name, None, 0, ("a",)), 0).step([RESET])[0] is not None


def test_workers_find_what_the_parent_has_found(module: Any) -> None:
    gymnasium.register("Parents-v0", entry_point="misbehaving:Level", kwargs={"level": 5}, max_episode_steps=20)
    gymnasium.register("ParentsOwn-v0", entry_point=module.Level, kwargs={"level": 6}, max_episode_steps=20)
    try:
        for name, level in (("Parents-v0", 5), ("ParentsOwn-v0", 6), ('misbehaving:make_level{"level":4}', 4)):
            here, there = (vector.make(Plan(f"gym:{name}", None, 1, ("a", "b")), workers) for workers in (0, 1))
            for environments in (here, there):
                environments.step([RESET, RESET])
            assert there.observations.tobytes() == here.observations.tobytes()
            assert there.observations[0, 1] == level
            there.close()
    finally:
        for name in ("Parents-v0", "ParentsOwn-v0"):
            del gymnasium.registry[name]


def test_workers_cannot_find_what_only_this_program_can_say(module: Any) -> None:
    class Local(module.Level):  # type: ignore[misc, name-defined]
        pass

    gymnasium.register("Local-v0", Local, max_episode_steps=20)
    try:
        assert first("Local-v0")[1] == 1
        with pytest.raises(ConfigError, match=r"got 'Local-v0': this program has registered it, .*execution.workers=0"):
            vector.make(Plan("gym:Local-v0", None, 1, ("a",)), 1)
    finally:
        del gymnasium.registry["Local-v0"]


def test_it_is_part_of_the_configuration(module: Any) -> None:
    one = make_config("dqn_classic", functools.partial(module.make_level, level=2), frames=10_000)
    two = make_config("dqn_classic", "misbehaving:make_level", frames=10_000, environment_arguments={"level": 3})
    assert one.environment == 'gym:misbehaving:make_level{"level":2}'
    assert one.hash != two.hash
    assert RunConfig.from_json(one.to_json()) == one


SCRIPT = """
import sys
import gymnasium, numpy as np
from gymnasium import spaces
import dqn_tf

class Mine(gymnasium.Env):
    observation_space, action_space = spaces.Box(-9, 9, (1,), np.float32), spaces.Discrete(2)
    def __init__(self, length=5):
        self.length = length
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self.np_random.random(1, np.float32), {}
    def step(self, action):
        self.t += 1
        return np.full(1, self.t, np.float32), 1.0, self.t == self.length, False, {}

if __name__ == "__main__":
    settings = ["min_replay_steps=40", "evaluation.episodes=2", "evaluation.final_episodes=2", "iteration_frames=60"]
    settings += ["execution.xla=none", "execution.threads=1"]
    config = dqn_tf.make_config("dqn_classic", Mine, frames=60, settings=settings)
    print(config.environment)
    for _ in range(2):
        summary = dqn_tf.train(config, sys.argv[1], dqn_tf.Options(progress=False), environment=Mine)
        print(summary["final_evaluation"]["return_mean"])
    gymnasium.register("Own-v0", Mine, kwargs={"length": 7})
    from dqn_tf.envs import vector
    for name in (config.environment, "gym:Own-v0"):
        there = vector.make(vector.Plan(name, None, 0, ("a",)), 1)
        there.step([vector.RESET])
        print([there.step([0])[0].episode_over for _ in range(5)])
        there.close()
    try:
        dqn_tf.train(config, sys.argv[1] + "2", environment=dict)
    except dqn_tf.ConfigError as error:
        print(error)
"""


def test_a_class_of_the_script_itself_is_trained_on(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    words = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "run")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    said = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert said[:3] == ["gym:script:Mine", "5.0", "5.0"]
    assert said[3:5] == [str([*[False] * 4, over]) for over in (True, False)]
    assert "Expected the environment of the configuration, 'gym:script:Mine', for `environment`, got" in said[5]


def test_the_command_line_takes_arguments(misbehaving: Name, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check-env", "misbehaving:make_level", "--env-args", "level=2", "--env-args", "start=0.25"]) == 0
    assert 'misbehaving:make_level{"level":2,"start":0.25}: observations' in capsys.readouterr().out
    assert cli.main(["check-env", "CartPole-v1", "--env-args", "gravity"]) == 2
    assert "Expected name=value for `--env-args`, got 'gravity'" in capsys.readouterr().err
    assert envs.keywords(["a=3", "b=true", "c=[1,2]", "d=4x4", "e=x=y"]) == {
        "a": 3,
        "b": True,
        "c": [1, 2],
        "d": "4x4",
        "e": "x=y",
    }
    assert registered.split("CartPole-v1").text == "CartPole-v1"


def test_the_example_of_the_docs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    for arguments in ("", '{"length":15}'):
        found = trial.examine(f"examples.own_environment:Corridor{arguments}")
        assert (found.broken, found.alone) == (None, None)
