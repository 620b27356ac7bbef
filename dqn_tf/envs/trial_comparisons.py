"""What a trial (trial.py) compares: whether another object of an environment answers as the first one did."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dqn_tf import rng
from dqn_tf.agent.exploration import random_action
from dqn_tf.checks import InexactRestore
from dqn_tf.envs import action_masks
from dqn_tf.envs.classic import GymnasiumEnvironment
from dqn_tf.types import StepType, TimeStep

SHORT = 8  # numbers of an observation that are told one by one
TURNS = 150  # moves of an object while another one plays in turns with it


class Script(NamedTuple):
    """The script as one object played it, its answers, and the object's state in its middle.

    Attributes:
        answers: episode, step in it, answer; of each move.
        actions: of each move; None: reset.
        middle: how many answers had come when ``state`` was taken.
        state: of the object then.
    """

    answers: list[tuple[int, int, TimeStep]]
    actions: list[int | None]
    middle: int
    state: dict[str, Any]


def compare(first: Script, other: GymnasiumEnvironment, name: str) -> str | None:
    """Play the script on another object, and say in which way it is not a function of seed and actions, if it is not.

    Args:
        first: the script as the first object played it.
        other: an object that has not played yet.
        name: of the environment, for the sentence.

    Returns:
        A sentence, or None where nothing was found.
    """
    found = _difference(first, other, 0)
    if found is None:
        return None
    episode, step, what = found
    if (episode, step) == (0, 0):
        return (
            f"Two objects of {name} that were reset with the same seed began differently: reset() does not draw from "
            "its seed. Begin it with super().reset(seed=seed), and draw from self.np_random."
        )
    return (
        f"Two objects of {name} that got the same seeds and the same actions parted in episode {episode}, step {step}: "
        f"{what}. Something else decides: a generator that reset() does not seed, the clock, another program."
    )


def restore(first: Script, other: GymnasiumEnvironment, name: str) -> str | None:
    """Restore a new object in the middle of the script, and say what is kept from episode to episode, if anything.

    Args:
        first: the script as the first object played it.
        other: an object that has not played yet.
        name: of the environment, for the sentence.

    Returns:
        A sentence, or None where nothing was found.
    """
    try:
        other.restore(first.state)
        found = _difference(first, other, first.middle)
    except InexactRestore:
        found = (int(first.state["episode"]), 0, "it was not the same when it was played again")
    if found is None:
        return None
    return (
        f"An object of {name} that had not played the earlier episodes played a later one differently (episode "
        f"{found[0]}: {found[2]}): it keeps something from episode to episode, as a level, a counter, or a generator "
        "that reset() does not seed."
    )


def take_turns(first: Script, beside: GymnasiumEnvironment, other: GymnasiumEnvironment, name: str) -> str | None:
    """Play the script's beginning on one object, while another one plays something else, and say how it was disturbed.

    Args:
        first: the script as the first object played it.
        beside: the object that plays something else.
        other: an object that has not played yet.
        name: of the environment, for the sentence.

    Returns:
        A sentence, or None where nothing was found.
    """
    stream, made = rng.Stream(1, "trial/actions"), itertools.count()

    def play_beside() -> None:
        number = next(made)
        if number == 0 or beside.last.step_type == StepType.LAST:
            beside.reset()
        else:
            beside.step(random_action(beside.spec.num_actions, stream.at(number), beside.last.mask))

    shorter = first._replace(answers=first.answers[:TURNS], actions=first.actions[:TURNS])
    found = _difference(shorter, other, 0, play_beside)
    if found is None:
        return None
    return (
        f"Two objects of {name} that played in turns disturbed each other (episode {found[0]}, step {found[1]}: "
        f"{found[2]}): they share something, as the generator of NumPy's or Python's module random, or an attribute of "
        "the class. Evaluations and environments side by side play in turns. Draw from self.np_random, which each "
        "object has of its own."
    )


def _difference(
    first: Script, other: GymnasiumEnvironment, start: int, between: Callable[[], None] | None = None
) -> tuple[int, int, str] | None:
    """Where (episode, step) and in what ``other``, playing the script from there on, first answers differently.
    between: called before each of its moves."""
    script = list(zip(first.answers, first.actions, strict=True))[start:]
    for (episode, step, expected), action in script:
        if between is not None:
            between()
        got = other.reset() if action is None else other.step(action)
        if got.observation.tobytes() != expected.observation.tobytes():
            return episode, step, _shown(got.observation, expected.observation)
        if got.reward != expected.reward:
            return episode, step, f"it paid {got.reward} and {expected.reward}"
        if not action_masks.same(got, expected):
            return episode, step, f"it allowed {got.mask} and {expected.mask}"
        if got._replace(mask=None)[3:] != expected._replace(mask=None)[3:]:
            return episode, step, "one ended, the other went on or ended otherwise"
    return None


def _shown(one: np.ndarray, other: np.ndarray) -> str:
    """In which numbers two observations differ; of large ones how many, and the first."""
    if one.size <= SHORT and one.ndim == 1:
        return f"it showed {one.tolist()} and {other.tolist()}"
    places = np.argwhere((one != other) | (np.signbit(one) != np.signbit(other)))  # 0.0 and -0.0 are other bytes
    at = tuple(places[0].tolist())
    return f"{len(places):,} of {one.size:,} numbers that it showed differed, at {list(at)} {one[at]} and {other[at]}"
