"""The scores of one run.

A score belongs to a convention, and conventions are never mixed:

    training_return    mean raw return of the training episodes that ended in the last ``window`` iterations (Dopamine)
    final_window       mean over the last ``window`` evaluation phases
    best_checkpoint    the best-scored network of training, by new episodes after training, where the run played them
    best_phase         the highest-scored evaluation phase itself: a maximum over noise, so too high
    final_evaluation   the phase after training, with the last weights
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from dqn_tf import fields
from dqn_tf.checks import RunError, expect
from dqn_tf.config import RunConfig
from reproduce.records.runs import Run

CONVENTIONS = ("training_return", "final_window", "best_checkpoint", "best_phase", "final_evaluation")
WINDOW = 5  # iterations

# One row per run and convention.  agent: its name where it lies (runs.Run.name).  episodes: how many the score is of.
# frames: trained so far.  window: iterations or phases, 0 where the convention has none; window_frames: how much of
# training they span.  start: "noop" or "none".  settings_hash: of all settings but seed and environment.
SCORE_COLUMNS = tuple(
    """
    collection agent environment game seed convention score episodes window window_frames frames
    budget_frames complete start sticky_actions config_hash settings_hash code_sha256
    """.split()
)
# One row per run and iteration, runs under way included.  train_return, eval_return, max_q: nan where there is none.
CURVE_COLUMNS = tuple(
    """
    collection agent environment game seed iteration frames train_return train_episodes eval_return
    eval_episodes max_q complete
    """.split()
)


# -- one run -----------------------------------------------------------------------------------------------------------
def score_rows(run: Run, window: int = WINDOW) -> list[dict[str, Any]]:
    """The scores of a run, one for each convention that it has numbers for.

    A convention with fewer than ``window`` iterations or phases to average has none: a mean of two phases is not a mean
    of the last five.

    Args:
        run: complete or not.
        window: iterations (training_return) or evaluation phases (final_window) to average.

    Returns:
        A dict of ``SCORE_COLUMNS`` per convention.

    Raises:
        ConfigError: a window below 1.
        RunError: a return that is nan or infinite.
    """
    expect(window >= 1, "at least 1 iteration", "window", window)
    common = {
        **_identity(run),
        "frames": run.frames,
        "budget_frames": run.budget_frames,
        "complete": run.complete,
        "start": start_of(run),
        "sticky_actions": sticky_of(run),
        "config_hash": str(run.manifest["config_hash"]),
        "settings_hash": settings_hash(run),
        "code_sha256": _code(run),
    }
    length = window * int(run.settings["iteration_frames"])
    period = max(1, int(run.settings["evaluation"]["period_iterations"]))
    spans = {"training_return": length, "final_window": length * period}
    found = [_training_return(run, window), *_of_evaluations(run, window), *_after_training(run)]
    rows = [{**common, **score, "window_frames": spans.get(score["convention"], 0)} for score in found if score]
    for row in rows:
        if not math.isfinite(row["score"]):
            raise RunError(f"{run.path}: the score by {row['convention']} is {row['score']}.")
    return [{name: row[name] for name in SCORE_COLUMNS} for row in rows]


def _training_return(run: Run, window: int) -> dict[str, Any] | None:
    length = int(run.settings["iteration_frames"])
    _check_finite(run, run.episodes["return_raw"], "episodes.csv: return_raw")
    if run.frames < window * length:
        return None
    last = run.episodes.loc[run.episodes["frames"] > run.frames - window * length, "return_raw"]
    return _score("training_return", last.mean(), len(last), window) if len(last) else None


def _of_evaluations(run: Run, window: int) -> list[dict[str, Any]]:
    phases = run.iterations[run.iterations["eval_episodes"] > 0]
    _check_finite(run, phases["eval_return_mean"], "iterations.csv: eval_return_mean")
    if phases.empty:
        return []
    returns, episodes = phases["eval_return_mean"].to_numpy(np.float64), phases["eval_episodes"].to_numpy(np.int64)
    best = int(returns.argmax())
    out = [_score("best_phase", returns[best], episodes[best], 0)]
    if len(phases) >= window:
        out.append(_score("final_window", returns[-window:].mean(), episodes[-window:].sum(), window))
    return out


def _after_training(run: Run) -> list[dict[str, Any]]:
    if run.summary is None:
        return []
    scored = {"final_evaluation": run.summary["final_evaluation"]}
    if "last_network_evaluation" in run.summary:
        scored = {
            "best_checkpoint": scored["final_evaluation"],
            "final_evaluation": run.summary["last_network_evaluation"],
        }
    return [_score(convention, found["return_mean"], found["episodes"], 0) for convention, found in scored.items()]


def _score(convention: str, score: Any, episodes: Any, window: int) -> dict[str, Any]:
    score = math.nan if score is None else score  # JSON has null for what is not finite
    return {"convention": convention, "score": float(score), "episodes": int(episodes), "window": window}


def curve_rows(run: Run) -> pd.DataFrame:
    """The run's iterations, CURVE_COLUMNS."""
    names = {"train_return_mean": "train_return", "eval_return_mean": "eval_return", "heldout_max_q_mean": "max_q"}
    table = run.iterations.rename(columns=names).assign(**_identity(run))
    return table.assign(complete=run.complete).reindex(columns=list(CURVE_COLUMNS))


def _identity(run: Run) -> dict[str, Any]:
    return {
        "collection": run.collection,
        "agent": run.name,
        "environment": run.environment,
        "game": run.game or "",
        "seed": run.seed,
    }


def settings_hash(run: Run) -> str:
    """SHA-256 of the settings that all runs of one table share: all but the seed and the environment."""
    return fields.digest(shared_settings(run))


def shared_settings(run: Run, whole: bool = False) -> dict[str, Any]:
    """The settings that all runs of one table share: all but the seed and the environment.

    Args:
        run: any run.
        whole: add the fields that did not exist when the run was made and that its identity leaves out at their
            defaults.

    Returns:
        Plain nested values.
    """
    settings = {k: v for k, v in run.settings.items() if k != "schema"}
    settings = fields.completed(RunConfig, settings) if whole else run.settings
    return {k: v for k, v in settings.items() if k not in ("seed", "environment")}


def start_of(run: Run) -> str:
    """How scored episodes begin, in the words of results/published/: "noop", or "none" for no random no-ops."""
    protocol, evaluation = run.settings.get("protocol"), run.settings["evaluation"]
    noops = evaluation.get("noops_max")
    if noops is None:
        noops = (protocol or {}).get("noops_max", 0)  # Atari's alone
    return "noop" if noops else "none"


def sticky_of(run: Run) -> float:
    """Probability that the emulator repeats the last action; 0 where there is none that does."""
    protocol = run.settings.get("protocol")
    return float((protocol or {}).get("sticky_probability", 0.0))


def _code(run: Run) -> str:
    """The code that ran, or several joined by "+" if it changed between sessions."""
    return "+".join(dict.fromkeys(str(s["code_sha256"]) for s in run.manifest["sessions"] if "code_sha256" in s))


def _check_finite(run: Run, values: pd.Series, name: str) -> None:
    wrong = int((~np.isfinite(values.to_numpy(np.float64))).sum())
    if wrong:
        raise RunError(
            f"{run.path / name.split(':')[0]}: expected finite numbers in{name.split(':')[1]}, got {wrong} "
            "that are nan or infinite."
        )
