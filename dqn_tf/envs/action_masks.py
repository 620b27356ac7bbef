"""Which actions a Gymnasium environment allows: ``info["action_mask"]`` or ``env.action_masks()``.

An environment declares a mask at its first reset; from then on each of its answers must have one, and if it declared
none, none.  At termination no action is chosen any more, so no mask is read there.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from dqn_tf.envs import registered
from dqn_tf.envs.answers import InvalidAnswer
from dqn_tf.types import TimeStep

Source = Literal["info", "method", "none"]
WORDS = {"info": 'info["action_mask"]', "method": "action_masks()"}


# By id: what the id meant when its masks were looked for, and where they are.
_sources: dict[str, tuple[Any, Source]] = {}


def find(env: Any, info: Any) -> Source:
    """Where an environment keeps its mask.

    Args:
        env: of Gymnasium's interface.
        info: of its answer to a reset; a mask there is preferred to the method.

    Returns:
        "info", "method" or "none".
    """
    if _has_mask(info):
        return "info"
    return "method" if callable(_method(env)) else "none"


def _has_mask(info: Any) -> bool:
    return isinstance(info, dict) and "action_mask" in info


def _method(env: Any) -> Any:
    try:
        return env.get_wrapper_attr("action_masks")
    except AttributeError:
        return None


class LegalActions:
    """Reads the masks of one environment."""

    def __init__(self, env: Any, source: Source, num_actions: int) -> None:
        """
        Args:
            env: of Gymnasium's interface.
            source: where its masks are.
            num_actions: A.
        """
        self.source, self._actions = source, num_actions
        self._method = _method(env) if source == "method" else None
        self._env = env.unwrapped
        self._space = getattr(self._env, "action_space", None)
        self._size, self._declared = getattr(self._space, "n", None), str(self._space)

    def read(self, info: Any, terminated: bool = False) -> np.ndarray | None:
        """The mask that belongs to an answer.

        Args:
            info: of the answer to reset() or step().
            terminated: whether the episode has terminated: then nothing will be chosen, and all actions count as legal.

        Returns:
            [A] bool, an array of its own; None of an environment without masks.

        Raises:
            InvalidAnswer: there is none, or one where there was none at the first reset; another length or type; or
                no action is legal; or the environment has other actions than it had.
        """
        space = getattr(self._env, "action_space", None)
        if space is not self._space or getattr(space, "n", None) != self._size:
            self._compare(space)
        if self.source == "none":
            if _has_mask(info):
                raise InvalidAnswer(
                    'expected no info["action_mask"], as there was none at the first reset, got one. An environment '
                    "with masks gives one with every answer, from its first reset on"
                )
            return None
        return np.ones(self._actions, bool) if terminated else self._checked(self._given(info))

    def _compare(self, space: Any) -> None:
        """Of an action space that is another object, or has another size, than when the environment was made."""
        if str(space) != self._declared:
            raise InvalidAnswer(
                f"expected the actions that the environment was made with, {self._declared}, got {space} as its "
                "action_space: a network has an output for each action, and cannot get others in mid-run. Make all "
                "actions that there ever are, and say by masks which are legal"
            )
        self._space = space

    def _given(self, info: Any) -> Any:
        if self._method is not None:
            return self._method()
        if not _has_mask(info):
            raise InvalidAnswer('expected info["action_mask"], as at the first reset, got none')
        return info["action_mask"]

    def _checked(self, given: Any) -> np.ndarray:
        where = WORDS[self.source]
        try:
            mask = np.asarray(given)
        except ValueError:  # lists of several lengths
            mask = np.zeros(0, object)
        whole = mask.dtype.kind in "iu" and bool(np.isin(mask, (0, 1)).all())
        if mask.shape != (self._actions,) or not (mask.dtype == np.bool_ or whole):
            raise InvalidAnswer(
                f"expected a mask of {self._actions} bools (or of zeros and ones of an integer type) from {where}, one "
                f"for each action, got {_what(given, mask)}"
            )
        if not mask.any():
            raise InvalidAnswer(
                f"expected at least one legal action in {where}, got a mask that is false for all of them"
            )
        return mask.astype(bool)


def _what(given: Any, mask: np.ndarray) -> str:
    if given is None or mask.dtype == object:
        return type(given).__name__
    numbers = f" with {mask.reshape(-1)[:8].tolist()}" if mask.dtype.kind in "iuf" else ""
    return f"shape {mask.shape} and type {mask.dtype}{numbers}"


def same(one: TimeStep, other: TimeStep) -> bool:
    """Whether two answers allow the same actions.

    Args:
        one: an answer.
        other: another one.
    """
    if one.mask is None or other.mask is None:
        return one.mask is other.mask
    return np.array_equal(one.mask, other.mask)


def known_source(env_id: str) -> Source | None:
    """Where the masks of an id are, if that was found out in this process."""
    meaning, source = _sources.get(env_id, (None, None))
    return source if source is not None and meaning is registered.meaning(env_id) else None


def know_source(env_id: str, source: Source) -> None:
    """Note where the masks of an id are, as found out here or in another process.

    Args:
        env_id: an id of registered.py.
        source: where they are.
    """
    _sources[env_id] = (registered.meaning(env_id), source)
