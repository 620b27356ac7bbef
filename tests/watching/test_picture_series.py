"""Pictures come out of a series as they were put in."""

from __future__ import annotations

import numpy as np

from dqn_tf.watching.picture_series import CHUNK, WIDEST, PictureSeries, unpack


def all_of(series: PictureSeries) -> np.ndarray:
    assert series.size is not None
    series.finish()
    return np.concatenate([unpack(chunk, series.size) for chunk in series.chunks])


def test_of_few_colors_and_of_many_equal_ones_kept_once() -> None:
    random = np.random.default_rng(0)
    for few in (True, False):
        colors = random.integers(0, 256, (7, 3), np.uint8)
        pictures = [
            colors[random.integers(7, size=(6, 5))] if few else random.integers(0, 256, (60, 50, 3), np.uint8)
            for _ in range(CHUNK + 3)
        ]
        series = PictureSeries()
        assert [series.add(picture) for picture in pictures] == list(range(CHUNK + 3)) == list(range(len(series)))
        assert series.add(pictures[2].copy()) == 2 and len(series) == CHUNK + 3
        np.testing.assert_array_equal(all_of(series), pictures)
        assert [(chunk.number, chunk.palette is not None) for chunk in series.chunks] == [(CHUNK, few), (3, few)]


def test_gray_ones_large_ones_and_ones_of_another_size() -> None:
    series = PictureSeries()
    large = np.arange(2 * WIDEST, dtype=np.uint32)[None].repeat(4, 0).astype(np.uint8)
    series.add(large)
    series.add(np.full((8, 3, 3), 9, np.uint8))
    first, second = all_of(series)
    np.testing.assert_array_equal(first, large[::2, ::2, None].repeat(3, 2))
    assert first.shape == (2, WIDEST, 3) and second[:, :3].all() and not second[:, 3:].any()
