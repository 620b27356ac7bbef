"""Learning from recorded data: algorithm 1 without acting and storing.

A step here is the time between updates in which an online agent would make a step: `steps_per_update` of them pass
between two updates, `target_update_steps` between two copies of theta, and a budget of so many frames has the updates
that an online agent of the same settings makes in them.  So iterations compare with those of online agents, as in
Agarwal et al. 2020 (arXiv 1907.04543, section 4).  Learning begins at once; every `iteration_frames` the agent
plays, to be scored, and nothing that it sees there is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dqn_tf import envs
from dqn_tf.config import RunConfig
from dqn_tf.execution import kept_learners
from dqn_tf.execution.sequential import SequentialUpdater
from dqn_tf.offline import store
from dqn_tf.training.interleaved_loop import InterleavedLoop
from dqn_tf.training.options import Options
from dqn_tf.training.records import EpisodeRecord
from dqn_tf.training.run_state import Columns, RunState


class OfflineLoop(InterleavedLoop):
    """A ``Loop`` (loop.py) that learns from a data set."""

    def __init__(self, config: RunConfig, options: Options, scratch: Path) -> None:
        """
        Args:
            config: of the run, with ``data=recorded``.
            options: where the data lie, and the memory for their frames.
            scratch: folder for the frames of larger data.

        Raises:
            ConfigError: the data are others, or the network cannot be made.
            RunError: the data are damaged.
        """
        environment = envs.make(config.environment, config.protocol, config.seed)
        environment.close()
        spec, (paths, budget) = environment.spec, (options.offline, options.offline_memory)
        self.run = RunState(config, spec, store.replay_of(config, spec, paths, budget, scratch))
        self.updater = SequentialUpdater(self.run.learner, self.run.replay)

    def steps(self) -> Iterator[EpisodeRecord | None]:
        """Algorithm 1's loop over t without acting and storing: each ``next`` is the time of a step, and what is due.

        Yields:
            None: no episode is played.
        """
        run, agent = self.run, self.run.config.agent
        while True:
            t = run.counters.steps + 1
            run.counters = run.counters._replace(steps=t, frames=t * run.config.frame_skip)
            if run.heldout is None:
                run.choose_heldout()
            for left in reversed(range(agent.updates_at_once if t % agent.steps_per_update == 0 else 0)):
                clock = time.perf_counter()
                outputs = self.updater.update(run.counters.updates, t, last=left == 0)
                run.spend("update", clock)
                self._note_update(outputs)
            self._change_target(t)
            yield None

    def state(self) -> dict[str, Any]:
        """See ``Loop.state``: of the data nothing, as the configuration has their digest."""
        return self.run.state()

    def restore(self, state: dict[str, Any], read_piece: Callable[[str], Columns]) -> None:
        """See ``Loop.restore``."""
        self.run.restore(state, read_piece)

    def close(self) -> None:
        """See ``Loop.close``."""
        kept_learners.give_back(self.run.learner)
