"""K CartPoles in array form: ``CartPoleEnv.step`` of Gymnasium and its time limit, for all of them at a time.

Every line of arithmetic is Gymnasium's, on arrays [K] of float64 instead of single numbers: the same operations of
IEEE 754 in the same order, and NumPy's cosine and sine, which it computes for an array element by element as for a
number.  So the bits are the same (tests/envs/test_cartpoles.py), as long as Gymnasium's lines are those: ``can_play``
compares the source, and environments of any other are stepped one by one.

The objects stay what is saved: ``settle`` brings one up to date, its answers and their digest included.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Sequence

import numpy as np
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from gymnasium.wrappers import OrderEnforcing, TimeLimit

from dqn_tf.envs.classic import GymnasiumEnvironment
from dqn_tf.envs.steppers import Stepped
from dqn_tf.types import StepType, TimeStep

# ``sources`` of the releases whose lines these are: Gymnasium 1.4.
KNOWN = ("599cbe5ebbe636f74e94fb3a98dca8a31b7dc86ac35856eead7a96b4fafad8a7",)
ROUNDS = 64  # steps between two times that an object is brought up to date, at most
_ANSWER = np.dtype(
    [
        ("observation", "<f4", (4,)),
        ("reward", "<f8"),
        ("discount", "<f8"),
        ("step_type", "u1"),
        ("over", "u1"),
        ("truncated", "u1"),
    ]
)  # what GymnasiumEnvironment tells its digest of each step


def sources() -> str:
    """SHA-256 of the lines of Gymnasium that the array form reproduces."""
    methods = (CartPoleEnv.step, OrderEnforcing.step, TimeLimit.step)
    return hashlib.sha256("".join(inspect.getsource(method) for method in methods).encode()).hexdigest()


@functools.cache
def _known() -> bool:
    try:
        return sources() in KNOWN
    except (OSError, TypeError):  # no source to be read
        return False


def can_play(environments: Sequence[object]) -> bool:
    """Whether these are objects of just this simulator, in just these wrappers."""
    if not all(type(each) is GymnasiumEnvironment for each in environments):
        return False
    chains = [_chain(each._env) for each in environments if isinstance(each, GymnasiumEnvironment)]
    known = [TimeLimit, OrderEnforcing, CartPoleEnv]
    return _known() and all([*map(type, chain)] == known and _is_euler(chain[-1]) for chain in chains)


def _is_euler(pole: object) -> bool:
    return isinstance(pole, CartPoleEnv) and pole.kinematics_integrator == "euler"


def _chain(simulator: object) -> list[object]:
    """The wrappers from outside to inside, and what they wrap."""
    chain = [simulator]
    while type(chain[-1]) in (TimeLimit, OrderEnforcing):
        chain.append(chain[-1].env)  # type: ignore[attr-defined]
    return chain


class CartPoles:
    """A ``steppers.Stepper`` of K CartPoles with the same settings."""

    def __init__(self, environments: Sequence[GymnasiumEnvironment]) -> None:
        """environments: K, of which ``can_play`` is true."""
        number = len(environments)
        self._environments = environments
        self._poles: list[CartPoleEnv] = [e._env.unwrapped for e in environments]
        self._limit, self._limit_ends = environments[0]._env._max_episode_steps, environments[0]._limit_ends
        self._state = np.zeros((4, number))  # x, x_dot, theta, theta_dot
        self._elapsed, self._terminated = np.zeros(number, np.int64), np.zeros(number, bool)
        self._answers, self._actions = np.zeros((ROUNDS, number), _ANSWER), np.zeros((ROUNDS, number), np.int32)
        self._fields = [self._answers[name] for name in _ANSWER.names or ()]
        self._now, self._since = 0, [0] * number  # rows of answers: the next one, and the first that an object lacks
        for k in range(number):
            self.adopt(k)

    def step(self, actions: np.ndarray) -> Stepped:
        """See ``Stepper``."""
        if self._now == ROUNDS:
            for k in range(len(self._poles)):
                self.settle(k)
            self._now, self._since = 0, [0] * len(self._poles)
        self._advance(actions)
        self._elapsed += 1
        terminated, truncated = self._terminated, self._elapsed >= self._limit
        over = terminated | truncated
        stepped = Stepped(
            observations=self._state.T.astype(np.float32),  # finite: an episode ends before anything can grow
            rewards=self._rewards(),
            discounts=np.where(over if self._limit_ends else terminated, 0.0, 1.0),
            last=over,
            over=over,
            errors={},
        )
        kinds = over + np.uint8(StepType.MID)  # LAST is the next
        columns = (stepped.observations, stepped.rewards, stepped.discounts, kinds, over, truncated & ~terminated)
        for field, values in zip(self._fields, columns, strict=True):
            field[self._now] = values
        self._actions[self._now] = actions
        self._now += 1
        return stepped

    def _advance(self, actions: np.ndarray) -> None:
        """``CartPoleEnv.step``, with its names."""
        pole = self._poles[0]
        x, x_dot, theta, theta_dot = self._state
        force = np.where(actions == 1, pole.force_mag, -pole.force_mag)
        costheta, sintheta = np.cos(theta), np.sin(theta)
        temp = (force + pole.polemass_length * np.square(theta_dot) * sintheta) / pole.total_mass
        thetaacc = (pole.gravity * sintheta - costheta * temp) / (
            pole.length * (4.0 / 3.0 - pole.masspole * np.square(costheta) / pole.total_mass)
        )
        xacc = temp - pole.polemass_length * thetaacc * costheta / pole.total_mass
        moved = np.empty_like(self._state)
        np.add(x, pole.tau * x_dot, out=moved[0])
        np.add(x_dot, pole.tau * xacc, out=moved[1])
        np.add(theta, pole.tau * theta_dot, out=moved[2])
        np.add(theta_dot, pole.tau * thetaacc, out=moved[3])
        self._state = moved
        self._terminated = (abs(moved[0]) > pole.x_threshold) | (abs(moved[2]) > pole.theta_threshold_radians)

    def _rewards(self) -> np.ndarray:
        if self._poles[0]._sutton_barto_reward:
            return np.where(self._terminated, -1.0, 0.0)
        return np.ones(len(self._poles))

    def adopt(self, k: int) -> None:
        """See ``Stepper``."""
        pole, limit = self._poles[k], self._environments[k]._env
        self._since[k] = self._now
        if pole.state is not None:
            self._state[:, k], self._elapsed[k] = pole.state, limit._elapsed_steps

    def settle(self, k: int) -> TimeStep | None:
        """See ``Stepper``."""
        environment, rows = self._environments[k], slice(self._since[k], self._now)
        answers, terminated = self._answers[rows, k], bool(self._terminated[k])
        self._since[k] = self._now
        if not len(answers):
            return environment._last
        self._poles[k].state = self._state[:, k].copy()
        self._poles[k].steps_beyond_terminated = 0 if terminated else None  # type: ignore[assignment]
        environment._env._elapsed_steps = int(self._elapsed[k])
        seen, reward, discount, kind, over, truncated = answers[-1].item()
        seen = np.array(seen, np.float32)
        last = TimeStep(
            observation=seen,
            frame=seen,
            reward=reward,
            discount=discount,
            step_type=StepType(kind),
            episode_over=bool(over),
            truncated=bool(truncated),
            lives=0 if terminated else 1,
            frames=1,
        )
        environment._log.extend(self._actions[rows, k].tolist())
        environment._answers_sha.update(answers.tobytes())
        environment._last, environment._awaiting_reset = last, last.episode_over
        return last
