"""Learners of runs that have ended, for later runs of the same agent in this process: traced and compiled once.

A learner is its compiled functions and its numbers.  The functions depend on the agent and on its environment's
spaces alone, not on the seed; every number is set anew when a learner is used again (``FusedLearner.begin``).  So a run
has the bytes that it has with a learner of its own (tests/execution/test_kept_learners.py).

None is kept unless ``keep`` says so, as the process does that carries out one run of a sweep after another
(reproduce/executing/sweep_worker.py), in its only thread: who changes the code of an agent meanwhile would not see it
in a kept one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqn_tf.config import AgentConfig
from dqn_tf.types import EnvironmentSpec

if TYPE_CHECKING:
    from dqn_tf.execution.fused import FusedLearner

_kept: list[FusedLearner] = []  # the newest last
_most = 0


def keep(most: int) -> None:
    """From now on, so many learners are kept at a time, the newest ones.

    Args:
        most: 0: none, and those that are kept are dropped.
    """
    global _most
    _most = most
    del _kept[: max(0, len(_kept) - most)]


def give_back(learner: object) -> None:
    """A run has ended: its learner may be kept.  Whoever calls this must not use it any more.

    Args:
        learner: of the run.
    """
    from dqn_tf.execution.fused import FusedLearner

    if not _most or not isinstance(learner, FusedLearner) or not learner.reusable:
        return
    if not any(other is learner for other in _kept):
        _kept.append(learner)
    del _kept[: max(0, len(_kept) - _most)]


def take(agent: AgentConfig, spec: EnvironmentSpec, seed: int) -> FusedLearner | None:
    """A kept learner as if it had been made now; nobody else gets it.

    Args:
        agent: its configuration, ...
        spec: its environment's spaces, ...
        seed: and the seed of the run.

    Returns:
        The learner; None: there is none of this agent.
    """
    place = next((i for i, kept in enumerate(_kept) if kept.config == agent and kept.spec == spec), None)
    learner = None if place is None else _kept.pop(place)
    if learner is not None:
        learner.begin(seed)
    return learner
