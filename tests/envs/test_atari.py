"""Each field of the protocol, shown on a scripted emulator: frame f shows the gray 2 f (see conftest)."""

import collections
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import rng
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.envs.atari import AtariEnvironment
from dqn_tf.envs.protocols import DOPAMINE, DQN_ZOO, NATURE2015, AtariProtocol
from dqn_tf.types import StepType, TimeStep

Scripted = Callable[..., tuple[AtariEnvironment, Any]]
PLAIN = dataclasses.replace(DOPAMINE, sticky_probability=0.0)


def with_(**changes: Any) -> AtariProtocol:
    return dataclasses.replace(PLAIN, **changes)


def pixels(step: TimeStep) -> list[int]:
    """The stack, as one gray per frame."""
    assert all((step.observation[..., i] == step.observation[0, 0, i]).all() for i in range(4))
    return step.observation[0, 0].tolist()


def signals(step: TimeStep) -> tuple[StepType, float, bool, bool]:
    return step.step_type, step.discount, step.episode_over, step.truncated


def dies_after(*frames: int) -> Callable[[int], int]:
    """Three lives, one lost in each of these frames."""
    return lambda frame: 3 - sum(frame >= f for f in frames)


def test_frame_skip_and_stack_and_rewards(scripted: Scripted) -> None:
    env, emulator = scripted(PLAIN, rewards=lambda frame: frame)
    assert env.spec.observation.shape == (84, 84, 4)
    assert env.spec.action_names == ("NOOP", "FIRE", "LEFT")
    first = env.reset()
    assert signals(first) == (StepType.FIRST, 1.0, False, False)
    assert (pixels(first), first.reward, first.frames, first.lives) == ([0, 0, 0, 1], 0.0, 0, 3)
    step = env.step(2)
    assert signals(step) == (StepType.MID, 1.0, False, False)
    assert (pixels(step), step.reward, step.frames) == ([0, 0, 1, 8], 1 + 2 + 3 + 4, 4)
    assert pixels(env.step(0)) == [0, 1, 8, 16]
    assert emulator.acts == ["LEFT"] * 4 + ["NOOP"] * 4
    assert env.last is not None
    assert (env.last.frame == 16).all()


@pytest.mark.parametrize(("skip", "pooled"), [(1, 1), (2, 2), (5, 3)])
def test_other_skips(scripted: Scripted, skip: int, pooled: int) -> None:
    env, emulator = scripted(with_(frame_skip=skip, max_frames_pooled=pooled))
    env.reset()
    assert (env.step(0).frames, env.spec.frame_skip, len(emulator.acts)) == (skip, skip, skip)


def test_padding(scripted: Scripted) -> None:
    for padding, first, second in (
        ("zeros_before", [0, 0, 0, 1], [0, 0, 1, 8]),
        ("zeros_after", [1, 0, 0, 0], [1, 8, 0, 0]),
        ("repeat_first", [1, 1, 1, 1], [1, 1, 1, 8]),
    ):
        env, _ = scripted(with_(stack_padding=padding))
        assert (pixels(env.reset()), pixels(env.step(0))) == (first, second)
        assert env.spec.observation.padding == padding


def test_the_last_frames_are_pooled(scripted: Scripted) -> None:
    """Frame f shows 2 f mod 256, so the brightest of frames 125..128 is 127 (254): frame 128 shows 0."""
    for pooled, want in ((1, 0), (2, 254), (3, 254)):
        env, _ = scripted(with_(max_frames_pooled=pooled))
        env.reset()
        for _ in range(32):
            step = env.step(0)
        assert pixels(step)[-1] == want


def test_sticky_actions(scripted: Scripted) -> None:
    """In each emulator frame, with probability 1/4, the action executed last is executed again."""
    env, emulator = scripted(with_(sticky_probability=0.25))
    env.reset()
    steps = 5000
    for i in range(steps):
        env.step(1 + i % 2)
    wanted = np.repeat(1 + np.arange(steps) % 2, 4)
    done = np.array([env.spec.action_names.index(name) for name in emulator.acts])
    late = done[0::4] != wanted[0::4]  # the action changed here, and its first frame repeated the old one
    # A step is late in its first frame with 1/4, in its first k with 4^-k: standard errors 0.006, 0.003, 0.002.
    for k, error in ((1, 0.006), (2, 0.0035), (3, 0.002)):
        both = np.all([done[j::4] != wanted[j::4] for j in range(k)], axis=0)
        # The whole of the step before may have been late too (4^-4): then there is nothing older to repeat.
        assert abs(both.mean() - 0.25**k) < 4 * error
    assert (done[1::4][~late] == wanted[1::4][~late]).all()  # once executed, repeating it changes nothing


def test_the_streams_behind_the_draws(scripted: Scripted) -> None:
    """Sticky draw of frame f (from 1) of game episode e: number f of the stream's counter e.  No-ops likewise."""
    env, emulator = scripted(with_(sticky_probability=0.25, noops_min=0, noops_max=9, noops_unit="frames"))
    for episode in range(3):
        noops = int(rng.Stream(0, "train/noops").at(episode).integers(0, 10))
        assert env.reset().frames == noops
        for i in range(300):
            env.step(1 + i % 2)
        wanted = ["NOOP"] * noops + [env.spec.action_names[1 + i % 2] for i in range(300) for _ in range(4)]
        done = "NOOP"
        for frame, draw in enumerate(rng.Stream(0, "train/sticky").at(episode).random(len(wanted))):
            done = done if draw < 0.25 else wanted[frame]
            assert emulator.acts[frame] == done


def test_no_sticky_actions(scripted: Scripted) -> None:
    env, emulator = scripted(PLAIN)
    env.reset()
    for i in range(100):
        env.step(i % 3)
    assert emulator.acts == [env.spec.action_names[i % 3] for i in range(100) for _ in range(4)]


@pytest.mark.parametrize(("unit", "frames_each"), [("frames", 1), ("steps", 4)])
def test_noops(scripted: Scripted, unit: str, frames_each: int) -> None:
    env, emulator = scripted(with_(noops_min=2, noops_max=5, noops_unit=unit), rewards=lambda frame: 1)
    counts = collections.Counter()
    for _ in range(200):
        first = env.reset()
        assert set(emulator.acts) == {"NOOP"}
        assert first.frames == len(emulator.acts) == first.reward
        counts[first.frames] += 1
    assert sorted(counts) == [n * frames_each for n in (2, 3, 4, 5)]
    assert min(counts.values()) > 25


def test_what_the_first_frame_shows_after_noops(scripted: Scripted) -> None:
    """After 128 one-frame no-ops: frame 127 is bright (254), frame 128 dark (0)."""
    for changes, want in (
        ({"pool_noops": True}, 254),
        ({"pool_noops": False}, 0),
        ({"noops_unit": "steps", "noops_min": 32, "noops_max": 32}, 254),
    ):
        changes = {"noops_unit": "frames", "noops_min": 128, "noops_max": 128, **changes}
        env, _ = scripted(with_(**changes))
        assert pixels(env.reset()) == [0, 0, 0, want]


def test_fire_on_reset(scripted: Scripted) -> None:
    protocol = with_(fire_on_reset=True, noops_min=1, noops_max=1, noops_unit="frames")
    env, emulator = scripted(protocol)
    assert env.reset().frames == 5
    assert emulator.acts == ["NOOP"] + ["FIRE"] * 4
    env, emulator = scripted(protocol, fire=False)
    env.reset()
    assert emulator.acts == ["NOOP"]


@pytest.mark.parametrize(
    ("length", "shown", "left_out"),
    [
        (6, 12, 8),  # the second frame of the second step, whose window had not begun: the step before, once more
        (7, 14, 8),  # the first frame of the window
        (8, 16, 14),  # its last frame: what came before it in this step, and the step before
        (132, 8, 254),  # frame 127 shows 254, 128 shows 0, 131 shows 6: the maximum is over the step before, too
    ],
)
def test_the_screen_of_the_frame_that_ends_a_game(scripted: Scripted, length: int, shown: int, left_out: int) -> None:
    """As in Gymnasium's AtariPreprocessing, which leaves its loop over a step's frames before it reads the screen."""
    for ending, last in (("shown", shown), ("left_out", left_out)):
        env, _ = scripted(with_(ending_screen=ending), length=length)
        env.reset()
        while not env.step(0).episode_over:
            pass
        assert pixels(env.last)[-1] == last, ending
    for ending, last in (("shown", 16), ("left_out", 14)):  # likewise where a time limit ends it
        env, _ = scripted(with_(ending_screen=ending, max_frames_per_episode=8))
        env.reset()
        env.step(0)
        assert (env.step(0).truncated, pixels(env.last)[-1]) == (True, last)


@pytest.mark.parametrize("stack", [1, 4])
def test_a_screen_that_was_left_out_is_restored(scripted: Scripted, stack: int) -> None:
    """The last frame needs the one before, although a stack of one shows it no more."""
    protocol = with_(ending_screen="left_out", stack=stack)
    one, _ = scripted(protocol, length=22)
    one.reset()
    while not one.step(0).episode_over:
        pass
    other, _ = scripted(protocol, length=22)
    other.restore(one.state())
    assert np.array_equal(one.last.observation, other.last.observation) and one.last.observation[0, 0, -1] == 40


def test_life_loss_ignored(scripted: Scripted) -> None:
    env, _ = scripted(with_(life_loss_training="ignore"), lives=dies_after(6))
    env.reset()
    env.step(0)
    step = env.step(0)
    assert (signals(step), step.lives, step.frames) == ((StepType.MID, 1.0, False, False), 2, 4)


def test_life_loss_as_discount(scripted: Scripted) -> None:
    """The value ends; step, stack and episode go on."""
    env, _ = scripted(with_(life_loss_training="discount"), lives=dies_after(6))
    env.reset()
    env.step(0)
    step = env.step(0)
    assert (signals(step), step.lives, step.frames) == ((StepType.MID, 0.0, False, False), 2, 4)
    after = env.step(0)
    assert (signals(after), pixels(after)) == ((StepType.MID, 1.0, False, False), [1, 8, 16, 24])


def test_a_life_lost_and_won_back_within_a_step_counts(scripted: Scripted) -> None:
    env, _ = scripted(with_(life_loss_training="discount"), lives=lambda frame: 2 if frame == 2 else 3)
    env.reset()
    assert env.step(0).discount == 0.0


def test_life_loss_as_end_of_episode(scripted: Scripted) -> None:
    """The step is cut short, the next episode begins at the same frame without an emulator reset, history cut."""
    env, emulator = scripted(with_(life_loss_training="episode"), lives=dies_after(6))
    env.reset()
    env.step(0)
    step = env.step(0)
    assert (signals(step), step.lives, step.frames) == ((StepType.LAST, 0.0, False, False), 2, 2)
    assert pixels(step) == [0, 1, 8, 12]  # frame 6 alone: the step's window (frames 7 and 8) never came
    with pytest.raises(RunError, match="Call reset"):
        env.step(0)
    first = env.reset()
    assert (signals(first), first.frames) == ((StepType.FIRST, 1.0, False, False), 0)
    assert pixels(first) == [0, 0, 0, 12]
    assert pixels(env.step(0)) == [0, 0, 12, 20]
    assert emulator.games == 1


def test_life_loss_with_a_noop_step(scripted: Scripted) -> None:
    env, emulator = scripted(with_(life_loss_training="episode_noop"), lives=dies_after(6), rewards=lambda frame: 1)
    env.reset()
    env.step(2)
    assert env.step(2).step_type == StepType.LAST
    first = env.reset()
    assert (first.step_type, first.frames, first.reward) == (StepType.FIRST, 4, 4.0)
    assert pixels(first) == [0, 0, 0, 20]
    assert emulator.acts == ["LEFT"] * 6 + ["NOOP"] * 4


def test_the_last_life_waits_for_the_games_end_with_a_noop_step(scripted: Scripted) -> None:
    """As in baselines: some games show zero lives for a while before they are over."""
    for life_loss, want in (("episode", StepType.LAST), ("episode_noop", StepType.MID)):
        env, _ = scripted(with_(life_loss_training=life_loss), lives=lambda frame: int(frame < 2), length=20)
        env.reset()
        assert env.step(0).step_type == want


def test_lives_begin_with_noops_in_the_lua_code(scripted: Scripted) -> None:
    env, emulator = scripted(NATURE2015, lives=lambda frame: 3 - frame // 100)
    counts = collections.Counter()
    for _ in range(150):
        games = emulator.games
        first = env.reset()
        counts[emulator.games > games] += 1
        low, high = (1, 30) if emulator.games > games else (2, 31)
        assert low <= first.frames <= high
        for _ in range(1000):
            if env.last.step_type == StepType.LAST or emulator.frame > 350:
                break
            env.step(2)
    assert min(counts.values()) > 20


def test_training_and_evaluation_differ(scripted: Scripted) -> None:
    for training, want in ((True, StepType.LAST), (False, StepType.MID)):
        env, _ = scripted(with_(life_loss_training="episode"), lives=dies_after(2), training=training)
        env.reset()
        assert env.step(0).step_type == want


def test_the_end_of_the_game(scripted: Scripted) -> None:
    """A step cut short pools what its window holds, never an older screen."""
    for length, shown in ((5, 10), (6, 12), (7, 14), (8, 16)):
        env, emulator = scripted(PLAIN, length=length, rewards=lambda frame: 10)
        env.reset()
        env.step(0)
        step = env.step(0)
        assert (signals(step), step.frames) == ((StepType.LAST, 0.0, True, False), length - 4)
        assert (pixels(step)[-1], step.reward) == (shown, 10.0 * (length - 4))
        env.reset()
        assert emulator.games == 2


def test_the_cap_truncates_and_the_value_goes_on(scripted: Scripted) -> None:
    protocol = with_(max_frames_per_episode=10, noops_min=1, noops_max=1, noops_unit="frames")
    env, emulator = scripted(protocol)
    assert env.reset().frames == 1  # no-ops count
    assert [env.step(0).frames for _ in range(2)] == [4, 4]
    step = env.step(0)
    assert (signals(step), step.frames) == ((StepType.LAST, 1.0, True, True), 1)
    assert (env.reset().step_type, emulator.games) == (StepType.FIRST, 2)


def test_evaluation_has_its_own_cap(scripted: Scripted) -> None:
    env, _ = scripted(with_(max_frames_per_evaluation_episode=4), training=False)
    env.reset()
    assert env.step(0).truncated


def test_a_game_that_ends_in_the_frame_of_the_cap_has_ended(scripted: Scripted) -> None:
    env, _ = scripted(with_(max_frames_per_episode=4), length=4)
    env.reset()
    assert signals(env.step(0)) == (StepType.LAST, 0.0, True, False)


def test_a_life_lost_in_the_frame_of_the_cap_ends_the_value(scripted: Scripted) -> None:
    env, _ = scripted(with_(max_frames_per_episode=4, life_loss_training="episode"), lives=dies_after(4))
    env.reset()
    assert signals(env.step(0)) == (StepType.LAST, 0.0, True, True)


def test_a_game_that_ends_during_its_noops(scripted: Scripted) -> None:
    """It is still one episode: a first answer, and an end of no frames."""
    env, emulator = scripted(with_(noops_min=5, noops_max=5, noops_unit="frames"), length=3)
    first = env.reset()
    assert (signals(first), first.frames) == ((StepType.FIRST, 1.0, False, False), 3)
    step = env.step(0)
    assert (signals(step), step.frames, step.reward) == ((StepType.LAST, 0.0, True, False), 0, 0.0)
    env.reset()
    assert emulator.games == 2


def test_full_action_set(scripted: Scripted) -> None:
    env, _ = scripted(with_(action_set="full"))
    assert env.spec.num_actions == 18


def test_rewards_are_never_clipped_here(scripted: Scripted) -> None:
    env, _ = scripted(with_(reward_clip=(-1.0, 1.0)), rewards=lambda frame: -300)
    env.reset()
    assert env.step(0).reward == -1200.0


def test_color_protocols_read_the_color_screen(scripted: Scripted) -> None:
    for protocol in (NATURE2015, DQN_ZOO):
        env, emulator = scripted(dataclasses.replace(protocol, noops_min=0, noops_max=0))
        env.reset()
        assert (env.step(0).frame == emulator.shade(4)).all()


def test_frame_size(scripted: Scripted) -> None:
    env, _ = scripted(with_(frame_height=42, frame_width=50))
    assert env.reset().observation.shape == (42, 50, 4) == env.spec.observation.shape


@pytest.mark.parametrize("action", [-1, 3, 10**9])
def test_an_action_out_of_range_touches_nothing(scripted: Scripted, action: int) -> None:
    env, emulator = scripted(PLAIN)
    env.reset()
    before = env.state()
    with pytest.raises(ConfigError, match=rf"Expected a number in \[0, 3\) for `action`, got {action}"):
        env.step(action)
    assert emulator.acts == []
    assert {k: str(v) for k, v in env.state().items()} == {k: str(v) for k, v in before.items()}


def test_an_action_that_is_no_whole_number(scripted: Scripted) -> None:
    env, _ = scripted(PLAIN)
    env.reset()
    with pytest.raises(TypeError):
        env.step(1.0)  # type: ignore[arg-type]
    env.step(np.int64(1))


def test_before_the_first_reset(scripted: Scripted) -> None:
    env, _ = scripted(PLAIN)
    with pytest.raises(RunError, match="Call reset"):
        env.step(0)
    with pytest.raises(RunError, match="`last`"):
        _ = env.last


def test_reset_in_the_middle_begins_the_next_game(scripted: Scripted) -> None:
    env, emulator = scripted(PLAIN)
    env.reset()
    env.step(0)
    env.reset()
    assert (env.state()["episode"], len(env.state()["log"]), emulator.games) == (1, 0, 2)
