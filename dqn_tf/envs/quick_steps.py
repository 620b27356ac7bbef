"""``step`` of simulators of Gymnasium's with Python's numbers, in a third of the time that it takes with NumPy's
scalars, through wrappers, and with every answer checked.

Every line of arithmetic is Gymnasium's, in its order, with its cosine, sine and power: so the bits are the same
(tests/envs/test_quick_steps.py), as long as Gymnasium's lines are those (known_simulators.py).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from gymnasium.envs.classic_control.acrobot import AcrobotEnv
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from gymnasium.envs.classic_control.mountain_car import MountainCarEnv

from dqn_tf.envs import known_simulators
from dqn_tf.envs.answers import Answer

Numbers = tuple[float, ...]


def step(env: Any, action: int) -> Answer | None:
    """A step of an environment, if it is known.

    Args:
        env: of Gymnasium's interface, in its wrappers; its episode has begun and is not over.
        action: legal.

    Returns:
        The answer; None: it is not known, and nothing was done.
    """
    kind = known_simulators.kind_of(env)
    if kind is None:
        return None
    simulator = env.env.env
    state = simulator.state
    if type(state) is not tuple:
        state = tuple(state.tolist())
    state, seen, reward, terminated = _STEPS[kind](simulator, tuple(map(float, state)), action)
    simulator.state = state
    env._elapsed_steps += 1
    return Answer(np.array(seen, np.float32), reward, terminated, env._elapsed_steps >= env._max_episode_steps)


def _cartpole(pole: Any, state: Numbers, action: int) -> tuple[Numbers, Numbers, float, bool]:
    """``CartPoleEnv.step``, with its names."""
    x, x_dot, theta, theta_dot = state
    force = pole.force_mag if action == 1 else -pole.force_mag
    costheta, sintheta = float(np.cos(theta)), float(np.sin(theta))
    temp = (force + pole.polemass_length * (theta_dot * theta_dot) * sintheta) / pole.total_mass
    thetaacc = (pole.gravity * sintheta - costheta * temp) / (
        pole.length * (4.0 / 3.0 - pole.masspole * (costheta * costheta) / pole.total_mass)
    )
    xacc = temp - pole.polemass_length * thetaacc * costheta / pole.total_mass
    tau = pole.tau
    moved = x + tau * x_dot, x_dot + tau * xacc, theta + tau * theta_dot, theta_dot + tau * thetaacc
    terminated = abs(moved[0]) > pole.x_threshold or abs(moved[2]) > pole.theta_threshold_radians
    pole.steps_beyond_terminated = 0 if terminated else None
    if pole._sutton_barto_reward:
        return moved, moved, -1.0 if terminated else 0.0, terminated
    return moved, moved, 1.0, terminated


def _mountain_car(car: Any, state: Numbers, action: int) -> tuple[Numbers, Numbers, float, bool]:
    """``MountainCarEnv.step``, with its names."""
    position, velocity = state
    velocity += (action - 1) * car.force + math.cos(3 * position) * (-car.gravity)
    velocity = min(max(velocity, -car.max_speed), car.max_speed)
    position = min(max(position + velocity, car.min_position), car.max_position)
    if position == car.min_position and velocity < 0:
        velocity = 0.0
    moved = position, velocity
    return moved, moved, -1.0, bool(position >= car.goal_position and velocity >= car.goal_velocity)


def _acrobot(robot: Any, state: Numbers, action: int) -> tuple[Numbers, Numbers, float, bool]:
    """``AcrobotEnv.step`` and ``acrobot.rk4``, with their names."""
    torque, dt = robot.AVAIL_TORQUE[action], robot.dt
    dt2 = dt / 2.0
    k1 = _dsdt(robot, state, torque)
    k2 = _dsdt(robot, tuple(y + dt2 * k for y, k in zip(state, k1, strict=True)), torque)
    k3 = _dsdt(robot, tuple(y + dt2 * k for y, k in zip(state, k2, strict=True)), torque)
    k4 = _dsdt(robot, tuple(y + dt * k for y, k in zip(state, k3, strict=True)), torque)
    sixth = dt / 6.0
    theta1, theta2, dtheta1, dtheta2 = (
        y + sixth * (a + 2 * b + 2 * c + d) for y, a, b, c, d in zip(state, k1, k2, k3, k4, strict=True)
    )
    theta1, theta2 = _wrapped(theta1), _wrapped(theta2)
    dtheta1 = min(max(dtheta1, -robot.MAX_VEL_1), robot.MAX_VEL_1)
    dtheta2 = min(max(dtheta2, -robot.MAX_VEL_2), robot.MAX_VEL_2)
    cosine = float(np.cos(theta1))
    terminated = -cosine - float(np.cos(theta2 + theta1)) > 1.0
    seen = cosine, float(np.sin(theta1)), float(np.cos(theta2)), float(np.sin(theta2)), dtheta1, dtheta2
    return (theta1, theta2, dtheta1, dtheta2), seen, 0.0 if terminated else -1.0, terminated


def _wrapped(x: float) -> float:
    while x > math.pi:
        x -= 2 * math.pi
    while x < -math.pi:
        x += 2 * math.pi
    return x


def _dsdt(robot: Any, state: Numbers, a: float) -> Numbers:
    """``AcrobotEnv._dsdt``, with its names."""
    theta1, theta2, dtheta1, dtheta2 = state
    m1, m2, l1 = robot.LINK_MASS_1, robot.LINK_MASS_2, robot.LINK_LENGTH_1
    lc1, lc2 = robot.LINK_COM_POS_1, robot.LINK_COM_POS_2
    i1 = i2 = robot.LINK_MOI
    g, pi = 9.8, math.pi
    cosine, sine = float(np.cos(theta2)), float(np.sin(theta2))
    d1 = m1 * lc1**2 + m2 * (l1**2 + lc2**2 + 2 * l1 * lc2 * cosine) + i1 + i2
    d2 = m2 * (lc2**2 + l1 * lc2 * cosine) + i2
    phi2 = m2 * lc2 * g * float(np.cos(theta1 + theta2 - pi / 2.0))
    phi1 = (
        -m2 * l1 * lc2 * dtheta2**2 * sine
        - 2 * m2 * l1 * lc2 * dtheta2 * dtheta1 * sine
        + (m1 * lc1 + m2 * l1) * g * float(np.cos(theta1 - pi / 2))
        + phi2
    )
    ddtheta2 = (a + d2 / d1 * phi1 - m2 * l1 * lc2 * dtheta1**2 * sine - phi2) / (m2 * lc2**2 + i2 - d2**2 / d1)
    ddtheta1 = -(d2 * ddtheta2 + phi1) / d1
    return dtheta1, dtheta2, ddtheta1, ddtheta2


_STEPS = {CartPoleEnv: _cartpole, MountainCarEnv: _mountain_car, AcrobotEnv: _acrobot}
