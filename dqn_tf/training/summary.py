"""summary.json: what a complete run leaves."""

from __future__ import annotations

from typing import Any

from dqn_tf.training import evaluation
from dqn_tf.training.loop import Loop


def of_run(loop: Loop, scores: list[evaluation.Score], best_scores: list[evaluation.Score] | None) -> dict[str, Any]:
    """The summary of a run that is complete.

    Args:
        loop: of the run.
        scores: of the last network.
        best_scores: of the best network, if one was kept; its evaluation is the final one then, and the last network's
            stands beside it.

    Returns:
        The content of summary.json.
    """
    config, counters, best = loop.run.config, loop.run.counters, loop.run.best
    epsilon = config.evaluation.epsilon
    evaluations = {"final_evaluation": _scored(scores, epsilon)}
    if best and best_scores:
        place = {"network": "best", "network_frames": best.frames}
        evaluations = {
            "final_evaluation": {**place, **_scored(best_scores, epsilon)},
            "last_network_evaluation": _scored(scores, epsilon),
        }
    return {
        "status": "complete",
        "preset": config.preset,
        "environment": config.environment,
        "seed": config.seed,
        "config_hash": config.hash,
        **{name: getattr(counters, name) for name in ("frames", "steps", "updates", "episodes", "iterations")},
        "state_digest": loop.digest(),
        **evaluations,
    }


def _scored(scores: list[evaluation.Score], epsilon: float) -> dict[str, Any]:
    found = {k: None if v != v else v for k, v in evaluation.summary(scores).items()}  # JSON has no nan
    return {"epsilon": epsilon, **found, "returns_raw": [s.return_raw for s in scores]}
