"""Minari's data sets in HDF5, written and read with h5py alone: no JPEG, the same bytes for the same data.

    metadata.json      spaces, numbers, where the data came from
    main_data.hdf5     a group for each episode: observations [T + 1, ...], actions, rewards, terminations,
                       truncations [T]

Minari itself encodes images as JPEG unless it is told not to, seeds what it records from the operating system, and
forgets seeds where it joins data sets; none of that happens here.  An observation is one frame: stacks are made where
the data are learned from.  Nothing in a file is trusted: no link that leads out of it, no objects, no sizes that do not
fit one another.  `minari.MinariDataset(folder)` opens what is written (tests/offline/test_minari_files.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dqn_tf import plain_json
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.offline.rows import BLOCK_BYTES, GOES_ON, NO_ACTION, TERMINATED, TRUNCATED, Rows, episodes_of
from dqn_tf.types import EnvironmentSpec, ObservationSpec

if TYPE_CHECKING:
    import h5py

MAIN, METADATA = "main_data.hdf5", "metadata.json"
LARGEST_METADATA = 64 * 2**20  # bytes; the bounds of a space of images are written out
PER_STEP = ("actions", "rewards", "terminations", "truncations")
VERSION = "0.5.4"  # of the format that is written


# -- writing -----------------------------------------------------------------------------------------------------------
def write(folder: Path, rows: Rows, spec: EnvironmentSpec, about: Mapping[str, Any]) -> None:
    """Write a data set.

    Args:
        folder: where; made anew.
        rows: all of it; the frames may be mapped from a file.
        spec: of the environment.
        about: "environment", "seed", and what else belongs into the metadata, under "dqn_tf".
    """
    import h5py

    folder.mkdir(parents=True)
    episodes = episodes_of(rows.first)
    with h5py.File(folder / MAIN, "w") as file:
        for number, (start, stop) in enumerate(episodes):
            group = file.create_group(f"episode_{number}")
            group.attrs["id"], group.attrs["seed"] = number, int(about["seed"])
            group.attrs["total_steps"] = stop - start - 1
            _write_episode(group, rows.part(start, stop))
            group.create_group("infos")
    steps = int((rows.actions != NO_ACTION).sum())
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", str(about["environment"])).strip("-")
    metadata = {
        "total_episodes": len(episodes),
        "total_steps": steps,
        "data_format": "hdf5",
        "jpeg_encoding": False,
        "observation_space": json.dumps(_space(spec.observation)),
        "action_space": json.dumps({"type": "Discrete", "dtype": "int64", "start": 0, "n": spec.num_actions}),
        "dataset_id": f"dqn_tf/{name}-v0",
        "minari_version": VERSION,
        "dataset_size": round((folder / MAIN).stat().st_size / 1e6, 1),
        "dqn_tf": {"actions": list(spec.action_names), **about},
    }
    (folder / METADATA).write_text(json.dumps(metadata))


def _write_episode(group: h5py.Group, rows: Rows) -> None:
    steps = len(rows.first) - 1
    frames, image = rows.frames, rows.frames.ndim > 2
    size = max(1, BLOCK_BYTES // max(1, frames[:1].nbytes))
    packed = {"chunks": (min(len(frames), 32), *frames.shape[1:]), "compression": "gzip", "compression_opts": 4}
    how: dict[str, Any] = {"track_times": False, **(packed if image else {})}
    stored = group.create_dataset("observations", frames.shape, frames.dtype, **how)
    for start in range(0, len(frames), size):
        stored[start : start + size] = frames[start : start + size]
    rest = (rows.actions, rows.rewards, rows.ends == TERMINATED, rows.ends == TRUNCATED)
    for name, column in zip(PER_STEP, rest, strict=True):
        group.create_dataset(name, data=column[:steps], track_times=False)


def _space(spec: ObservationSpec) -> dict[str, Any]:
    """A Box of single frames, as Minari writes it down; of other numbers than bytes and bits without bounds."""
    low, high = {"uint8": (0, 255), "bool": (False, True)}.get(spec.dtype, (-np.inf, np.inf))
    low, high = (high_or if given is None else given for given, high_or in ((spec.low, low), (spec.high, high)))
    return {
        "type": "Box",
        "dtype": spec.dtype,
        "shape": list(spec.frame_shape),
        "low": np.full(spec.frame_shape, low, spec.dtype).tolist(),
        "high": np.full(spec.frame_shape, high, spec.dtype).tolist(),
    }


# -- reading -----------------------------------------------------------------------------------------------------------
def read(folder: Path, spec: EnvironmentSpec) -> Iterator[Rows]:
    """The rows of a data set, episode by episode in the order of their numbers.

    Args:
        folder: with metadata.json and main_data.hdf5.
        spec: of the environment that it must fit.

    Yields:
        Blocks of rows.

    Raises:
        ConfigError: it is of another environment, or of a form that is not read.
        RunError: it is damaged: a file ends early, an episode is broken.
    """
    import h5py

    _check_metadata(folder, spec)
    try:
        with h5py.File(folder / MAIN, "r") as file:
            for name in _episode_names(file, folder):
                yield from _episode(_group(file, name, folder), f"{name} in {folder / MAIN}", spec)
    except (OSError, KeyError) as error:
        raise RunError(f"Expected a whole HDF5 file, {folder / MAIN} cannot be read: {error}.") from error


def _check_metadata(folder: Path, spec: EnvironmentSpec) -> None:
    path = folder / METADATA
    try:
        if path.stat().st_size > LARGEST_METADATA:
            raise ConfigError(f"Expected at most {LARGEST_METADATA:,} bytes of metadata, got {path}.")
        found = plain_json.loads(path.read_bytes())
        action_space = json.loads(found["action_space"])
        number, start = int(action_space["n"]), int(action_space.get("start", 0))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        raise RunError(f"{path} cannot be read: {error!r}. It is no data set of discrete actions.") from error
    if found.get("data_format", "hdf5") != "hdf5":
        raise ConfigError(
            f"Expected a data set in HDF5, got {found['data_format']!r} in {folder}: Minari cuts long episodes there. "
            "Write it again with data_format='hdf5'."
        )
    names = (found.get("dqn_tf") or {}).get("actions") or list(spec.action_names)
    if (number, start) != (spec.num_actions, 0) or list(names) != list(spec.action_names):
        raise ConfigError(
            f"Expected the {spec.num_actions} actions {', '.join(spec.action_names)}, got {number} from {start} on "
            f"({', '.join(map(str, names[:20]))}) in {folder}: the data are of another action set."
        )


def _episode_names(file: h5py.File, folder: Path) -> list[str]:
    names = [name for name in file if re.fullmatch(r"episode_\d{1,12}", name)]
    if not names or len(names) != len(file):
        other = next((name for name in file if name not in names), "nothing")
        raise RunError(f"Expected groups episode_0, episode_1, ... in {folder / MAIN}, got {str(other)[:80]!r}.")
    return sorted(names, key=lambda name: int(name.removeprefix("episode_")))


def _group(parent: h5py.Group, name: str, folder: Path) -> h5py.Group:
    import h5py

    if not isinstance(parent.get(name, getlink=True), h5py.HardLink) or not isinstance(parent[name], h5py.Group):
        raise ConfigError(f"Expected a group {name!r} inside {folder / MAIN}, got a link that leads out of it.")
    return parent[name]


def _column(group: h5py.Group, name: str, where: str) -> h5py.Dataset:
    """A data set that lies in the file itself, of plain numbers."""
    import h5py

    link = group.get(name, getlink=True)
    if link is None:
        raise RunError(f"Expected {name} in {where}, got none.")
    column = group[name] if isinstance(link, h5py.HardLink) else None
    if not isinstance(column, h5py.Dataset) or column.external or column.is_virtual:
        raise ConfigError(f"Expected numbers for {name} in {where}, got a group or a link that leads out of the file.")
    if column.dtype.kind not in "biuf":
        raise ConfigError(f"Expected numbers for {name} in {where}, got {column.dtype}: objects are not read.")
    return column


def _episode(group: h5py.Group, where: str, spec: EnvironmentSpec) -> Iterator[Rows]:
    columns = {name: _column(group, name, where) for name in PER_STEP}
    observations = _column(group, "observations", where)
    steps = columns["actions"].shape[0] if columns["actions"].ndim == 1 else -1
    for name, column in columns.items():
        if column.shape != (steps,) or steps < 1:
            raise RunError(f"Expected {name} [T] with T >= 1 in {where}, got {list(column.shape)}.")
    _check_observations(observations, steps, where, spec.observation)
    actions, rewards, terminated, truncated = (np.asarray(column[:]) for column in columns.values())
    over = terminated.astype(bool) | truncated.astype(bool)
    if over[:-1].any() or not over[-1]:
        what = f"after {int(over.argmax()) + 1} of {steps} steps" if over.any() else "nowhere"
        raise RunError(f"Expected an episode that is terminated or truncated at its end, {where} is so {what}.")
    ends = np.where(terminated.astype(bool), TERMINATED, np.where(truncated.astype(bool), TRUNCATED, GOES_ON))
    first = np.zeros(steps + 1, bool)
    first[0] = True
    rest = (
        first,
        np.append(actions.astype(np.int64), NO_ACTION),
        np.append(rewards.astype(np.float64), 0.0),
        np.append(ends, GOES_ON).astype(np.uint8),
    )
    size = max(1, BLOCK_BYTES // max(1, int(np.prod(observations.shape[1:])) * observations.dtype.itemsize))
    for start in range(0, steps + 1, size):
        yield Rows(observations[start : start + size], *(column[start : start + size] for column in rest))


def _check_observations(observations: h5py.Dataset, steps: int, where: str, spec: ObservationSpec) -> None:
    shape, dtype = observations.shape, observations.dtype
    if observations.ndim == 2 and dtype == np.uint8 and spec.frame_shape != shape[1:] and len(spec.frame_shape) > 1:
        raise ConfigError(
            f"Expected frames {list(spec.frame_shape)} in {where}, got bytes {list(shape)}: images as JPEG are not the "
            "ones that were seen. Record them with jpeg_encoding=False."
        )
    if shape[1:] != spec.frame_shape:
        stack = f"single frames {list(spec.frame_shape)}, of which stacks are made here," if spec.stack else ""
        raise ConfigError(
            f"Expected {stack or f'observations {list(spec.frame_shape)}'} in {where}, got {list(shape[1:])}."
        )
    if shape[0] != steps + 1:
        raise RunError(
            f"Expected {steps + 1} observations of {steps} steps in {where}, got {shape[0]}: the next observation of "
            "the last step is missing."
            if shape[0] == steps
            else f"Expected {steps + 1} observations of {steps} steps in {where}, got {shape[0]}."
        )
