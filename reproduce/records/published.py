"""Published numbers, from results/published/ (where each was read: PROVENANCE.md there).

The only module that reads them.  Outside a checkout they come with the package (places.DATA).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from dqn_tf.checks import ConfigError, RunError, unknown
from dqn_tf.envs import games
from reproduce.places import DATA
from reproduce.records.published_conventions import FAMILY

PUBLISHED = DATA / "published"
RUNS_100K, SMALL = "atari100k_run_level.csv.gz", "small_budget_published.csv"
CURVES, SCORES, SUMS = "dopamine_curves.csv.gz", "atari_human_random.csv", "SHA256SUMS"
PER_GAME, PER_GAME_100K, AGGREGATES = (
    "atari57_published_scores.csv",
    "atari100k_published_scores.csv",
    "aggregate_published.csv",
)

# Which random and human columns of SCORES a normalized score is computed with.  Papers differ (PROVENANCE.md, traps 1
# and 2): "nature49" for 49 games with the human of Mnih et al. 2015, "human_starts" for scores from human starts, and
# for no-op starts DQN Zoo's columns or those of MuZero's Table S1, alike but for video_pinball's random score.
# Published means come out only where that is 0; "dqn_zoo57_vp0" is "dqn_zoo57" with it set to 0.  "human_starts_nair"
# has the values of Nair et al. 2015 where that paper has them (49 games): the summaries of van Hasselt et al. 2016 and
# Schaul et al. 2016 come out with those only.  There random play beats the human at video_pinball, hence the absolute
# value in ``Reference.normalized``.
NORMALIZATIONS = {
    "dqn_zoo57": ("random", "human"),
    "dqn_zoo57_vp0": ("random", "human"),
    "muzero_s1": ("muzero_s1_random", "muzero_s1_human"),
    "nature49": ("nature_random", "nature_human"),
    "human_starts": ("human_starts_random", "human_starts_human"),
    "human_starts_nair": ("human_starts_random", "human_starts_human"),
}

# One iteration of Dopamine's curves: Runner.training_steps = 250,000 agent steps of 4 frames (dqn.gin).
DOPAMINE_ITERATION_FRAMES = 1_000_000
CURVE_COLUMNS = ("iteration", "mean_return", "std_return", "min_return", "max_return", "n_runs")


class Reference(NamedTuple):
    """Raw scores of the random and of the human player on one game (DQN Zoo's table; trap 1 of PROVENANCE.md)."""

    random: float
    human: float

    def normalized(self, score: float) -> float:
        """Human-normalized score in percent, 100 * (score - random) / |human - random|: 0 random play, 100 the human.

        >>> Reference(random=10.0, human=60.0).normalized(35.0)
        50.0
        """
        return 100.0 * (score - self.random) / abs(self.human - self.random)


def dopamine_curve(game: str, agent: str = "DQN", variant: str = "default") -> pd.DataFrame:
    """One published learning curve of Dopamine: mean returns of training episodes (PROVENANCE.md, last section).

    Args:
        game: any spelling that ``games.resolve`` knows.
        agent: as in PROVENANCE.md.
        variant: as there; ("DQN", "default") is the TensorFlow agent.

    Returns:
        A row per iteration of 1M frames, in order: iteration (int64, from 0), mean_return, std_return (sample, over
            runs), min_return, max_return (float64), n_runs (int64).

    Raises:
        ConfigError: unknown variant, agent of that variant, or game; names the nearest ones.
    """
    curves, name = dopamine_curves(agent, variant), games.find(game) or game
    known = list(curves["game"].unique())
    if name not in known:
        raise unknown("published game", name, known)
    return curves.loc[curves["game"] == name, list(CURVE_COLUMNS)].reset_index(drop=True)


def dopamine_curves(agent: str = "DQN", variant: str = "default") -> pd.DataFrame:
    """The published learning curves of one of Dopamine's agents on all games.

    Args:
        agent: as in PROVENANCE.md.
        variant: as there.

    Returns:
        The columns game and those of ``dopamine_curve``, by game and iteration.

    Raises:
        ConfigError: unknown variant, or agent of that variant; names the nearest ones.
    """
    curves = _curves()
    for column_name, name in (("variant", variant), ("agent", agent)):
        known = list(curves[column_name].unique())
        if name not in known:
            raise unknown(f"published {column_name}", name, known)
        curves = curves[curves[column_name] == name]
    return curves[["game", *CURVE_COLUMNS]].sort_values(["game", "iteration"], ignore_index=True)


def runs_100k(agent: str, steps: int = 100_000) -> pd.DataFrame:
    """Single published runs of Atari 100k.

    Args:
        agent: "DER", "OTRainbow", "DrQ", "DrQ(eps)", "SPR" (100 runs a game), "PlayVirtual" (15) or "SimPLe" (5).
        steps: agent steps trained; DER was evaluated after every 10,000, the others after 100,000 only.

    Returns:
        Columns game, run (from 1), eval_average_return (float64); by game and run.

    Raises:
        ConfigError: an unknown agent, or one that was not evaluated after ``steps``.
    """
    runs = _read(RUNS_100K)
    known = list(runs["agent"].unique())
    if agent not in known:
        raise unknown("published agent", agent, known)
    runs = runs[runs["agent"] == agent]
    if steps not in set(runs["steps"]):
        places = ", ".join(map(str, sorted(runs["steps"].unique())))
        raise ConfigError(
            f"Expected steps at which {agent} was evaluated, got {steps}. It was evaluated after {places}."
        )
    columns = ["game", "run", "eval_average_return"]
    return runs.loc[runs["steps"] == steps, columns].sort_values(["game", "run"], ignore_index=True)


def small_budget(benchmark: str, environment: str) -> pd.DataFrame:
    """Published numbers of budgets that a small machine reaches (PROVENANCE.md, section 9).

    Args:
        benchmark: "atari100k", "classic_control", "minatar", "minatar-gymnax" or "bsuite".
        environment: one of its environments, as spelled there.

    Returns:
        A row per number: agent, metric, value (float64), spread, spread_kind, n_runs, budget_frames, protocol, source,
            and low_confidence (bool): read where curves of a figure overlap.

    Raises:
        ConfigError: an unknown name; names the nearest ones.
    """
    table = _read(SMALL)
    for column, name in (("benchmark", benchmark), ("env", environment)):
        known = list(table[column].unique())
        if name not in known:
            raise unknown(f"published {column}", name, known)
        table = table[table[column] == name]
    found = table.drop(columns=["benchmark", "env"]).reset_index(drop=True)
    low = found["protocol"].str.contains("LOW CONFIDENCE")
    return found.assign(value=found["value"].astype("float64"), low_confidence=low)


def low_confidence(row: Mapping[str, object]) -> bool:
    """Whether the rows of a file that ``row`` names are marked LOW CONFIDENCE: read where curves of a figure overlap.

    row: "file", and the cells that name it by column; "column", where its number stands, is of no matter.
    """
    if row.get("file") != SMALL:
        return False  # the others have no such mark
    table = _read(SMALL)
    for name, cell in row.items():
        if name not in ("file", "column"):
            table = table[table[name].astype(type(cell)) == cell]
    return bool(table["protocol"].str.contains("LOW CONFIDENCE").any())


def has_dopamine_curve(game: str, agent: str = "DQN", variant: str = "default") -> bool:
    """Whether Dopamine published a curve of an agent on a game.

    Args:
        game: its id.
        agent: as in PROVENANCE.md.
        variant: as there.

    Returns:
        False for unknown names, too.
    """
    curves = _curves()
    return bool(((curves.game == game) & (curves.agent == agent) & (curves.variant == variant)).any())


def human_random(game: str) -> Reference:
    """Random and human scores of one of the 57 games.

    Args:
        game: its name, in any spelling.

    Returns:
        Raw scores.

    Raises:
        ConfigError: there is no such game; names the nearest.
    """
    table, name = scores(), games.find(game) or game
    if name not in table.index:
        raise unknown("game with published human and random scores", name, list(table.index))
    return Reference(float(table["random"][name]), float(table["human"][name]))


def references(normalization: str) -> dict[str, Reference]:
    """Random and human scores by game: 57 games, or 49.

    Args:
        normalization: a key of ``NORMALIZATIONS``, which names the columns.

    Returns:
        Game -> raw scores.

    Raises:
        ConfigError: an unknown normalization.
    """
    if normalization not in NORMALIZATIONS:
        raise unknown("normalization", normalization, NORMALIZATIONS)
    table = _scores()[list(NORMALIZATIONS[normalization])].dropna()
    found = {str(game): Reference(float(row.iloc[0]), float(row.iloc[1])) for game, row in table.iterrows()}
    if normalization == "dqn_zoo57_vp0":
        found["video_pinball"] = found["video_pinball"]._replace(random=0.0)
    if normalization == "human_starts_nair":
        random, human = (column(f"{who} (human starts, Nair 2015)", "human") for who in ("Random", "Human"))
        found |= {game: Reference(random[game], human[game]) for game in random}
    return found


def check_means(normalization: str) -> None:
    """Refuse a normalization with which means over games cannot be compared.

    Args:
        normalization: a key of ``NORMALIZATIONS``.

    Raises:
        ConfigError: an unknown one, or one in which video_pinball would dominate a mean (PROVENANCE.md, trap 1).
    """
    references(normalization)
    if normalization == "dqn_zoo57":
        raise ConfigError(
            "Expected a normalization with which means can be compared, got 'dqn_zoo57': its random score of "
            "video_pinball (16,256.9, the human's is 17,667.9) lets that game outweigh the others, and no published "
            "mean was made with it. Use 'dqn_zoo57_vp0' or 'muzero_s1'."
        )


def scores() -> pd.DataFrame:
    """Human and random scores, one row per game (the index), 57 of them; columns as in PROVENANCE.md, section 1."""
    return _scores().copy()


def dopamine_games(variant: str = "default") -> list[str]:
    """The ids of the games with curves of ``variant``, sorted."""
    curves = _curves()
    return sorted(curves.loc[curves.variant == variant, "game"].unique())


def per_game() -> pd.DataFrame:
    """Published scores on Atari games, one row per (agent, start, game); columns as in PROVENANCE.md, section 2."""
    return _read(PER_GAME).copy()


def per_game_100k() -> pd.DataFrame:
    """Published scores after 100,000 agent steps, one row per (agent, game); columns as in PROVENANCE.md, section 3."""
    return _read(PER_GAME_100K).copy()


def aggregates() -> pd.DataFrame:
    """Published summaries and speeds; columns as in PROVENANCE.md, section 7; ``value`` as printed (text)."""
    return _read(AGGREGATES).copy()


def column(agent: str, start: str) -> dict[str, float]:
    """One published column of scores.

    Args:
        agent: as in atari57_published_scores.csv.
        start: how its episodes began, as there: "noop", "human", "none" or "noop?".

    Returns:
        Game -> raw score.

    Raises:
        ConfigError: there is no such column; names the nearest.
    """
    table = _read(PER_GAME)
    known = {f"{a}, {s}" for a, s in zip(table["agent"], table["start"], strict=True)}
    if f"{agent}, {start}" not in known:
        raise unknown("published column", f"{agent}, {start}", sorted(known))
    rows = table[(table["agent"] == agent) & (table["start"] == start)]
    return {str(game): float(score) for game, score in zip(rows["game"], rows["score"], strict=True)}


def family_columns() -> pd.DataFrame:
    """The DQN family's published columns, a row each: agent, start, convention, basis (how the convention is known),
    sticky_actions, frames, games (how many), paper, arxiv, table, protocol, flags (texts joined by "; ")."""
    rows = []
    groups = dict(list(_read(PER_GAME).groupby(["agent", "start"])))
    for (agent, start), (convention, basis) in FAMILY.items():
        group = groups[(agent, start)]
        first = {str(k): v for k, v in group.iloc[0].items()}
        flags = [f"{r.game}: {r.flag}" for r in group.dropna(subset="flag").itertuples()]
        if len(flags) > 1 and group["flag"].nunique() == 1:
            flags = [str(group["flag"].iloc[0])]
        rows.append(
            {
                "agent": agent,
                "start": start,
                "convention": convention,
                "basis": basis,
                **{name: first[name] for name in ("sticky_actions", "frames")},
                "games": len(group),
                **{name: first[name] for name in ("paper", "arxiv", "table", "protocol")},
                "flags": "; ".join(flags),
            }
        )
    return pd.DataFrame(rows)


@cache
def _read(name: str) -> pd.DataFrame:
    texts = {"arxiv": "str", "value": "str", "flag": "str"}
    return pd.read_csv(_path(name), dtype=texts)


@cache
def _curves() -> pd.DataFrame:
    types = {"iteration": "int64", "n_runs": "int64", **dict.fromkeys(CURVE_COLUMNS[1:5], "float64")}
    return pd.read_csv(_path(CURVES), dtype=types)


@cache
def _scores() -> pd.DataFrame:
    return pd.read_csv(_path(SCORES), index_col="game")


def available() -> bool:
    """Whether the published numbers are there."""
    return PUBLISHED.is_dir()


def _path(name: str) -> Path:
    path = PUBLISHED / name
    if not path.is_file():
        then = "Restore the file, or install the package again."
        raise RunError(f"Expected published numbers in {path}, found none. {then}")
    return path


def verify() -> list[str]:
    """The files whose bytes are not those of SHA256SUMS, as "name: what is wrong"; empty if all is well."""
    wrong = []
    for line in _path(SUMS).read_text().splitlines():
        expected, name = line.split("  ", 1)
        path = PUBLISHED / name
        if not path.is_file():
            wrong.append(f"{name}: missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            wrong.append(f"{name}: changed")
    return wrong
