"""States of an agent's own episodes, and how far another program's answers to them are from the agent's."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import numpy as np

from dqn_tf.checks import RunError
from dqn_tf.trained import TrainedAgent

EPSILON = 0.1  # of the episodes that are recorded: a greedy agent may stand still


class States(NamedTuple):
    """What an agent saw.

    Attributes:
        observations: [B, ...].
        masks: [B, A] bool, the legal actions; None where every action always is.
    """

    observations: np.ndarray
    masks: np.ndarray | None

    @property
    def inputs(self) -> tuple[np.ndarray, ...]:
        """What an exported network is called with."""
        return (self.observations,) if self.masks is None else (self.observations, self.masks)


class Parity(NamedTuple):
    """Answers beside the agent's own.

    Attributes:
        states: how many were asked about.
        largest_q: largest |Q| of the agent.
        largest_difference: largest |difference| of two Q-values.
        equal_actions: share of states with the same greedy action.
        allowed_difference: what was tolerated.
    """

    states: int
    largest_q: float
    largest_difference: float
    equal_actions: float
    allowed_difference: float


def record(agent: TrainedAgent, number: int, stream: str = "export") -> States:
    """The first states of episodes that the agent plays, with one action in ten at random.

    Args:
        agent: whose states.
        number: how many.
        stream: names the environment's random streams (of the agent's seed).

    Returns:
        The states; the same ones for the same agent.
    """
    observations: list[np.ndarray] = []
    masks: list[np.ndarray] = []
    with contextlib.closing(agent.make_environment(stream)) as environment:
        answer = environment.reset()
        while len(observations) < number:
            observations.append(np.array(answer.observation))
            if answer.mask is not None:
                masks.append(answer.mask)
            answer = environment.step(agent.act(answer.observation, EPSILON, answer.mask))
            if answer.episode_over:
                answer = environment.reset()
    return States(np.stack(observations), np.stack(masks) if agent.spec.masked else None)


def greedy(q_values: np.ndarray, masks: np.ndarray | None) -> np.ndarray:
    """The first of the best legal actions.

    Args:
        q_values: [B, A].
        masks: [B, A] bool, or None: all are legal.

    Returns:
        [B] int64.

    >>> greedy(np.array([[1.0, 3.0, 3.0]]), np.array([[True, False, True]])).tolist()
    [2]
    """
    return np.argmax(q_values if masks is None else np.where(masks, q_values, -np.inf), axis=1)


def compare(
    own: np.ndarray, actions: np.ndarray, q_values: np.ndarray, masks: np.ndarray | None, tolerance: float
) -> Parity:
    """Hold answers against the agent's own.

    Args:
        own: the agent's Q-values [B, A].
        actions: answered [B].
        q_values: answered [B, A].
        masks: [B, A] bool or None.
        tolerance: allowed difference as a share of the largest |Q|, or of 1 if that is smaller.

    Returns:
        The parity.

    Raises:
        RunError: a Q-value differs by more, an action is worse than the best by more than twice that, or a number is
            not finite.
    """
    if not (np.isfinite(own).all() and np.isfinite(q_values).all()):
        raise RunError("Expected finite Q-values on every recorded state, got others: the network has diverged.")
    best, largest = greedy(own, masks), float(np.abs(own).max())
    allowed = tolerance * max(1.0, largest)
    difference = float(np.abs(own.astype(np.float64) - q_values).max())
    rows = np.arange(len(own))
    loss = float((own[rows, best] - own[rows, actions]).max())
    equal = float((best == actions).mean())
    if difference > allowed or loss > 2 * allowed:
        raise RunError(
            f"Expected Q-values within {allowed:.2g} of the agent's on {len(own)} recorded states, got a difference of "
            f"{difference:.2g}, with {equal:.1%} of the greedy actions equal. Nothing was written; --tolerance allows "
            "more."
        )
    return Parity(len(own), largest, difference, equal, allowed)
