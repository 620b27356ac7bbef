import ale_py.roms
import pandas as pd
import pytest

from dqn_tf.checks import ConfigError
from dqn_tf.envs import games
from reproduce.places import RESULTS


def test_the_static_table_is_the_emulators() -> None:
    assert {*games.ALL, *games.UNPLAYABLE} == set(ale_py.roms.get_all_rom_ids())
    assert len(set(games.ALL)) == len(games.ALL) == 104 and len(games.UNPLAYABLE) == 4


@pytest.mark.parametrize("name", ["combat", "ALE/Joust-v5", "MazeCraze"])
def test_a_rom_that_the_emulator_has_no_rules_for_is_refused(name: str) -> None:
    """To load one ends the process, with the emulator's own words only."""
    with pytest.raises(ConfigError, match=rf"Expected a game that the emulator plays, got '{name}': .* no rules"):
        games.find(name)


def test_the_suites_have_their_sizes() -> None:
    assert len(set(games.ATARI57)) == 57
    assert len(set(games.ATARI49)) == 49
    assert len(set(games.ATARI26)) == 26
    assert set(games.ATARI26) < set(games.ATARI49) < set(games.ATARI57)
    sizes = {"atari57": 57, "nature49": 49, "dopamine60": 60, "atari100k26": 26}
    assert {name: len(set(suite)) for name, suite in games.SUITES.items()} == sizes
    assert all(set(suite) <= set(games.ALL) for suite in games.SUITES.values())


def test_dopamines_games_are_those_of_its_published_curves() -> None:
    curves = pd.read_csv(RESULTS / "published" / "dopamine_curves.csv.gz", usecols=["game"])
    assert sorted(set(curves["game"])) == list(games.DOPAMINE60)


@pytest.mark.parametrize(
    ("name", "game"),
    [
        ("breakout", "breakout"),
        ("Breakout", "breakout"),
        ("ALE/Breakout-v5", "breakout"),
        ("BreakoutNoFrameskip-v4", "breakout"),
        ("BreakoutDeterministic-v0", "breakout"),
        ("ms_pacman", "ms_pacman"),
        ("MsPacman", "ms_pacman"),
        ("ms-pacman", "ms_pacman"),
        ("ALE/TicTacToe3D-v5", "tic_tac_toe_3d"),
        ("JamesbondNoFrameskip-v0", "jamesbond"),
        (" pong ", "pong"),
    ],
)
def test_every_usual_spelling(name: str, game: str) -> None:
    assert games.resolve(name) == game


def test_every_game_in_both_spellings() -> None:
    for game in games.ALL:
        assert games.resolve(game) == games.resolve(f"ALE/{games.camel_case(game)}-v5") == game


@pytest.mark.parametrize("name", ["", "breakaut", "v5", "NoFrameskip-v4", "CartPole-v1"])
def test_no_game_of_this_name(name: str) -> None:
    assert games.find(name) is None


def test_an_unknown_game_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"Unknown Atari game 'breakaut'. Did you mean 'breakout'"):
        games.resolve("breakaut")


@pytest.mark.parametrize(
    "name", ["ALE/Breakout-ram-v5", "Breakout-ram-v5", "Breakout-ramNoFrameskip-v4", "breakout-ram"]
)
def test_a_game_by_its_memory_is_refused(name: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"seen by its screen, got '{name}', .* memory.* by their pixels .*'breakout'"
    ):
        games.resolve(name)


@pytest.mark.parametrize("name", ["Breakout-v0", "Breakout-v4", "MsPacman-v4"])
def test_a_game_with_a_random_frame_skip_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"frame skip is fixed, got '{name}': .* 2 to 4 times"):
        games.find(name)


def test_what_the_ids_of_gymnasium_stand_for() -> None:
    assert games.own_settings("ALE/Pong-v5") == (4, 0.25)
    assert games.own_settings("PongNoFrameskip-v4") == (4, 0.0)
    assert games.own_settings("pong") is None
