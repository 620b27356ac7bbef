"""The Atari 2600 games by name, known without starting an emulator.

A game's id is its snake_case ROM name, as the Arcade Learning Environment spells it: "ms_pacman".
"""

from __future__ import annotations

import re

from dqn_tf import checks


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# The 57 games of the later papers (Wang et al. 2016, arXiv 1511.06581, on).  The 49 of Mnih et al. 2015 are these
# without those in LATER_THAN_NATURE.
ATARI57: tuple[str, ...] = _words(
    """
    alien amidar assault asterix asteroids atlantis bank_heist battle_zone beam_rider berzerk bowling boxing
    breakout centipede chopper_command crazy_climber defender demon_attack double_dunk enduro fishing_derby
    freeway frostbite gopher gravitar hero ice_hockey jamesbond kangaroo krull kung_fu_master montezuma_revenge
    ms_pacman name_this_game phoenix pitfall pong private_eye qbert riverraid road_runner robotank seaquest
    skiing solaris space_invaders star_gunner surround tennis time_pilot tutankham up_n_down venture
    video_pinball wizard_of_wor yars_revenge zaxxon
    """
)
LATER_THAN_NATURE: tuple[str, ...] = _words("berzerk defender phoenix pitfall skiing solaris surround yars_revenge")
ATARI49: tuple[str, ...] = tuple(game for game in ATARI57 if game not in LATER_THAN_NATURE)

# The 26 games of the 100k benchmark (Kaiser et al. 2020, arXiv 1903.00374).
ATARI26: tuple[str, ...] = _words(
    """
    alien amidar assault asterix bank_heist battle_zone boxing breakout chopper_command crazy_climber demon_attack
    freeway frostbite gopher hero jamesbond kangaroo krull kung_fu_master ms_pacman pong private_eye qbert
    road_runner seaquest up_n_down
    """
)

# The 60 games of Dopamine's published curves (Castro et al. 2018, arXiv 1812.06110; google/dopamine@5873f54:
# baselines/atari/data, read in results/published/dopamine_curves.csv.gz): no defender, no surround, five others.
DOPAMINE60: tuple[str, ...] = tuple(
    sorted({*ATARI57, *_words("air_raid carnival elevator_action journey_escape pooyan")} - {"defender", "surround"})
)
SUITES: dict[str, tuple[str, ...]] = {
    "atari57": ATARI57,
    "nature49": ATARI49,
    "dopamine60": DOPAMINE60,
    "atari100k26": ATARI26,
}

# Other games that ale-py 0.12 plays.
OTHERS: tuple[str, ...] = _words(
    """
    adventure air_raid atlantis2 backgammon basic_math blackjack carnival casino crossbow darkchambers
    donkey_kong earthworld elevator_action entombed et flag_capture frogger galaxian hangman haunted_house
    human_cannonball journey_escape kaboom keystone_kapers king_kong klax koolaid laser_gates lost_luggage
    mario_bros miniature_golf mr_do othello pacman pitfall2 pooyan sir_lancelot space_war superman
    tetris tic_tac_toe_3d trondead turmoil video_checkers video_chess video_cube word_zapper
    """
)
ALL: tuple[str, ...] = tuple(sorted(ATARI57 + OTHERS))

# Of these ale-py ships ROMs that its emulator has no rules for: to load one ends the whole process.
UNPLAYABLE: tuple[str, ...] = _words("combat joust maze_craze warlords")

# "Breakout" of BreakoutNoFrameskip-v4, BreakoutDeterministic-v0, ALE/Breakout-v5.
_GYM_NAME = re.compile(
    r"^(?P<ale>ale/)?(?P<game>.*?)(?P<ram>-?ram)?(?P<skip>noframeskip|deterministic)?(?:-v(?P<version>\d+))?$"
)
_STICKY = {"0": 0.25, "4": 0.0, "5": 0.25}  # in the Atari ids of Gymnasium, by version (ale-py, registration.py)


def _squeeze(name: str) -> str:
    """Letters and digits only, lower case: the form in which all spellings of a game agree."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


_BY_SQUEEZED = {_squeeze(game): game for game in ALL + UNPLAYABLE}


def find(name: str) -> str | None:
    """The id of the game that ``name`` spells (see ``resolve``), or None.

    Raises:
        ConfigError: the id of a game in a form that cannot be honored here.
    """
    match = _GYM_NAME.match(name.strip().lower())
    game = spelled(name)
    if match and game:
        _check_honored(name, game, match)
    return game


def spelled(name: str) -> str | None:
    """As ``find``, whether or not it can be honored."""
    match = _GYM_NAME.match(name.strip().lower())
    return _BY_SQUEEZED.get(_squeeze(match["game"])) if match else None


def _check_honored(name: str, game: str, match: re.Match[str]) -> None:
    if game in UNPLAYABLE:
        raise checks.ConfigError(
            f"Expected a game that the emulator plays, got {name!r}: ale-py has the ROM of {game}, a game for several "
            "players, and no rules for it. `dqn-tf games` lists what is played."
        )
    if match["ram"]:
        raise checks.ConfigError(
            f"Expected a game that is seen by its screen, got {name!r}, which shows the console's memory. Atari games "
            f"are played by their pixels here: {game!r}."
        )
    if match["version"] in ("0", "4") and not match["skip"] and not match["ale"]:
        raise checks.ConfigError(
            f"Expected a game whose frame skip is fixed, got {name!r}: in Gymnasium this id repeats each action 2 to 4 "
            f"times, by chance, and no protocol here does. Take {game!r}, played as the protocol says."
        )


def own_settings(name: str) -> tuple[int, float] | None:
    """(frame skip, probability of a sticky action) of an id of Gymnasium's; None of any other name.

    A frame skip of 1 is meant for a wrapper that skips four frames, and is given as 4.
    """
    match = _GYM_NAME.match(name.strip().lower())
    if match is None or match["version"] not in _STICKY:
        return None
    return 4, _STICKY[match["version"]]


def resolve(name: str) -> str:
    """The id of a game, from any of its usual spellings.

    Raises:
        ConfigError: unknown game; it names the nearest ones.

    >>> [resolve(n) for n in ("breakout", "MsPacman", "ALE/Breakout-v5", "BreakoutNoFrameskip-v4", "ms-pacman")]
    ['breakout', 'ms_pacman', 'breakout', 'breakout', 'ms_pacman']
    """
    game = find(name)
    if game is None:
        raise checks.unknown("Atari game", name, ALL)
    return game


def camel_case(game: str) -> str:
    """The spelling of Gymnasium and Dopamine: "ms_pacman" -> "MsPacman"."""
    return "".join(part.capitalize() for part in game.split("_"))
