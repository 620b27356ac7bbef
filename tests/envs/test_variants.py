"""Modes and difficulties: the emulator's own lists, the emulator's own games, one identity for what it starts with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import ale_py
import numpy as np
import pytest
from ale_py import roms

from dqn_tf import cli, fields
from dqn_tf.api import make_config
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.config import RunConfig
from dqn_tf.envs.atari import AtariEnvironment
from dqn_tf.envs.games import ALL, ATARI57
from dqn_tf.envs.protocols import DOPAMINE, AtariProtocol
from dqn_tf.envs.variants import settled, variants
from dqn_tf.types import StepType

PLAIN = dataclasses.replace(DOPAMINE, sticky_probability=0.0)
# Each notation of the table once; all 104 games were compared when it was written.
COMPARED = ("centipede", "name_this_game", "defender", "asteroids", "amidar", "breakout", "backgammon", "video_cube")


def emulator(game: str, **switches: int) -> ale_py.ALEInterface:
    ale = ale_py.ALEInterface()
    ale.setInt("random_seed", 0)
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(roms.get_rom_path(game))
    for name, value in switches.items():
        getattr(ale, f"set{name}")(value)
    ale.reset_game()
    return ale


@pytest.mark.parametrize("game", COMPARED)
def test_the_table_is_the_emulators(game: str) -> None:
    ale, known = emulator(game), variants(game)
    assert known.modes == tuple(ale.getAvailableModes())
    assert known.difficulties == tuple(ale.getAvailableDifficulties())
    start = ale.getRAM().tobytes() + ale.getScreenRGB().tobytes()
    same = emulator(game, Mode=known.mode, **({} if game == "backgammon" else {"Difficulty": known.difficulty}))
    assert same.getRAM().tobytes() + same.getScreenRGB().tobytes() == start


def test_known_ground() -> None:
    """Six of the 57 have no mode 0; all of them have difficulty 0."""
    no_zero = {game: variants(game).mode for game in ATARI57 if 0 not in variants(game).modes}
    assert no_zero == {
        "battle_zone": 1,
        "berzerk": 1,
        "centipede": 22,
        "defender": 1,
        "demon_attack": 1,
        "name_this_game": 8,
    }
    assert all(variants(game).difficulties[0] == 0 for game in ATARI57)
    assert [game for game in ALL if variants(game).difficulty not in variants(game).difficulties] == ["backgammon"]


@pytest.mark.parametrize(("game", "mode", "difficulty"), [("breakout", 12, 1), ("centipede", 86, None)])
def test_what_is_played_is_the_emulators_game(game: str, mode: int, difficulty: int | None) -> None:
    """Two episodes: the first screen, and RAM, rewards and lives of every step; the second one begins as the first."""
    protocol = dataclasses.replace(PLAIN, mode=mode, difficulty=difficulty, stack=1)
    env, other = AtariEnvironment(game, protocol, 0), AtariEnvironment(game, PLAIN, 0)
    switches = {"Mode": mode, **({} if difficulty is None else {"Difficulty": difficulty})}
    actions = np.random.default_rng(0).integers(env.spec.num_actions, size=40).tolist()
    for _ in range(2):
        ale = emulator(game, **switches)
        env._awaiting = "game"
        env.reset()
        assert np.array_equal(env.render(), ale.getScreenRGB())
        for action in actions:
            step = env.step(action)
            paid = sum(ale.act(ale.getMinimalActionSet()[action]) for _ in range(4))
            assert (step.reward, step.lives) == (paid, ale.lives())
            assert env._emulator.ale.getRAM().tobytes() == ale.getRAM().tobytes()
    other.reset()
    for action in actions:
        other.step(action)
    assert not np.array_equal(env.render(), other.render()), "it is another game"


def test_it_is_restored_in_mid_episode() -> None:
    protocol = dataclasses.replace(DOPAMINE, mode=4)
    one, other = (AtariEnvironment("breakout", protocol, 3) for _ in range(2))
    for env, steps in ((one, 60), (other, 9)):
        env.reset()
        for action in np.random.default_rng(steps).integers(4, size=steps).tolist():
            if env.last.step_type == StepType.LAST:
                env.reset()
            env.step(action)
    other.restore(one.state())
    assert np.array_equal(one.step(3).observation, other.step(3).observation)
    with pytest.raises(RunError, match="Expected a state of"):
        AtariEnvironment("breakout", DOPAMINE, 3).restore(one.state())


def config(game: str = "breakout", *settings: str) -> RunConfig:
    return make_config("dqn_nature", game, frames=1_000_000, settings=settings)


def test_they_are_part_of_the_identity_where_they_change_the_game() -> None:
    plain = config()
    assert isinstance(plain.protocol, AtariProtocol) and "mode" not in fields.to_json(plain.protocol)
    for same in (["protocol.mode=0"], ["protocol.difficulty=0"], ["protocol.mode=none"]):
        assert config("breakout", *same) == plain
    assert config("centipede", "protocol.mode=22") == config("centipede")
    changed = config("breakout", "protocol.mode=8")
    assert changed.hash != plain.hash and changed.to_json()["protocol"]["mode"] == 8
    assert RunConfig.from_json(changed.to_json()) == changed
    one, other = (
        AtariEnvironment("breakout", settled("breakout", dataclasses.replace(PLAIN, **d)), 0)._identity
        for d in ({}, {"mode": 0, "difficulty": 0})
    )
    assert one == other


@pytest.mark.parametrize(
    ("game", "setting", "message"),
    [
        (
            "centipede",
            "mode=0",
            "Expected 22 or 86 for `protocol.mode` of centipede, which starts with 22, got 0. "
            "The nearest is 22. `dqn-tf games centipede` shows what there is.",
        ),
        ("breakout", "mode=5", "Expected one of 0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44 for `protocol.mode` of"),
        (
            "breakout",
            "difficulty=2",
            "Expected 0 or 1 for `protocol.difficulty` of breakout, which starts with 0, got 2. The nearest is 1.",
        ),
        ("asterix", "mode=1", "Expected 0 for `protocol.mode` of asterix, which starts with 0, got 1. `dqn-tf games"),
        ("video_cube", "mode=9999", "Expected one of 0, 1, 2, 100, 101, 102, ..., 5002 (153 of them) for"),
        ("breakout", "mode=hard", "Expected a whole number or none for `protocol.mode`, got 'hard'."),
    ],
)
def test_what_a_game_does_not_have(game: str, setting: str, message: str, outcome: Any) -> None:
    assert message in outcome(config, game, f"protocol.{setting}")


def test_the_commands(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["train", "dqn_nature", "defender", "--frames", "1000000", "--run-dir", str(tmp_path / "run")]
    assert cli.main([*words, "--set", "protocol.mode=0"]) == 2
    assert "for `protocol.mode` of defender, which starts with 1, got 0" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert cli.main(["games", "Defender"]) == 0
    said = capsys.readouterr().out
    assert "protocol.mode        1, 2, 3, 4, 5, 6, 7, 8, 9, 16   (the emulator starts with 1)" in said
    assert "protocol.difficulty  0, 1   (the emulator starts with 0)" in said
    assert cli.main(["games", "backgamon"]) == 2 and "Did you mean 'backgammon'" in capsys.readouterr().err
    assert cli.main(["games", "backgammon"]) == 0 and "starts with 0, which cannot be set" in capsys.readouterr().out


def test_another_object_of_the_wrong_game_is_refused() -> None:
    with pytest.raises(ConfigError, match="of pong, which starts with 0, got 7"):
        AtariEnvironment("pong", dataclasses.replace(PLAIN, mode=7), 0)
