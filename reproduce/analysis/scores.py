"""From run directories to one tidy table of scores, and on to tables per game and over games.

A score belongs to a convention, and conventions are never mixed:

    training_return    mean raw return of the training episodes that ended in the last ``window`` iterations (Dopamine)
    final_window       mean over the last ``window`` evaluation phases
    best_checkpoint    the best-scored network of training, by new episodes after training, where the run played them
    best_phase         the highest-scored evaluation phase itself: a maximum over noise, so too high
    final_evaluation   the phase after training, with the last weights

What cannot be counted (a damaged run, a run in two places, runs of different settings under one name) is left out and
listed; the tables say from how many seeds a number is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dqn_tf import fields
from dqn_tf.checks import ConfigError, RunError, expect
from dqn_tf.config import RunConfig
from dqn_tf.rng import Stream
from reproduce.analysis import statistics
from reproduce.formatting import records
from reproduce.records import published, runs
from reproduce.records.runs import Run

CONVENTIONS = ("training_return", "final_window", "best_checkpoint", "best_phase", "final_evaluation")
WINDOW = 5  # iterations
NORMALIZATION = "dqn_zoo57_vp0"

# One row per run and convention.  agent: its name where it lies (runs.Run.name).  episodes: how many the score is of.
# frames: trained so far.  window: iterations or phases, 0 where the convention has none; window_frames: how much of
# training they span.  start: "noop" or "none".  settings_hash: of all settings but seed and environment.
SCORE_COLUMNS = (
    "collection", "agent", "environment", "game", "seed", "convention", "score", "episodes", "window",
    "window_frames", "frames", "budget_frames", "complete", "start", "sticky_actions", "config_hash", "settings_hash",
    "code_sha256",
)  # fmt: skip
# One row per run and iteration, runs under way included.  train_return, eval_return, max_q: nan where there is none.
CURVE_COLUMNS = (
    "collection", "agent", "environment", "game", "seed", "iteration", "frames", "train_return", "train_episodes",
    "eval_return", "eval_episodes", "max_q", "complete",
)  # fmt: skip
# One row per (collection, agent, environment, convention), over complete runs.
GAME_COLUMNS = (
    "collection", "agent", "environment", "game", "convention", "n_seeds", "seeds", "mean", "std", "low", "high", "min",
    "max", "hns_percent", "normalization", "episodes", "window", "window_frames", "frames", "start", "sticky_actions",
    "settings_hash", "code_versions",
)  # fmt: skip
# One row per (collection, agent, convention, metric), over games with a normalization.
OVER_GAMES_COLUMNS = (
    "collection", "agent", "convention", "metric", "value_percent", "low", "high", "n_games", "n_seeds_min",
    "n_seeds_max", "normalization", "window", "frames", "start", "sticky_actions", "resamples", "settings_hash",
)  # fmt: skip
# One row per (collection, agent, kind, metric, iteration); kind: "train_return" or "eval_return".
OVER_FRAMES_COLUMNS = (
    "collection", "agent", "kind", "metric", "iteration", "frames", "value_percent", "low", "high", "n_games",
    "n_seeds_min", "n_seeds_max", "normalization", "resamples",
)  # fmt: skip


class Collected(NamedTuple):
    """What the runs say.  scores: SCORE_COLUMNS.  curves: CURVE_COLUMNS.  problems: what was left out, and why."""

    scores: pd.DataFrame
    curves: pd.DataFrame
    problems: list[str]


# -- one run -----------------------------------------------------------------------------------------------------------
def score_rows(run: Run, window: int = WINDOW) -> list[dict[str, Any]]:
    """The run's scores, a dict of SCORE_COLUMNS for each convention that it has numbers for.

    A convention with fewer than ``window`` iterations or phases to average has none: a mean of two phases is not a
    mean of the last five.  Raises RunError: a return that is nan or infinite.
    """
    expect(window >= 1, "at least 1 iteration", "window", window)
    common = {**_identity(run), "frames": run.frames, "budget_frames": run.budget_frames, "complete": run.complete,
              "start": start_of(run), "sticky_actions": sticky_of(run), "config_hash": str(run.manifest["config_hash"]),
              "settings_hash": settings_hash(run), "code_sha256": _code(run)}  # fmt: skip
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
        scored = {"best_checkpoint": scored["final_evaluation"],
                  "final_evaluation": run.summary["last_network_evaluation"]}  # fmt: skip
    return [_score(convention, found["return_mean"], found["episodes"], 0) for convention, found in scored.items()]


def _score(convention: str, score: Any, episodes: Any, window: int) -> dict[str, Any]:
    return {"convention": convention, "score": float(score), "episodes": int(episodes), "window": window}


def curve_rows(run: Run) -> pd.DataFrame:
    """The run's iterations, CURVE_COLUMNS."""
    names = {"train_return_mean": "train_return", "eval_return_mean": "eval_return", "heldout_max_q_mean": "max_q"}
    table = run.iterations.rename(columns=names).assign(**_identity(run))
    return table.assign(complete=run.complete).reindex(columns=list(CURVE_COLUMNS))


def _identity(run: Run) -> dict[str, Any]:
    return {"collection": run.collection, "agent": run.name, "environment": run.environment, "game": run.game or "",
            "seed": run.seed}  # fmt: skip


def settings_hash(run: Run) -> str:
    """SHA-256 of the settings that all runs of one table share: all but the seed and the environment."""
    return fields.digest(_shared(run))


def _shared(run: Run, whole: bool = False) -> dict[str, Any]:
    """whole: with the fields that came later and are left out of an identity where they have their defaults."""
    settings = {k: v for k, v in run.settings.items() if k != "schema"}
    settings = fields.completed(RunConfig, settings) if whole else run.settings
    return {k: v for k, v in settings.items() if k not in ("seed", "environment")}


def start_of(run: Run) -> str:
    """How scored episodes begin, in the words of results/published/: "noop", or "none" for no random no-ops."""
    protocol, evaluation = run.settings.get("protocol"), run.settings["evaluation"]
    noops = evaluation.get("noops_max")
    if noops is None:
        noops = protocol["noops_max"] if protocol else 0
    return "noop" if noops else "none"


def sticky_of(run: Run) -> float:
    """Probability that the emulator repeats the last action; 0 where there is no emulator."""
    protocol = run.settings.get("protocol")
    return float(protocol["sticky_probability"]) if protocol else 0.0


def _code(run: Run) -> str:
    """The code that ran, or several joined by "+" if it changed between sessions."""
    return "+".join(dict.fromkeys(str(s["code_sha256"]) for s in run.manifest["sessions"] if "code_sha256" in s))


def _check_finite(run: Run, values: pd.Series, name: str) -> None:
    wrong = int((~np.isfinite(values.to_numpy(np.float64))).sum())
    if wrong:
        raise RunError(f"{run.path / name.split(':')[0]}: expected finite numbers in{name.split(':')[1]}, got {wrong} "
                       "that are nan or infinite.")  # fmt: skip


# -- many runs ---------------------------------------------------------------------------------------------------------
def collect(
    folders: Iterable[Path], window: int = WINDOW, watch: Callable[[Path, Run | str], None] | None = None
) -> Collected:
    """All scores and curves of the runs in ``folders``, read one run at a time; what is wrong does not stop the rest.

    Of a run that is there twice, one copy counts; of two different runs under one name, neither.  watch: is shown every
    run as it is read, or why it cannot be, so that nobody has to read it again.
    """
    kept: dict[tuple[Any, ...], tuple[Path, str, list[dict[str, Any]], pd.DataFrame]] = {}
    problems: list[str] = []
    shared: dict[str, dict[str, Any]] = {}
    disputed = set()
    for path in runs.find(*folders):
        run = runs.attempt(path)
        if watch is not None:
            watch(path, run)
        if isinstance(run, str):
            problems.append(f"Left out: {run}")
            continue
        try:
            found = score_rows(run, window)
        except (RunError, ConfigError) as error:
            problems.append(f"Left out: {error}")
            continue
        except (KeyError, TypeError) as error:
            problems.append(f"Left out: {path}: expected files as training writes them, got {error!r}.")
            continue
        key, identity = (
            (run.collection, run.name, run.environment, run.seed),
            fields.digest([run.settings, run.summary]),
        )
        if key in kept:
            other, same = kept[key][:2]
            if same != identity:
                disputed.add(key)
            both = f"{path} and {other} are {'the same run' if same == identity else 'different runs'}"
            problems.append(
                f"Left out: {'one of two: ' if same == identity else ''}{both} of {'/'.join(map(str, key))}."
            )
            continue
        kept[key] = (path, identity, found, curve_rows(run))
        shared.setdefault(settings_hash(run), _shared(run, whole=True))
    good = [parts for key, parts in kept.items() if key not in disputed]
    scores = pd.DataFrame([row for _, _, rows, _ in good for row in rows], columns=list(SCORE_COLUMNS))
    curves = [curve for _, _, _, curve in good if len(curve)]
    curve = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=list(CURVE_COLUMNS))
    return _without_mixtures(Collected(scores, curve, problems), shared)


def _without_mixtures(found: Collected, shared: dict[str, dict[str, Any]]) -> Collected:
    """Without groups that would mix settings in one table: all Atari games of an agent, or one other environment."""
    scores, curves, problems = found
    groups = scores.groupby([scores["collection"], scores["agent"], _scope(scores)], sort=True)
    for (collection, agent, where), group in groups:
        hashes = sorted(group["settings_hash"].unique())
        if len(hashes) > 1:
            label = f"{collection}/{agent}, {where}"
            problems = [*problems, _mixture(label, group, {h: shared[h] for h in hashes})]
            scores, curves = (
                table[(table["collection"] != collection) | (table["agent"] != agent) | (_scope(table) != where)]
                for table in (scores, curves)
            )
    return Collected(scores.reset_index(drop=True), curves.reset_index(drop=True), problems)


def _scope(table: pd.DataFrame) -> pd.Series:
    """What stands in one table: "Atari" for any game, otherwise the environment."""
    return table["environment"].where(table["game"] == "", "Atari")


def _mixture(label: str, group: pd.DataFrame, settings: dict[str, dict[str, Any]]) -> str:
    """What is mixed, by whom."""
    lines = [f"Left out: {label}: {len(settings)} different configurations would stand in one table."]
    for identity in settings:
        some = group[group["settings_hash"] == identity][["environment", "seed"]].drop_duplicates()
        names = [f"{r['environment']} seed {r['seed']}" for r in records(some)]
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        lines.append(f"  {identity[:12]}: {', '.join(names[:4])}{more}")
    first, *others = settings.values()
    differing = [entry for other in others for entry in fields.differences(first, other)]
    lines += dict.fromkeys(f"  {path.removeprefix('agent.')}: {a!r} or {b!r}" for path, a, b in differing)
    return "\n".join([*lines, "  Put them into different collections (folders), or remove one."])


def _complete(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["complete"].astype(bool)]


def at_frames(curves: pd.DataFrame, convention: str, frames: int, window_frames: int = 0) -> pd.DataFrame:
    """The score of each run that has come to exactly ``frames``: CURVE_COLUMNS of its iteration there, and ``score``.

    "training_return": of all episodes that ended in the last ``window_frames``; "final_window": mean of the evaluation
    phases in them; "best_phase": the best one so far.  A run without such episodes or phases is left out.
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
    """GAME_COLUMNS over seeds; std of the sample (nan for one seed), low and high the 95 % interval of the mean by
    Student's t (statistics.mean_interval), hns_percent of the mean where the game has a normalization."""
    references = published.references(normalization)
    rows = []
    keys = ["collection", "agent", "environment", "game", "convention"]
    for key, group in _complete(scores).groupby(keys, sort=True):
        group = group.sort_values("seed")
        values = group["score"].to_numpy(np.float64)
        mean, std = float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else math.nan
        low, high = statistics.mean_interval(mean, std, len(values))
        first = records(group.head(1))[0]
        game = first["game"]
        hns = float(statistics.human_normalized(mean, *references[game])) if game in references else math.nan
        rows.append({
            **dict(zip(keys, key, strict=True)), "n_seeds": len(values), "seeds": " ".join(map(str, group["seed"])),
            "mean": mean, "std": std, "low": low, "high": high, "min": values.min(), "max": values.max(),
            "hns_percent": hns, "normalization": normalization if game in references else "",
            "episodes": int(group["episodes"].sum()), "code_versions": int(group["code_sha256"].nunique()),
            **{name: first[name] for name in ("window", "window_frames", "frames", "start", "sticky_actions",
                                                  "settings_hash")},
        })  # fmt: skip
    return pd.DataFrame(rows, columns=list(GAME_COLUMNS))


def normalized_groups(scores: pd.DataFrame, normalization: str = NORMALIZATION) -> dict[str, np.ndarray]:
    """Human-normalized scores in percent, game -> [seeds], of one agent by one convention; games sorted, complete runs.

    Games without a normalization (Dopamine's five others, anything not Atari) are left out.
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
    """OVER_GAMES_COLUMNS: median, mean, IQM and optimality gap of normalized scores, with bootstrap intervals.

    seed: of the stream of resamples; each group of runs has its own, so one group does not move another's bounds.
    """
    published.check_means(normalization)
    rows = []
    keys = ["collection", "agent", "convention"]
    for key, group in _complete(scores).groupby(keys, sort=True):
        groups = normalized_groups(group, normalization)
        if not groups:
            continue
        generator = Stream(seed, f"statistics/over_games/{'/'.join(map(str, key))}").at(0)
        sizes = [len(g) for g in groups.values()]
        first = records(group[group["game"] != ""].head(1))[0]
        for metric, estimate in statistics.aggregate(list(groups.values()), generator=generator,
                                                     resamples=resamples).items():  # fmt: skip
            rows.append({
                **dict(zip(keys, key, strict=True)), "metric": metric, "value_percent": estimate.value.item(),
                "low": estimate.low.item(), "high": estimate.high.item(), "n_games": len(groups),
                "n_seeds_min": min(sizes), "n_seeds_max": max(sizes), "normalization": normalization,
                "resamples": resamples,
                **{name: first[name] for name in ("window", "frames", "start", "sticky_actions", "settings_hash")},
            })  # fmt: skip
    return pd.DataFrame(rows, columns=list(OVER_GAMES_COLUMNS))


def over_frames(
    curves: pd.DataFrame, normalization: str = NORMALIZATION, resamples: int = statistics.RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """OVER_FRAMES_COLUMNS: the metrics of ``over_games`` along training, for each agent over its complete runs.

    Only at iterations for which all of them have a value: games never come and go along a curve.
    """
    published.check_means(normalization)
    references = published.references(normalization)
    out = []
    usable = _complete(curves[curves["game"].isin(list(references))])
    for (collection, agent), group in usable.groupby(["collection", "agent"], sort=True):
        for kind in ("train_return", "eval_return"):
            matrix = group.pivot(index=["game", "seed"], columns="iteration", values=kind).astype("float64")
            matrix = matrix.dropna(axis="columns").sort_index()
            if matrix.shape[1] == 0:
                continue
            found = {str(game): statistics.human_normalized(block, *references[str(game)])
                     for game, block in matrix.groupby(level="game", sort=True)}  # fmt: skip
            generator = Stream(seed, f"statistics/over_frames/{collection}/{agent}/{kind}").at(0)
            sizes = [len(g) for g in found.values()]
            frames = group.groupby("iteration")["frames"].max()
            for metric, estimate in statistics.aggregate(list(found.values()), generator=generator,
                                                         resamples=resamples).items():  # fmt: skip
                out.append(pd.DataFrame({
                    "collection": collection, "agent": agent, "kind": kind, "metric": metric,
                    "iteration": matrix.columns, "frames": frames[matrix.columns].to_numpy(),
                    "value_percent": estimate.value, "low": estimate.low, "high": estimate.high, "n_games": len(found),
                    "n_seeds_min": min(sizes), "n_seeds_max": max(sizes), "normalization": normalization,
                    "resamples": resamples,
                }))  # fmt: skip
    return pd.concat(out, ignore_index=True) if out else pd.DataFrame(columns=list(OVER_FRAMES_COLUMNS))
