"""Minari's format: exact frames, the same bytes twice, Minari itself reads it; and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dqn_tf.checks import ConfigError, RunError
from dqn_tf.offline import data, minari_files
from dqn_tf.offline.rows import Rows, canonical, episodes_of
from dqn_tf.types import EnvironmentSpec

ABOUT = {"environment": "gym:Made-v0", "seed": 5}


def write(folder: Path, rows: Rows, spec: EnvironmentSpec) -> Path:
    minari_files.write(folder / "data", rows, spec, ABOUT)
    return folder


def joined(blocks: Iterator[Rows]) -> Rows:
    return Rows(*(np.concatenate(column) for column in zip(*blocks, strict=True)))


def same(a: Rows, b: Rows) -> bool:
    return all(np.array_equal(x, y) and x.dtype == y.dtype for x, y in zip(a, b, strict=True))


def test_what_is_read_is_what_was_written(spec: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path) -> None:
    rows = made_up(spec, [3, 1, 12, 2, 1, 1, 1, 1, 1, 1, 1, 4])  # twelve, so that names are not in the order of numbers
    found = joined(data.rows([write(tmp_path, rows, spec)], spec))
    assert same(found, joined(canonical([rows])))


def test_the_same_data_are_the_same_bytes(spec: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, made_up(spec, [3, 2]), spec)
    for file in (minari_files.MAIN, minari_files.METADATA):
        assert (tmp_path / "one/data" / file).read_bytes() == (tmp_path / "two/data" / file).read_bytes()


def test_minari_itself_reads_the_same_numbers_and_seeds(
    spec: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path
) -> None:
    minari = pytest.importorskip("minari", reason="the extra `offline`")
    rows = made_up(spec, [3, 1, 12, 2])
    dataset = minari.MinariDataset(write(tmp_path, rows, spec) / "data")
    assert (dataset.total_episodes, dataset.total_steps) == (4, 18)
    assert (dataset.action_space.n, dataset.observation_space.shape) == (3, spec.observation.frame_shape)
    for episode, (start, stop) in zip(dataset.iterate_episodes(), episodes_of(rows.first), strict=True):
        assert np.array_equal(episode.observations, rows.frames[start:stop])  # so no JPEG: screens are noise
        assert np.array_equal(episode.actions, rows.actions[start : stop - 1])
        assert np.array_equal(episode.rewards, rows.rewards[start : stop - 1])
        assert bool(episode.terminations[-1]) != bool(episode.truncations[-1])
    assert [m["seed"] for m in dataset.storage.get_episode_metadata(range(4))] == [5] * 4


def test_what_minari_writes_is_read(spec: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path) -> None:
    minari = pytest.importorskip("minari", reason="the extra `offline`")
    gymnasium = pytest.importorskip("gymnasium")
    from minari.data_collector import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

    rows, observation = made_up(spec, [3, 1, 2]), spec.observation
    assert minari.__version__
    space = gymnasium.spaces.Box(-np.inf, np.inf, observation.frame_shape, np.float32)
    if observation.dtype != "float32":
        space = gymnasium.spaces.Box(
            0, 255 if observation.dtype == "uint8" else 1, observation.frame_shape, observation.dtype
        )
    (tmp_path / "data").mkdir()
    storage = MinariStorage.new(
        tmp_path / "data", space, gymnasium.spaces.Discrete(3), data_format="hdf5", jpeg_encoding=False
    )
    storage.update_episodes(
        EpisodeBuffer(
            id=number,
            observations=rows.frames[start:stop],
            actions=rows.actions[start : stop - 1],
            rewards=rows.rewards[start : stop - 1],
            terminations=rows.ends[start : stop - 1] == 1,
            truncations=rows.ends[start : stop - 1] == 2,
        )
        for number, (start, stop) in enumerate(episodes_of(rows.first))
    )
    assert same(joined(data.rows([tmp_path], spec)), joined(canonical([rows])))


def test_an_episode_longer_than_32767_steps_survives(
    vectors: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path
) -> None:
    rows = made_up(vectors, [40_000, 2])
    found = joined(data.rows([write(tmp_path, rows, vectors)], vectors))
    assert found.first.sum() == 2 and same(found, joined(canonical([rows])))


def test_several_data_sets_are_one(vectors: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path) -> None:
    parts = [made_up(vectors, [3, 2], seed) for seed in (1, 2)]
    paths = [write(tmp_path / str(k), rows, vectors) for k, rows in enumerate(parts)]
    assert same(joined(data.rows(paths, vectors)), joined(canonical(parts)))
    described = data.describe_data(paths, vectors)
    assert (described.transitions, described.episodes) == (10, 4)
    assert described != data.describe_data(paths[::-1], vectors)


# -- refused -----------------------------------------------------------------------------------------------------------
def replaced(group: h5py.Group, name: str, values: Any) -> None:
    del group[name]
    group[name] = values


def shortened(group: h5py.Group) -> None:
    replaced(group, "observations", group["observations"][:-1])


def flagged_early(group: h5py.Group) -> None:
    replaced(group, "terminations", np.array([True, False, True]))


def never_over(group: h5py.Group) -> None:
    replaced(group, "terminations", np.zeros(3, bool))


def uneven(group: h5py.Group) -> None:
    replaced(group, "rewards", np.zeros(2))


def not_finite(group: h5py.Group) -> None:
    replaced(group, "rewards", np.array([0.0, np.nan, 0.0]))


def another_action(group: h5py.Group) -> None:
    replaced(group, "actions", np.array([0, 3, 1]))


def no_rewards(group: h5py.Group) -> None:
    del group["rewards"]


def linked(group: h5py.Group) -> None:
    del group["observations"]
    group["observations"] = h5py.ExternalLink("/etc/passwd", "/")


def outside(group: h5py.Group) -> None:
    del group["rewards"]
    group.create_dataset("rewards", (3,), "f8", external=[("/etc/passwd", 0, 24)])


def texts(group: h5py.Group) -> None:
    replaced(group, "rewards", np.array([b"a", b"b", b"c"], object))


def of_another_form(group: h5py.Group) -> None:
    replaced(group, "observations", np.zeros((4, 5), np.float32))


def of_another_type(group: h5py.Group) -> None:
    replaced(group, "observations", np.zeros((4, 3), np.int32))


DAMAGE = {
    shortened: (RunError, "the next observation of the last step is missing"),
    flagged_early: (RunError, "terminated or truncated at its end, episode_0 in .* is so after 1 of 3 steps"),
    never_over: (RunError, "is so nowhere"),
    uneven: (RunError, r"Expected rewards \[T\] with T >= 1 in episode_0 .*, got \[2\]"),
    not_finite: (RunError, "Expected finite rewards"),
    another_action: (ConfigError, "Expected actions 0 to 2 .*, got 3: the data are of another action set"),
    no_rewards: (RunError, "Expected rewards in episode_0 .*, got none"),
    linked: (ConfigError, "observations .* a link that leads out of the file"),
    outside: (ConfigError, "rewards .* a link that leads out of the file"),
    texts: (ConfigError, "Expected numbers for rewards .* objects are not read"),
    of_another_form: (ConfigError, r"Expected observations \[3\] in episode_0 .*, got \[5\]"),
    of_another_type: (ConfigError, "Expected frames of float32, .*, got int32"),
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda d: d.__name__)
def test_damaged_episodes_are_refused(
    damage: Callable[[h5py.Group], None], vectors: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path
) -> None:
    write(tmp_path, made_up(vectors, [3, 2]), vectors)
    with h5py.File(tmp_path / "data" / minari_files.MAIN, "a") as file:
        damage(file["episode_0"])
    error, message = DAMAGE[damage]
    with pytest.raises(error, match=message):
        data.describe_data([tmp_path], vectors)


def metadata(folder: Path, **changes: Any) -> None:
    path = folder / "data" / minari_files.METADATA
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"action_space": json.dumps({"type": "Discrete", "n": 4})},
            ConfigError,
            "the 3 actions noop, left, right, got 4",
        ),
        ({"action_space": json.dumps({"type": "Discrete", "n": 3, "start": 1})}, ConfigError, "got 3 from 1 on"),
        ({"dqn_tf": {"actions": ["noop", "right", "left"]}}, ConfigError, "noop, right, left.* another action set"),
        ({"action_space": json.dumps({"type": "Box"})}, RunError, "no data set of discrete actions"),
        ({"data_format": "arrow"}, ConfigError, "Expected a data set in HDF5, got 'arrow'"),
    ],
)
def test_other_metadata_are_refused(
    changes: dict[str, Any],
    error: type[Exception],
    message: str,
    vectors: EnvironmentSpec,
    made_up: Callable[..., Rows],
    tmp_path: Path,
) -> None:
    write(tmp_path, made_up(vectors, [3]), vectors)
    metadata(tmp_path, **changes)
    with pytest.raises(error, match=message):
        data.describe_data([tmp_path], vectors)


def test_jpeg_and_stacks_are_refused(screens: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path) -> None:
    write(tmp_path, made_up(screens, [3]), screens)
    for found, message in (
        (np.zeros((4, 700), np.uint8), "images as JPEG are not the ones that were seen"),
        (np.zeros((4, 40, 36, 4), np.uint8), r"single frames \[40, 36\], of which stacks are made here"),
    ):
        with h5py.File(tmp_path / "data" / minari_files.MAIN, "a") as file:
            replaced(file["episode_0"], "observations", found)
        with pytest.raises(ConfigError, match=message):
            data.describe_data([tmp_path], screens)


def test_a_file_that_ends_early_is_refused(
    vectors: EnvironmentSpec, made_up: Callable[..., Rows], tmp_path: Path
) -> None:
    main = write(tmp_path, made_up(vectors, [30, 20]), vectors) / "data" / minari_files.MAIN
    main.write_bytes(main.read_bytes()[: main.stat().st_size // 2])
    with pytest.raises(RunError, match="Expected a whole HDF5 file"):
        data.describe_data([tmp_path], vectors)


def test_a_folder_without_data_is_refused(vectors: EnvironmentSpec, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is nothing of this name"):
        data.describe_data([tmp_path / "nowhere"], vectors)
    with pytest.raises(ConfigError, match="found neither"):
        data.describe_data([tmp_path], vectors)


def test_masks_are_refused(vectors: EnvironmentSpec, tmp_path: Path) -> None:
    masked = vectors._replace(observation=vectors.observation._replace(mask_size=3))
    with pytest.raises(ConfigError, match="recorded data do not say which actions were legal"):
        data.describe_data([tmp_path], masked)
