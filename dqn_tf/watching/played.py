"""Episodes of a trained agent, step by step: the screen, what the network sees and predicts, what it does."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from dqn_tf.agent.exploration import choose
from dqn_tf.checks import RunError
from dqn_tf.envs.protocols import AtariProtocol
from dqn_tf.rng import Stream
from dqn_tf.trained import TrainedAgent
from dqn_tf.types import ObservationSpec, StepType, TimeStep
from dqn_tf.watching.distributions import Distributions, Kind
from dqn_tf.watching.picture_series import PictureSeries

STREAM = "evaluate/0"  # the first environment of `dqn-tf evaluate`, so the first episode is the one that it plays


@dataclasses.dataclass(kw_only=True)
class Moment:
    """One state of an episode and what the agent did there.

    q, dist: [A] and [A, N] float32; None in a terminal state.  legal: [A] bool or None.  screen, panels: numbers of
    pictures; vector: the observation's numbers, of an environment without pictures.  action, reward, td_error: None in
    the last state.  score: the raw return so far.  observation: only if it is to be kept.
    """

    screen: int | None
    panels: list[int]
    vector: np.ndarray | None
    q: np.ndarray | None
    dist: np.ndarray | None
    legal: np.ndarray | None
    score: float
    action: int | None = None
    random: bool = False
    reward: float | None = None
    td_error: float | None = None
    observation: np.ndarray | None = None


class Episode(NamedTuple):
    """An episode.

    Attributes:
        moments: its states in order, the last one included.
        return_raw: the raw undiscounted return, as far as it was played.
        ending: "terminated", "truncated", or "cut" where playing on was not asked for.
    """

    moments: list[Moment]
    return_raw: float
    ending: str


class Played(NamedTuple):
    """What was played.

    Attributes:
        episodes: in order.
        screens: pictures of the environment's own; empty where it draws none.
        panels: pictures of what the network sees; empty where it sees a vector.
        kind: of the distributions; None: the agent predicts none.
        no_screen: why there are no screens; "" where there are.
    """

    episodes: list[Episode]
    screens: PictureSeries
    panels: PictureSeries
    kind: Kind | None
    no_screen: str


def play(
    agent: TrainedAgent, episodes: int, epsilon: float, most_steps: int, least_states: int = 0, keep: bool = False
) -> Played:
    """Play episodes with an agent, and keep everything that can be seen.

    The first episode is, to the byte, the one of `dqn-tf evaluate --episodes 1`: the same random streams
    ("evaluate/..." of the agent's seed) and the same counters.

    Args:
        agent: which has not been asked for anything yet.
        episodes: how many to play.
        epsilon: probability of a random action.
        most_steps: of an episode; it is cut there.
        least_states: more episodes are played until there are so many states.
        keep: whether the observations are kept.

    Returns:
        The episodes and their pictures.

    Raises:
        RunError: the environment failed, or a Q-value is not finite.
    """
    player, found, states = _Player(agent, epsilon, most_steps, keep), list[Episode](), 0
    try:
        while len(found) < episodes or states < least_states:
            found.append(player.episode())
            states += len(found[-1].moments)
    finally:
        player.environment.close()
    for series in (player.screens, player.panels):
        series.finish()
    return Played(found, player.screens, player.panels, player.distributions.kind, player.no_screen)


class _Player:
    """An agent in its environment."""

    def __init__(self, agent: TrainedAgent, epsilon: float, most_steps: int, keep: bool) -> None:
        config = agent.config
        self._keep = keep
        self.agent, self._epsilon, self._most_steps = agent, epsilon, most_steps
        if not isinstance(config.protocol, AtariProtocol):
            self._most_steps = min(most_steps, config.evaluation.max_steps_per_episode)
        self.environment = agent.make_environment(STREAM, drawing=True)
        self.distributions = Distributions(agent)
        self.screens, self.panels, self.no_screen = PictureSeries(), PictureSeries(), ""
        self._exploration, self._steps = Stream(agent.seed, f"{STREAM}/exploration"), 0
        self._draws, self._asked = Stream(agent.seed, "evaluate/network"), 0
        self._clip = config.protocol.reward_clip if config.protocol else None
        self._observation = agent.spec.observation

    def episode(self) -> Episode:
        """Play one."""
        answer = self.environment.reset()
        moments, steps = [self._seen(answer, answer.reward)], 0
        while not answer.episode_over and steps < self._most_steps:
            now = moments[-1]
            if now.q is None:  # a life was lost: the game goes on, in a new episode of the agent
                answer = self.environment.reset()
                moments[-1] = now = self._seen(answer, now.score + answer.reward)
                continue
            answer = self._act(now, answer)
            moments.append(self._seen(answer, now.score + answer.reward))
            now.reward, now.td_error = answer.reward, self._td_error(now, answer, moments[-1])
            if answer.step_type == StepType.LAST and not answer.episode_over:
                moments[-1].q = None
            steps += 1
        ending = ("truncated" if answer.truncated else "terminated") if answer.episode_over else "cut"
        return Episode(moments, moments[-1].score, ending)

    def _act(self, now: Moment, answer: TimeStep) -> TimeStep:
        asked: list[int] = []

        def q_values() -> np.ndarray:
            asked.append(1)
            assert now.q is not None
            return now.q

        random, ties = self._exploration.at(self._steps), self.agent.config.agent.exploration.random_ties
        now.action = choose(q_values, self.agent.spec.num_actions, self._epsilon, random, ties, answer.mask)
        now.random = not asked
        self._steps += 1
        return self.environment.step(now.action)

    def _td_error(self, now: Moment, answer: TimeStep, after: Moment) -> float:
        """r + gamma max_a Q(s', a) - Q(s, a), with the reward as the learner gets it and one network for both."""
        assert now.q is not None and now.action is not None
        reward = answer.reward if self._clip is None else min(max(answer.reward, self._clip[0]), self._clip[1])
        best = 0.0
        if after.q is not None:
            best = float(after.q.max() if answer.mask is None else after.q[answer.mask].max())
        return reward + self.agent.config.agent.discount * answer.discount * best - float(now.q[now.action])

    def _seen(self, answer: TimeStep, score: float) -> Moment:
        terminal = answer.step_type == StepType.LAST and answer.discount == 0
        q, dist = (None, None) if terminal else self._predicted(answer.observation)
        pictures = panels_of(answer.observation, self._observation)
        return Moment(
            screen=self._screen(answer),
            panels=[self.panels.add(picture) for picture in pictures],
            vector=None if pictures else np.array(answer.observation, np.float32).ravel(),
            q=q,
            dist=dist,
            legal=answer.mask,
            score=score,
            observation=answer.observation if self._keep else None,
        )

    def _predicted(self, observation: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        seed = self._draws.seed_of(self._asked)
        self._asked += 1
        q = self.agent.q_values(observation[None])[0]
        return q, self.distributions(observation, seed) if self.distributions.kind else None

    def _screen(self, answer: TimeStep) -> int | None:
        if self.no_screen:
            return None
        try:
            return self.screens.add(self.environment.render())
        except RunError as error:
            self.no_screen = str(error)
            return None


def panels_of(observation: np.ndarray, spec: ObservationSpec) -> list[np.ndarray]:
    """What the network sees, as pictures: of a stack each frame, oldest first; of channels that are no colors, each.

    Args:
        observation: of shape and dtype ``spec``.
        spec: its form.

    Returns:
        [H, W] or [H, W, 3] uint8 each, black at what networks see as 0, white at 1; empty of a vector.

    >>> spec = ObservationSpec((2, 2), "uint8", stack=3)
    >>> [panel.shape for panel in panels_of(np.zeros((2, 2, 3), np.uint8), spec)]
    [(2, 2), (2, 2), (2, 2)]
    """
    if len(spec.frame_shape) < 2:
        return []
    scale, offset = spec.scaling
    level = np.clip(255 * (scale * np.asarray(observation, np.float64) + offset), 0, 255)
    pixels, stack = np.rint(level).astype(np.uint8), spec.stack or 1
    if len(spec.frame_shape) == 2 and spec.stack is None:
        return [pixels]
    by_frame = pixels.reshape(*pixels.shape[:2], -1, stack)  # each channel has its frames beside one another
    frames = [by_frame[..., index] for index in range(stack)]
    if by_frame.shape[2] == 3:
        return frames
    return [frame[..., channel] for frame in frames for channel in range(frame.shape[2])]


def describe(played: Played) -> list[str]:
    """One sentence about each episode."""
    words = {"terminated": "", "truncated": ", truncated", "cut": ", cut there"}
    return [
        f"Episode {number}: return {episode.return_raw:g} in {len(episode.moments) - 1:,} steps{words[episode.ending]}."
        for number, episode in enumerate(played.episodes, start=1)
    ]
