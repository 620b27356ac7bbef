"""The modes and difficulties of each Atari game: the switches of the console, known without starting an emulator.

A mode is another game of the same cartridge (other rules, other enemies), a difficulty its harder switch; Machado et
al. 2018 (arXiv 1709.06009) brought both to the Arcade Learning Environment.  All published results that are compared
here are of what the emulator starts with.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from dqn_tf.checks import ConfigError
from dqn_tf.envs.protocols import AtariProtocol


class Variants(NamedTuple):
    """The modes and difficulties that a game has, and the two that the emulator starts it with.

    The latter are the first of their lists, but in Backgammon, which starts with a difficulty 0 that cannot be set.

    Attributes:
        modes: all numbers that can be set.
        difficulties: all numbers that can be set.
        mode: at the start.
        difficulty: at the start.
    """

    modes: tuple[int, ...]
    difficulties: tuple[int, ...]
    mode: int
    difficulty: int


# As ale-py 0.12.1 has them: "0-28/4" is 0, 4, ..., 28.  Games that are not named have 0 alone.
_MODES = """
adventure 0-2; air_raid 1-8; alien 0-3; asteroids 0-31,128; atlantis 0-3; bank_heist 0-28/4; basic_math 5-8;
battle_zone 1-3; berzerk 1-9,16-18; bowling 0-4/2; breakout 0-44/4; casino 0,2-3; centipede 22,86;
chopper_command 0,2; crazy_climber 0-3; crossbow 0-6/2; defender 1-9,16; demon_attack 1-7/2; double_dunk 0-15; et 0-2;
flag_capture 8-10; freeway 0-7; frogger 0-2; frostbite 0,2; galaxian 1-9; gopher 0,2; gravitar 0-4; hangman 0-3;
haunted_house 0-8; hero 0-4; human_cannonball 0-7; ice_hockey 0,2; jamesbond 0-1; kangaroo 0-1; king_kong 0-3;
klax 0-2; lost_luggage 0-1; mario_bros 0-6/2; mr_do 0-3; ms_pacman 0-3; name_this_game 8-40/16; othello 0-2;
pacman 0-7; pong 0-1; pooyan 10-70/20; private_eye 0-4; space_invaders 0-15; space_war 6-17; star_gunner 0-3;
surround 0,2; tennis 0,2; tic_tac_toe_3d 0-8; turmoil 0-8; tutankham 0-12/4; video_checkers 1-9,11-19;
video_chess 0-4; video_pinball 0,2; word_zapper 0-23; yars_revenge 0-96/32; zaxxon 0-24/8
"""
_DIFFICULTIES = {
    "0-1": "beam_rider bowling breakout chopper_command crazy_climber crossbow defender demon_attack freeway frogger "
    "galaxian gopher hangman haunted_house human_cannonball journey_escape lost_luggage miniature_golf name_this_game "
    "pacman qbert riverraid seaquest space_invaders trondead video_cube video_pinball wizard_of_wor yars_revenge",
    "0-2": "time_pilot",
    "0-3": "adventure alien bank_heist blackjack boxing casino et fishing_derby ice_hockey pong private_eye superman "
    "surround tennis up_n_down venture word_zapper",
    "0,2": "entombed othello tic_tac_toe_3d",
    "0,2-3": "basic_math",
    "0,3": "amidar asteroids",
    "3": "backgammon",
}


def _numbers(text: str) -> tuple[int, ...]:
    """
    >>> _numbers("0-8/4,128")
    (0, 4, 8, 128)
    """
    out: list[int] = []
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        out += range(int(first), int(last or first) + 1, int(step or 1))
    return tuple(out)


_modes = {game: _numbers(text) for game, text in (words.split() for words in _MODES.split(";"))}
_modes["video_cube"] = tuple(100 * cube + rule for cube in range(51) for rule in range(3))
_difficulties = {game: _numbers(text) for text, names in _DIFFICULTIES.items() for game in names.split()}


def variants(game: str) -> Variants:
    """The modes and difficulties of ``game``, an id of ``games.ALL``.

    >>> variants("centipede")
    Variants(modes=(22, 86), difficulties=(0,), mode=22, difficulty=0)
    """
    modes, difficulties = _modes.get(game, (0,)), _difficulties.get(game, (0,))
    return Variants(modes, difficulties, modes[0], 0)


def settled(game: str, protocol: AtariProtocol) -> AtariProtocol:
    """The protocol with None for a mode or difficulty that the game starts with anyway: one game, one identity.

    Args:
        game: an id of ``games.ALL``.
        protocol: with any mode and difficulty.

    Returns:
        The protocol of the game.

    Raises:
        ConfigError: the game has no such mode or difficulty; with its list and the nearest.
    """
    known = variants(game)
    mode = _settled(game, "mode", protocol.mode, known.modes, known.mode)
    difficulty = _settled(game, "difficulty", protocol.difficulty, known.difficulties, known.difficulty)
    return dataclasses.replace(protocol, mode=mode, difficulty=difficulty)


def _settled(game: str, field: str, value: int | None, known: tuple[int, ...], first: int) -> int | None:
    if value is None or value == first:
        return None
    if value not in known:
        least = min(known, key=lambda other: abs(other - value))
        nearest = f" The nearest is {least}." if len(known) > 1 else ""
        raise ConfigError(
            f"Expected {listed(known)} for `protocol.{field}` of {game}, which starts with {first}, got {value}."
            f"{nearest} `dqn-tf games {game}` shows what there is."
        )
    return value


def listed(numbers: tuple[int, ...], most: int = 40) -> str:
    """Numbers in words; of very many the first and the last.

    Args:
        numbers: in rising order.
        most: how many are listed in full.

    Returns:
        Words.

    >>> listed((22, 86)), listed((0,))
    ('22 or 86', '0')
    """
    if len(numbers) > most:
        return f"one of {', '.join(map(str, numbers[:6]))}, ..., {numbers[-1]} ({len(numbers)} of them)"
    if len(numbers) < 3:
        return " or ".join(map(str, numbers))
    return f"one of {', '.join(map(str, numbers))}"


def describe(game: str) -> str:
    """What `dqn-tf games GAME` prints."""
    known = variants(game)
    lines = [game]
    for field, numbers, first in (
        ("mode", known.modes, known.mode),
        ("difficulty", known.difficulties, known.difficulty),
    ):
        text = ", ".join(map(str, numbers))
        start = f"the emulator starts with {first}"
        if first not in numbers:
            start += ", which cannot be set"
        lines.append(f"  protocol.{field:10}  {text}   ({start})")
    lines.append(f"dqn-tf train PRESET {game} --set protocol.mode=N --set protocol.difficulty=N ...")
    return "\n".join(lines)
