"""Which simulators are just those of Gymnasium's whose ``step`` this package computes itself (quick_steps.py,
array_simulators.py): in their usual wrappers, of a release whose source is known."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

from gymnasium.envs.classic_control import acrobot
from gymnasium.envs.classic_control.acrobot import AcrobotEnv
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from gymnasium.envs.classic_control.mountain_car import MountainCarEnv
from gymnasium.wrappers import OrderEnforcing, TimeLimit

LINES: dict[type, tuple[Callable[..., Any], ...]] = {  # the functions that are computed here, beside the wrappers'
    CartPoleEnv: (CartPoleEnv.step,),
    MountainCarEnv: (MountainCarEnv.step,),
    AcrobotEnv: (
        AcrobotEnv.step,
        AcrobotEnv._dsdt,
        AcrobotEnv._get_ob,
        AcrobotEnv._terminal,
        acrobot.rk4,
        acrobot.wrap,
        acrobot.bound,
    ),
}
KNOWN: dict[type, str] = {  # ``digest`` in Gymnasium 1.4
    CartPoleEnv: "599cbe5ebbe636f74e94fb3a98dca8a31b7dc86ac35856eead7a96b4fafad8a7",
    MountainCarEnv: "a59bf84422217bebc8a3d468c5bfff0aefdbb83b08bf0a4e3ba021943b3d9c1d",
    AcrobotEnv: "ae50c1bf90ddb59aaf4021ea58fe925725958c473323044fd84e9cb2b736f1d7",
}


_digests: dict[type, str] = {}


def digest(kind: type) -> str:
    """SHA-256 of the lines of a simulator and its wrappers that are computed here; "" where there is no source."""
    if kind not in _digests:
        functions: list[Any] = [*LINES[kind], OrderEnforcing.step, TimeLimit.step]
        try:
            lines = "".join(inspect.getsource(function) for function in functions)
            _digests[kind] = hashlib.sha256(lines.encode()).hexdigest()
        except (OSError, TypeError):
            _digests[kind] = ""
    return _digests[kind]


def kind_of(env: object) -> type | None:
    """The class of a simulator that can be computed here; None: this one must make its steps itself.

    Args:
        env: of Gymnasium's interface, in its wrappers.
    """
    if type(env) is not TimeLimit or type(env.env) is not OrderEnforcing:
        return None
    simulator: Any = env.env.env
    kind = type(simulator)
    if kind not in LINES or digest(kind) != KNOWN[kind] or simulator.render_mode == "human":
        return None
    if kind is CartPoleEnv and simulator.kinematics_integrator != "euler":
        return None
    if kind is AcrobotEnv and (simulator.torque_noise_max != 0 or simulator.book_or_nips != "book"):
        return None
    return kind
