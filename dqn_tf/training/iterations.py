"""The end of an iteration, and of a run: evaluations, and the row of iterations.csv."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from dqn_tf.checks import RunError
from dqn_tf.training import evaluation
from dqn_tf.training.records import IterationRecord
from dqn_tf.training.run_state import Best, RunState
from dqn_tf.training.stats import IterationStats

STATES_AT_ONCE = 100  # of the held-out states, in a forward pass


def is_over(run: RunState) -> bool:
    """Whether an iteration has ended whose row is still to be made: by its steps, or by the budget's end."""
    steps, size = run.counters.steps, run.config.iteration_steps
    done = run.counters.iterations * size
    return steps >= done + size or (steps >= run.config.steps and steps > done)


def close(run: RunState, each_step: Callable[[], None], digest: Callable[[], str]) -> IterationRecord:
    """Evaluate, make the row, and begin the next iteration.

    Args:
        run: whose iteration has ended.
        each_step: called before every step of evaluation; may raise to stop, and nothing has changed then.
        digest: gives the hash of the run's whole state, for the row.

    Returns:
        The row of iterations.csv, with seconds and histograms.
    """
    clock = time.perf_counter()
    scores = _evaluate(run, each_step)
    run.spend("evaluate", clock)
    agent, counters = run.config.agent, run.counters
    monitored, histograms = run.monitors.measure(run.heldout, counters.updates, run.heldout_masks)
    row: dict[str, Any] = {
        "iteration": counters.iterations,
        "frames": counters.frames,
        "steps": counters.steps,
        "updates": counters.updates,
        "episodes": counters.episodes,
        **{f"eval_{k}": scores[k] for k in ("return_mean", "return_std", "episodes")},
        "epsilon": agent.exploration.epsilon(counters.steps, agent.min_replay_steps),
        **run.stats.summary(),
        "heldout_max_q_mean": _heldout_max_q(run),
        "replay_size": len(run.replay),
        **monitored,
    }
    histograms = {"td_error": run.stats.td_error.counts, "q": run.stats.q_value.counts, **histograms}
    record = IterationRecord(row, dict(run.seconds), histograms)
    run.counters = counters._replace(iterations=counters.iterations + 1)
    run.stats = IterationStats()
    run.seconds.clear()
    row["state_digest"] = digest()
    return record


def _evaluate(run: RunState, each_step: Callable[[], None]) -> dict[str, float]:
    """The scores of this iteration's phase; of an iteration without one, nan."""
    how, iteration = run.config.evaluation, run.counters.iterations
    if not how.period_iterations or (iteration + 1) % how.period_iterations:
        return {"return_mean": float("nan"), "return_std": float("nan"), "episodes": 0}
    phase = f"evaluation/{iteration}"
    scores = _play(run, phase, each_step, how.episodes, how.frames)
    found = evaluation.summary(scores)
    if words := evaluation.cut_off_words(found):
        run.say(f"Evaluation {iteration}: {found['episodes']} episodes{words}.")
    mean = found["return_mean"]
    if how.final_network == "best" and math.isfinite(mean) and (not run.best or mean >= run.best.return_mean):
        run.best = Best(mean, run.counters.frames, run.learner.parameters.theta())
    return found


def _heldout_max_q(run: RunState) -> float:
    """Mean over the held-out states of max_a Q(s, a), of the legal actions: the paper's own measure of progress."""
    if run.heldout is None:
        return float("nan")
    batches = [run.heldout[i : i + STATES_AT_ONCE] for i in range(0, len(run.heldout), STATES_AT_ONCE)]
    q_values = run.learner.scorer(f"heldout/{run.counters.iterations}")
    found = np.concatenate([q_values(batch).numpy() for batch in batches])
    if run.heldout_masks is not None:
        found = np.where(run.heldout_masks, found, np.float32(-np.inf))
    return float(found.max(axis=1).mean())


# -- after training ----------------------------------------------------------------------------------------------------
def final_scores(run: RunState, each_step: Callable[[], None]) -> list[evaluation.Score]:
    """The evaluation after training, of the last network.

    Args:
        run: whose budget is used up.
        each_step: called before every step; may raise to stop.

    Returns:
        The scores of `evaluation.final_episodes` episodes.
    """
    return _play_to_the_end(run, "evaluation/final", each_step)


def best_scores(run: RunState, each_step: Callable[[], None]) -> list[evaluation.Score]:
    """New episodes of the best-scored network; the learner is left as it was.

    Args:
        run: whose budget is used up.
        each_step: called before every step; may raise to stop.

    Returns:
        The scores of `evaluation.final_episodes` episodes.

    Raises:
        RunError: no network has been scored.
    """
    if run.best is None:
        raise RunError("Expected a network that was scored during training, there is none.")
    parameters = run.learner.parameters
    last = parameters.theta()
    parameters.set_theta(run.best.theta)
    try:
        return _play_to_the_end(run, "evaluation/best", each_step)
    finally:
        parameters.set_theta(last)


def _play_to_the_end(run: RunState, phase: str, each_step: Callable[[], None]) -> list[evaluation.Score]:
    clock = time.perf_counter()
    scores = _play(run, phase, each_step, run.config.evaluation.final_episodes)
    run.spend("evaluate", clock)
    return scores


def _play(
    run: RunState, phase: str, each_step: Callable[[], None], episodes: int | None, frames: int | None = None
) -> list[evaluation.Score]:
    shared = run.shared_environment
    scores = evaluation.play(
        run.config,
        run.learner.scorer(phase),
        phase,
        episodes=episodes,
        frames=frames,
        each_step=each_step,
        say=run.say,
        borrow=functools.partial(shared.for_evaluation, say=run.say) if shared else None,
    )
    if shared:
        shared.return_to_training()
    return scores
