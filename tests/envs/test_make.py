import subprocess
import sys

import pytest

from dqn_tf.checks import ConfigError
from dqn_tf.envs import PROTOCOLS, check_environment, make


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
    with pytest.raises(ConfigError, match="Unknown environment 'gym:no_such_module:Thing-v0'"):
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
