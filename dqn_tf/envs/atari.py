"""One Atari game under a protocol, with exact save and restore.

A game episode is a function of (seed, stream, game, episode number, the agent's actions): it begins in a state of its
own, its no-ops and sticky actions are drawn from counter-based streams, and the emulator itself draws nothing.  So the
number and the log of actions are the whole state, and replaying the log restores it (a clone of the emulator would
not: it forgets the action being repeated).
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from dqn_tf import checks, fields, rng
from dqn_tf.envs import games, variants
from dqn_tf.envs.emulator import Emulator
from dqn_tf.envs.frames import History, View
from dqn_tf.envs.protocols import AtariProtocol
from dqn_tf.types import EnvironmentSpec, ObservationSpec, StepType, TimeStep

State = dict[str, np.ndarray | int | str]

_RESET_GAME, _RESET_LIFE, _RUNNING = "game", "life", ""


def _repeats(generator: np.random.Generator, probability: float) -> Iterator[bool]:
    """For each emulator frame of a game episode: is the action executed last executed again?"""
    while True:
        yield from (generator.random(1024) < probability).tolist()


class AtariEnvironment:
    """A game as the agent meets it.

    The last observation of a game shows the real last screens, where Gymnasium's AtariPreprocessing and Dopamine show
    those of the step before once more (docs/screens.md); Gymnasium's way is `ending_screen`=left_out.

    Observations [h, w, stack] and frames [h, w] are read-only uint8 arrays that stay valid and unchanged.
    Streams: ``{stream}/sticky`` and ``{stream}/noops`` of ``seed``, counter = the game episode's number, from 0.
    """

    def __init__(
        self, game: str, protocol: AtariProtocol, seed: int, stream: str = "train", training: bool = True
    ) -> None:
        """
        Args:
            game: in any spelling of ``games.resolve``.
            protocol: how it is played.
            seed: of the run.
            stream: which random streams of it.
            training: whether the protocol's settings for training apply, or those for evaluation.

        Raises:
            ConfigError: unknown game, or it has no such mode or difficulty.
        """
        self.game, self.training = games.resolve(game), training
        self.protocol = protocol = variants.settled(self.game, protocol)
        self._identity = f"{self.game}|{seed}|{stream}|{training}|{fields.digest(fields.to_json(protocol))}"
        self._emulator = Emulator(self.game, protocol.mode, protocol.difficulty)
        self._ale = self._emulator.ale
        self._actions = self._emulator.actions(protocol.action_set)
        self._names = tuple(action.name for action in self._actions)
        self._view = View(protocol, self._emulator.height, self._emulator.width)
        self._screens = list(self._view.screens)
        self._grab = self._ale.getScreenRGB if self._view.rgb else self._ale.getScreenGrayscale
        size = (protocol.frame_height, protocol.frame_width)
        self._history = History(*size, protocol.stack, protocol.stack_padding)
        self.spec = EnvironmentSpec(
            ObservationSpec(size, "uint8", protocol.stack, protocol.stack_padding), self._names, protocol.frame_skip
        )
        self._streams = (rng.Stream(seed, f"{stream}/sticky"), rng.Stream(seed, f"{stream}/noops"))
        self._life_loss = protocol.life_loss(training)
        self._cap = protocol.cap_frames(training)
        self._episode, self._frames = -1, 0
        self._log = bytearray()
        self._awaiting = _RESET_GAME
        self._visible = True  # whether frames are rendered
        self._leaves_out = protocol.ending_screen == "left_out"
        self._last: TimeStep | None = None

    # -- playing -----------------------------------------------------------------------------------------------------
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
        """Begin the agent's next episode: where a lost life ended it, in the same game, else in a new game.

        The answer's reward is what no-ops and FIRE were paid (nearly always 0), its frames what they took.
        """
        if self._awaiting == _RESET_LIFE:
            return self._begin_life()
        return self._begin_game(self._episode + 1)

    def step(self, action: int) -> TimeStep:
        """Hold ``action`` (an index into spec.action_names) for frame_skip frames, fewer if the episode ends.

        Raises:
            RunError: reset() is due; nothing was touched.
            ConfigError: no such action; nothing was touched.
        """
        if self._awaiting:
            raise checks.RunError("Expected reset() after the end of an episode, got step(). Call reset() first.")
        number = operator.index(action)
        if not 0 <= number < len(self._actions):
            raise checks.ConfigError(f"Expected a number in [0, {len(self._actions)}) for `action`, got {action!r}.")
        self._log.append(number)
        return self._advance(number)

    def render(self) -> np.ndarray:
        """The emulator's present screen, [H, W, 3] uint8 RGB."""
        if self._frames == 0:
            return self._emulator.first_rgb.copy()
        return np.asarray(self._ale.getScreenRGB())

    def close(self) -> None:
        """Let go of the emulator.  Nothing may be called afterwards."""
        del self._ale, self._grab, self._emulator

    def _begin_game(self, episode: int) -> TimeStep:
        protocol = self.protocol
        self._emulator.begin()
        self._episode, self._frames, self._over, self._truncated = episode, 0, False, False
        self._log = bytearray()
        self._executed = self._emulator.noop
        self._lives = self._ale.lives()
        sticky, noops = self._streams
        draws = _repeats(sticky.fresh(episode), protocol.sticky_probability)
        self._repeats = draws if protocol.sticky_probability else None
        self._noops = noops.fresh(episode)
        return self._begin(protocol.noops_min, protocol.noops_max, [])

    def _begin_life(self) -> TimeStep:
        protocol = self.protocol
        no_op = (self._emulator.noop, protocol.frame_skip, protocol.max_frames_pooled)
        one_step = [no_op] if self._life_loss == "episode_noop" else []
        return self._begin(protocol.life_noops_min, protocol.life_noops_max, one_step)

    def _begin(self, least: int, most: int, plays: list[tuple[Any, int, int]]) -> TimeStep:
        """Begin an episode of the agent's with least..most no-ops, then ``plays``, then FIRE if the protocol asks.

        A play is (the emulator's action, frames, how many of its last frames are pooled).
        """
        protocol = self.protocol
        skip, pooled, noop = protocol.frame_skip, protocol.max_frames_pooled, self._emulator.noop
        count = int(self._noops.integers(least, most + 1)) if most else 0
        if protocol.noops_unit == "steps":
            plays = [(noop, skip, pooled)] * count + plays
        elif count:
            plays = [(noop, count, pooled if protocol.pool_noops else 1), *plays]
        if protocol.fire_on_reset and "FIRE" in self._names:
            plays = [*plays, (self._actions[self._names.index("FIRE")], skip, pooled)]
        before, reward, shown = self._frames, 0, 0
        for action, frames, window in plays:
            paid, shown, _ = self._play(action, frames, window)
            reward += paid
        self._awaiting = _RUNNING
        if plays or not before:
            self._history.cut()
            frame, observation = self._show(shown if plays else self._first_screen())
        else:
            frame, observation = self._history.repeat()
        self._last = TimeStep(
            observation=observation,
            frame=frame,
            reward=float(reward),
            discount=1.0,
            step_type=StepType.FIRST,
            episode_over=False,
            truncated=False,
            lives=self._lives,
            frames=self._frames - before,
        )
        return self._last

    def _first_screen(self) -> int:
        """Put the game's first screen where the view reads; how many screens that is."""
        self._screens[0][...] = self._emulator.first_rgb if self._view.rgb else self._emulator.first_gray
        return 1

    def _show(self, count: int, ends: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """The frame of the first ``count`` raw screens, and the observation it completes.  ends: the screen of the
        frame that ended the game was left out."""
        slot = self._history.slot()
        if self._visible:
            self._view.frame(count, slot, ends)
        return self._history.push()

    def _play(
        self, wanted: Any, frames: int, window: int, stop_at_life: bool = False, leave_out: bool = False
    ) -> tuple[int, int, bool]:
        """Hold the emulator's action ``wanted`` for ``frames`` emulator frames, fewer where the game ends.

        Returns (raw reward, how many of the last ``window`` frames were grabbed, whether a life was lost).  Where the
        play is cut short before its window begins, the newest frame alone is grabbed.  leave_out: the frame that ends
        the game is not grabbed.
        """
        ale, repeats = self._ale, self._repeats
        reward, shown, lost, window_start = 0, 0, False, frames - window
        for k in range(0 if self._over else frames):
            if repeats is None or not next(repeats):
                self._executed = wanted
            reward += ale.act(self._executed)
            self._frames += 1
            lives = ale.lives()
            lost = lost or self._is_loss(lives)
            self._lives = lives
            if ale.game_over():
                self._over = True
            elif self._frames >= self._cap:
                self._over = self._truncated = True
            stop = self._over or (lost and stop_at_life)
            if self._visible and (k >= window_start or stop) and not (stop and leave_out):
                self._grab(self._screens[shown])
                shown += 1
            if stop:
                break
        return reward, shown, lost

    def _is_loss(self, lives: int) -> bool:
        if lives >= self._lives:
            return False
        return lives > 0 if self._life_loss == "episode_noop" else self._life_loss != "ignore"

    def _advance(self, action: int) -> TimeStep:
        """One step of the agent's."""
        before = self._frames
        ends_at_life = self._life_loss in ("episode", "episode_noop")
        protocol = self.protocol
        wanted = self._actions[action]
        skip, pooled, leaves = protocol.frame_skip, protocol.max_frames_pooled, self._leaves_out
        reward, shown, lost = self._play(wanted, skip, pooled, ends_at_life, leaves)
        frame, observation = self._show(shown, leaves and self._over)
        if self._over:
            self._awaiting = _RESET_GAME
        elif lost and ends_at_life:
            self._awaiting = _RESET_LIFE
        ended = lost or (self._over and not self._truncated)
        self._last = TimeStep(
            observation=observation,
            frame=frame,
            reward=float(reward),
            discount=0.0 if ended else 1.0,
            step_type=StepType.LAST if self._awaiting else StepType.MID,
            episode_over=self._over,
            truncated=self._truncated,
            lives=self._lives,
            frames=self._frames - before,
        )
        return self._last

    # -- save and restore ----------------------------------------------------------------------------------------------
    def state(self) -> State:
        """Everything that decides the future, small and plain.

        environment: whose state it is.  episode: the game episode's number, -1 before the first.  log [T] uint8: the
        agent's actions in it.  awaiting: "game" or "life" where reset() is due.  digest: SHA-256 of ``last``.
        """
        return {
            "environment": self._identity,
            "episode": self._episode,
            "log": np.frombuffer(bytes(self._log), np.uint8),
            "awaiting": self._awaiting,
            "digest": self._digest(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Return to the moment of ``state()``, in this or another object or process.

        Takes as long as playing the game so far without rendering (about 0.4 ms a step).

        Raises:
            RunError: the state is another environment's.
            InexactRestore: the replay does not end where the state was taken.
        """
        if str(state["environment"]) != self._identity:
            raise checks.RunError(
                f"Expected a state of {self._identity!r} (game|seed|stream|training|protocol) for `state`, got one of "
                f"{str(state['environment'])!r}."
            )
        episode, log = int(state["episode"]), bytes(np.asarray(state["log"], np.uint8))
        if not state["digest"]:  # no episode had begun
            return self._forget(episode)
        try:
            self._replay(episode, log, str(state["awaiting"]))
        finally:
            self._visible = True
        if self._digest() != str(state["digest"]):
            raise checks.InexactRestore(
                f"Expected the replay of episode {episode} of {self.game} to end in the saved observation, got another "
                "one. Was the state saved with another version of ale-py or dqn_tf?"
            )

    def abandon_episode(self, state: dict[str, Any]) -> None:
        """Abandon the game of ``state``: the next reset() begins the one after it."""
        self._forget(int(state["episode"]))

    def _forget(self, episode: int) -> None:
        self._episode, self._log, self._last, self._awaiting = episode, bytearray(), None, _RESET_GAME

    def _replay(self, episode: int, log: bytes, awaiting: str) -> None:
        """Play ``log`` again, rendering only what the final stack shows."""
        self._begin_game(episode)
        unseen = len(log) - self.protocol.stack - self._leaves_out  # whose last frame shows the one before, too
        for i, action in enumerate(log):
            if self._awaiting == _RESET_LIFE:
                self._begin_life()
            self._visible = i >= unseen
            self.step(action)
        if self._awaiting == _RESET_LIFE and awaiting == _RUNNING:
            self._begin_life()

    def _digest(self) -> str:
        """SHA-256 of the latest answer; "" before the first."""
        if self._last is None:
            return ""
        observation, _, reward, discount, *rest, _ = self._last
        words = f"{observation.shape}|{reward!r}|{discount!r}|{[int(r) for r in rest]}"
        return hashlib.sha256(observation.tobytes() + words.encode()).hexdigest()
