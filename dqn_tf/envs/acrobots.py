"""K Acrobots in array form: ``AcrobotEnv.step`` of Gymnasium, a step of Runge and Kutta's method of order 4.

Gymnasium squares with ``x**2`` of a number, which is the C library's pow, and not always x times x: so does this.
"""

from __future__ import annotations

import numpy as np
from gymnasium.envs.classic_control.acrobot import AcrobotEnv

from dqn_tf.envs.array_simulators import ArraySimulators


def _squares(x: np.ndarray) -> np.ndarray:
    return np.array([number**2 for number in x.tolist()])


def _wrapped(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """``acrobot.wrap``."""
    while (beyond := x > high).any():
        x = np.where(beyond, x - (high - low), x)
    while (beyond := x < low).any():
        x = np.where(beyond, x + (high - low), x)
    return x


class Acrobots(ArraySimulators):
    """See ``ArraySimulators``; the state is theta1, theta2, dtheta1, dtheta2."""

    SIMULATOR = AcrobotEnv
    SIZES = (4, 6)

    def advance(self, actions: np.ndarray) -> None:
        """``AcrobotEnv.step`` and ``acrobot.rk4``, with their names."""
        robot = self.simulators[0]
        torque, y0, dt = np.array(robot.AVAIL_TORQUE)[actions], self.state, robot.dt
        dt2 = dt / 2.0
        k1 = self._dsdt(y0, torque)
        k2 = self._dsdt(y0 + dt2 * k1, torque)
        k3 = self._dsdt(y0 + dt2 * k2, torque)
        k4 = self._dsdt(y0 + dt * k3, torque)
        theta1, theta2, dtheta1, dtheta2 = y0 + dt / 6.0 * (k1 + 2 * k2 + 2 * k3 + k4)
        theta1, theta2 = _wrapped(theta1, -np.pi, np.pi), _wrapped(theta2, -np.pi, np.pi)
        dtheta1 = np.minimum(np.maximum(dtheta1, -robot.MAX_VEL_1), robot.MAX_VEL_1)
        dtheta2 = np.minimum(np.maximum(dtheta2, -robot.MAX_VEL_2), robot.MAX_VEL_2)
        self.state = np.stack([theta1, theta2, dtheta1, dtheta2])
        self.terminated = -np.cos(theta1) - np.cos(theta2 + theta1) > 1.0

    def _dsdt(self, state: np.ndarray, a: np.ndarray) -> np.ndarray:
        """``AcrobotEnv._dsdt``, with its names; the torque stays what it is."""
        robot, (theta1, theta2, dtheta1, dtheta2) = self.simulators[0], state
        m1, m2, l1 = robot.LINK_MASS_1, robot.LINK_MASS_2, robot.LINK_LENGTH_1
        lc1, lc2 = robot.LINK_COM_POS_1, robot.LINK_COM_POS_2
        i1 = i2 = robot.LINK_MOI
        g, pi = 9.8, np.pi
        cosine, sine = np.cos(theta2), np.sin(theta2)
        d1 = m1 * lc1**2 + m2 * (l1**2 + lc2**2 + 2 * l1 * lc2 * cosine) + i1 + i2
        d2 = m2 * (lc2**2 + l1 * lc2 * cosine) + i2
        phi2 = m2 * lc2 * g * np.cos(theta1 + theta2 - pi / 2.0)
        phi1 = (
            -m2 * l1 * lc2 * _squares(dtheta2) * sine
            - 2 * m2 * l1 * lc2 * dtheta2 * dtheta1 * sine
            + (m1 * lc1 + m2 * l1) * g * np.cos(theta1 - pi / 2)
            + phi2
        )
        ddtheta2 = (a + d2 / d1 * phi1 - m2 * l1 * lc2 * _squares(dtheta1) * sine - phi2) / (
            m2 * lc2**2 + i2 - _squares(d2) / d1
        )
        ddtheta1 = -(d2 * ddtheta2 + phi1) / d1
        return np.stack([dtheta1, dtheta2, ddtheta1, ddtheta2])

    def observations(self) -> np.ndarray:
        """See ``ArraySimulators``."""
        theta1, theta2, dtheta1, dtheta2 = self.state
        seen = [np.cos(theta1), np.sin(theta1), np.cos(theta2), np.sin(theta2), dtheta1, dtheta2]
        return np.stack(seen, axis=1).astype(np.float32)

    def rewards(self) -> np.ndarray:
        """See ``ArraySimulators``."""
        return np.where(self.terminated, 0.0, -1.0)

    def put(self, k: int) -> None:
        """See ``ArraySimulators``."""
        self.simulators[k].state = self.state[:, k].copy()
