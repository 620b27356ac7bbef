"""Published numbers, from results/published/ (where each was read: PROVENANCE.md there).

Needs a checkout of the repository: the numbers are data, not part of the package.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from dqn_tf.checks import ConfigError, RunError, unknown
from dqn_tf.envs import games

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "results" / "published"
CURVES, SCORES, SUMS = "dopamine_curves.csv.gz", "atari_human_random.csv", "SHA256SUMS"

# Which random and human columns of SCORES a normalized score is computed with.  Papers differ (PROVENANCE.md, traps 1
# and 2): "nature49" for 49 games with the human of Mnih et al. 2015, "human_starts" for scores from human starts, and
# for no-op starts DQN Zoo's columns or those of MuZero's Table S1, alike but for video_pinball's random score.
# Published means come out only where that is 0; "dqn_zoo57_vp0" is "dqn_zoo57" with it set to 0.
NORMALIZATIONS = {
    "dqn_zoo57": ("random", "human"),
    "dqn_zoo57_vp0": ("random", "human"),
    "muzero_s1": ("muzero_s1_random", "muzero_s1_human"),
    "nature49": ("nature_random", "nature_human"),
    "human_starts": ("human_starts_random", "human_starts_human"),
}

# One iteration of Dopamine's curves: Runner.training_steps = 250,000 agent steps of 4 frames (dqn.gin).
DOPAMINE_ITERATION_FRAMES = 1_000_000
CURVE_COLUMNS = ("iteration", "mean_return", "std_return", "min_return", "max_return", "n_runs")


class Reference(NamedTuple):
    """Raw scores of the random and of the human player on one game (DQN Zoo's table; trap 1 of PROVENANCE.md)."""

    random: float
    human: float

    def normalized(self, score: float) -> float:
        """Human-normalized score in percent: 0 is random play, 100 the human.

        >>> Reference(random=10.0, human=60.0).normalized(35.0)
        50.0
        """
        return 100.0 * (score - self.random) / (self.human - self.random)


def dopamine_curve(game: str, agent: str = "DQN", variant: str = "default") -> pd.DataFrame:
    """One published learning curve of Dopamine: a row per iteration of 1M frames, in order.

    game: any spelling that ``games.resolve`` knows.  agent, variant: as in PROVENANCE.md; ("DQN", "default") is the
    TensorFlow agent.  Columns: iteration int64 (from 0), mean_return, std_return (sample, over runs), min_return,
    max_return float64, n_runs int64.  The returns are of training episodes (PROVENANCE.md, last section).

    Raises ConfigError: unknown variant, agent of that variant, or game, naming the nearest ones.
    """
    curves = _curves()
    for column, name in (("variant", variant), ("agent", agent), ("game", games.find(game) or game)):
        known = list(curves[column].unique())
        if name not in known:
            raise unknown(f"published {column}", name, known)
        curves = curves[curves[column] == name]
    return curves[list(CURVE_COLUMNS)].sort_values("iteration", ignore_index=True)


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
    return found


def check_means(normalization: str) -> None:
    """Raises ConfigError for columns with which a mean over games is mostly video_pinball's (PROVENANCE.md, trap 1)."""
    if normalization == "dqn_zoo57":
        raise ConfigError(
            "Expected a normalization with which means can be compared, got 'dqn_zoo57': its random score of "
            "video_pinball (16,256.9, the human's is 17,667.9) lets that game outweigh the others, and no published "
            "mean was made with it. Use 'dqn_zoo57_vp0' or 'muzero_s1'."
        )


def scores() -> pd.DataFrame:
    """Human and random scores, one row per game (the index), 57 of them; columns as in PROVENANCE.md, section 1."""
    return _scores().copy()


@cache
def _curves() -> pd.DataFrame:
    types = {"iteration": "int64", "n_runs": "int64", **dict.fromkeys(CURVE_COLUMNS[1:5], "float64")}
    return pd.read_csv(_path(CURVES), dtype=types)


@cache
def _scores() -> pd.DataFrame:
    return pd.read_csv(_path(SCORES), index_col="game")


def _path(name: str) -> Path:
    path = PUBLISHED / name
    if not path.is_file():
        raise RunError(f"Expected published numbers in {path}. Run this from a checkout of the repository.")
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
