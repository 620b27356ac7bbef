"""``dqn-tf pack`` and ``dqn-tf verify ARCHIVE``: a run's network in one file, and proof that it scores what it says."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from dqn_tf import determinism, plain_json, trained
from dqn_tf.checks import ConfigError, RunError, expect
from dqn_tf.config import RunConfig
from dqn_tf.interop import archive
from dqn_tf.interop.card import card
from dqn_tf.training import evaluation
from dqn_tf.training.run_dir import read_manifest, read_summary

TABLES = ("iterations.csv", "episodes.csv")


def pack(
    run_dir: str | Path,
    out: str | Path,
    network: Literal["last", "best"] | None = None,
    *,
    curves: bool = True,
    say: trained.Say = print,
) -> dict[str, Any]:
    """Write one file with the network of a finished run, its scores, curves and card.

    Args:
        run_dir: the directory of the run.
        out: the archive, a new file.
        network: as for ``load``; by default the one that the run's final evaluation is of.
        curves: whether the run's tables go with it.
        say: called with a sentence about every checkpoint that is skipped.

    Returns:
        The content of archive.json.

    Raises:
        ConfigError: there is no run, it is not finished, or ``out`` exists.
        RunError: there is no checkpoint that verifies.
    """
    path, target = Path(run_dir), Path(out)
    config = trained.read_config(path)
    if target.exists():
        raise ConfigError(f"Expected a new file for --out, got {target}, which exists.")
    if not (path / "summary.json").exists():
        raise ConfigError(f"Expected a finished run, got {path} without summary.json: its score is not known yet.")
    summary, manifest = read_summary(path / "summary.json"), read_manifest(path / "manifest.json")
    agent = trained.load(path, network, say=say)
    weights = agent.weights
    about = {
        "network": agent.network,
        "frames": agent.frames,
        "origin": f"a run of dqn_tf, state {summary['state_digest']}",
        "weights_sha256": determinism.digest(weights),
    }
    scope = manifest["scope"]
    files = {
        "summary.json": (plain_json.dumps(summary, indent=2) + "\n").encode(),
        "scope.json": (plain_json.dumps(scope, indent=2) + "\n").encode(),
        "README.md": card(config, about, score_of(summary, agent.network), scope).encode(),
        **{name: (path / name).read_bytes() for name in TABLES if curves},
    }
    archive.write(target, about, config, weights, files)
    return about


def score_of(summary: dict[str, Any], network: str) -> dict[str, Any]:
    """A run's evaluation of one of its networks.

    Args:
        summary: content of summary.json.
        network: "last" or "best".

    Returns:
        epsilon, return_mean, ..., returns_raw.
    """
    name = "last_network_evaluation" if network == "last" else "final_evaluation"
    found: dict[str, Any] = summary.get(name, summary["final_evaluation"])
    return found


class Verdict(NamedTuple):
    """What came of checking an archive.

    Attributes:
        weights: whether their digest comes out.
        episodes: how many were played again; 0: the archive has no score.
        equal: how many of them had the return that the archive says.
        claimed: the archive's mean return of these episodes.
        found: theirs when played again.
        same_scope: whether versions and hardware are those of the run, so that equal returns are promised.
    """

    weights: bool
    episodes: int
    equal: int
    claimed: float
    found: float
    same_scope: bool

    @property
    def good(self) -> bool:
        """Whether all that was checked came out."""
        return self.weights and self.equal == self.episodes


def verify_archive(path: str | Path, episodes: int | None = None, *, say: trained.Say = print) -> Verdict:
    """Check every byte of an archive, its weights, and its score by playing the run's final evaluation again.

    Args:
        path: the archive.
        episodes: play only so many of them, 8 at least: the first of each of the eight games side by side.
        say: called with progress messages of a long evaluation.

    Returns:
        What came out.

    Raises:
        ConfigError: it is no archive, or one that must not be opened, or ``episodes`` is out of range.
        RunError: bytes of it have changed.
    """
    found = archive.read(Path(path))
    weights = determinism.digest(found.weights) == found.about["weights_sha256"]
    if "summary.json" not in found.files:
        return Verdict(weights, 0, 0, float("nan"), float("nan"), False)
    network = found.about["network"]
    score = score_of(plain_json.loads(found.files["summary.json"]), network)
    claimed = [float(each) for each in score["returns_raw"]]
    number = len(claimed) if episodes is None else episodes
    expect(
        number == len(claimed) or evaluation.LANES <= number < len(claimed),
        f"{evaluation.LANES} to {len(claimed)}, or all",
        "--episodes",
        episodes,
    )
    config = found.config
    determinism.enable(config.agent.execution.threads, required=False)
    phase = "evaluation/best" if network == "best" else "evaluation/final"
    agent = agent_of(found)
    scorer = agent.scorer(phase)
    scores = evaluation.play(config, scorer, phase, episodes=number, epsilon=score["epsilon"], say=say)
    again = [each.return_raw for each in scores]
    wanted = _of_lanes(claimed, number)
    equal = sum(a == b for a, b in zip(wanted, again, strict=True))
    scope = plain_json.loads(found.files.get("scope.json", b"{}"))
    here = determinism.scope(str(scope.get("xla", "")))
    return Verdict(
        weights,
        number,
        equal,
        float(np.mean(wanted)),
        float(np.mean(again)),
        scope == plain_json.loads(plain_json.dumps(here)),
    )


def _of_lanes(returns: list[float], number: int) -> list[float]:
    """Of returns lane after lane, those that a shorter evaluation has: the first of each lane.

    >>> _of_lanes([float(i) for i in range(17)], 9)
    [0.0, 1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0]
    """
    lanes = min(evaluation.LANES, len(returns))
    kept, start = [], 0
    for i in range(lanes):
        share, wanted = (n // lanes + (i < n % lanes) for n in (len(returns), number))
        kept += returns[start : start + wanted]
        start += share
    return kept


def agent_of(found: archive.Archive, seed: int | None = None) -> trained.TrainedAgent:
    """The agent of an archive.

    Args:
        found: the archive.
        seed: of the agent's own draws; the run's own by default.

    Returns:
        The agent.

    Raises:
        ConfigError: the weights are those of another network.
        RunError: archive.json lacks something.
    """
    config: RunConfig = found.config
    try:
        network, frames = found.about["network"], int(found.about["frames"])
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"archive.json in {found.path} lacks {error}.") from error
    seed = config.seed if seed is None else seed
    return trained.TrainedAgent(dataclasses.replace(config), network, frames, found.weights, seed)
