"""Recorded experience at a path: which format it has, and whether it fits an environment.

Several paths are one data set, in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from dqn_tf.checks import ConfigError, RunError
from dqn_tf.offline import dopamine_files, minari_files
from dqn_tf.offline.rows import NO_ACTION, Description, Rows, canonical, describe
from dqn_tf.types import EnvironmentSpec

Read = Callable[[Path, EnvironmentSpec], Iterator[Rows]]


def located(path: Path) -> tuple[Path, Read]:
    """The folder of a data set and what reads its format.

    Args:
        path: of a Minari data set (or its `data` folder), of Dopamine's replay files, or of what `dqn-tf record` wrote.

    Returns:
        The folder, and a function that gives its rows.

    Raises:
        ConfigError: there is no data set.
    """
    if not path.exists():
        raise ConfigError(f"Expected recorded experience, got {path}: there is nothing of this name.")
    for folder in (path, path / "data", path / "minari", path / "minari" / "data"):
        if (folder / minari_files.MAIN).is_file():
            return folder, minari_files.read
    for folder in (path, path / "dopamine", path / "replay_logs"):
        if folder.is_dir() and dopamine_files.checkpoints(folder):
            return folder, dopamine_files.read
    raise ConfigError(
        f"Expected a Minari data set in HDF5 ({minari_files.MAIN}) or Dopamine's replay files "
        f"({dopamine_files.STORE}observation_ckpt.0.gz) in {path}, found neither."
    )


def rows(paths: Sequence[Path], spec: EnvironmentSpec) -> Iterator[Rows]:
    """All rows of a data set, block by block, checked; last frames after a termination as in rows.py.

    Args:
        paths: where it lies.
        spec: of the environment that it must fit.

    Yields:
        Blocks of rows; frames of the environment's type.

    Raises:
        ConfigError: there is none, or it does not fit the environment.
        RunError: it is damaged.
    """
    if spec.masked:
        raise ConfigError(
            "Expected an environment in which every action is always legal, got one with masks: recorded data do not "
            "say which actions were legal."
        )
    for path in paths:
        folder, read = located(path)
        yield from canonical(_checked(read(folder, spec), folder, spec))


def describe_data(paths: Sequence[Path], spec: EnvironmentSpec) -> Description:
    """The digest and the numbers of a data set; everything is read and checked.

    Args:
        paths: where it lies.
        spec: of the environment that it must fit.

    Returns:
        Its description.

    Raises:
        ConfigError, RunError: as ``rows``; or it has no transition.
    """
    found = describe(rows(paths, spec), spec.observation.frame_shape, spec.observation.dtype)
    if not found.transitions:
        raise RunError(f"Expected at least one transition in {', '.join(map(str, paths))}, got none.")
    return found


def _checked(blocks: Iterable[Rows], folder: Path, spec: EnvironmentSpec) -> Iterator[Rows]:
    dtype, number = np.dtype(spec.observation.dtype), spec.num_actions
    for block in blocks:
        frames, acting = block.frames, block.actions != NO_ACTION
        same_kind = dtype.kind == "f" and frames.dtype.kind == "f"
        if frames.dtype != dtype and not same_kind:
            raise ConfigError(
                f"Expected frames of {dtype}, as the environment shows them, in {folder}, got {frames.dtype}."
            )
        wrong = acting & ((block.actions < 0) | (block.actions >= number))
        if wrong.any():
            raise ConfigError(
                f"Expected actions 0 to {number - 1} in {folder}, got {int(block.actions[wrong][0])}: the data are of "
                "another action set."
            )
        if not np.isfinite(block.rewards).all() or (dtype.kind == "f" and not np.isfinite(frames).all()):
            raise RunError(f"Expected finite rewards and observations in {folder}, got nan or infinity.")
        yield block._replace(frames=frames.astype(dtype, copy=False))
