import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import pytest

from dqn_tf.checks import ConfigError
from dqn_tf.envs import PROTOCOLS, check_environment, make, notes, observation_spec


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("breakout", "ale:breakout"),
        ("ALE/MsPacman-v5", "ale:ms_pacman"),
        ("PongNoFrameskip-v4", "ale:pong"),
        ("ale:pong", "ale:pong"),
        ("CartPole-v1", "gym:CartPole-v1"),
        ("gym:Acrobot-v1", "gym:Acrobot-v1"),
    ],
)
def test_canonical_ids(name: str, canonical: str) -> None:
    assert check_environment(name) == canonical == check_environment(canonical)


def test_an_unknown_name_lists_the_nearest_of_both_kinds() -> None:
    with pytest.raises(ConfigError, match=r"Unknown environment 'Cartpole'\. Did you mean .*'carnival'.*'CartPole-v1'"):
        check_environment("Cartpole")
    with pytest.raises(ConfigError, match=r"Unknown environment 'xyzzy'\. Give an Atari game"):
        check_environment("xyzzy")
    with pytest.raises(ConfigError, match=r"Expected a module 'no_such_module' .*, found none\. Looked in"):
        check_environment("gym:no_such_module:Thing-v0")
    with pytest.raises(ConfigError, match="Unknown Atari game 'pongg'"):
        check_environment("ale:pongg")


def test_both_kinds_are_made() -> None:
    atari = make("Pong", PROTOCOLS["dopamine"], seed=0)
    assert atari.spec.observation.shape == (84, 84, 4)
    assert make("CartPole-v1", None, seed=0).spec.observation.shape == (4,)
    assert make("CartPole-v1", PROTOCOLS["dopamine"], seed=0).spec.frame_skip == 1


def test_an_atari_game_needs_a_protocol() -> None:
    with pytest.raises(ConfigError, match=r"Expected a protocol for `pong`, got None\. Choose one of .*nature2015"):
        make("pong", None, seed=0)


def test_names_are_checked_without_an_emulator_and_nothing_here_needs_tensorflow() -> None:
    code = """
import sys
from dqn_tf.envs import check_environment, make, PROTOCOLS
check_environment("breakout")
assert not {"ale_py", "gymnasium"} & set(sys.modules)
make("pong", PROTOCOLS["nature2015"], 0).reset(), make("CartPole-v1", None, 0).reset()
assert not {"tensorflow", "keras", "cv2", "PIL"} & set(sys.modules), set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


# -- ids that Gymnasium has, too ---------------------------------------------------------------------------------------
@pytest.fixture
def own_tetris() -> Iterator[None]:
    gymnasium.register("Tetris-v0", entry_point="gymnasium.envs.classic_control.cartpole:CartPoleEnv")
    yield
    del gymnasium.registry["Tetris-v0"]


@pytest.mark.usefixtures("own_tetris")
def test_what_is_registered_under_exactly_this_id_comes_first() -> None:
    with pytest.raises(ConfigError, match="one array for `Blackjack-v1`, got Tuple"):
        make("Blackjack-v1", PROTOCOLS["dopamine"], seed=0)  # Gymnasium's card game
    assert check_environment("Tetris-v0") == check_environment("gym:Tetris-v0") == "gym:Tetris-v0"
    assert make("Tetris-v0", None, seed=0).spec.observation.shape == (4,)
    assert notes("Tetris-v0", None) == [
        "Tetris-v0 is the environment that Gymnasium has under exactly this id; the Atari game is ale:tetris."
    ]


def test_the_atari_game_of_such_a_name_by_its_other_spellings() -> None:
    for name in ("tetris", "ale:Tetris-v5", "ALE/Tetris-v5", "TetrisNoFrameskip-v4"):
        assert check_environment(name) == "ale:tetris"
    assert check_environment("Blackjack") == "ale:blackjack"
    assert check_environment("Blackjack-v1") == "gym:Blackjack-v1"


def test_ale_py_registers_its_games_and_they_are_played_here_all_the_same() -> None:
    import ale_py

    gymnasium.register_envs(ale_py)
    assert "PongNoFrameskip-v4" in gymnasium.registry
    assert check_environment("PongNoFrameskip-v4") == check_environment("ALE/Pong-v5") == "ale:pong"


def test_an_id_whose_settings_are_not_the_protocols_is_told() -> None:
    assert notes("breakout", PROTOCOLS["dopamine"]) == notes("ALE/Breakout-v5", PROTOCOLS["dopamine"]) == []
    assert notes("ALE/Breakout-v5", PROTOCOLS["nature2015"]) == [
        "ALE/Breakout-v5 names the game only. The protocol decides how it is played: frame skip 4, sticky actions with "
        "probability 0.0 (in Gymnasium that id has 4 and 0.25)."
    ]
    assert notes("CartPole-v1", None) == []


# -- modules of the user's ---------------------------------------------------------------------------------------------
REGISTERS = """
import gymnasium
gymnasium.register("Mine-v0", entry_point="gymnasium.envs.classic_control.cartpole:CartPoleEnv")
gymnasium.register("deep/Mine-v0", entry_point="gymnasium.envs.classic_control.cartpole:CartPoleEnv")
"""


def asked(folder: Path, name: str, *flags: str) -> str:
    """What ``check_environment`` says in a process that, like the script dqn-tf, has not its folder on the path."""
    code = f"""
import sys
sys.path.remove("")
from dqn_tf.checks import ConfigError
from dqn_tf.envs import check_environment, make
try:
    print(check_environment({name!r}), make({name!r}, None, 0).spec.observation.shape)
except ConfigError as error:
    print(error)
"""
    words = [sys.executable, *flags, "-c", code]
    return subprocess.run(words, cwd=folder, check=True, timeout=120, capture_output=True, text=True).stdout.strip()


def test_a_module_is_found_in_the_present_folder(tmp_path: Path) -> None:
    (tmp_path / "mine_dqn_tf.py").write_text(REGISTERS)
    assert asked(tmp_path, "mine_dqn_tf:Mine-v0") == "gym:mine_dqn_tf:Mine-v0 (4,)"
    assert asked(tmp_path, "mine_dqn_tf:deep/Mine-v0") == "gym:mine_dqn_tf:deep/Mine-v0 (4,)"
    said = asked(tmp_path, "mine_dqn_tf:Mien-v0")
    assert said.startswith("Unknown environment 'mine_dqn_tf:Mien-v0'. Did you mean"), said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "import no_such_simulator",
            "raised ModuleNotFoundError: No module named 'no_such_simulator' (mine_dqn_tf.py, li",
        ),
        ("from math import sine", "raised ImportError: cannot import name 'sine' from 'math'"),
        ("raise SystemExit(0)", "raised SystemExit: 0 (mine_dqn_tf.py, line 1)"),
        ("1 / 0", "raised ZeroDivisionError: division by zero (mine_dqn_tf.py, line 1)"),
        ("\ndef f(:", "raised SyntaxError: invalid syntax (mine_dqn_tf.py, line 2)"),
    ],
)
def test_a_module_that_fails_is_told_in_its_own_words(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine_dqn_tf.py").write_text(text)
    heard = asked(tmp_path, "mine_dqn_tf:Mine-v0")
    assert "importing 'mine_dqn_tf' " + said in heard and heard.count("line") == 1
    assert "Unknown environment" not in heard


def test_an_observation_is_asked_for_once(misbehaving: object) -> None:
    name = "gym:misbehaving:Once-v0"
    make(name, None, seed=0).close()
    spec = observation_spec(name, None)
    there = make(name, None, seed=0)
    with pytest.raises(Exception, match="RuntimeError: port 4711 is taken"):
        make(name, None, seed=0)
    assert observation_spec(name, None) == spec == there.spec.observation
    there.close()
