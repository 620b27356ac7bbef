"""Real games: what the emulator says is what we say, and an episode depends on nothing but its number."""

import dataclasses
import hashlib
import json
import pathlib
import types

import ale_py
import numpy as np
import pytest
from ale_py import roms

from dqn_tf.checks import ConfigError, RunError
from dqn_tf.envs.atari import AtariEnvironment
from dqn_tf.envs.frames import luminance
from dqn_tf.envs.protocols import DOPAMINE, DQN_ZOO, NATURE2015, PROTOCOLS, AtariProtocol
from dqn_tf.types import StepType, TimeStep

PLAIN = dataclasses.replace(DOPAMINE, sticky_probability=0.0)
GOLDEN = pathlib.Path(__file__).with_name("golden_streams.json")
GOLDEN_GAMES = ("breakout", "seaquest")


def play(env: AtariEnvironment, actions: np.random.Generator, steps: int) -> list[TimeStep]:
    """Random play; an answer per call of reset or step."""
    answers = []
    for _ in range(steps):
        due = env.state()["awaiting"] if not answers else answers[-1].step_type == StepType.LAST
        answers.append(env.reset() if due else env.step(int(actions.integers(env.spec.num_actions))))
    return answers


def digest(answers: list[TimeStep]) -> str:
    sha = hashlib.sha256()
    for a in answers:
        sha.update(a.observation.tobytes() + a.frame.tobytes())
        sha.update(json.dumps([a.reward, a.discount, *map(int, a[4:9])]).encode())
    return sha.hexdigest()


def emulator(game: str) -> ale_py.ALEInterface:
    ale = ale_py.ALEInterface()
    ale.setInt("random_seed", 0)
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(roms.get_rom_path(game))
    ale.reset_game()
    return ale


@pytest.mark.parametrize("game", ["pong", "ms_pacman", "qbert"])
def test_raw_returns_and_lives_are_the_emulators(game: str) -> None:
    env, ale = AtariEnvironment(game, PLAIN, seed=0), emulator(game)
    actions, legal = np.random.default_rng(0), ale.getMinimalActionSet()
    for _ in range(2):
        env.reset()
        while True:
            action = int(actions.integers(len(legal)))
            step = env.step(action)
            paid = frames = 0
            while frames < 4 and not ale.game_over():
                paid += ale.act(legal[action])
                frames += 1
            assert (step.reward, step.lives, step.frames) == (paid, ale.lives(), frames)
            assert step.episode_over == ale.game_over()
            if step.episode_over:
                break
        ale = emulator(game)


def test_action_sets() -> None:
    assert AtariEnvironment("breakout", PLAIN, seed=0).spec.action_names == ("NOOP", "FIRE", "RIGHT", "LEFT")
    full = AtariEnvironment("breakout", PROTOCOLS["machado2018"], seed=0).spec.action_names
    assert (len(full), full[0], full[1], full[-1]) == (18, "NOOP", "FIRE", "DOWNLEFTFIRE")


@pytest.mark.parametrize("game", ["breakout", "qbert", "yars_revenge"])
def test_an_episode_does_not_depend_on_what_was_played_before(game: str) -> None:
    """Q*bert loads its ROM anew, the others restore a clone of their first state."""
    fresh, used = (AtariEnvironment(game, DOPAMINE, seed=5) for _ in range(2))
    play(used, np.random.default_rng(1), 200)
    for env in (fresh, used):
        env._begin_game(7)
    a, b = (play(env, np.random.default_rng(3), 150) for env in (fresh, used))
    assert digest(a) == digest(b)


def test_seed_stream_and_episode_tell_episodes_apart() -> None:
    protocol = dataclasses.replace(NATURE2015, sticky_probability=0.25)

    def stream(seed: int, name: str, episodes: int) -> str:
        env = AtariEnvironment("breakout", protocol, seed, name)
        for _ in range(episodes):
            env.reset()
        return digest(play(env, np.random.default_rng(0), 60))

    base = stream(0, "train", 1)
    assert base == stream(0, "train", 1)
    assert len({base, stream(1, "train", 1), stream(0, "eval", 1), stream(0, "train", 2)}) == 4


STICKY_ZOO = dataclasses.replace(DQN_ZOO, sticky_probability=0.25)
RESTORED = [
    (game, protocol)
    for game in ("breakout", "yars_revenge", "space_invaders", "qbert")
    for protocol in (DOPAMINE, NATURE2015, STICKY_ZOO)
    if game != "qbert" or protocol is NATURE2015  # it loads its ROM for each game: slow
]


@pytest.mark.parametrize(("game", "protocol"), RESTORED)
def test_save_and_restore_in_the_middle(game: str, protocol: AtariProtocol) -> None:
    """In a fresh object and in a used one, after any number of steps, life losses and ends included."""
    source, used = AtariEnvironment(game, protocol, seed=1), AtariEnvironment(game, protocol, seed=1)
    actions = np.random.default_rng(2)
    play(used, np.random.default_rng(9), 50)
    for steps in (0, 1, 3, 130, 170) if game == "qbert" else (0, 1, 2, 3, 130, 7, 170):
        play(source, actions, steps)
        state, generator = source.state(), actions.bit_generator.state
        ahead = digest(play(source, actions, 25))
        for env in (
            (used, source)
            if steps < 170 or game == "qbert"
            else (AtariEnvironment(game, protocol, seed=1), used, source)
        ):
            env.restore(state)
            assert {k: np.array(v).tolist() for k, v in env.state().items()} == {
                k: np.array(v).tolist() for k, v in state.items()
            }
            actions.bit_generator.state = generator
            assert digest(play(env, actions, 25)) == ahead


@pytest.mark.parametrize("protocol", [NATURE2015, PROTOCOLS["atari100k"]])
def test_save_and_restore_around_every_life_loss(protocol: AtariProtocol) -> None:
    """Before the reset that is due, and after it."""
    env, copy = (AtariEnvironment("breakout", protocol, seed=4) for _ in range(2))
    actions, seen = np.random.default_rng(0), 0
    env.reset()
    while seen < 4:
        last = env.step(int(actions.integers(4)))
        if last.step_type != StepType.LAST:
            continue
        copy.restore(env.state())
        assert digest([copy.last]) == digest([last])
        first = env.reset()
        assert digest([copy.reset()]) == digest([first])
        copy.restore(env.state())
        assert digest([copy.last]) == digest([first])
        assert digest([copy.step(1)]) == digest([env.step(1)])
        seen += not last.episode_over


def test_a_state_survives_json_and_npz(tmp_path: pathlib.Path) -> None:
    env = AtariEnvironment("pong", DOPAMINE, seed=0)
    play(env, np.random.default_rng(0), 30)
    state = env.state()
    text = json.dumps({k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in state.items()})
    np.savez(tmp_path / "state.npz", **{k: np.asarray(v) for k, v in state.items()})
    want = digest([env.step(2)])
    for stored in (json.loads(text), dict(np.load(tmp_path / "state.npz", allow_pickle=False))):
        env.restore(stored)
        assert digest([env.step(2)]) == want


def test_a_state_of_another_environment_is_refused() -> None:
    env = AtariEnvironment("pong", DOPAMINE, seed=0)
    for other in (
        AtariEnvironment("pong", DOPAMINE, seed=1),
        AtariEnvironment("pong", DOPAMINE, seed=0, stream="eval"),
        AtariEnvironment("pong", PLAIN, seed=0),
        AtariEnvironment("pong", DOPAMINE, seed=0, training=False),
        AtariEnvironment("boxing", DOPAMINE, seed=0),
    ):
        with pytest.raises(RunError, match=r"Expected a state of 'pong\|0\|train\|True"):
            env.restore(other.state())


def test_a_log_that_ends_elsewhere_is_refused() -> None:
    env = AtariEnvironment("pong", PLAIN, seed=0)
    play(env, np.random.default_rng(0), 60)
    state = env.state()
    with pytest.raises(RunError, match="Expected the replay of episode 0 of pong to end in the saved observation"):
        env.restore({**state, "log": state["log"][:-1]})  # type: ignore[index]
    env.restore(state)


def test_answers_stay_as_they_were() -> None:
    env = AtariEnvironment("breakout", DOPAMINE, seed=0)
    answers = play(env, np.random.default_rng(0), 150)
    before = [a.observation.copy() for a in answers]
    play(env, np.random.default_rng(1), 150)
    assert all(np.array_equal(a.observation, b) for a, b in zip(answers, before, strict=True))
    assert not answers[0].observation.flags.writeable


def test_render_is_the_present_screen() -> None:
    env, ale = AtariEnvironment("pong", PLAIN, seed=0), emulator("pong")
    for _ in range(2):
        env.reset()
        ale = emulator("pong")
        assert np.array_equal(env.render(), ale.getScreenRGB())
        env.step(2)
        for _ in range(4):
            ale.act(ale.getMinimalActionSet()[2])
        assert np.array_equal(env.render(), ale.getScreenRGB())
    env.close()


def test_unknown_game() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'pong'"):
        AtariEnvironment("pongg", DOPAMINE, seed=0)


def golden() -> dict[str, str]:
    return {
        f"{game} {name}": digest(play(AtariEnvironment(game, protocol, seed=0), np.random.default_rng(0), 80))
        for game in GOLDEN_GAMES
        for name, protocol in PROTOCOLS.items()
    }


def test_golden_streams() -> None:
    """The bytes of every protocol, on every machine.  After a meant change: python tests/envs/test_atari_games.py."""
    assert golden() == json.loads(GOLDEN.read_text())


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(), indent=2) + "\n")


@pytest.mark.parametrize("game", ["backgammon", "video_checkers"])
def test_no_ops_press_nothing_where_the_agent_has_no_noop(game: str) -> None:
    """The minimal action sets of these games begin with FIRE, and hold no NOOP."""
    protocol = dataclasses.replace(PROTOCOLS["dopamine"], noops_min=5, noops_max=5, noops_unit="steps")
    env = AtariEnvironment(game, protocol, seed=0)
    assert "NOOP" not in env.spec.action_names
    played: list[str] = []
    ale = env._ale
    env._ale = types.SimpleNamespace(  # type: ignore[assignment]
        act=lambda action: (played.append(action.name), ale.act(action))[1], lives=ale.lives, game_over=ale.game_over
    )
    env.reset()
    assert played == ["NOOP"] * 20
    firsts = set()
    for episode in range(30):  # sticky: the first frame of a step may repeat the no-op
        env._begin_game(episode)
        played.clear()
        env.step(0)
        firsts.add(played[0])
    assert firsts == {"FIRE", "NOOP"}


@pytest.mark.parametrize(("game", "differ"), [("air_raid", True), ("breakout", False)])
def test_the_gray_screen_is_the_luminance_of_the_colored_one_but_in_air_raid(game: str, differ: bool) -> None:
    """Known ground (docs/screens.md): while Air Raid shows no color, the emulator's gray palette is another one, up to
    236 levels away.  So `protocol.luminance` decides what an agent sees there, and there alone."""
    ale, actions = emulator(game), np.random.default_rng(0)
    legal, largest = ale.getMinimalActionSet(), 0
    for _ in range(120):
        ale.act(legal[int(actions.integers(len(legal)))])
        expected = luminance(ale.getScreenRGB(), "round")
        largest = max(largest, int(np.abs(ale.getScreenGrayscale() - expected).max()))
        if ale.game_over():
            ale.reset_game()
    assert largest > 200 if differ else largest <= 1
