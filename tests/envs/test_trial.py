"""A trial of an environment finds what the promise of determinism needs, and tells what is odd."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dqn_tf import cli
from dqn_tf.checks import ConfigError
from dqn_tf.envs import trial, trial_comparisons
from dqn_tf.envs.trial import examine

Name = Callable[[str], str]

BROKEN = {
    "Unseeded": r"reset with the same seed began differently: reset\(\) does not draw from its seed",
    "NoisySteps": r"same seeds and the same actions parted in episode 0, step 1: it paid .* Something else decides",
    "Curriculum": r"had not played the earlier episodes played a later one differently .* keeps something from episode",
    "OwnSeed": r"had not played the earlier episodes played a later one differently",
    "Stateful": r"had not played the earlier episodes played a later one differently",
    "GlobalSeed": r"played in turns disturbed each other \(episode 0, step 1: it paid .*\): they share something",
    "SharedClock": r"played in turns disturbed each other .* Draw from self.np_random",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_function_of_seed_and_actions_is_found(name: str, misbehaving: Name) -> None:
    import re

    found = examine(misbehaving(name))
    assert found.broken
    assert re.search(BROKEN[name], found.broken), found.broken


@pytest.mark.parametrize("name", ["CartPole-v1", "Acrobot-v1", "MountainCar-v0"])
def test_nothing_is_found_where_nothing_is(name: str) -> None:
    found = examine(name)
    assert (found.broken, found.alone, found.steps) == (None, None, trial.STEPS)
    assert found.episodes >= 4
    assert found.remarks[0].startswith("Episodes are cut off after ")


@pytest.mark.parametrize(
    ("name", "remark"),
    [
        ("Far", "Observations as large as 5e+04 were seen. Nothing scales them"),
        ("Far", "Observations outside of the bounds of observation_space were seen."),
        ("Instant", "600 of 600 episodes that ended were over with their first step."),
        ("InPlace", "Its observations are one array that it writes to again."),
        ("RewardArray", "Its rewards are of the type ndarray, and are taken as numbers."),
        ("Lists", "Its observations are of the type list, where its space declares float32."),
        ("Endless", "No episode ended, and there is no time limit"),
        ("SameStart", "Every episode began with the same observation"),
        ("Unpaid", "No reward but 0 came"),
        ("OneAction", "It has one action only: there is nothing to choose"),
    ],
)
def test_what_is_odd_and_allowed_is_told(name: str, remark: str, misbehaving: Name) -> None:
    found = examine(misbehaving(name))
    assert found.broken is None
    assert any(each.startswith(remark) for each in found.remarks), found.remarks


@pytest.mark.parametrize("name", ["NanReward", "Shape", "FourValues", "Crash", "CrashAtReset"])
def test_what_cannot_be_used_is_refused(name: str, misbehaving: Name) -> None:
    with pytest.raises(
        ConfigError, match=rf"misbehaving:{name}-v0, episode .* in a trial of misbehaving:{name}-v0, before tr"
    ):
        examine(misbehaving(name))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "MoreActions",
            r"episode 2, step 7 .*with, Discrete\(2\), got Discrete\(3\) as its action_space: a network has",
        ),
        ("MoreActionsInPlace", r"episode 2, step 7 .*with, Discrete\(2\), got Discrete\(3\) as its action_space"),
        ("NoNumbers", r"Expected observations of one number at least for `misbehaving:NoNumbers-v0`, got Box"),
        ("NoActionSpace", r"Expected action_space of `misbehaving:NoActionSpace-v0`, got none. Declare it"),
        ("RaisesOnZero", r"an episode more: it raised ValueError: a seed above 0 is wanted \(misbehaving.py, line"),
    ],
)
def test_spaces_that_change_or_are_not_there_are_refused(name: str, words: str, misbehaving: Name) -> None:
    with pytest.raises(ConfigError, match=words):
        examine(misbehaving(name))


def test_what_differs_is_told_in_a_line() -> None:
    few, many = np.zeros(2, np.float32), np.zeros((4, 5, 3), np.uint8)
    assert trial_comparisons._shown(few, few + 1) == "it showed [0.0, 0.0] and [1.0, 1.0]"
    other = many.copy()
    other[1, 2, 0], other[3, 0, 1] = 7, 9
    said = "2 of 60 numbers that it showed differed, at [1, 2, 0] 0 and 7"
    assert trial_comparisons._shown(many, other) == said
    zeros = np.zeros(9, np.float32)
    assert trial_comparisons._shown(zeros, -zeros).startswith(
        "9 of 9 numbers that it showed differed, at [0] 0.0 and -0"
    )


def test_spaces_that_are_made_anew_may_be_equal(misbehaving: Name) -> None:
    assert examine(misbehaving("SpacesAnew")).broken is None


def test_an_error_in_close_is_told_and_loses_nothing(misbehaving: Name) -> None:
    with pytest.warns(RuntimeWarning, match=r"misbehaving:CloseRaises-v0: its close\(\) raised OSError: the port does"):
        assert examine(misbehaving("CloseRaises")).broken is None


def test_what_exists_once_or_twice_is_tried_all_the_same(misbehaving: Name) -> None:
    once, twice = examine(misbehaving("Once")), examine(misbehaving("Twice"))
    assert once.broken is twice.broken is twice.alone is None
    assert (once.alone or "").startswith("RuntimeError: port 4711 is taken (misbehaving.py, line ")
    examine(misbehaving("Once"))  # everything was closed
    examine(misbehaving("Twice"))


def test_it_is_short_in_steps_and_in_seconds(misbehaving: Name, monkeypatch: pytest.MonkeyPatch) -> None:
    assert examine(misbehaving("Walk"), steps=30).steps == 30
    clock = iter(range(10**6))
    monkeypatch.setattr(trial.time, "perf_counter", lambda: next(clock) / 10)  # every look at it costs 0.1 s
    found = examine("CartPole-v1")
    assert 10 <= found.steps <= 40
    assert found.episodes >= 3


def test_episodes_that_are_long_are_left_for_the_next_one(misbehaving: Name) -> None:
    assert examine(misbehaving("Endless")).episodes == 4


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("misbehaving:Walk-v0", 0, "Exact, as far as was seen"),
        ("misbehaving:Curriculum-v0", 1, "NOT EXACT. An object of misbehaving:Curriculum-v0 that had not"),
        ("misbehaving:Once-v0", 0, "It exists once: a second object cannot be had while one is open (RuntimeError"),
        ("breakout", 0, "ale:breakout is a game that is played by this package itself"),
        ("misbehaving:NanReward-v0", 2, "episode 2, step 7 (action "),
    ],
)
def test_the_command(name: str, code: int, words: str, misbehaving: Name, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check-env", name]) == code
    said = capsys.readouterr()
    assert words in said.out + said.err
    if "misbehaving" in name and code < 2:
        assert "Tried: 600 steps of " in said.out
