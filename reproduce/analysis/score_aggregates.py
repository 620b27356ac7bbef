"""From scores of runs to numbers per game, over games and over frames."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from dqn_tf.checks import ConfigError
from dqn_tf.rng import Stream
from reproduce.analysis import intervals, statistics
from reproduce.formatting import records
from reproduce.records import published

NORMALIZATION = "dqn_zoo57_vp0"
BOUNDS = ("value_percent", "low", "high")  # the fields of an Estimate
References = Mapping[str, published.Reference]
# One row per (collection, agent, environment, convention), over complete runs.
GAME_COLUMNS = tuple(
    """
    collection agent environment game convention n_seeds seeds mean std low high min max hns_percent
    normalization episodes window window_frames frames start sticky_actions settings_hash code_versions
    """.split()
)
# One row per (collection, agent, convention, metric), over games with a normalization.
OVER_GAMES_COLUMNS = tuple(
    """
    collection agent convention metric value_percent low high n_games n_seeds_min n_seeds_max
    normalization window frames start sticky_actions resamples settings_hash
    """.split()
)
# One row per (collection, agent, kind, metric, iteration); kind: "train_return" or "eval_return".
OVER_FRAMES_COLUMNS = tuple(
    """
    collection agent kind metric iteration frames value_percent low high n_games n_seeds_min n_seeds_max
    normalization resamples
    """.split()
)


def _complete(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["complete"].astype(bool)]


def at_frames(curves: pd.DataFrame, convention: str, frames: int, window_frames: int = 0) -> pd.DataFrame:
    """The score of each run at one place in training.

    Args:
        curves: rows of ``run_scores.CURVE_COLUMNS``.
        convention: "training_return": mean over the episodes that ended in the last ``window_frames``; "final_window":
            mean of the evaluation phases in them; "best_phase": the highest phase so far.
        frames: the place; runs without an iteration that ends exactly there are left out.
        window_frames: length of the window in frames; not used by "best_phase".

    Returns:
        The rows of ``curves`` at ``frames``, and a column ``score`` (float64). A run without such episodes or phases is
            left out.

    Raises:
        ConfigError: another convention.
    """
    keys = ["collection", "agent", "environment", "game", "seed"]
    there = curves[curves["frames"] == frames]
    past = curves[curves["frames"] <= frames]
    if convention != "best_phase":
        past = past[past["frames"] > frames - window_frames]
    if convention == "training_return":
        of, weight = past["train_return"], past["train_episodes"]
    elif convention in ("final_window", "best_phase"):
        of, weight = past["eval_return"], (past["eval_episodes"] > 0).astype("int64")
    else:
        raise ConfigError(f"Expected a convention that has scores during training, got {convention!r}.")
    past = past.assign(total=of * weight, weight=weight)[(weight > 0) & of.notna()]
    groups = past.groupby(keys, sort=True)
    score = groups["total"].max() if convention == "best_phase" else groups["total"].sum() / groups["weight"].sum()
    return there.merge(score.rename("score").reset_index(), on=keys)


def per_game(scores: pd.DataFrame, normalization: str = NORMALIZATION) -> pd.DataFrame:
    """Scores per game over the seeds of complete runs.

    Args:
        scores: rows of ``run_scores.SCORE_COLUMNS``.
        normalization: a key of ``published.NORMALIZATIONS``: the random and human scores.

    Returns:
        Rows of ``GAME_COLUMNS``. std: sample standard deviation (nan for one seed); low, high: 95 % interval of the
            mean by Student's t; hns_percent: of the mean, nan where the game has no random and human scores.

    Raises:
        ConfigError: an unknown normalization.
    """
    references = published.references(normalization)
    keys = ["collection", "agent", "environment", "game", "convention"]
    rows = [
        {**dict(zip(keys, key, strict=True)), **_of_game(group.sort_values("seed"), references, normalization)}
        for key, group in _complete(scores).groupby(keys, sort=True)
    ]
    return pd.DataFrame(rows, columns=list(GAME_COLUMNS))


def _of_game(group: pd.DataFrame, references: References, normalization: str) -> dict[str, Any]:
    """One row over the seeds of ``group``."""
    values = group["score"].to_numpy(np.float64)
    mean, std = float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else math.nan
    low, high = intervals.mean_interval(mean, std, len(values))
    game = str(group["game"].iloc[0])
    normalized = game in references
    return {
        "n_seeds": len(values),
        "seeds": " ".join(map(str, group["seed"])),
        **{"mean": mean, "std": std, "low": low, "high": high, "min": values.min(), "max": values.max()},
        "hns_percent": float(statistics.human_normalized(mean, *references[game])) if normalized else math.nan,
        "normalization": normalization if normalized else "",
        "episodes": int(group["episodes"].sum()),
        "code_versions": int(group["code_sha256"].nunique()),
        **_shared(group, "window", "window_frames", "frames", "start", "sticky_actions", "settings_hash"),
    }


def _shared(group: pd.DataFrame, *names: str) -> dict[str, Any]:
    """Values that all rows of the group share."""
    first = records(group.head(1))[0]
    return {name: first[name] for name in names}


def normalized_groups(scores: pd.DataFrame, normalization: str = NORMALIZATION) -> dict[str, np.ndarray]:
    """Human-normalized scores of one agent by one convention, of complete runs.

    Args:
        scores: rows of ``run_scores.SCORE_COLUMNS`` of that agent and convention.
        normalization: a key of ``published.NORMALIZATIONS``.

    Returns:
        Game (sorted) -> float64 [seeds], percent. Without games that have no random and human scores (five of
            Dopamine's, anything not Atari).

    Raises:
        ConfigError: an unknown normalization.
    """
    references = published.references(normalization)
    return {
        str(game): statistics.human_normalized(group.sort_values("seed")["score"], *references[str(game)])
        for game, group in _complete(scores).groupby("game", sort=True)
        if game in references
    }


def over_games(
    scores: pd.DataFrame, normalization: str = NORMALIZATION, resamples: int = statistics.RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Median, mean, IQM and optimality gap over games of human-normalized scores, with bootstrap intervals.

    Args:
        scores: rows of ``run_scores.SCORE_COLUMNS``; complete runs count.
        normalization: a key of ``published.NORMALIZATIONS`` with which means can be compared.
        resamples: of the bootstrap.
        seed: of the bootstrap's random streams. Each group of runs has its own, so one group does not change another's
            interval.

    Returns:
        Rows of ``OVER_GAMES_COLUMNS``, one per collection, agent, convention and metric.

    Raises:
        ConfigError: an unknown normalization, or one in which video_pinball would dominate a mean.
    """
    published.check_means(normalization)
    rows: list[dict[str, Any]] = []
    keys = ["collection", "agent", "convention"]
    for key, group in _complete(scores).groupby(keys, sort=True):
        if groups := normalized_groups(group, normalization):
            generator = Stream(seed, f"statistics/over_games/{'/'.join(map(str, key))}").at(0)
            estimates = statistics.aggregate(list(groups.values()), generator=generator, resamples=resamples)
            shared = {
                **dict(zip(keys, key, strict=True)),
                **_numbers(groups, normalization, resamples),
                **_shared(group[group["game"] != ""], "window", "frames", "start", "sticky_actions", "settings_hash"),
            }
            rows += [
                {**shared, "metric": metric, **dict(zip(BOUNDS, (x.item() for x in estimate), strict=True))}
                for metric, estimate in estimates.items()
            ]
    return pd.DataFrame(rows, columns=list(OVER_GAMES_COLUMNS))


def _numbers(groups: Mapping[str, np.ndarray], normalization: str, resamples: int) -> dict[str, Any]:
    """The columns that describe an estimate: numbers of games and seeds, normalization, resamples."""
    sizes = [len(seeds) for seeds in groups.values()]
    return {
        "n_games": len(groups),
        "n_seeds_min": min(sizes),
        "n_seeds_max": max(sizes),
        "normalization": normalization,
        "resamples": resamples,
    }


def over_frames(
    curves: pd.DataFrame, normalization: str = NORMALIZATION, resamples: int = statistics.RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """The metrics of ``over_games`` along training, for each agent over its complete runs.

    Only at iterations for which all of its runs have a value: games never come and go along a curve.

    Args:
        curves: rows of ``run_scores.CURVE_COLUMNS``.
        normalization: as for ``over_games``.
        resamples: of the bootstrap.
        seed: of the bootstrap's random streams, one for each agent and kind of return.

    Returns:
        Rows of ``OVER_FRAMES_COLUMNS``, one per collection, agent, kind, metric and iteration.

    Raises:
        ConfigError: as ``over_games``.
    """
    published.check_means(normalization)
    references = published.references(normalization)
    usable = _complete(curves[curves["game"].isin(list(references))])
    parts = []
    for (collection, agent), group in usable.groupby(["collection", "agent"], sort=True):
        for kind in ("train_return", "eval_return"):
            generator = Stream(seed, f"statistics/over_frames/{collection}/{agent}/{kind}").at(0)
            shared: dict[str, Any] = {"collection": collection, "agent": agent, "kind": kind}
            along = _along(group, kind, references, generator, resamples)
            parts += [part.assign(**shared, normalization=normalization, resamples=resamples) for part in along]
    columns = list(OVER_FRAMES_COLUMNS)
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _along(
    group: pd.DataFrame, kind: str, references: References, generator: np.random.Generator, resamples: int
) -> Iterator[pd.DataFrame]:
    """One agent's estimates at the iterations that all of its runs have, a table per metric."""
    matrix = group.pivot(index=["game", "seed"], columns="iteration", values=kind).astype("float64")
    matrix = matrix.dropna(axis="columns").sort_index()
    if matrix.shape[1] == 0:
        return
    groups = {
        str(game): statistics.human_normalized(block, *references[str(game)])
        for game, block in matrix.groupby(level="game", sort=True)
    }
    frames = group.groupby("iteration")["frames"].max()[matrix.columns].to_numpy()
    estimates = statistics.aggregate(list(groups.values()), generator=generator, resamples=resamples)
    sizes = [len(seeds) for seeds in groups.values()]
    for metric, estimate in estimates.items():
        columns = {"iteration": matrix.columns, "frames": frames, **dict(zip(BOUNDS, estimate, strict=True))}
        yield pd.DataFrame(columns).assign(
            metric=metric, n_games=len(groups), n_seeds_min=min(sizes), n_seeds_max=max(sizes)
        )
