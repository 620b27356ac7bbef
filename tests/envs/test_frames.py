import dataclasses

import numpy as np
import pytest

from dqn_tf.envs.frames import History, View, luminance, maximum
from dqn_tf.envs.protocols import DOPAMINE, DQN_ZOO, NATURE2015

COLORS = np.array([[[200, 72, 72], [255, 255, 255], [0, 0, 0], [66, 158, 130], [1, 1, 1], [0, 1, 0]]], np.uint8)


def test_luminance_by_hand() -> None:
    # 0.299*200 + 0.587*72 + 0.114*72 = 110.272; 0.299*66 + 0.587*158 + 0.114*130 = 127.3; 0.587.
    assert luminance(COLORS, "none").tolist() == [[110_272, 255_000, 0, 127_300, 1000, 587]]
    assert luminance(COLORS, "truncate").tolist() == [[110, 255, 0, 127, 1, 0]]
    assert luminance(COLORS, "round").tolist() == [[110, 255, 0, 127, 1, 1]]


def test_every_gray_keeps_its_value() -> None:
    """Floating-point sums of the coefficients would take some of them down by one when truncated."""
    grays = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert luminance(grays, "truncate").tolist() == [list(range(256))]


def test_maximum_of_any_number_of_screens() -> None:
    screens = np.array([[[1, 5]], [[3, 2]], [[2, 4]]], np.uint8)
    assert maximum(screens).tolist() == [[3, 5]]
    assert maximum(screens[:2]).tolist() == [[3, 5]]
    assert maximum(screens[:1]).tolist() == [[1, 5]]


def test_pool_order_matters_where_colors_cross() -> None:
    red_then_blue = np.zeros((2, 210, 160, 3), np.uint8)
    red_then_blue[0, ..., 0] = red_then_blue[1, ..., 2] = 255
    shown = {}
    for order in ("max_then_luminance", "luminance_then_max"):
        view = View(dataclasses.replace(DQN_ZOO, pool_order=order), 210, 160)
        view.screens[...] = red_then_blue
        out = np.empty((84, 84), np.uint8)
        view.frame(2, out)
        shown[order] = set(out.ravel().tolist())
    assert shown == {"max_then_luminance": {105}, "luminance_then_max": {76}}  # 255 * 0.413, 255 * 0.299


@pytest.mark.parametrize(
    ("rounding", "pixel", "want"),
    [("truncate", "round", 0), ("round", "round", 1), ("none", "round", 1), ("none", "truncate", 0)],
)
def test_when_luminance_is_rounded(rounding: str, pixel: str, want: int) -> None:
    """A green of 1 has the luminance 0.587."""
    protocol = dataclasses.replace(NATURE2015, luminance_rounding=rounding, pixel_rounding=pixel)
    view = View(protocol, 210, 160)
    view.screens[...] = 0
    view.screens[..., 1] = 1
    out = np.empty((84, 84), np.uint8)
    view.frame(1, out)
    assert (out == want).all()


def test_a_view_shows_only_the_screens_it_is_told_of() -> None:
    view = View(DOPAMINE, 210, 160)
    view.screens[0], view.screens[1] = 10, 200
    out = np.empty((84, 84), np.uint8)
    for count, want in ((0, 0), (1, 10), (2, 200)):
        view.frame(count, out)
        assert (out == want).all()


def test_other_frame_sizes() -> None:
    view = View(dataclasses.replace(NATURE2015, frame_height=42, frame_width=60), 250, 160)
    view.screens[...] = 99
    out = np.empty((42, 60), np.uint8)
    view.frame(2, out)
    assert (out == 99).all()


def stacks(padding: str, frames: list[int], cut_after: int = -1, stack: int = 4) -> list[list[int]]:
    history = History(2, 3, stack, padding)
    out = []
    for i, frame in enumerate(frames):
        history.slot()[...] = frame
        _, observation = history.push()
        assert observation.shape == (2, 3, stack)
        out.append(observation[1, 2].tolist())
        if i == cut_after:
            history.cut()
    return out


def test_stack_padding() -> None:
    assert stacks("zeros_before", [1, 2, 3, 4, 5])[:2] == [[0, 0, 0, 1], [0, 0, 1, 2]]
    assert stacks("zeros_after", [1, 2, 3, 4, 5]) == [
        [1, 0, 0, 0],
        [1, 2, 0, 0],
        [1, 2, 3, 0],
        [1, 2, 3, 4],
        [2, 3, 4, 5],
    ]
    assert stacks("repeat_first", [1, 2, 3])[:3] == [[1, 1, 1, 1], [1, 1, 1, 2], [1, 1, 2, 3]]
    assert stacks("zeros_before", [7, 8], stack=1) == [[7], [8]]


@pytest.mark.parametrize("padding", ["zeros_before", "zeros_after", "repeat_first"])
def test_history_against_a_list(padding: str) -> None:
    """Longer than several buffers, with cuts at odd moments; every array stays as it was when it was shown."""
    generator = np.random.default_rng(0)
    history, frames, shown = History(2, 2, 4, padding), [], []
    for i in range(400):
        kind = generator.random()
        if kind < 0.05 and frames:
            frames = frames[-1:]
            frame, observation = history.repeat()
        else:
            if kind < 0.1:
                history.cut()
                frames = []
            frames.append(i % 251 + 1)
            history.slot()[...] = frames[-1]
            frame, observation = history.push()
        seen = frames[-4:]
        missing = 4 - len(seen)
        want = {
            "zeros_before": [0] * missing + seen,
            "zeros_after": seen + [0] * missing,
            "repeat_first": seen[:1] * missing + seen,
        }[padding]
        shown.append((frame, observation, want, seen[-1]))
    for frame, observation, want, newest in shown:
        assert observation[0, 1].tolist() == want
        assert (frame == newest).all()
        assert not observation.flags.writeable
        assert not frame.flags.writeable
