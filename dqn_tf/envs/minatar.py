"""MinAtar games (Young & Tian 2019), with the interface of the Atari games, exact save and restore included.

Paper: Young & Tian 2019, "MinAtar: An Atari-Inspired Testbed for Thorough and Reproducible Reinforcement Learning
Experiments" (arXiv 1903.03176).

The games are those of the package minatar (GPL, the extra `minatar`), not copies.  Each episode is played in an object
of its own, seeded from (seed, stream, episode number): minatar itself keeps the last action over reset and seed, so
that with sticky actions one episode in ten would begin as the one before it ended.  The number of the episode and the
log of its actions are the whole state, and playing the log again restores it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import operator
import re
from array import array
from typing import Any

import numpy as np

from dqn_tf import checks, fields, rng
from dqn_tf.envs import seaquest_old
from dqn_tf.envs.simple_protocols import MinAtarProtocol
from dqn_tf.types import EnvironmentSpec, ObservationSpec, StepType, TimeStep

GAMES = ("asterix", "breakout", "freeway", "seaquest", "space_invaders")
OLD = "seaquest_old"  # Seaquest with the rule of the published curves, see seaquest_old.py
ACTIONS = ("NOOP", "LEFT", "UP", "RIGHT", "DOWN", "FIRE")  # minatar's n, l, u, r, d, f
MAGNIFIED = 16  # pixels of a picture for one cell of the board


def resolve(name: str) -> str:
    """The game that ``name`` spells: "breakout", "Space Invaders", "SpaceInvaders-v0" (as MinAtar names it to
    Gymnasium).

    Raises:
        ConfigError: unknown game; it names the nearest ones.  Or it is said how the game is played, which is the
            protocol's: by arguments, or by Gymnasium's v1.
    """
    text, arguments, _ = name.partition("{")
    plain, _, version = text.strip().partition("-v")
    games = {game.replace("_", ""): game for game in (*GAMES, OLD)}
    game = games.get(re.sub(r"[\s_-]", "", plain.lower()))
    if game is None:
        raise checks.unknown("MinAtar game", name, (*GAMES, OLD))
    if arguments:
        raise checks.ConfigError(
            f"Expected no arguments for the MinAtar game {game}, got {name!r}. How it is played is the protocol's: "
            "--set protocol.FIELD=VALUE."
        )
    if version not in ("", "0"):
        raise checks.ConfigError(
            f"Expected minatar:{game}, got {name!r}: what MinAtar calls v1 is the same game with the actions that have "
            f"an effect in it. Take minatar:{game} and --set protocol.action_set=minimal."
        )
    return game


class MinAtarEnvironment:
    """A MinAtar game; frames are steps.

    Observations are bool [10, 10, C] arrays of their own, C planes of objects.  Stream: ``{stream}/reset`` of ``seed``,
    counter = the episode's number, from 0.
    """

    def __init__(
        self, game: str, protocol: MinAtarProtocol, seed: int, stream: str = "train", training: bool = True
    ) -> None:
        """
        Args:
            game: one of ``GAMES``, or ``OLD``.
            protocol: stickiness, ramping, actions, a time limit; rewards are always raw.
            seed: of the run.
            stream: which random stream of it.
            training: accepted for symmetry with Atari; there is no difference here.

        Raises:
            ConfigError: no such game, or minatar is not installed.
        """
        self.game, self.protocol, self.training = resolve(game), protocol, training
        rules = fields.digest(fields.to_json(dataclasses.replace(protocol, reward_clip=None)))[:16]
        self._identity = f"minatar:{self.game}|{rules}|{seed}|{stream}|{training}"
        self._board = self._make()
        minimal = self._board.minimal_action_set()
        self._actions = tuple(minimal) if protocol.action_set == "minimal" else tuple(range(len(ACTIONS)))
        shape = tuple(self._board.state_shape())
        self.spec = EnvironmentSpec(ObservationSpec(shape, "bool"), tuple(ACTIONS[a] for a in self._actions), 1)
        self._seeds = rng.Stream(seed, f"{stream}/reset")
        self._episode, self._log, self._awaiting_reset = -1, array("b"), True
        self._last: TimeStep | None = None

    def _make(self) -> Any:
        try:
            from minatar import Environment
        except ImportError as error:  # also where a minatar.py of the user's stands before the package
            raise checks.ConfigError(
                f"Expected the package minatar for `minatar:{self.game}`, got: {error}. Install it: pip install "
                "'dqn_tf[minatar]'"
            ) from error
        ramping = self.protocol.difficulty_ramping
        name = "seaquest" if self.game == OLD else self.game
        board = Environment(name, self.protocol.sticky_probability, ramping)
        if self.game == OLD:
            board.env = seaquest_old.game()(ramping)
        return board

    @property
    def last(self) -> TimeStep:
        """The latest answer.

        Raises:
            RunError: there is none yet.
        """
        if self._last is None:
            raise checks.RunError("Expected a call of reset() before `last`, got none.")
        return self._last

    def reset(self) -> TimeStep:
        """Begin the next episode."""
        return self._begin(self._episode + 1)

    def _begin(self, episode: int) -> TimeStep:
        self._board = self._make()
        self._board.seed(self._seeds.integer(episode) % 2**32)
        self._board.reset()
        self._episode, self._log, self._awaiting_reset = episode, array("b"), False
        return self._answer(0.0, False, StepType.FIRST, 0)

    def step(self, action: int) -> TimeStep:
        """Take ``action`` (an index into spec.action_names), or the one before it where the protocol is sticky.

        Raises:
            RunError: reset() is due; nothing was touched.
            ConfigError: there is no such action; nothing was touched.
        """
        if self._awaiting_reset:
            raise checks.RunError("Expected reset() after the end of an episode, got step(). Call reset() first.")
        number = operator.index(action)
        if not 0 <= number < len(self._actions):
            raise checks.ConfigError(f"Expected a number in [0, {len(self._actions)}) for `action`, got {action!r}.")
        reward, terminated = self._board.act(self._actions[number])
        self._log.append(number)
        cut_off = not terminated and len(self._log) == self.protocol.max_steps_per_episode
        self._awaiting_reset = bool(terminated) or cut_off
        return self._answer(float(reward), bool(terminated), StepType.LAST if self._awaiting_reset else StepType.MID, 1)

    def _answer(self, reward: float, terminated: bool, step_type: StepType, frames: int) -> TimeStep:
        seen = np.array(self._board.state(), bool)
        over = step_type == StepType.LAST
        discount, lives = (0.0, 0) if terminated else (1.0, 1)
        self._last = TimeStep(
            observation=seen,
            frame=seen,
            reward=reward,
            discount=discount,
            step_type=step_type,
            episode_over=over,
            truncated=over and not terminated,
            lives=lives,
            frames=frames,
        )
        return self._last

    def render(self) -> np.ndarray:
        """The present board, [160, 160, 3] uint8 RGB, each cell in the color of its highest plane.

        minatar's own picture has numbers between 0 and 1, which videos show as black.
        """
        import seaborn

        planes = self.last.observation
        colors = np.array([(0.0, 0.0, 0.0), *seaborn.color_palette("cubehelix", planes.shape[2])])
        picture = colors[(planes * np.arange(1, planes.shape[2] + 1)).max(axis=2)]
        return np.kron(np.rint(255 * picture).astype(np.uint8), np.ones((MAGNIFIED, MAGNIFIED, 1), np.uint8))

    def close(self) -> None:
        """Nothing is held."""

    def state(self) -> dict[str, Any]:
        """Everything that decides the future: episode number (-1 before the first), log [T] int8 of the actions in it,
        digest (SHA-256 of ``last``), and whose state it is."""
        return {
            "environment": self._identity,
            "episode": self._episode,
            "log": np.array(self._log, np.int8),
            "digest": self._digest(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Return to the moment of ``state()``, by playing the episode's actions again.

        Raises:
            RunError: the state is another environment's.
            InexactRestore: the episode ends elsewhere (with another minatar, say).
        """
        if str(state["environment"]) != self._identity:
            raise checks.RunError(
                f"Expected a state of {self._identity!r} (game|protocol|seed|stream|training) for `state`, got one of "
                f"{str(state['environment'])!r}."
            )
        episode = int(state["episode"])
        if not state["digest"]:  # none had begun
            self._forget(episode)
            return
        self._begin(episode)
        for action in np.asarray(state["log"], np.int8).tolist():
            self.step(action)
        if self._digest() != str(state["digest"]):
            raise checks.InexactRestore(
                f"Expected episode {episode} of minatar:{self.game} to end in the saved observation when it is played "
                "again, got another one. Was the state saved with another version of minatar?"
            )

    def abandon_episode(self, state: dict[str, Any]) -> None:
        """Abandon the episode of ``state``: the next reset() begins the one after it."""
        self._forget(int(state["episode"]))

    def _forget(self, episode: int) -> None:
        self._episode, self._log, self._awaiting_reset, self._last = episode, array("b"), True, None

    def _digest(self) -> str:
        """SHA-256 of the latest answer; "" before the first."""
        if self._last is None:
            return ""
        observation, _, reward, discount, *rest, _ = self._last
        words = f"{reward!r}|{discount!r}|{[*map(int, rest)]}"
        return hashlib.sha256(observation.tobytes() + words.encode()).hexdigest()
