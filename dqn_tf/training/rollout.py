"""A rollout under way: T steps of E environments, and the lambda-returns of them once they are there."""

from __future__ import annotations

from typing import Any

import numpy as np

from dqn_tf.agent.lambda_returns import lambda_returns
from dqn_tf.types import ObservationSpec


class Rollout:
    """Rows of E steps.

    observations [T, E, ...], actions [T, E] int32, r_t, discount_t [T, E] float32 (gamma, or 0 where the value ends),
    values [T, E] float32: the largest Q of the observation, by the network that acted; over [T, E] bool: the episode
    ended or was cut off at this step; last_values [T, E] float32: where it was cut off, and in the last row, the
    largest Q of the state that the step led to; masks [T, E, A] bool, the legal actions, where the environment gives
    masks.
    """

    def __init__(self, steps: int, environments: int, spec: ObservationSpec) -> None:
        """
        Args:
            steps: T.
            environments: E.
            spec: of the observations.
        """
        rows = (steps, environments)
        self.steps = 0  # rows that are there
        self._arrays = {
            "observations": np.zeros((*rows, *spec.shape), spec.dtype),
            "actions": np.zeros(rows, np.int32),
            "r_t": np.zeros(rows, np.float32),
            "discount_t": np.zeros(rows, np.float32),
            "values": np.zeros(rows, np.float32),
            "over": np.zeros(rows, bool),
            "last_values": np.zeros(rows, np.float32),
            **({"masks": np.zeros((*rows, spec.mask_size), bool)} if spec.mask_size else {}),
        }

    @property
    def full(self) -> bool:
        """All steps are there."""
        return self.steps == len(self._arrays["over"])

    @property
    def observations(self) -> np.ndarray:
        """What was seen, [T E, ...]: the environments of one step after the other, then the next step."""
        observations = self._arrays["observations"]
        return observations.reshape(-1, *observations.shape[2:])

    @property
    def masks(self) -> np.ndarray | None:
        """The legal actions [T E, A], in the same order; None where there are no masks."""
        masks = self._arrays.get("masks")
        return None if masks is None else masks.reshape(-1, masks.shape[2])

    @property
    def actions(self) -> np.ndarray:
        """What was done there: [T E] int32, in the same order."""
        return self._arrays["actions"].reshape(-1)

    def add(self, **row: Any) -> None:
        """Put down a step: observations, actions, r_t, discount_t, values, over and, where there are any, masks, with
        [E, ...] each."""
        for name, values in row.items():
            self._arrays[name][self.steps] = values
        self._arrays["last_values"][self.steps] = 0
        self.steps += 1

    def add_last_values(self, values: np.ndarray) -> None:
        """The largest Q [E] of the states that the newest step led to."""
        self._arrays["last_values"][self.steps - 1] = values

    def cut(self, environment: int) -> None:
        """The newest step of an environment leads nowhere that could be valued: its next episode begins."""
        if self.steps and not self._arrays["over"][self.steps - 1, environment]:
            self._arrays["over"][self.steps - 1, environment] = True
            self._arrays["discount_t"][self.steps - 1, environment] = 0

    def targets(self, trace_decay: float) -> np.ndarray:
        """The lambda-returns of a full rollout, [T E] float32."""
        a = self._arrays
        goes_on = ~a["over"]
        goes_on[-1] = False
        following = np.roll(a["values"], -1, axis=0)
        next_values = np.where(goes_on, following, a["last_values"])
        return lambda_returns(a["r_t"], a["discount_t"], next_values, goes_on, trace_decay).reshape(-1)

    def clear(self) -> None:
        """Begin the next one."""
        self.steps = 0

    def state(self) -> dict[str, np.ndarray]:
        """The rows that are there."""
        return {name: array[: self.steps].copy() for name, array in self._arrays.items()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """The inverse of ``state``.

        Raises:
            ValueError: the rows are those of another kind of rollout.
        """
        self.steps = len(state["over"])
        for name, array in self._arrays.items():
            if state[name].shape[1:] != array.shape[1:] or self.steps > len(array):
                raise ValueError(f"Expected rows like {array.shape} for {name!r}, got {state[name].shape}.")
            array[: self.steps] = state[name]
