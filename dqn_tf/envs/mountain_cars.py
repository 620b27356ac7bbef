"""K MountainCars in array form: ``MountainCarEnv.step`` of Gymnasium, with the C library's cosine, as there."""

from __future__ import annotations

import math

import numpy as np
from gymnasium.envs.classic_control.mountain_car import MountainCarEnv

from dqn_tf.envs.array_simulators import ArraySimulators


class MountainCars(ArraySimulators):
    """See ``ArraySimulators``; the state is position and velocity."""

    SIMULATOR = MountainCarEnv
    SIZES = (2, 2)

    def advance(self, actions: np.ndarray) -> None:
        """``MountainCarEnv.step``, with its names."""
        car, (position, velocity) = self.simulators[0], self.state
        cosines = np.array([math.cos(angle) for angle in (3 * position).tolist()])
        velocity = velocity + ((actions - 1) * car.force + cosines * (-car.gravity))
        velocity = np.clip(velocity, -car.max_speed, car.max_speed)
        position = np.clip(position + velocity, car.min_position, car.max_position)
        velocity = np.where((position == car.min_position) & (velocity < 0), 0.0, velocity)
        self.state = np.stack([position, velocity])
        self.terminated = (position >= car.goal_position) & (velocity >= car.goal_velocity)

    def observations(self) -> np.ndarray:
        """See ``ArraySimulators``."""
        return self.state.T.astype(np.float32)

    def rewards(self) -> np.ndarray:
        """See ``ArraySimulators``."""
        return np.full(len(self.simulators), -1.0)

    def put(self, k: int) -> None:
        """See ``ArraySimulators``."""
        self.simulators[k].state = tuple(self.state[:, k])
