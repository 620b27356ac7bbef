"""``dqn-tf record``: a trained agent plays, and what it saw is written; and how any recording becomes a data set."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dqn_tf import plain_json
from dqn_tf.agent.exploration import choose
from dqn_tf.checks import ConfigError, RunError, expect, unknown
from dqn_tf.config import RunConfig
from dqn_tf.envs.protocols import AtariProtocol
from dqn_tf.offline import data, dopamine_files, log, minari_files
from dqn_tf.offline.rows import TRUNCATED, Rows
from dqn_tf.rng import Stream
from dqn_tf.trained import TrainedAgent, load
from dqn_tf.training.checkpoint import sync
from dqn_tf.training.run_dir import write_json
from dqn_tf.types import EnvironmentSpec, StepType

FORMATS = ("minari", "dopamine")
STREAM = "record/0"
ABOUT = "dataset.json"
Say = Callable[[str], None]


def record(
    run_dir: str | Path,
    out: Path,
    *,
    episodes: int | None = None,
    frames: int | None = None,
    network: Literal["last", "best"] | None = None,
    epsilon: float | None = None,
    seed: int | None = None,
    formats: Sequence[str] = FORMATS,
    say: Say = print,
) -> dict[str, Any]:
    """Play with a run's network, as its evaluations do, and write what the agent saw; whole or not at all.

    Draws from "record/0" and "record/0/exploration" of ``seed``, so the episodes are none of its evaluations.

    Args:
        run_dir: the run.
        out: a new directory, with a folder for each format and dataset.json.
        episodes: whole games to play.
        frames: games are played until so many are over; exactly one of both.
        network: which plays; by default the one of the run's final evaluation.
        epsilon: probability of a random action; by default that of the run's evaluations.
        seed: of the games; by default the run's.
        formats: "minari", "dopamine" or both.
        say: called with sentences.

    Returns:
        The content of dataset.json.

    Raises:
        ConfigError: before anything is written: there is no run, or a word is wrong.
        RunError: the environment failed, or there is no checkpoint.
    """
    if (episodes is None) == (frames is None):
        raise ConfigError(f"Expected exactly one of --episodes and --frames, got {episodes} and {frames}.")
    check_place(out, formats)
    agent = load(run_dir, network, seed=seed, say=say)
    epsilon = agent.config.evaluation.epsilon if epsilon is None else epsilon
    expect(0 <= epsilon <= 1, "a probability in [0, 1]", "--epsilon", epsilon)
    if agent.spec.masked:
        raise ConfigError(f"Expected an environment without masks of legal actions, got {agent.config.environment}.")
    return _recorded(agent, epsilon, (episodes, frames), out, formats)


def _recorded(
    agent: TrainedAgent, epsilon: float, budget: tuple[int | None, int | None], out: Path, formats: Sequence[str]
) -> dict[str, Any]:
    """Play and write; the content of dataset.json."""
    scratch = out.with_name(f".{out.name}.recording")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        _play(agent, epsilon, *budget, scratch)
        about = {
            "what": "episodes of a trained agent",
            "network": agent.network,
            "network_frames": agent.frames,
            "epsilon": epsilon,
            "seed": agent.seed,
        }
        return write(scratch, out, agent.config, agent.spec, about, formats)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def check_place(out: Path, formats: Sequence[str] = FORMATS) -> None:
    """Check where a data set is to be written.

    Args:
        out: the directory.
        formats: what is to be in it.

    Raises:
        ConfigError: there is something, or a format is unknown.
    """
    for name in formats:
        if name not in FORMATS:
            raise unknown("format", name, FORMATS)
    if out.exists():
        raise ConfigError(f"Expected a new directory for the data set, got {out}, which exists.")


def _play(agent: TrainedAgent, epsilon: float, episodes: int | None, frames: int | None, folder: Path) -> None:
    """Whole games, appended to a log."""
    config, environment = agent.config, agent.make_environment(STREAM)
    q_values, exploration, steps = agent.scorer("record"), Stream(agent.seed, f"{STREAM}/exploration"), 0
    most = None if isinstance(config.protocol, AtariProtocol) else config.evaluation.max_steps_per_episode
    into = log.Log(folder, agent.spec.observation)
    try:
        games = length = seen = 0
        while games < episodes if episodes is not None else seen < (frames or 0):
            answer = environment.reset()
            seen += answer.frames
            into.begin(answer)
            while answer.step_type != StepType.LAST:
                ask = functools.partial(_ask, q_values, answer.observation)
                random, ties = exploration.at(steps), config.agent.exploration.random_ties
                action = choose(ask, agent.spec.num_actions, epsilon, random, ties)
                answer, steps, length = environment.step(action), steps + 1, length + 1
                seen += answer.frames
                if length == most and answer.step_type != StepType.LAST:
                    answer = answer._replace(step_type=StepType.LAST, episode_over=True, truncated=True)
                into.add(action, answer)
            if answer.episode_over:  # not so where a lost life ended the agent's episode
                games, length = games + 1, 0
        into.flush()
    finally:
        into.close()
        environment.close()


def _ask(q_values: Callable[[np.ndarray], np.ndarray], observation: np.ndarray) -> np.ndarray:
    found: np.ndarray = q_values(observation[None])[0]
    return found


def write(
    recorded: Path,
    out: Path,
    config: RunConfig,
    spec: EnvironmentSpec,
    about: Mapping[str, Any],
    formats: Sequence[str] = FORMATS,
) -> dict[str, Any]:
    """Write a log as a data set, read it back, and put it in its place.

    Args:
        recorded: the folder of the log.
        out: where; it does not exist.
        config: of the run that was recorded.
        spec: of its environment.
        about: what is to be said of it, "seed" among it.
        formats: "minari", "dopamine" or both.

    Returns:
        The content of dataset.json.

    Raises:
        RunError: what was read back is not what was recorded.
    """
    rows = log.read(recorded, spec.observation)
    whole: dict[str, Any] = {
        "environment": config.environment,
        "preset": config.preset,
        "config_hash": config.hash,
        "frame_skip": config.frame_skip,
        "actions": list(spec.action_names),
        **about,
        "truncated": int((rows.ends == TRUNCATED).sum()),
        "return_raw_mean": float(rows.rewards.sum() / max(1, rows.first.sum())),
    }
    unfinished = out.with_name(f".{out.name}.partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        whole["formats"] = _write_formats(unfinished, rows, config, spec, whole, formats)
        write_json(unfinished / ABOUT, whole)
        for path in [*sorted(unfinished.rglob("*")), unfinished]:
            sync(path)
        unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return whole


def _write_formats(
    folder: Path, rows: Rows, config: RunConfig, spec: EnvironmentSpec, about: dict[str, Any], formats: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Write each format and read it back; what each holds."""
    clip = config.protocol.reward_clip if config.protocol else None
    if "minari" in formats:
        minari_files.write(folder / "minari" / "data", rows, spec, {k: about[k] for k in _IN_METADATA})
    if "dopamine" in formats:
        dopamine_files.write(folder / "dopamine", rows, spec.observation.stack, clip)
    found = {name: data.describe_data([folder / name], spec)._asdict() for name in formats}
    _check_read_back(found, clipped=clip is not None)
    return found


def words(about: Mapping[str, Any]) -> str:
    """A data set in a sentence.

    Args:
        about: the content of dataset.json.
    """
    one = next(iter(about["formats"].values()))
    return (
        f"{one['transitions']:,} transitions in {one['episodes']:,} episodes, of which {one['terminated']:,} were "
        f"terminated, mean return {about['return_raw_mean']:.2f}, as {' and '.join(about['formats'])}, content "
        f"{one['sha256'][:16]}."
    )


_IN_METADATA = ("environment", "preset", "config_hash", "frame_skip", "seed")


def _check_read_back(found: dict[str, dict[str, Any]], clipped: bool) -> None:
    """Both formats hold the same; where rewards are clipped, all but these."""
    leave = {"sha256"} if clipped else set[str]()
    kinds = {plain_json.dumps({k: v for k, v in one.items() if k not in leave}) for one in found.values()}
    if len(kinds) > 1:
        raise RunError(f"Expected both formats to hold the same, they were read back as {found}.")
