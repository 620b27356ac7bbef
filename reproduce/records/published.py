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

# The DQN family's columns of PER_GAME: (agent, start) -> (convention as in analysis/scores.py, how that is known).
_STATED, _TRAP3, _DATA, _STYLE = (
    "stated in the column's protocol",
    "a paper of 2015 to 2018: PROVENANCE.md, trap 3",
    "told by the data: PROVENANCE.md, last section",
    "said to be in the style of Dopamine",
)
FAMILY: dict[tuple[str, str], tuple[str, str]] = {
    ("DQN (Nature 2015)", "noop"): ("best_checkpoint", _TRAP3),
    ("DQN (re-evaluated, no-op 30 min)", "noop"): ("best_checkpoint", _STATED),
    ("DQN (re-run in NoisyNet paper)", "noop"): ("best_checkpoint", _TRAP3),
    ("Double DQN", "noop"): ("best_checkpoint", _TRAP3),
    ("Double DQN (no-op 30 min)", "noop"): ("best_checkpoint", _STATED),
    ("Prioritized DDQN (no-op, Wang 2016)", "noop"): ("best_checkpoint", _TRAP3),
    ("Dueling DDQN", "noop"): ("best_checkpoint", _TRAP3),
    ("Dueling (re-run in NoisyNet paper)", "noop"): ("best_checkpoint", _TRAP3),
    ("Prioritized Dueling DDQN", "noop"): ("best_checkpoint", _TRAP3),
    ("NoisyNet-DQN", "noop"): ("best_checkpoint", _TRAP3),
    ("NoisyNet-Dueling", "noop"): ("best_checkpoint", _TRAP3),
    ("C51", "noop"): ("best_checkpoint", _STATED),
    ("QR-DQN-0", "noop"): ("best_checkpoint", _STATED),
    ("QR-DQN-1", "noop"): ("best_checkpoint", _STATED),
    ("IQN", "noop"): ("best_checkpoint", _STATED),
    ("Distributional DQN (Rainbow paper)", "noop"): ("best_checkpoint", _STATED),
    ("Rainbow", "noop"): ("best_checkpoint", _STATED),
    ("DQN (Nair 2015)", "human"): ("best_checkpoint", _TRAP3),
    ("Double DQN", "human"): ("best_checkpoint", _TRAP3),
    ("Double DQN (tuned)", "human"): ("best_checkpoint", _TRAP3),
    ("Prioritized DQN (rank)", "human"): ("best_checkpoint", _TRAP3),
    ("Prioritized DDQN (rank)", "human"): ("best_checkpoint", _TRAP3),
    ("Prioritized DDQN (proportional)", "human"): ("best_checkpoint", _TRAP3),
    ("Dueling DDQN", "human"): ("best_checkpoint", _TRAP3),
    ("Prioritized Dueling DDQN", "human"): ("best_checkpoint", _TRAP3),
    ("Distributional DQN (Rainbow paper)", "human"): ("best_checkpoint", _STATED),
    ("Rainbow", "human"): ("best_checkpoint", _STATED),
    ("Dopamine DQN (legacy TF, final)", "none"): ("training_return", _DATA),
    ("Dopamine C51 (legacy TF, final)", "none"): ("training_return", _DATA),
    ("Dopamine Rainbow (legacy TF, final)", "none"): ("training_return", _DATA),
    ("Dopamine IQN (legacy TF, final)", "none"): ("training_return", _DATA),
    ("M-DQN", "none"): ("training_return", _STYLE),
    ("M-IQN", "none"): ("training_return", _STYLE),
    ("BTR (repo preview csv)", "noop?"): ("final_window", _STATED),
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
    """One published learning curve of Dopamine: a row per iteration of 1M frames, in order.

    game: any spelling that ``games.resolve`` knows.  agent, variant: as in PROVENANCE.md; ("DQN", "default") is the
    TensorFlow agent.  Columns: iteration int64 (from 0), mean_return, std_return (sample, over runs), min_return,
    max_return float64, n_runs int64.  The returns are of training episodes (PROVENANCE.md, last section).

    Raises ConfigError: unknown variant, agent of that variant, or game, naming the nearest ones.
    """
    curves, name = dopamine_curves(agent, variant), games.find(game) or game
    known = list(curves["game"].unique())
    if name not in known:
        raise unknown("published game", name, known)
    return curves.loc[curves["game"] == name, list(CURVE_COLUMNS)].reset_index(drop=True)


def dopamine_curves(agent: str = "DQN", variant: str = "default") -> pd.DataFrame:
    """All games of one published agent: game, and the columns of ``dopamine_curve``.  Raises ConfigError as that."""
    curves = _curves()
    for column_name, name in (("variant", variant), ("agent", agent)):
        known = list(curves[column_name].unique())
        if name not in known:
            raise unknown(f"published {column_name}", name, known)
        curves = curves[curves[column_name] == name]
    return curves[["game", *CURVE_COLUMNS]].sort_values(["game", "iteration"], ignore_index=True)


def runs_100k(agent: str, steps: int = 100_000) -> pd.DataFrame:
    """Single published runs of Atari 100k: game, run (from 1), eval_average_return, by game and run.

    agent: "DER", "OTRainbow", "DrQ", "DrQ(eps)", "SPR" (100 runs a game), "PlayVirtual" (15) or "SimPLe" (5).
    steps: agent steps trained; DER was evaluated after every 10,000, the others after 100,000 only.

    Raises ConfigError: an unknown agent, or one that was not evaluated then.
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
    """Published numbers of budgets that a small machine reaches (PROVENANCE.md, 9): agent, metric, value, spread,
    spread_kind, n_runs, budget_frames, protocol, source, and low_confidence: read where curves of a figure overlap.

    benchmark: "atari100k", "classic_control", "minatar", "minatar-gymnax" or "bsuite".  environment: one of its own.

    Raises ConfigError: an unknown name, with the nearest ones.
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
    """Whether there is such a curve; ``game`` as an id."""
    curves = _curves()
    return bool(((curves.game == game) & (curves.agent == agent) & (curves.variant == variant)).any())


def human_random(game: str) -> Reference:
    """Random and human scores of one of the 57 games, in any spelling.  Raises ConfigError with the nearest names."""
    table, name = scores(), games.find(game) or game
    if name not in table.index:
        raise unknown("game with published human and random scores", name, list(table.index))
    return Reference(float(table["random"][name]), float(table["human"][name]))


def references(normalization: str) -> dict[str, Reference]:
    """Random and human scores by game, with the columns that ``normalization`` names: 57 games, or 49.

    Raises ConfigError for an unknown name.
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
    """Raises ConfigError for an unknown name, or if video_pinball would dominate a mean (PROVENANCE.md, trap 1)."""
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
    """One published column: game -> raw score.  Raises ConfigError, naming the nearest, if there is none."""
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
        raise RunError(
            f"Expected published numbers in {path}, found none. Restore the file, or install the package again."
        )
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
