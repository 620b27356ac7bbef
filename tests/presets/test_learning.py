"""Every combination of ideas that a preset has learns: small, it solves Catch (catch.py), as no untrained agent can."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from dqn_tf import fields
from dqn_tf.agent.values.cloning import Cloning
from dqn_tf.presets import PRESETS, load


def _load_catch() -> Any:
    spec = importlib.util.spec_from_file_location("catch", Path(__file__).parent / "catch.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["catch"] = module
    spec.loader.exec_module(module)
    return module


catch = _load_catch()


@pytest.fixture(scope="module", autouse=True)
def _registered() -> Iterator[None]:
    gymnasium.register(catch.ENV_ID, entry_point=catch.Catch)
    gymnasium.register(catch.SCREENS_ID, entry_point=catch.CatchScreens)
    yield
    for name in (catch.ENV_ID, catch.SCREENS_ID):
        del gymnasium.registry[name]


@pytest.mark.slow
def test_it_learns(preset_of_ideas: str) -> None:
    """100 greedy episodes.  The thresholds leave room for other last bits: what was tried ended at 0.9 or more.

    Presets of the same ideas differ in numbers, of which the toy replaces most; `python tests/presets/catch.py` plays
    all of them.  (Not rr_dqn_munchausen: its temperature of 100 is far above all differences of value here.)
    """
    before, after = catch.scores(catch.config(preset_of_ideas))
    assert before <= catch.HOPELESS, "the untrained agent must fail"
    if isinstance(load(preset_of_ideas).agent.value, Cloning):
        assert after < catch.SOLVED, "who repeats what was done does not learn from its own play"
    else:
        assert after >= catch.SOLVED


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["spr_dopamine", "bbf"])
def test_it_learns_from_screens(preset: str) -> None:
    """SPR predicts itself; BBF with its torso, its annealing and a reset in between."""
    before, after = catch.scores(catch.on_screens(preset))
    assert before <= catch.HOPELESS and after >= catch.SOLVED


@pytest.mark.slow
def test_without_the_value_of_what_follows_it_is_not_solved() -> None:
    """gamma = 0: only the last step's worth is learned, so the game does ask for bootstrapping."""
    _, after = catch.scores(catch.config("dqn_classic").with_settings(["discount=0"]))
    assert after < catch.SOLVED - 0.2


# -- the toy itself ----------------------------------------------------------------------------------------------------
def play(start: int, actions: tuple[int, ...]) -> float:
    env = catch.Catch()
    env.reset(seed=start)
    steps = [env.step(action) for action in actions]
    assert [s[1] for s in steps[:-1]] == [0.0] * (catch.STEPS - 1) and [s[2] for s in steps] == [False] * 4 + [True]
    return steps[-1][1]


def test_chance_and_constant_actions_fail_and_the_best_play_never_misses() -> None:
    plays = list(itertools.product(range(3), repeat=catch.STEPS))
    returns = np.array([[play(start, actions) for actions in plays] for start in range(25)])
    assert returns.mean() == pytest.approx(-0.6, abs=0.02)
    for action in range(3):
        assert returns[:, plays.index((action,) * catch.STEPS)].mean() == pytest.approx(-0.6)
    assert returns.max(axis=1).tolist() == [1.0] * 25


def test_the_observation_says_where_ball_and_paddle_are() -> None:
    env = catch.Catch()
    observation, _ = env.reset(seed=25 + 5 * 3 + 1)  # ball in column 3, paddle in column 1
    assert np.flatnonzero(observation).tolist() == [3, 25 + 1]
    assert np.flatnonzero(env.step(2)[0]).tolist() == [5 + 3, 25 + 2]
    assert np.flatnonzero(env.step(0)[0]).tolist() == [10 + 3, 25 + 1]


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_trained_here_is_the_preset(preset: str) -> None:
    """Sizes, clocks, the learning rate and the torso are the toy's; vectors have neither views nor latents; all else is
    the preset's."""
    ours, small = load(preset).agent, catch.config(preset).agent
    differing = {
        path
        for path, here, there in fields.differences(fields.to_json(small), fields.to_json(ours))
        if here != there
        and path.partition(".")[0] not in ("network", "execution", "augmentation", "auxiliary", "resets")
    }
    assert differing <= {
        *("batch_size", "steps_per_update", "target_update_steps", "min_replay_steps", "optimizer.learning_rate"),
        *("exploration.decay_steps", "exploration.initial_epsilon", "replay.capacity", "replay.sort_updates"),
        *("replay.importance.start", "replay.importance.end", "updates_at_once", "optimizer.decay_updates"),
        "returns.decay_updates",
        *("value.atoms", "value.v_min", "value.v_max", "value.quantiles", "value.fractions"),
        *("value.samples", "value.target_samples", "value.policy_samples", "value.cosines", "value.heads"),
    }
