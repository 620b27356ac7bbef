"""K CartPoles in array form: ``CartPoleEnv.step`` of Gymnasium, with NumPy's cosine and sine, which it computes for an
array element by element as for a number."""

from __future__ import annotations

import numpy as np
from gymnasium.envs.classic_control.cartpole import CartPoleEnv

from dqn_tf.envs.array_simulators import ArraySimulators


class CartPoles(ArraySimulators):
    """See ``ArraySimulators``; the state is x, x_dot, theta, theta_dot."""

    SIMULATOR = CartPoleEnv
    SIZES = (4, 4)

    def advance(self, actions: np.ndarray) -> None:
        """``CartPoleEnv.step``, with its names."""
        pole = self.simulators[0]
        x, x_dot, theta, theta_dot = self.state
        force = np.where(actions == 1, pole.force_mag, -pole.force_mag)
        costheta, sintheta = np.cos(theta), np.sin(theta)
        temp = (force + pole.polemass_length * np.square(theta_dot) * sintheta) / pole.total_mass
        thetaacc = (pole.gravity * sintheta - costheta * temp) / (
            pole.length * (4.0 / 3.0 - pole.masspole * np.square(costheta) / pole.total_mass)
        )
        xacc = temp - pole.polemass_length * thetaacc * costheta / pole.total_mass
        moved = np.empty_like(self.state)
        np.add(x, pole.tau * x_dot, out=moved[0])
        np.add(x_dot, pole.tau * xacc, out=moved[1])
        np.add(theta, pole.tau * theta_dot, out=moved[2])
        np.add(theta_dot, pole.tau * thetaacc, out=moved[3])
        self.state = moved
        self.terminated = (abs(moved[0]) > pole.x_threshold) | (abs(moved[2]) > pole.theta_threshold_radians)

    def observations(self) -> np.ndarray:
        """See ``ArraySimulators``; finite, as an episode ends before anything can grow."""
        return self.state.T.astype(np.float32)

    def rewards(self) -> np.ndarray:
        """See ``ArraySimulators``."""
        if self.simulators[0]._sutton_barto_reward:
            return np.where(self.terminated, -1.0, 0.0)
        return np.ones(len(self.simulators))

    def put(self, k: int) -> None:
        """See ``ArraySimulators``."""
        self.simulators[k].state = self.state[:, k].copy()
        self.simulators[k].steps_beyond_terminated = 0 if self.terminated[k] else None
