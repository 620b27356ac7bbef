"""Our training returns beside the published curves: numbers, and verdicts worked out by code."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from dqn_tf import fields, presets
from dqn_tf.checks import RunError
from dqn_tf.envs import games
from dqn_tf.envs.protocols import PROTOCOLS
from reproduce import formatting
from reproduce.analysis.intervals import Interval, Sample, difference_interval, judge
from reproduce.formatting import number
from reproduce.records import published
from reproduce.records.published import DOPAMINE_ITERATION_FRAMES
from reproduce.records.runs import Run

# Which published curve a preset is meant to reproduce: preset -> (agent, variant) of dopamine_curves.csv.gz.
COUNTERPARTS = {  # agent -> (agent, variant) of the curves that Dopamine published
    "dqn_dopamine": ("DQN", "default"),
    "c51_dopamine": ("C51", "default"),
    "rainbow_dopamine": ("Rainbow", "default"),
    "iqn_dopamine": ("IQN", "default"),
}
TOO_SHORT = "not comparable"  # the status of an iteration that a run has not finished


def by_iteration(episodes: pd.DataFrame, iteration_frames: int = DOPAMINE_ITERATION_FRAMES) -> pd.DataFrame:
    """Mean return of the episodes that ended in each iteration.

    An episode belongs to the iteration in which its last frame was played, frames counted from 0: one that ends with
    ``frames`` = 1,000,000 (the frames 0 to 999,999 are over) belongs to iteration 0, as in iterations.csv.

    Args:
        episodes: a row per episode; columns ``frames`` (int64, trained when it ended) and ``return_raw`` (float64).
        iteration_frames: frames of one iteration.

    Returns:
        A row per iteration in which an episode ended; columns iteration (int64, from 0), episodes (int64), return_mean
            and return_std (float64; sample standard deviation over those episodes, nan for one).

    >>> table = pd.DataFrame({"frames": [400_000, 1_000_000, 1_000_004], "return_raw": [1.0, 3.0, 9.0]})
    >>> by_iteration(table).values.tolist()
    [[0.0, 2.0, 2.0, 1.4142135623730951], [1.0, 1.0, 9.0, nan]]
    """
    iteration = ((episodes["frames"] - 1) // iteration_frames).rename("iteration")
    groups = episodes["return_raw"].groupby(iteration)
    return groups.agg(episodes="size", return_mean="mean", return_std="std").reset_index()


def compare(run: Run, agent: str = "DQN", variant: str = "default") -> pd.DataFrame:
    """A run's training returns beside the published curve of its game.

    An iteration gets a verdict only if the run finished it: a published point is an average over 1M frames.

    Args:
        run: a run on an Atari game.
        agent: agent of the published curve, as in PROVENANCE.md.
        variant: its variant there; "default" is Dopamine's TensorFlow agent.

    Returns:
        A row per iteration of 1M frames in which an episode ended. Columns: agent, environment, seed, config_hash,
            settings_hash, iteration, begin_frames, end_frames, episodes, return_mean, return_std, and those of
            ``beside_published``.

    Raises:
        ConfigError: there is no such curve.
    """
    curve = {
        row["iteration"]: row for row in formatting.records(published.dopamine_curve(run.environment, agent, variant))
    }
    rows = []
    for ours in formatting.records(by_iteration(run.episodes)):
        k = ours["iteration"]
        begin, end = k * DOPAMINE_ITERATION_FRAMES, (k + 1) * DOPAMINE_ITERATION_FRAMES
        row = {
            "agent": run.agent,
            "environment": run.environment,
            "seed": run.seed,
            "config_hash": str(run.manifest["config_hash"]),
            "settings_hash": _settings(run),
            "iteration": k,
            "begin_frames": begin,
            "end_frames": min(end, run.frames),
            "episodes": ours["episodes"],
            "return_mean": ours["return_mean"],
            "return_std": ours["return_std"],
        }
        rows.append(row | beside_published(ours["return_mean"], curve.get(k), k, run.frames >= end, run.frames - begin))
    return pd.DataFrame(rows)


def _settings(run: Run) -> str:
    """SHA-256 of the settings that all seeds of a sample share: all but the seed and the budget."""
    return fields.digest({k: v for k, v in run.settings.items() if k not in ("seed", "frames")})


def beside_published(value: float, point: dict[str, Any] | None, k: int, finished: bool, frames: int) -> dict[str, Any]:
    """The columns of a comparison that come from the published point: its numbers, the verdict, and a sentence.

    Args:
        value: our mean return of the iteration.
        point: the row of ``published.dopamine_curve`` for the iteration; None: nothing is published for it.
        k: number of the iteration, from 0.
        finished: whether our run trained to the iteration's end.
        frames: frames of the iteration that our run trained; only for the sentence of an unfinished one.

    Returns:
        published_mean, published_std, published_min, published_max, published_n_runs, prediction_low, prediction_high
            (nan where nothing is published), verdict, explanation.
    """
    if point is None:
        nothing = dict.fromkeys(("published_mean", "published_std", "published_min", "published_max"), math.nan)
        return nothing | {
            "published_n_runs": 0,
            "prediction_low": math.nan,
            "prediction_high": math.nan,
            "verdict": TOO_SHORT,
            "explanation": f"Nothing is published for iteration {k}.",
        }
    mean, std, low, high, n = (point[name] for name in published.CURVE_COLUMNS[1:])
    verdict = judge(value, mean, std, Interval(low, high), n)
    status, sentence = verdict.status, verdict.sentence
    if not finished:
        status = TOO_SHORT
        sentence = (
            f"{number(value)} is the mean of the first {frames:,} frames of this iteration only; the published "
            f"point ({number(mean)}, standard deviation {number(std)}, {n} runs) is the average over all "
            "of its 1,000,000."
        )
    return {
        "published_mean": mean,
        "published_std": std,
        "published_min": low,
        "published_max": high,
        "published_n_runs": n,
        "prediction_low": verdict.prediction.low,
        "prediction_high": verdict.prediction.high,
        "verdict": status,
        "explanation": sentence,
    }


def pooled_seeds(table: pd.DataFrame) -> list[str]:
    """For each game and iteration that two or more seeds of ours finished, a sentence on all of them as one sample.

    Runs of other settings are another sample.

    Args:
        table: rows of ``compare``, of one preset.

    Returns:
        Sentences, as items of a Markdown list.

    Raises:
        RunError: one seed of the same settings has two results.
    """
    sentences = []
    finished = table[table["verdict"] != TOO_SHORT]
    for (game, k, _), rows in finished.groupby(["environment", "iteration", "settings_hash"], sort=True):
        rows = rows.drop_duplicates(["seed", "return_mean"])  # exported twice, it is still one run
        if rows["seed"].duplicated().any():
            seed = rows.loc[rows["seed"].duplicated(), "seed"].iloc[0]
            raise RunError(
                f"Expected one result of {game}, seed {seed}, iteration {k}, got several from runs with the same "
                "settings: were they made on other machines, or by other code? Keep one of them."
            )
        if len(rows) < 2:
            continue
        first, values = rows.iloc[0], rows["return_mean"]
        ours = Sample(float(values.mean()), float(values.std()), len(rows))
        theirs = Sample(*(first[name].item() for name in ("published_mean", "published_std", "published_n_runs")))
        low, high = difference_interval(ours, theirs)
        apart = low > 0 or high < 0  # of no spread at all nothing can be said
        says = "They differ by more than chance" if apart else "Their difference may be chance"
        sentences.append(
            f"- {games.camel_case(str(game))}, iteration {k}: {ours.n} seeds of ours have mean "
            f"{number(ours.mean)} and standard deviation {number(ours.std)}, {theirs.n} published runs "
            f"{number(theirs.mean)} and {number(theirs.std)}. {says}: ours - published is "
            f"{number(ours.mean - theirs.mean)}, 95 % interval {number(low)} to {number(high)} "
            "(Welch)."
        )
    return sentences


def deviations(run: Run) -> list[str]:
    """Settings of ``run`` that are not its preset's, in words: "execution.threads: 1 (preset: 2)".  Budget excepted."""
    preset = presets.load(run.agent)
    protocol = PROTOCOLS[preset.protocol] if preset.protocol and run.game else None
    configured = {"agent": preset.agent, "protocol": protocol, "evaluation": preset.evaluation}
    expected: dict[str, Any] = {}
    found: dict[str, Any] = {}
    for name, value in configured.items():
        expected[name] = value and fields.to_json(value, whole=True)
        found[name] = fields.completed(type(value), run.settings.get(name)) if value else run.settings.get(name)
    expected["iteration_frames"] = preset.iteration_frames
    found["iteration_frames"] = run.settings.get("iteration_frames")
    differing = fields.differences(expected, found)
    return [f"{name.removeprefix('agent.')}: {new} (preset: {old})" for name, old, new in differing]


def is_comparable(run: Run) -> bool:
    """Whether the run's preset and game have a published curve."""
    return bool(
        run.agent in COUNTERPARTS and run.game and published.has_dopamine_curve(run.game, *COUNTERPARTS[run.agent])
    )


def by_preset(comparable: Iterable[Run]) -> dict[str, list[Run]]:
    """Runs that are comparable, in order: preset -> its runs by game and seed."""
    groups: dict[str, list[Run]] = {}
    for run in sorted(comparable, key=lambda r: (r.agent, r.environment, r.seed, str(r.path))):
        groups.setdefault(run.agent, []).append(run)
    return groups


def table_of(group: Sequence[Run]) -> pd.DataFrame:
    """``compare`` for runs of one preset with its counterpart, one below the other."""
    return pd.concat([compare(r, *COUNTERPARTS[r.agent]) for r in group], ignore_index=True)
