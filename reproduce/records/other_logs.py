"""The logs of other programs as points of one curve: CleanRL, Stable-Baselines3, RL Zoo, Dopamine, Weights & Biases.

Each reader gives what stands in the file.  What it means (training or evaluation, raw or clipped, frames or steps) the
files do not say; imported_curves.py asks for it.
"""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from dqn_tf.checks import ConfigError, unknown
from reproduce.records import plain_pickle

LARGEST = 2**30  # bytes that a member of an npz file may unpack to
TAGS = {  # of TensorBoard's scalars: (program, measure) -> (tag, what its points are)
    ("cleanrl", "training"): ("charts/episodic_return", "episodes"),
    ("sb3", "training"): ("rollout/ep_rew_mean", "means"),
    ("sb3", "evaluation"): ("eval/mean_reward", "means"),
}
Measure = Literal["training", "evaluation"]


class Points(NamedTuple):
    """A curve as a file has it.

    Attributes:
        at: [n] int64, where each point is, in the file's own unit.
        values: [n] float64, returns.
        episodes: [n] int64, how many each is a mean of; 0 where the file does not say.
        single: whether each point is one episode.
    """

    at: np.ndarray
    values: np.ndarray
    episodes: np.ndarray
    single: bool


class Asked(NamedTuple):
    """What a reader may need to know.

    Attributes:
        measure: "training" or "evaluation".
        tag: of TensorBoard's scalars, or the column of a CSV file; "": the program's own.
        across: the column of a CSV file that says where a point is; "": none was named.
        single: whether each point is one episode; None: it was not said.
    """

    measure: Measure
    tag: str = ""
    across: str = ""
    single: bool | None = None


def read(program: str, path: Path, asked: Asked) -> Points:
    """The points of a file.

    Args:
        program: one of ``READERS``.
        path: the file; of Dopamine the folder with its log_ files, too.
        asked: what the reader needs to know.

    Returns:
        The points, in order.

    Raises:
        ConfigError: there is no such file, it is of another kind, or has nothing of what was asked for.
    """
    if not path.exists():
        raise ConfigError(f"Expected a log of {program}, got {path}: there is nothing of this name.")
    try:
        points = READERS[program](path, asked)
    except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise ConfigError(f"Expected a log of {program}, got {path}: {error}") from error
    if not len(points.at):
        raise ConfigError(f"Expected returns in {path}, found none.")
    if (np.diff(points.at) < 0).any():
        raise ConfigError(f"Expected points in order in {path}, got some that go back: it holds more than one run.")
    if not np.isfinite(points.values).all():
        raise ConfigError(f"Expected finite returns in {path}, got {points.values[~np.isfinite(points.values)][0]}.")
    return points


def _points(at: Sequence[Any], values: Sequence[Any], episodes: Sequence[int] | int, single: bool) -> Points:
    whole = np.asarray(at, np.float64)
    if not (whole == np.floor(whole)).all() or (whole < 0).any():
        raise ValueError("a point that is not at a whole number")
    counts = np.broadcast_to(np.asarray(episodes, np.int64), whole.shape).copy()
    return Points(whole.astype(np.int64), np.asarray(values, np.float64), counts, single)


# -- TensorBoard -------------------------------------------------------------------------------------------------------
def _tensorboard(program: str) -> Callable[[Path, Asked], Points]:
    def read_events(path: Path, asked: Asked) -> Points:
        default, kind = TAGS.get((program, asked.measure), ("", ""))
        tag, single = asked.tag or default, (kind == "episodes") if not asked.tag else asked.single
        if not tag:
            raise ConfigError(f"{program} has no tag of its own for {asked.measure}: name one with --column.")
        if single is None:
            raise ConfigError(f"Expected --points episodes or means for the tag {tag!r}: the file does not say.")
        scalars = _scalars(path)
        if tag not in scalars:
            raise unknown("tag", tag, sorted(scalars))
        at, values = zip(*scalars[tag], strict=True)
        return _points(at, values, 1 if single else 0, single)

    return read_events


def _scalars(path: Path) -> Mapping[str, list[tuple[int, float]]]:
    """Every scalar of an event file: (step, value), in the order in which they were written."""
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError as error:
        raise ConfigError(
            f"Reading TensorBoard files needs the extra: pip install 'dqn_tf[tensorboard]' ({error})"
        ) from error
    events = EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    found = {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    for tag in events.Tags()["tensors"]:  # as newer writers have their scalars
        arrays = [(event.step, make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]
        if all(array.size == 1 and array.dtype.kind == "f" for _, array in arrays):
            found[tag] = [(step, float(array)) for step, array in arrays]
    return found


# -- Stable-Baselines3 and RL Zoo --------------------------------------------------------------------------------------
def _monitor(path: Path, asked: Asked) -> Points:
    """monitor.csv: a line that begins with #, then r (return) and l (length) of every episode."""
    lines = path.read_text().splitlines()
    if not lines or not lines[0].startswith("#"):
        raise ValueError("its first line does not begin with #, as that of monitor.csv does")
    table = pd.read_csv(io.StringIO("\n".join(lines[1:])))
    if not {"r", "l"} <= set(table.columns):
        raise ValueError(f"it has the columns {', '.join(map(str, table.columns))}, not r and l")
    return _points(table["l"].cumsum().tolist(), table["r"].tolist(), 1, True)


def _evaluations(path: Path, asked: Asked) -> Points:
    """evaluations.npz: timesteps [n], results [n, episodes]."""
    if asked.measure != "evaluation":
        raise ConfigError(f"Expected --measure evaluation for {path}: evaluations.npz holds nothing else.")
    with zipfile.ZipFile(path) as listing:
        if sum(member.file_size for member in listing.infolist()) > LARGEST:
            raise ValueError("it claims to hold more than a gigabyte")
    with np.load(path, allow_pickle=False) as archive:
        at, results = archive["timesteps"], archive["results"]
    if results.ndim != 2 or len(results) != len(at):
        raise ValueError(f"results {list(results.shape)} do not fit timesteps {list(at.shape)}")
    return _points(at.tolist(), results.mean(axis=1).tolist(), results.shape[1], False)


# -- Dopamine ----------------------------------------------------------------------------------------------------------
def _dopamine(path: Path, asked: Asked) -> Points:
    """The newest log_N, or log_N.gz: of every iteration the returns and lengths of its episodes."""
    files = sorted(path.glob("log_*"), key=_number) if path.is_dir() else [path]
    if not files:
        raise ValueError("it has no file log_N")
    data = files[-1].read_bytes()
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
        data = packed.read(plain_pickle.LARGEST + 1) if data[:2] == b"\x1f\x8b" else data
    log = plain_pickle.loads(data)
    if not isinstance(log, dict):
        raise ValueError("it is no log of iterations")
    prefix = "train" if asked.measure == "training" else "eval"
    names = sorted((name for name in log if str(name).startswith("iteration_")), key=_number_of)
    at, values, episodes, steps = [], [], [], 0
    for name in names:
        steps += int(sum(log[name]["train_episode_lengths"]))
        if returns := log[name].get(f"{prefix}_episode_returns"):
            at.append(steps)
            values.append(float(np.mean(returns)))
            episodes.append(len(returns))
    return _points(at, values, episodes, False)


def _number(path: Path) -> int:
    return _number_of(path.name.removesuffix(".gz"))


def _number_of(name: str) -> int:
    digits = name.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else -1


# -- Weights & Biases --------------------------------------------------------------------------------------------------
def _wandb(path: Path, asked: Asked) -> Points:
    """A CSV export: one column says where a point is, one what it is."""
    table = pd.read_csv(path)
    columns = [str(name) for name in table.columns if not str(name).endswith(("__MIN", "__MAX"))]
    for option, name in (("--column", asked.tag), ("--across", asked.across)):
        if not name:
            raise ConfigError(f"Expected {option} for {path}, one of its columns: {', '.join(columns)}.")
        if name not in columns:
            raise unknown("column", name, columns)
    if asked.single is None:
        raise ConfigError(f"Expected --points episodes or means for {path}: the file does not say.")
    there = table[[asked.across, asked.tag]].dropna()
    return _points(there[asked.across].tolist(), there[asked.tag].tolist(), 1 if asked.single else 0, asked.single)


READERS: dict[str, Callable[[Path, Asked], Points]] = {
    "cleanrl": _tensorboard("cleanrl"),
    "sb3": _tensorboard("sb3"),
    "monitor": _monitor,
    "rl-zoo": _evaluations,
    "dopamine": _dopamine,
    "wandb": _wandb,
}
