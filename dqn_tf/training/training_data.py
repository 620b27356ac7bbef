"""The recorded data of a run: those that it learns from, and those that are made of what it sees while it learns."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

from dqn_tf import envs, memory
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.config import RunConfig
from dqn_tf.modes import Fused, Interleaved
from dqn_tf.offline import data, log, recording, store
from dqn_tf.offline.source import Recorded
from dqn_tf.replay.ring import column_bytes
from dqn_tf.training.offline_loop import OfflineLoop
from dqn_tf.training.options import Options
from dqn_tf.training.run_dir import read_json, write_json

OWNER = "run.json"  # in the folder of a recording that is being made: of which run


# -- learned from ------------------------------------------------------------------------------------------------------
def learning_from(config: RunConfig, paths: Sequence[Path]) -> RunConfig:
    """The configuration of a run that learns from recorded data; all of them are read once, for their digest.

    Args:
        config: the same run, as if it played.
        paths: where the data lie: Minari data sets, folders of Dopamine's replay files, or of `dqn-tf record`.

    Returns:
        The configuration with ``data=recorded``; ``train`` needs the paths too (``Options.offline``).

    Raises:
        ConfigError: there are no data, or they do not fit the environment.
        RunError: they are damaged.
    """
    environment = envs.make(config.environment, config.protocol, config.seed)
    environment.close()
    found = data.describe_data(paths, environment.spec)
    learned = Recorded(sha256=found.sha256, rows=found.rows, transitions=found.transitions)
    return dataclasses.replace(config, data=learned)


def check_offline(config: RunConfig, options: Options) -> None:
    """Check a request to learn from recorded data, with nothing but readings.

    Args:
        config: of the run.
        options: where the data lie, and the memory for their frames.

    Raises:
        ConfigError: the run learns from data and none are given, or the other way round; or they need more memory than
            there is.
    """
    if not isinstance(config.data, Recorded):
        where = ", ".join(map(str, options.offline))
        raise ConfigError(f"Expected a run with data=recorded for the data in {where}, got one that plays.")
    if not options.offline:
        raise ConfigError(
            f"Expected the data that the run learns from, {config.data.transitions:,} transitions with content "
            f"{config.data.sha256[:16]}, got none. Say where they lie: --offline DATA"
        )
    spec = envs.observation_spec(config.environment, config.protocol)
    rows, (have, whose) = config.data.rows, memory.available()
    need = rows * column_bytes(spec) + min(options.offline_memory, store.memory_bytes(spec, rows))
    if need + memory.HEADROOM > have:
        raise ConfigError(
            f"Expected memory for {rows:,} rows of data: {need / 1e9:.2f} GB and {memory.HEADROOM / 1e9:.2f} GB for "
            f"the rest, but {have / 1e9:.2f} GB are {whose}. Leave more of the frames on the disk: --offline-memory MIB"
        )


def loop_of(config: RunConfig, options: Options, scratch: Path) -> OfflineLoop | None:
    """The loop of a run that learns from recorded data.

    Args:
        config: of the run.
        options: where the data lie, and the memory for their frames.
        scratch: the folder for the frames of larger data.

    Returns:
        The loop; None for a run that plays.

    Raises:
        ConfigError, RunError: as ``OfflineLoop``.
    """
    return OfflineLoop(config, options, scratch) if isinstance(config.data, Recorded) else None


def describe(config: RunConfig, options: Options) -> str:
    """The memory of the data in a sentence.

    Args:
        config: of the run.
        options: the memory for frames.

    Returns:
        The sentence.
    """
    assert isinstance(config.data, Recorded)
    spec, rows = envs.observation_spec(config.environment, config.protocol), config.data.rows
    frames = store.memory_bytes(spec, rows)
    where = "in memory" if frames <= options.offline_memory else "in a scratch file, read when they are drawn"
    return (
        f"Data: {config.data.transitions:,} transitions, content {config.data.sha256[:16]}; "
        f"{rows * column_bytes(spec) / 1e9:.3f} GB of columns in memory, {frames / 1e9:.3f} GB of frames {where}."
    )


# -- recorded ----------------------------------------------------------------------------------------------------------
def check_recording(config: RunConfig, run_dir: Path, out: Path) -> None:
    """Check a request to record training.

    Args:
        config: of the run.
        run_dir: where it lives.
        out: where the data set is to be.

    Raises:
        ConfigError: there is something where the data set is to be, or the run has no single stream of steps.
    """
    recording.check_place(out)
    if out.is_relative_to(run_dir):
        raise ConfigError(f"Expected a place outside of the run's directory {run_dir} for --record, got {out}.")
    if not isinstance(config.agent.execution, Interleaved | Fused) or isinstance(config.data, Recorded):
        kind = "recorded data" if isinstance(config.data, Recorded) else config.agent.execution.KIND
        raise ConfigError(
            f"Expected a run that plays in one environment (interleaved, fused) for --record, got {kind}."
        )
    if envs.observation_spec(config.environment, config.protocol).mask_size:
        raise ConfigError(f"Expected an environment without masks of legal actions, got {config.environment}.")


def begun(config: RunConfig, out: Path | None, steps: int) -> log.Log | None:
    """The log of a run that is being recorded, cut back to the steps that the run has made.

    Args:
        config: of the run.
        out: where the data set is to be; None: it is not recorded.
        steps: that the run has made.

    Returns:
        The log, open; None without ``out``.

    Raises:
        RunError: it does not reach so far, or is of another run.
    """
    if out is None:
        return None
    folder = _unfinished(out)
    owner = read_json(folder / OWNER)["config_hash"] if (folder / OWNER).exists() else None
    if steps and owner != config.hash:
        raise RunError(
            f"Expected the recording of this run's first {steps:,} steps in {folder}, found "
            f"{'that of another run' if owner else 'none'}. A recording begins with its run: continue without --record."
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / OWNER, {"config_hash": config.hash})
    return log.Log(folder, envs.observation_spec(config.environment, config.protocol), steps)


def flush(recording_so_far: log.Log | None) -> None:
    """Bring what was recorded to the disk, if anything is: a checkpoint is about to be written."""
    if recording_so_far is not None:
        recording_so_far.flush()


def finish(config: RunConfig, out: Path | None) -> None:
    """Make the data set of a run that is complete.

    Args:
        config: of the run.
        out: where; None: it was not to be recorded.

    Raises:
        RunError: the run was not recorded.
    """
    if out is None or out.exists():
        return
    folder = _unfinished(out)
    if not (folder / OWNER).exists() or read_json(folder / OWNER)["config_hash"] != config.hash:
        raise RunError(f"The run is complete, and was not recorded in {out}. Train anew with --record.")
    environment = envs.make(config.environment, config.protocol, config.seed)
    environment.close()
    about = {"what": "what an agent saw while it was trained", "seed": config.seed, "frames": config.frames}
    recording.write(folder, out, config, environment.spec, about)
    shutil.rmtree(folder)


def _unfinished(out: Path) -> Path:
    return out.with_name(f".{out.name}.recording")
