"""Gymnasium environments with vector observations, with the same manners as the Atari games.

Each episode is begun with a seed drawn from (seed, stream, episode number), so the number and the log of actions are
the whole state, and replaying the log restores it.
"""

from __future__ import annotations

import hashlib
import importlib
import operator
from array import array
from typing import Any

import gymnasium
import numpy as np

from dqn_tf import checks, rng
from dqn_tf.envs.simple_protocols import GymnasiumProtocol
from dqn_tf.types import EnvironmentSpec, ObservationSpec, StepType, TimeStep


def known_ids() -> list[str]:
    """Registered Gymnasium ids, without other packages' Atari games."""
    return sorted(i for i in gymnasium.registry if not i.startswith("ALE/"))


def find(env_id: str) -> str | None:
    """``env_id`` if Gymnasium knows it, else None.  For "module:Name-v0" the module is imported first."""
    module, _, name = env_id.rpartition(":")
    if module:
        try:
            importlib.import_module(module)
        except ImportError:
            return None
    return env_id if name in gymnasium.registry else None


class GymnasiumEnvironment:
    """An environment with observations Box [D] and actions Discrete; frames are steps.

    Observations are float32 [D] arrays of their own, never modified later.  Stream: ``{stream}/reset`` of ``seed``,
    counter = the episode's number, from 0.
    """

    def __init__(
        self,
        env_id: str,
        seed: int,
        stream: str = "train",
        training: bool = True,
        protocol: GymnasiumProtocol | None = None,
    ) -> None:
        """training: accepted for symmetry with Atari; there is no difference here.  protocol: its time limit; rewards
        are always raw.

        Raises ConfigError: unknown id, or observations or actions of another kind.
        """
        if find(env_id) is None:
            raise checks.unknown("Gymnasium environment", env_id, known_ids())
        self.env_id, self.training = env_id, training
        self._identity = f"{env_id}|{seed}|{stream}|{training}"
        self._limit_ends = protocol is not None and protocol.time_limit == "terminal"
        self._env = self._make(env_id, protocol.max_steps_per_episode if protocol else None)
        observations, actions = self._check_spaces()
        self._start, self._num_actions = int(actions.start), int(actions.n)
        names = tuple(str(a + self._start) for a in range(self._num_actions))
        self.spec = EnvironmentSpec(ObservationSpec(observations.shape, "float32"), names, 1)
        self._seeds = rng.Stream(seed, f"{stream}/reset")
        self._episode, self._log, self._awaiting_reset = -1, array("i"), True
        self._last: TimeStep | None = None

    @classmethod
    def _make(cls, env_id: str, most_steps: int | None) -> Any:
        """The environment, or a ConfigError that passes on why it cannot be made (a package that is missing, say)."""
        try:
            return gymnasium.make(
                env_id, max_episode_steps=most_steps, disable_env_checker=True, **cls._drawing(env_id)
            )
        except Exception as error:
            raise checks.ConfigError(
                f"Expected an environment that can be made for `{env_id}`, got {type(error).__name__}: "
                f"{' '.join(str(error).split())} Install what it asks for, or choose another environment."
            ) from error

    @staticmethod
    def _drawing(env_id: str) -> dict[str, Any]:
        """Ask for images, for videos, where the environment can draw; nothing is drawn unless ``render`` is called."""
        entry = gymnasium.spec(env_id.rpartition(":")[2]).entry_point  # the module before it was imported by `find`
        creator = gymnasium.envs.registration.load_env_creator(entry) if isinstance(entry, str) else entry
        modes = getattr(creator, "metadata", {}).get("render_modes", [])
        return {"render_mode": "rgb_array"} if "rgb_array" in modes else {}

    def _check_spaces(self) -> tuple[gymnasium.spaces.Box, gymnasium.spaces.Discrete]:
        observations, actions = self._env.observation_space, self._env.action_space
        if not (isinstance(observations, gymnasium.spaces.Box) and len(observations.shape) == 1):
            raise checks.ConfigError(
                f"Expected observations of the form Box [D] for `{self.env_id}`, got {observations}. Only vectors are "
                "supported here; for Atari games give the game's name."
            )
        if not isinstance(actions, gymnasium.spaces.Discrete):
            raise checks.ConfigError(
                f"Expected actions of the form Discrete for `{self.env_id}`, got {actions}. Q-learning needs a finite "
                "set of actions."
            )
        return observations, actions

    @property
    def last(self) -> TimeStep:
        """The latest answer.  Raises RunError: there is none yet."""
        if self._last is None:
            raise checks.RunError("Expected a call of reset() before `last`, got none.")
        return self._last

    def reset(self) -> TimeStep:
        """Begin the next episode."""
        return self._begin(self._episode + 1)

    def _begin(self, episode: int) -> TimeStep:
        observation, _ = self._env.reset(seed=self._seeds.integer(episode))
        self._episode, self._log, self._awaiting_reset = episode, array("i"), False
        seen = np.array(observation, np.float32)
        self._last = TimeStep(seen, seen, 0.0, 1.0, StepType.FIRST, False, False, 1, 0)
        return self._last

    def step(self, action: int) -> TimeStep:
        """Take ``action`` (an index into spec.action_names).

        Raises RunError: reset() is due.  ConfigError: no such action.  Both before anything is touched.
        """
        if self._awaiting_reset:
            raise checks.RunError("Expected reset() after the end of an episode, got step(). Call reset() first.")
        number = operator.index(action)
        if not 0 <= number < self._num_actions:
            raise checks.ConfigError(f"Expected a number in [0, {self._num_actions}) for `action`, got {action!r}.")
        observation, reward, terminated, truncated, _ = self._env.step(number + self._start)
        self._log.append(number)  # which it is only now that the environment has answered
        over = bool(terminated or truncated)
        seen = np.array(observation, np.float32)
        self._awaiting_reset = over
        self._last = TimeStep(
            seen,
            seen,
            float(reward),
            0.0 if terminated or (over and self._limit_ends) else 1.0,
            StepType.LAST if over else StepType.MID,
            over,
            over and not terminated,
            0 if terminated else 1,
            1,
        )
        return self._last

    def render(self) -> np.ndarray:
        """The present picture, [H, W, 3] uint8 RGB.  Raises RunError: the environment cannot draw itself."""
        try:
            picture = self._env.render() if self._env.render_mode == "rgb_array" else None
        except gymnasium.error.DependencyNotInstalled as error:
            raise checks.RunError(f"{self.env_id} cannot draw itself here: {error}") from error
        if picture is None:
            raise checks.RunError(
                f"Expected an environment that draws RGB images, got {self.env_id!r}, which does not."
            )
        return np.asarray(picture, np.uint8)

    def close(self) -> None:
        """Release the environment.  Nothing may be called afterwards."""
        self._env.close()

    def state(self) -> dict[str, np.ndarray | int | str]:
        """Everything that decides the future: episode number (-1 before the first), log [T] int32 of the actions in
        it, digest (SHA-256 of ``last``), and whose state it is."""
        return {
            "environment": self._identity,
            "episode": self._episode,
            "log": np.array(self._log, np.int32),
            "digest": self._digest(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Return to the moment of ``state()``, by replaying the episode's actions.

        Raises RunError: the state is another environment's, or the replay ends elsewhere (then the environment is
        not a function of its seed and actions).
        """
        if str(state["environment"]) != self._identity:
            raise checks.RunError(
                f"Expected a state of {self._identity!r} (id|seed|stream|training) for `state`, got one of "
                f"{str(state['environment'])!r}."
            )
        episode, log = int(state["episode"]), np.asarray(state["log"], np.int32).tolist()
        if episode < 0:
            self._episode, self._log, self._awaiting_reset, self._last = -1, array("i"), True, None
            return
        self._begin(episode)
        for action in log:
            self.step(action)
        if self._digest() != str(state["digest"]):
            raise checks.RunError(
                f"Expected the replay of episode {episode} of {self.env_id} to end in the saved observation, got "
                "another one. Was the state saved with other package versions? Is the environment deterministic?"
            )

    def _digest(self) -> str:
        """SHA-256 of the latest answer; "" before the first."""
        if self._last is None:
            return ""
        observation, _, reward, discount, *rest = self._last
        words = f"{observation.shape}|{reward!r}|{discount!r}|{[int(r) for r in rest]}"
        return hashlib.sha256(observation.tobytes() + words.encode()).hexdigest()
