"""Numbers as vectors: Discrete and MultiDiscrete one-hot, MultiBinary as 0 and 1, a single number as a vector of one.

The vectors are those of gymnasium.spaces.utils.flatten, which does not check that an observation is one of its space.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatten, flatten_space

from dqn_tf.envs.answers import InvalidAnswer


def is_scalar(space: Any) -> bool:
    """Whether observations of this space are numbers that ``AsVector`` makes vectors of."""
    if isinstance(space, spaces.Box):
        return space.shape == ()
    return isinstance(space, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary)


class AsVector(gymnasium.ObservationWrapper[np.ndarray, Any, Any]):
    """The environment, its observations as vectors."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.observation_space = flatten_space(env.observation_space)  # type: ignore[assignment]

    def observation(self, observation: Any) -> np.ndarray:
        """An observation as a vector [D].

        Raises:
            InvalidAnswer: it is none of the space's.
        """
        space = self.env.observation_space
        one_number = isinstance(space, spaces.Box)  # whose bounds are taken as lightly as those of vectors
        if np.shape(observation) != space.shape or not (one_number or space.contains(observation)):
            raise InvalidAnswer(
                f"expected an observation of {space}, as its observation_space declares, got {observation!r}"
            )
        return np.asarray(flatten(space, observation))
