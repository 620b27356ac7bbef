"""The part of a run that does not depend on how its steps and updates are ordered; every loop holds one."""

from __future__ import annotations

import functools
import math
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dqn_tf.agent.annealing import horizons, longest_n_step
from dqn_tf.agent.exploration import Behavior
from dqn_tf.checks import Diverged
from dqn_tf.config import RunConfig
from dqn_tf.execution.fused import make_learner
from dqn_tf.offline.log import Log
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.ring import segment_digest
from dqn_tf.replay.uniform import Uniform
from dqn_tf.rng import Stream
from dqn_tf.training.monitors import Monitors
from dqn_tf.training.shared_environment import SharedEnvironment
from dqn_tf.training.stats import IterationStats
from dqn_tf.types import Counters, EnvironmentSpec, UpdateOutputs

Columns = dict[str, np.ndarray]


class Best(NamedTuple):
    """The best-scored network so far.

    Attributes:
        return_mean: of its evaluation phase.
        frames: of training when it was scored.
        theta: as in ``Parameters.theta``.
    """

    return_mean: float
    frames: int
    theta: dict[str, np.ndarray]


class RunState:
    """Agent, replay, statistics and counters of one run, with saving and restoring.

    Attributes:
        config: the whole configuration.
        counters: frames, steps, updates, episodes, iterations so far.
        stats: sums of the iteration under way.
        replay: what the agent has seen.
        learner: its networks and the compiled functions on them.
        behavior: how actions are chosen while training.
        monitors: statistics of the agent's parts.
        heldout: the fixed states [n, ...] of the mean max-Q, once there are enough.
        heldout_masks: the actions [n, A] that are legal in them; None where there are no masks.
        best: the best-scored network, if the configuration asks for it.
        seconds: wall clock by phase, of the iteration under way; no part of the state.
        say: called with progress messages of long evaluations.
        shared_environment: lends the environment of training to evaluations, where a second one cannot be made; None
            where it can.
        inexact: whether an environment that cannot be restored exactly begins its next episode instead.
        recording: gets every step of training, to be written as a data set; None: nobody does.
        abandoned: episodes that were not continued for that reason: frames, environment_index, episode, steps.
    """

    def __init__(self, config: RunConfig, spec: EnvironmentSpec, replay: Replay | None = None) -> None:
        """
        Args:
            config: of the run.
            spec: what its environment shows, and its actions.
            replay: holds recorded data; None: an empty one.

        Raises:
            ConfigError: the machine does not grant the memory, or the network cannot read such observations.
        """
        agent = config.agent
        self.config, self.counters, self.stats = config, Counters(), IterationStats()
        if replay is None:
            replay = Replay(
                rule=agent.replay,
                storage=agent.storage,
                spec=spec.observation,
                n_step=longest_n_step(agent),
                gamma=agent.discount,
                seed=config.seed,
                future_steps=agent.auxiliary.future_steps,
                horizons=horizons(agent),
            )
        self.replay = replay
        self.learner = make_learner(agent, spec, config.seed, self.replay.gather_in_graph)
        self.behavior = Behavior(agent.exploration, spec.num_actions, agent.min_replay_steps, config.seed)
        self.monitors = Monitors(self.learner, self.replay)
        self.heldout: np.ndarray | None = None
        self.heldout_masks: np.ndarray | None = None
        self.best: Best | None = None
        self.seconds: dict[str, float] = defaultdict(float)
        self.say: Callable[[str], None] = _say_nothing
        self.shared_environment: SharedEnvironment | None = None
        self.inexact = False
        self.recording: Log | None = None
        self.abandoned: list[dict[str, int]] = []

    # -- what every loop does ----------------------------------------------------------------------------------------
    def clipped_reward(self, reward: float) -> float:
        """The reward as the learner gets it: the one place where rewards are clipped (Mnih et al. 2015, Methods)."""
        clip = self.config.protocol.reward_clip if self.config.protocol else None
        return reward if clip is None else min(max(reward, clip[0]), clip[1])

    def note_update(self, outputs: UpdateOutputs, number: int, step: int) -> None:
        """Add what an update reports to the statistics; nothing else is read or written.

        Args:
            outputs: of the update.
            number: of the update, from 0.
            step: the agent step at which it was due.

        Raises:
            Diverged: its loss or its gradient norm is not finite.
        """
        loss, grad_norm = float(outputs.loss), float(outputs.grad_norm)
        check_finite(loss, grad_norm, number, step)
        self.stats.add_update(loss, grad_norm, np.asarray(outputs.td_error), np.asarray(outputs.q_values))

    def choose_heldout(self) -> None:
        """Fix the held-out states, of the random policy, before learning starts (Mnih et al. 2013, section 5.1)."""
        ring = self.replay.ring
        sampled = Uniform().sample_indices(ring, self.config.heldout_states, Stream(self.config.seed, "heldout").at(0))
        self.heldout = ring.observations(sampled.indices)
        self.heldout_masks = ring.legal(sampled.indices) if ring.spec.mask_size else None

    def note_abandoned(self, index: int, state: dict[str, Any]) -> None:
        """An environment could not be restored, and begins its next episode.

        Args:
            index: of the environment.
            state: of it, that could not be restored.
        """
        lost = {"environment_index": index, "episode": int(state["episode"]), "steps": len(state["log"])}
        self.abandoned.append({"frames": self.counters.frames, **lost})

    def spend(self, phase: str, since: float) -> float:
        """Add the time since a clock reading to a phase.

        Args:
            phase: one of ``timing.PHASES``.
            since: a reading of ``time.perf_counter``, in seconds.

        Returns:
            The present reading.
        """
        now = time.perf_counter()
        self.seconds[phase] += now - since
        return now

    # -- saving ------------------------------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """All of it; large immutable arrays by their hashes, see ``pieces``."""
        heldout = self._heldout_columns()
        keeps_best = self.config.evaluation.final_network == "best"
        return {
            **({"best": self.best and self.best._asdict()} if keeps_best else {}),
            "counters": self.counters._asdict(),
            "learner": self.learner.parameters.state(),
            "replay": self.replay.state(),
            "stats": self.stats.state(),
            "heldout": None if heldout is None else segment_digest(heldout),
        }

    def _heldout_columns(self) -> Columns | None:
        if self.heldout is None:
            return None
        return {"states": self.heldout, **({} if self.heldout_masks is None else {"masks": self.heldout_masks})}

    def pieces(self) -> dict[str, Callable[[], Columns]]:
        """The arrays that ``state`` names by hash: hash -> a function that gives them by name."""
        ring, heldout = self.replay.ring, self._heldout_columns()
        out: dict[str, Callable[[], Columns]] = {
            name: functools.partial(ring.segment, index) for index, name in enumerate(ring.segments())
        }
        if heldout is not None:
            out[segment_digest(heldout)] = lambda: heldout
        return out

    def restore(self, state: dict[str, Any], read_piece: Callable[[str], Columns]) -> None:
        """The inverse of ``state``.

        Args:
            state: as ``state`` gave it.
            read_piece: gives a piece, arrays by name, by its hash.

        Raises:
            KeyError, TypeError, ValueError: the state is that of another kind of run.
        """
        self.learner.parameters.restore(state["learner"])
        for index, name in enumerate(state["replay"]["segments"]):
            self.replay.ring.restore_segment(index, read_piece(name))
        self.replay.restore(state["replay"])
        self.stats.restore(state["stats"])
        heldout = {} if state["heldout"] is None else read_piece(state["heldout"])
        self.heldout, self.heldout_masks = heldout.get("states"), heldout.get("masks")
        self.best = Best(**state["best"]) if state.get("best") else None
        self.counters = Counters(**state["counters"])


def _say_nothing(text: str) -> None:
    pass


def check_finite(loss: float, grad_norm: float, update: int, step: int) -> None:
    """Check what an update reports.

    Args:
        loss: of the update.
        grad_norm: of its gradients.
        update: its number, for the message.
        step: the agent step at which it was due, for the message.

    Raises:
        Diverged: loss or norm is not finite.
    """
    if not (math.isfinite(loss) and math.isfinite(grad_norm)):
        raise Diverged(
            f"The loss is {loss} and the gradient norm {grad_norm} at update {update} (step {step}): the network has "
            "diverged. What was saved before is kept."
        )
