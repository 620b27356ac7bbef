"""Gymnasium environments of vectors or of images, with the interface of the Atari games, exact save and restore
included.

Each episode is begun with a seed drawn from (seed, stream, episode number), so the number and the log of actions are
the whole state, and replaying the log restores it.  That holds if the environment's episodes
are a function of seed and actions: it is tried before training (trial.py), and at every restore the episode that was
under way and the one before it are played again and compared, answer by answer.
"""

from __future__ import annotations

import hashlib
import operator
import struct
import traceback
from array import array
from typing import Any, NamedTuple, NoReturn

import gymnasium
import numpy as np

from dqn_tf import checks, rng
from dqn_tf.checks import EnvironmentFault, InexactRestore
from dqn_tf.envs import action_masks, making, registered
from dqn_tf.envs.answers import Answers, InvalidAnswer, unpacked_wrongly
from dqn_tf.envs.frame_skip import repeat
from dqn_tf.envs.image_protocol import ImageProtocol
from dqn_tf.envs.images import Images, Vectors
from dqn_tf.envs.registered import describe_error
from dqn_tf.envs.simple_protocols import GymnasiumProtocol
from dqn_tf.types import EnvironmentSpec, StepType, TimeStep

State = dict[str, Any]
Rules = GymnasiumProtocol | ImageProtocol
_numbers = struct.Struct("<ddBBB").pack  # reward, discount, step_type, episode_over, truncated


class EpisodeLog(NamedTuple):
    """An episode, as far as it was played.

    Attributes:
        episode: its number, from 0.
        log: its actions, in order.
        digest: SHA-256 of all its answers; "": it is not known.
    """

    episode: int
    log: list[int]
    digest: str


class GymnasiumEnvironment:
    """An environment with observations Box and actions Discrete.

    Vectors are float32 [D], and frames are steps; of images see ``images.Images``, and a step has ``frame_skip``
    frames.  Arrays are of their own, never modified later.  Stream: ``{stream}/reset`` of ``seed``, counter = the
    episode's number, from 0.
    """

    def __init__(
        self,
        env_id: str,
        seed: int,
        stream: str = "train",
        training: bool = True,
        protocol: Rules | None = None,
        drawing: bool = False,
    ) -> None:
        """
        Args:
            env_id: an id of registered.py.
            seed: of the run.
            stream: which random stream of it.
            training: of no effect here, where Atari games have settings of their own for evaluation.
            protocol: its time limit, and how images are seen; rewards are always raw.
            drawing: whether ``render`` will be called; an environment that is not asked to draw may not even have the
                means.

        Raises:
            ConfigError: unknown id, it cannot be made, or observations or actions are of another kind (of images
                without a protocol for them, ``making.ShowsImages``).
        """
        if registered.find(env_id) is None:
            raise checks.unknown("Gymnasium environment", env_id, registered.known_ids())
        env = making.make(env_id, drawing, _most_steps(protocol), getattr(protocol, "key", None))
        try:
            self._adopt(env_id, env, seed, stream, training, protocol)
        except checks.ConfigError:
            env.close()
            raise

    _early: Any  # the environment's answer to the reset of episode 0, if it was reset early

    def _adopt(self, env_id: str, env: Any, seed: int, stream: str, training: bool, protocol: Rules | None) -> None:
        self.env_id, self.training, self._env, self._protocol = env_id, training, env, protocol
        self._limit_ends = protocol is not None and protocol.time_limit == "terminal"
        observations, actions = making.check_spaces(env, env_id, protocol)
        self._start, self._num_actions = int(actions.start), int(actions.n)
        names = tuple(str(a + self._start) for a in range(self._num_actions))
        self._view: Images | Vectors = Vectors(observations)
        if isinstance(protocol, ImageProtocol):
            self._view = Images(observations, protocol, env_id)
        self._identity = f"{env_id}|{seed}|{stream}|{training}{self._view.identity}"
        self._answers = Answers(observations, self._view.stored)
        self._seeds = rng.Stream(seed, f"{stream}/reset")
        self._forget(-1)
        self._legal = action_masks.LegalActions(env, self._source_of_masks(), self._num_actions)
        size = self._num_actions if self.masks_from else 0
        self.spec = EnvironmentSpec(self._view.spec._replace(mask_size=size), names, self._view.repeats["skip"])

    def _source_of_masks(self) -> action_masks.Source:
        """Where its masks are, which only the answer to a reset shows.

        So episode 0 is reset here, and the answer is kept until that episode begins.  Further objects of the same id
        take what was found.
        """
        if (known := action_masks.known_source(self.env_id)) is not None:
            return known
        try:
            self._early = self._env.reset(seed=self._seeds.integer(0))
            source = action_masks.find(self._env, self._early[1])
        except (Exception, SystemExit):  # reset() is called again, and raises there
            self._early = None
            return "none"
        action_masks.know_source(self.env_id, source)
        return source

    @property
    def masks_from(self) -> str | None:
        """Where its masks of legal actions are, in words; None if it has none."""
        return action_masks.WORDS.get(self._legal.source)

    def _forget(self, episode: int) -> None:
        """Nothing has been played; ``episode`` was the last one begun."""
        self._episode, self._log, self._awaiting_reset = episode, array("i"), True
        self._last: TimeStep | None = None
        self._early = None
        self._answers_sha = hashlib.sha256()  # of the present episode's answers
        self._before: EpisodeLog | None = None  # the episode before the present one

    def with_streams(self, seed: int, stream: str, training: bool) -> GymnasiumEnvironment:
        """The same simulator under other random streams, where only one can exist.

        This object must not be used until it is restored, from a ``state`` of before.

        Args:
            seed: of the run.
            stream: which random stream of it.
            training: as for the constructor.

        Returns:
            An environment before its first reset.
        """
        other = object.__new__(GymnasiumEnvironment)
        other._adopt(self.env_id, self._env, seed, stream, training, self._protocol)
        return other

    @property
    def space(self) -> gymnasium.spaces.Box:
        """What its observations are declared to be."""
        return self._answers.space

    @property
    def time_limit(self) -> int | None:
        """Steps of its own (frames) after which Gymnasium cuts its episodes off."""
        return getattr(self._env.spec, "max_episode_steps", None)

    def unchecked_answers(self) -> tuple[Any, Any, Any]:
        """A reset and a step as the environment itself answers: observation, observation, reward.  The episode that
        was under way is lost.
        """
        self._forget(self._episode)
        before, info = self._env.reset(seed=0)
        mask = self._legal.read(info)
        after, reward, *_ = self._env.step(self._start + (0 if mask is None else int(mask.argmax())))
        return before, after, reward

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
        """Begin the next episode.

        Raises:
            EnvironmentFault: the environment raised, or answered what cannot be used.
        """
        return self._begin(self._episode + 1)

    def _begin(self, episode: int) -> TimeStep:
        early, self._early = self._early if episode == 0 else None, None
        try:
            answer = self._env.reset(seed=self._seeds.integer(episode)) if early is None else early
            making.check_observations(self.space, self._env)
            seen = self._view.begin(self._answers.reset(answer))
            mask = self._legal.read(answer[1])
        except (Exception, SystemExit) as error:  # sys.exit() of a simulator ends no run of ours
            self._fail(error, f"episode {episode:,}, at its reset")
        self._before = self._episode_log() if self._last is not None else None
        self._episode, self._log, self._awaiting_reset = episode, array("i"), False
        self._answers_sha = hashlib.sha256()
        self._last = TimeStep(
            observation=seen.observation,
            frame=seen.frame,
            reward=0.0,
            discount=1.0,
            step_type=StepType.FIRST,
            episode_over=False,
            truncated=False,
            lives=1,
            frames=0,
            mask=mask,
        )
        self._hash_answer(self._last, 0.0, 1.0, StepType.FIRST, False, False)
        return self._last

    def step(self, action: int) -> TimeStep:
        """Take ``action`` (an index into spec.action_names).

        Raises:
            RunError: reset() is due; nothing was touched.
            ConfigError: no such action, or an illegal one; nothing was touched.
            EnvironmentFault: the environment raised, or answered what cannot be used; ``state`` is that of before.
        """
        if self._awaiting_reset:
            raise checks.RunError("Expected reset() after the end of an episode, got step(). Call reset() first.")
        number = operator.index(action)
        if not 0 <= number < self._num_actions:
            raise checks.ConfigError(f"Expected a number in [0, {self._num_actions}) for `action`, got {action!r}.")
        if self.last.mask is not None and not self.last.mask[number]:
            raise checks.ConfigError(
                f"Expected a legal action of {self.env_id}, one of {np.flatnonzero(self.last.mask).tolist()}, for "
                f"`action`, got {action!r}. `last.mask` tells which are legal."
            )
        try:
            screens, (_, reward, terminated, truncated), frames, mask = repeat(
                self._env, number + self._start, self._answers, self._legal, number=number, **self._view.repeats
            )
            seen = self._view.show(screens)
        except (Exception, SystemExit) as error:  # sys.exit() of a simulator ends no run of ours
            self._fail(error, f"episode {self._episode:,}, step {len(self._log) + 1:,} (action {number})")
        self._log.append(number)
        over = terminated or truncated
        self._awaiting_reset = over
        ends = terminated or (over and self._limit_ends)
        discount, kind = 0.0 if ends else 1.0, StepType.LAST if over else StepType.MID
        cut_off = truncated and not terminated
        self._last = TimeStep(
            observation=seen.observation,
            frame=seen.frame,
            reward=reward,
            discount=discount,
            step_type=kind,
            episode_over=over,
            truncated=cut_off,
            lives=0 if terminated else 1,
            frames=frames,
            mask=mask,
        )
        self._hash_answer(self._last, reward, discount, kind, over, cut_off)
        return self._last

    def _hash_answer(self, answer: TimeStep, *numbers: float) -> None:
        self._answers_sha.update(answer.frame.data)
        if answer.mask is not None:
            self._answers_sha.update(answer.mask.data)
        self._answers_sha.update(_numbers(*numbers))

    def _fail(self, error: Exception | SystemExit, where: str) -> NoReturn:
        """Raise EnvironmentFault, with the environment, the place and the words of the error."""
        whose = f"{self.env_id}{'' if self.training else ', in an evaluation'}, {where}"
        innermost = traceback.extract_tb(error.__traceback__)[-1].filename
        wrong = str(error) if isinstance(error, InvalidAnswer) else unpacked_wrongly(error, innermost)
        if wrong:
            text = f"{whose}: {wrong}. This answer was not used."
        else:
            text = f"{whose}: the environment raised {describe_error(error)}"
        raise EnvironmentFault(text) from error

    def render(self) -> np.ndarray:
        """The present picture, [H, W, 3] uint8 RGB.

        Raises:
            RunError: the environment cannot draw itself, or was made without ``drawing``.
        """
        try:
            picture = self._env.render() if self._env.render_mode == "rgb_array" else None
        except (Exception, SystemExit) as error:
            raise checks.RunError(f"{self.env_id} cannot draw itself here: {describe_error(error)}") from error
        if picture is None:
            raise checks.RunError(
                f"Expected an environment that draws RGB images, got {self.env_id!r}, which does not."
            )
        return np.asarray(picture, np.uint8)

    def close(self) -> None:
        """Release the environment.  Nothing may be called afterwards."""
        making.close(self._env, self.env_id)

    # -- save and restore ----------------------------------------------------------------------------------------------
    def state(self) -> State:
        """Everything that decides the future: episode number (-1 before the first), log [T] int32 of the actions in
        it, digest (SHA-256 of ``last``), and whose state it is.

        evidence: what ``restore`` plays again and compares: of the present episode and the one before it the number,
        the log and the digest of all answers.  No part of ``determinism.digest``: it follows from the rest.
        """
        played = [self._before, self._episode_log()] if self._last is not None else []
        return {
            "environment": self._identity,
            "episode": self._episode,
            "log": np.array(self._log, np.int32),
            "digest": self._digest(),
            "evidence": [
                {"episode": p.episode, "log": np.array(p.log, np.int32), "digest": p.digest} for p in played if p
            ],
        }

    def _episode_log(self) -> EpisodeLog:
        return EpisodeLog(self._episode, self._log.tolist(), self._answers_sha.hexdigest())

    def restore(self, state: State) -> None:
        """Return to the moment of ``state()``, by replaying the episode's actions, and those of the one before it.

        Raises:
            RunError: the state is another environment's.
            InexactRestore: an answer, from the first to the last, is not the one of before; then the environment is
                not a function of its seeds and actions.
        """
        self._check_whose(state)
        episode, log = int(state["episode"]), np.asarray(state["log"], np.int32).tolist()
        self._forget(episode)
        if not state["digest"]:  # none had begun
            return
        logs = state.get("evidence") or []
        evidence = [EpisodeLog(int(e["episode"]), np.asarray(e["log"]).tolist(), e["digest"]) for e in logs]
        for played in evidence or [EpisodeLog(episode, log, "")]:  # "": of a version that kept no digest
            self._replay(played)
        if self._digest() != str(state["digest"]):
            self._differs(episode, "end in the saved observation")

    def _check_whose(self, state: State) -> None:
        if str(state["environment"]) != self._identity:
            raise checks.RunError(
                f"Expected a state of {self._identity!r} (id|seed|stream|training) for `state`, got one of "
                f"{str(state['environment'])!r}."
            )

    def _replay(self, played: EpisodeLog) -> None:
        self._begin(played.episode)
        for action in played.log:
            if self._awaiting_reset:
                self._differs(played.episode, f"last {len(played.log):,} steps")
            self.step(action)
        if played.digest and self._answers_sha.hexdigest() != played.digest:
            self._differs(played.episode, "give the same answers")

    def _differs(self, episode: int, how: str) -> NoReturn:
        raise InexactRestore(
            f"Expected the replay of episode {episode:,} of {self.env_id} to {how}, got "
            "another one. Is the environment deterministic, a function of the seed that its reset() gets and of the "
            "actions? `dqn-tf check-env` tells. Was the state saved with other package versions?"
        )

    def abandon_episode(self, state: State) -> None:
        """Abandon the episode of ``state``: the next reset() begins the one after it.

        Raises:
            RunError: the state is another environment's.
        """
        self._check_whose(state)
        self._forget(int(state["episode"]))

    def _digest(self) -> str:
        """SHA-256 of the latest answer; "" before the first."""
        if self._last is None:
            return ""
        observation, _, reward, discount, *rest, mask = self._last
        words = f"{observation.shape}|{reward!r}|{discount!r}|{[int(r) for r in rest]}"
        legal_actions = b"" if mask is None else mask.tobytes()
        return hashlib.sha256(observation.tobytes() + words.encode() + legal_actions).hexdigest()


def _most_steps(protocol: Rules | None) -> int | None:
    """After how many steps of its own (frames) an environment is cut off, if not by its own limit."""
    if isinstance(protocol, ImageProtocol):
        return protocol.max_frames_per_episode
    return protocol.max_steps_per_episode if protocol else None
