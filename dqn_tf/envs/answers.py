"""The answers of a Gymnasium environment, checked against what its spaces declare.

Everything is checked before it is used, so that nothing wrong enters a replay, a network or a score.  In the usual
case (an array of the declared shape and type, a float, two bools) that is a few comparisons.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import gymnasium
import numpy as np

LARGEST = float(np.finfo(np.float32).max)  # rewards and observations are stored as float32
OLD_RESET = "This is the manner before Gymnasium 0.26"
_HOW = "return observation, {} from reset()"


class InvalidAnswer(Exception):
    """An answer that cannot be used; its message says what was expected and what came."""


class Answer(NamedTuple):
    """A step's answer in the types that are used here.

    Attributes:
        observation: [D] float32, an array of its own.
        reward: finite, and within float32.
        terminated: whether the task has ended.
        truncated: whether a time limit has ended the episode.
    """

    observation: np.ndarray
    reward: float
    terminated: bool
    truncated: bool


class Answers:
    """Reads the answers of an environment.

    Args:
        space: of its observations.
        stored: the type in which they are kept.
    """

    def __init__(self, space: gymnasium.spaces.Box, stored: str = "float32") -> None:
        self.space, self._shape, self._declared = space, space.shape, np.dtype(space.dtype)
        self._stored = np.dtype(stored)
        self._exact = self._stored.kind != "f"  # bytes and bools are finite, and are not rounded
        self._dtype = self._declared  # the one that came last and was found good
        self._few = math.prod(space.shape) <= 32  # for so few the sum (in float64, where it cannot overflow) is faster
        self._wide = (self._declared.kind == "f" and self._declared.itemsize != 4) or self._stored.itemsize < 4

    def reset(self, answer: Any) -> np.ndarray:
        """The observation of an answer to reset(), as an array of its own of the type ``stored``.

        Raises:
            InvalidAnswer: the answer cannot be used.
        """
        if not isinstance(answer, tuple):
            raise InvalidAnswer(
                f"expected (observation, info) from reset(), got {_kind(answer)} alone. {OLD_RESET}: {_HOW}"
            )
        if len(answer) != 2 or not isinstance(answer[1], dict):
            got = f"{len(answer)} values" if len(answer) != 2 else f"{_kind(answer[1])} in the place of info"
            raise InvalidAnswer(f"expected (observation, info) from reset(), info a dict, got {got}: {_HOW}")
        return self.observation(answer[0])

    def step(self, answer: Any) -> Answer:
        """An answer to step().

        Raises:
            InvalidAnswer: it cannot be used.
        """
        if type(answer) is not tuple or len(answer) != 5:
            raise InvalidAnswer(_not_five(answer))
        observation, reward, terminated, truncated, _ = answer
        seen = self.observation(observation)
        if type(reward) is not float:
            reward = number(reward)
        if not -LARGEST <= reward <= LARGEST:
            raise InvalidAnswer(f"expected a reward that is finite and fits float32, got {reward}")
        if terminated.__class__ is not bool:
            terminated = flag("terminated", terminated)
        if truncated.__class__ is not bool:
            truncated = flag("truncated", truncated)
        return Answer(seen, reward, terminated, truncated)

    def observation(self, given: Any) -> np.ndarray:
        """A copy of an observation, of the type ``stored``.

        Raises:
            InvalidAnswer: it has not the declared shape or type, is not finite, or too large for it.
        """
        if type(given) is not np.ndarray or given.dtype is not self._dtype or given.shape != self._shape:
            given = self._unusual(given)
        if self._exact:
            return self._whole(given)
        if self._wide:
            with np.errstate(over="ignore"):  # what overflows is found below
                seen = given.astype(self._stored, order="C")
        else:
            seen = given.astype(self._stored, order="C")
        if not (math.isfinite(sum(seen.tolist())) if self._few else np.isfinite(seen).all()):
            at = int(np.flatnonzero(~np.isfinite(seen))[0])
            raise InvalidAnswer(
                f"expected an observation that is finite and fits {self._stored}, got {given.flat[at]} at place "
                f"{at} of {given.size}"
            )
        return seen

    def _whole(self, given: np.ndarray) -> np.ndarray:
        """A copy as bytes or bools.  Raises InvalidAnswer: whole numbers that no byte has."""
        if given.dtype.itemsize > 1 and not 0 <= int(given.min()) <= int(given.max()) <= 255:
            at = int(np.flatnonzero((given < 0) | (given > 255))[0])
            raise InvalidAnswer(
                f"expected an image of whole numbers from 0 to 255, as its observation_space declares, got "
                f"{given.flat[at]} at place {at} of {given.size}"
            )
        return given.astype(self._stored, order="C")

    def _unusual(self, given: Any) -> np.ndarray:
        try:
            array = np.asarray(given)
        except Exception as error:  # ragged lists; objects with an __array__ of their own
            raise InvalidAnswer(f"expected an observation {self._what}, got {_kind(given)} ({error})") from error
        if array.shape != self._shape or not np.can_cast(array.dtype, self._declared, "same_kind"):
            raise InvalidAnswer(
                f"expected an observation {self._what}, as its observation_space declares, got {_kind(given)}"
            )
        if type(given) is np.ndarray:
            self._dtype = array.dtype
            self._wide = array.dtype.kind == "f" and array.dtype.itemsize > self._stored.itemsize
        else:
            self._wide = True
        return array

    @property
    def _what(self) -> str:
        return f"of shape {self._shape} and type {self._declared}"


def number(reward: Any) -> float:
    """A reward as a float: also of NumPy's types, and of an array of one number.

    Raises:
        InvalidAnswer: it is not a number.
    """
    kind = getattr(getattr(reward, "dtype", None), "kind", "")
    if isinstance(reward, bool | int | float) or (kind and kind in "buif" and np.size(reward) == 1):
        try:
            return float(np.asarray(reward).reshape(-1)[0]) if kind else float(reward)
        except OverflowError:
            raise InvalidAnswer(f"expected a reward that is finite and fits float32, got {reward}") from None
    raise InvalidAnswer(f"expected a number for the reward, got {_kind(reward)}")


def flag(name: str, value: Any) -> bool:
    """terminated or truncated as a bool.

    Args:
        name: which of them, for the message.
        value: a bool, or 0 or 1, of any type of Python's or NumPy's.

    Returns:
        True or False.

    Raises:
        InvalidAnswer: it is neither.
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if (isinstance(value, int) or (kind and kind in "bui" and np.size(value) == 1)) and value in (0, 1):
        return bool(value)
    raise InvalidAnswer(f"expected True or False for {name}, got {_kind(value)}")


def _not_five(answer: Any) -> str:
    expected = "expected (observation, reward, terminated, truncated, info) from step()"
    if not isinstance(answer, tuple):
        return f"{expected}, got {_kind(answer)}"
    if len(answer) == 4:
        return (
            f"{expected}, got 4 values. {OLD_RESET} (observation, reward, done, info): return done as terminated where "
            "the task ends, as truncated where only time does"
        )
    return f"{expected}, got {len(answer)} values"


def unpacked_wrongly(error: BaseException, innermost: str) -> str | None:
    """What an environment answered, if one of Gymnasium's wrappers, which unpacks answers before we see them, failed
    at it.

    Args:
        error: what was raised.
        innermost: the file in which it was raised.

    Returns:
        The answer in words; None if the error is another one.
    """
    words = str(error)
    wrappers = str(gymnasium.__path__[0])
    if not (isinstance(error, ValueError | TypeError) and innermost.startswith(wrappers) and "unpack" in words):
        return None
    if "expected 5, got 4" in words:
        return _not_five((0,) * 4)
    return f"{_not_five(None).partition(', got')[0]}, got something else ({words})"


def _kind(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    if isinstance(value, tuple | list | dict | str):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{value!r}"[:80] if isinstance(value, bool | int | float | np.generic | None) else type(value).__name__
