"""The data as a replay: the draws and batches of one that was played, in a stated amount of memory."""

from __future__ import annotations

import dataclasses
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dqn_tf.checks import ConfigError
from dqn_tf.config import AgentConfig, RunConfig
from dqn_tf.offline import data, minari_files, store
from dqn_tf.offline.rows import Rows, canonical, episodes_of
from dqn_tf.offline.source import Recorded
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform
from dqn_tf.types import EnvironmentSpec, Sample, StepType, TimeStep

LENGTHS = [5, 9, 1, 12, 3, 2]
LARGE = 2**30


@pytest.fixture
def reading(
    cartpole: Callable[..., RunConfig], tiny_agent: Callable[..., AgentConfig], tmp_path: Path
) -> Callable[..., Replay]:
    """A function (spec, rows, budget, n_step) -> the replay of a run that learns from these rows."""

    def read(spec: EnvironmentSpec, rows: Rows, budget: int, n_step: int = 1) -> Replay:
        path = tmp_path / "data"
        if not path.exists():
            minari_files.write(path, rows, spec, {"environment": "gym:CartPole-v1", "seed": 0})
        found = data.describe_data([path], spec)
        wanted = Recorded(sha256=found.sha256, rows=found.rows, transitions=found.transitions)
        config = cartpole(agent=tiny_agent(n_step=n_step), data=wanted)
        return store.replay_of(config, spec, [path], budget, tmp_path)

    return read


def played(spec: EnvironmentSpec, rows: Rows, n_step: int) -> Replay:
    """A replay with as many rows, to which the same episodes were added while they were played."""
    frames = next(iter(canonical([rows]))).frames
    replay = Replay(Uniform(), Storage(capacity=len(rows.first)), spec.observation, n_step=n_step, gamma=0.99, seed=0)
    for start, stop in episodes_of(rows.first):
        replay.add_first(step(frames[start], 1.0, StepType.FIRST))
        for row in range(start, stop - 1):
            end = int(rows.ends[row])
            kind = StepType.MID if end == 0 else StepType.LAST
            replay.add(int(rows.actions[row]), float(rows.rewards[row]), step(frames[row + 1], float(end != 1), kind))
    return replay


def step(frame: np.ndarray, discount: float, kind: StepType) -> TimeStep:
    return TimeStep(frame, frame, 0.0, discount, kind, False, False, 0, 1)


@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize("budget", [0, LARGE], ids=["on the disk", "in memory"])
def test_batches_are_those_of_a_replay_that_was_played(
    budget: int,
    n_step: int,
    spec: EnvironmentSpec,
    made_up: Callable[..., Rows],
    reading: Callable[..., Replay],
) -> None:
    rows = made_up(spec, LENGTHS)
    found, wanted = reading(spec, rows, budget, n_step), played(spec, rows, n_step)
    assert isinstance(found.ring.frames, store.FileFrames) == (budget == 0)
    for update in range(20):
        one, other = found.sample(8, update), wanted.sample(8, update)
        assert isinstance(one, Sample) and isinstance(other, Sample)
        assert np.array_equal(one.indices, other.indices)
        for x, y in zip(one.transitions, other.transitions, strict=True):
            assert np.array_equal(x, y) and x.dtype == y.dtype


def test_every_transition_is_drawn_equally_often(
    vectors: EnvironmentSpec, made_up: Callable[..., Rows], reading: Callable[..., Replay]
) -> None:
    """32 transitions, 32,000 draws: 1,000 each, within five standard deviations of a binomial number (31)."""
    replay = reading(vectors, made_up(vectors, LENGTHS), 0)
    drawn = np.concatenate([replay.sample_indices(32, update).indices for update in range(1000)])
    rows, counts = np.unique(drawn, return_counts=True)
    assert len(rows) == 32 and abs(counts - 1000).max() < 5 * 31


def test_data_larger_than_the_budget_take_no_more_memory(
    screens: EnvironmentSpec, made_up: Callable[..., Rows], reading: Callable[..., Replay], tmp_path: Path
) -> None:
    """23 MB of frames: on the disk they take the columns (13 bytes a row) and the blocks that are being read."""
    rows = made_up(screens, [400] * 40)
    size = rows.frames.nbytes
    reading(screens, rows, LARGE)  # writes them, too
    del rows
    tracemalloc.start()
    try:
        replay = reading(screens, Rows(*[np.zeros(0)] * 5), 0)
        for update in range(10):
            replay.sample(8, update)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 23e6 and peak < 16e6, (size, peak)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("tmp")]  # the scratch file has no name


def test_other_data_are_refused(
    vectors: EnvironmentSpec,
    made_up: Callable[..., Rows],
    cartpole: Callable[..., RunConfig],
    tmp_path: Path,
) -> None:
    for seed in (1, 2):
        rows = made_up(vectors, [5, 4], seed)
        minari_files.write(tmp_path / str(seed), rows, vectors, {"environment": "gym:CartPole-v1", "seed": 0})
    found = data.describe_data([tmp_path / "1"], vectors)
    wanted = Recorded(sha256=found.sha256, rows=found.rows, transitions=found.transitions)
    with pytest.raises(ConfigError, match="Expected the data of this run, 9 transitions with content"):
        store.replay_of(cartpole(data=wanted), vectors, [tmp_path / "2"], LARGE, tmp_path)
    both = [tmp_path / "1", tmp_path / "2"]
    with pytest.raises(ConfigError, match="Expected the data of this run, 9 transitions with content"):
        store.replay_of(cartpole(data=wanted), vectors, both, LARGE, tmp_path)


def test_the_data_are_part_of_the_identity(cartpole: Callable[..., RunConfig]) -> None:
    """And runs that play keep the one that they had."""
    one, two = (cartpole(data=Recorded(sha256=digit * 64, rows=3, transitions=2)) for digit in "ab")
    assert len({one.hash, two.hash, cartpole().hash}) == 3 and "data" not in cartpole().to_json()
    assert RunConfig.from_json(one.to_json()) == one
    assert one.updates == one.steps // one.agent.steps_per_update


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sha256": "x"}, "64 hexadecimal digits"),
        ({"transitions": 0}, "at least 1 transition"),
        ({"rows": 2}, "more rows than transitions"),
    ],
)
def test_bad_descriptions_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(Recorded(sha256="a" * 64, rows=3, transitions=2), **fields)  # type: ignore[arg-type]
