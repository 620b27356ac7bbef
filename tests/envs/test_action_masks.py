"""Masks of legal actions: how they are read, what is refused, saved states and workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf import envs
from dqn_tf.checks import ConfigError, EnvironmentFault
from dqn_tf.envs import trial, vector
from dqn_tf.envs.classic import GymnasiumEnvironment
from dqn_tf.types import StepType, TimeStep


@pytest.fixture(autouse=True)
def _module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)


def doors(**arguments: Any) -> str:
    return envs.identify("masked:Doors", arguments)


def made(**arguments: Any) -> Any:
    return envs.make(doors(**arguments), None, seed=3)


def play(environment: Any, steps: int, seed: int = 0) -> list[TimeStep]:
    """Random legal actions."""
    random, answers = np.random.default_rng(seed), []
    for _ in range(steps):
        last = environment._last
        if last is None or last.step_type == StepType.LAST:
            answers.append(environment.reset())
        else:
            answers.append(environment.step(int(random.choice(np.flatnonzero(last.mask)))))
    return answers


@pytest.mark.parametrize("by", ["info", "method", "both"])
@pytest.mark.parametrize("kind", ["bool", "int8", "uint8", "list"])
def test_the_mask_of_every_answer_is_the_environments(by: str, kind: str) -> None:
    environment = made(by=by, kind=kind)
    assert environment.spec.masked and environment.spec.observation.mask_size == 4
    seen = set()
    for _ in range(60):
        answer = play(environment, 1, seed=len(seen))[0]
        assert answer.mask.dtype == bool and answer.mask.shape == (4,)
        if answer.discount:
            np.testing.assert_array_equal(answer.mask, environment._env.unwrapped.open)
        seen.add(answer.mask.tobytes())
    assert len(seen) > 5
    assert not np.shares_memory(answer.mask, environment._env.unwrapped.open)


def test_where_there_is_none_there_is_none() -> None:
    environment = made(by="none", every=True)
    assert not environment.spec.masked and environment.masks_from is None
    assert environment.reset().mask is None and environment.step(1).mask is None


def test_where_a_value_ends_no_mask_is_read() -> None:
    environment = envs.make(envs.identify("masked:Deadly"), None, seed=0)
    last = next(t for t in play(environment, 60) if t.discount == 0)
    assert last.mask.all()


def test_an_illegal_action_is_refused_before_it_is_taken() -> None:
    environment = made()
    mask = environment.reset().mask
    legal = np.flatnonzero(mask)
    with pytest.raises(ConfigError, match=rf"Expected a legal action of masked:Doors.*one of \[{legal[0]}"):
        environment.step(int(np.flatnonzero(~mask)[0]))
    environment.step(int(legal[0]))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("none legal", r'at least one legal action in info\["action_mask"\], got a mask that is false for all of them'),
        ("too long", r"a mask of 4 bools .* one for each action, got shape \(5,\) and type bool"),
        ("floats", r"got shape \(4,\) and type float32 with \[1.0, 1.0, 1.0, 1.0\]"),
        ("twos", r"got shape \(4,\) and type int64 with \[2, 2, 2, 2\]"),
        ("nothing", r"one for each action, got NoneType"),
        ("disappears", r'expected info\["action_mask"\], as at the first reset, got none'),
    ],
)
@pytest.mark.parametrize("at", [0, 3])
def test_a_wrong_mask_names_environment_episode_and_step(fault: str, words: str, at: int) -> None:
    environment = made(fault=fault, at=at, steps=10**6)
    environment.reset()
    with pytest.raises(EnvironmentFault, match=words) as caught:
        play(environment, 200)
    where = "episode 1, step 3 (action" if at else "episode 1, at its reset"
    assert str(caught.value).startswith("masked:Doors{") and where in str(caught.value)
    assert str(caught.value).endswith("This answer was not used.")


def test_a_mask_that_appears_later_is_an_error() -> None:
    environment = made(by="none", fault="appears", every=True)

    def play_on() -> None:
        for _ in range(60):
            over = environment._last is None or environment._last.step_type == StepType.LAST
            environment.reset() if over else environment.step(0)

    with pytest.raises(EnvironmentFault, match=r'episode 1.*: expected no info\["action_mask"\], as there was none at'):
        play_on()


def test_finding_out_takes_no_reset_that_would_not_have_been(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first object's early reset is that of its first episode; further ones are not reset early."""
    from dqn_tf.envs import action_masks

    monkeypatch.setattr(action_masks, "_sources", {})
    for early in (0, -1):
        environment = made(by="none", every=True)
        assert environment._env.unwrapped.episode == early
        environment.reset()
        environment.step(0)
        assert environment._env.unwrapped.episode == 0
        environment.reset()
        assert environment._env.unwrapped.episode == 1


def test_a_restored_environment_has_the_mask_and_the_future() -> None:
    one, other = made(), made()
    play(one, 25)
    state = one.state()
    other.restore(state)
    assert other.last.mask.tobytes() == one.last.mask.tobytes()
    for a, b in zip(play(one, 40, seed=1), play(other, 40, seed=1), strict=True):
        assert (a.observation.tobytes(), a.mask.tobytes(), a[2:9]) == (
            b.observation.tobytes(),
            b.mask.tobytes(),
            b[2:9],
        )
    one._last = one.last._replace(mask=~one.last.mask)
    assert one.state()["digest"] != other.state()["digest"]


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_workers_share_masks(workers: int) -> None:
    plan = vector.Plan(doors(), None, 3, ("a", "b"))
    alone = [plan.make(i) for i in range(2)]
    there = vector.make(plan, workers)
    try:
        assert there.spec == alone[0].spec and there.spec.masked
        random = np.random.default_rng(0)
        last: list[TimeStep] = []
        for _ in range(40):
            actions = [
                vector.RESET if not last or t.step_type == StepType.LAST else int(random.choice(np.flatnonzero(t.mask)))
                for t in last or alone
            ]
            last = [e.reset() if a == vector.RESET else e.step(a) for e, a in zip(alone, actions, strict=True)]
            for i, answer in enumerate(there.step(actions)):
                assert answer is not None and answer.mask is not None
                assert answer.mask.tobytes() == last[i].mask.tobytes() == there.masks[i].tobytes()  # type: ignore[union-attr]
        again = vector.make(plan, workers)
        try:
            found = again.restore(there.state())
            assert [t.mask.tobytes() for t in found] == [t.mask.tobytes() for t in last]  # type: ignore[union-attr]
            assert [m.tobytes() for m in again.masks] == [t.mask.tobytes() for t in last]  # type: ignore[union-attr]
        finally:
            again.close()
    finally:
        there.close()


def test_the_trial_plays_legal_actions_and_compares_masks() -> None:
    found = trial.examine(doors().removeprefix("gym:"), steps=200)
    assert found.broken is None
    assert any('info["action_mask"] has the legal actions' in remark for remark in found.remarks)
    one = GymnasiumEnvironment(doors().removeprefix("gym:"), 0, "trial")
    played = trial._play_script(one, 40, 9.0)
    wrong = [(e, s, t._replace(mask=~t.mask if s == 2 else t.mask)) for e, s, t in played.answers]
    other = GymnasiumEnvironment(doors().removeprefix("gym:"), 0, "trial")
    assert "it allowed" in str(trial.compare(played._replace(answers=wrong), other, "x"))
