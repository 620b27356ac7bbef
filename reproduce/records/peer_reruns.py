"""Runs of another project's own code on this machine, to compare with the results that the project published.

    results/reruns/<agent>/<name>/     about.json: what ran; episodes.csv: steps, length_steps, return_raw

Written by tests/independent/dopamine_rerun.py, outside the suite and outside our environment.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from dqn_tf.checks import RunError
from dqn_tf.envs import games
from reproduce import formatting

COLUMNS = {
    "code": "code",
    "software": "with",
    "game": "game",
    "seed": "seed",
    "steps": "agent steps",
    "episodes": "episodes",
    "return_mean": "mean return",
}


class Rerun(NamedTuple):
    """One phase of training by another project's own code.

    Attributes:
        agent: the preset that reproduces that code.
        about: about.json: code, game, seed, steps, versions.
        episodes: episodes.csv: steps, length_steps, return_raw.
    """

    agent: str
    about: dict[str, Any]
    episodes: pd.DataFrame

    @property
    def game(self) -> str:
        """The id that its game has in this package."""
        return games.resolve(str(self.about["game"]))

    @property
    def row(self) -> dict[str, Any]:
        """The row of the table.  The mean includes the last episode, which ends after the phase."""
        about = self.about
        software = ", ".join(f"{name} {version}" for name, version in sorted(about["packages"].items()))
        return {
            "code": about["code"],
            "software": f"Python {about['python']}, {software}",
            "game": self.game,
            "seed": int(about["seed"]),
            "steps": int(about["steps"]),
            "episodes": len(self.episodes),
            "return_mean": float(self.episodes["return_raw"].mean()),
        }


def load(folder: Path) -> Rerun:
    """Read one rerun.

    Args:
        folder: holds about.json and episodes.csv.

    Returns:
        What ran, and its episodes.

    Raises:
        RunError: it is damaged or was not finished.
    """
    try:
        about = json.loads((folder / "about.json").read_text())
        episodes = pd.read_csv(folder / "episodes.csv").astype({"return_raw": float})
        total = int(episodes["length_steps"].sum())
        whole = total == int(episodes["steps"].iloc[-1]) >= int(about["steps"])
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise RunError(f"Expected about.json and episodes.csv of a rerun in {folder}, got: {error}") from error
    if not whole:
        raise RunError(
            f"Expected episodes of at least {about['steps']:,} agent steps without a gap in {folder}, got {total:,}. "
            "Take only reruns that have ended."
        )
    return Rerun(folder.parent.name, about, episodes)


def find(results: Path, agent: str) -> list[Rerun]:
    """All reruns of the code that a preset reproduces.

    Args:
        results: the results folder.
        agent: the preset's name.

    Returns:
        The reruns in ``results``/reruns/<agent>/, sorted by folder.

    Raises:
        RunError: one is damaged or was not finished.
    """
    return [load(path.parent) for path in sorted((results / "reruns" / agent).glob("*/about.json"))]


def markdown(found: Sequence[Rerun]) -> str:
    """The reruns as a table in Markdown."""
    return formatting.markdown([r.row for r in found], COLUMNS)
