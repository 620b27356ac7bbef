"""Figures of recorded states: the plane of Figure 4 (Mnih et al. 2015), a value trace, filters, saliency."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from dqn_tf.watching.recorded_states import RecordedStates
from reproduce.presenting.plots.style import OURS, REFERENCE, amount, figure, note, style

THUMBNAIL_INCHES = 0.62
MOST_FILTERS = 32
LETTERS = "ABC"


def drawn(states: RecordedStates) -> dict[str, Figure]:
    """Every figure that these states have data for.

    Args:
        states: as they were recorded.

    Returns:
        Name of the file without an ending -> the figure.
    """
    found = {"plane": plane(states), "value_trace": value_trace(states)}
    if states.filters.size:
        found["filters"] = filters(states)
    if len(states.saliency_screens):
        found["saliency"] = saliency(states)
    return found


def whose(states: RecordedStates) -> str:
    """The agent, its environment and its training, for titles."""
    about = states.about
    return f"{about['agent']} on {about['environment']}, {amount(int(about['frames']))} frames"


def plane(states: RecordedStates) -> Figure:
    """States in the plane by t-SNE of the last hidden layer, colored by their value, with what was to be seen in some.

    Args:
        states: as they were recorded.

    Returns:
        The figure.
    """
    with style():
        out = figure(7.6, 6.4)
        axes = out.subplots()
        across, up = states.places[:, 0], states.places[:, 1]
        points = axes.scatter(across, up, c=states.values, s=9, cmap="viridis", linewidths=0, rasterized=True)
        out.colorbar(points, ax=axes, label="value of the state, max Q", shrink=0.7)
        axes.set(xticks=[], yticks=[], title=f"Last hidden layer of {whose(states)}")
        axes.margins(0.32)
        for state, place, picture in zip(
            states.thumbnail_states, _around(states.places, states.thumbnail_states), states.thumbnails, strict=False
        ):
            _thumbnail(axes, picture, states.places[state], place)
        words = f"t-SNE of {len(states.places):,} states of {states.about['episodes']} episodes; only nearness counts"
        axes.set_xlabel(words)
    return out


def _around(places: np.ndarray, some: np.ndarray) -> np.ndarray:
    """Places for pictures on an ellipse around all states, in the order of the states' directions."""
    center, half = (places.max(0) + places.min(0)) / 2, np.maximum(np.ptp(places, axis=0) / 2, 1e-6)
    offsets = (places[some] - center) / half
    order = np.argsort(np.arctan2(offsets[:, 1], offsets[:, 0]), kind="stable")
    angles = np.empty(len(some))
    angles[order] = -np.pi + 2 * np.pi * (np.arange(len(some)) + 0.5) / max(1, len(some))
    found: np.ndarray = center + half * 1.42 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return found


def _thumbnail(axes: Axes, picture: np.ndarray, point: np.ndarray, place: np.ndarray) -> None:
    zoom = THUMBNAIL_INCHES * 72 / max(picture.shape[:2])
    image = OffsetImage(picture, zoom=zoom, interpolation="nearest", resample=False)
    arrow = {"arrowstyle": "-", "color": REFERENCE, "linewidth": 0.7}
    box = AnnotationBbox(image, tuple(point), xybox=tuple(place), pad=0.1, frameon=True, arrowprops=arrow)
    axes.add_artist(box)


def value_trace(states: RecordedStates) -> Figure:
    """The value of the states around an event, with what was to be seen before it, at its height and after.

    Args:
        states: as they were recorded.

    Returns:
        The figure.
    """
    with style():
        pictures = len(states.trace_screens)
        out = figure(7.6, 4.6 if pictures else 3.2)
        grid = out.add_gridspec(2 if pictures else 1, 3, height_ratios=[1.3, 1] if pictures else [1])
        axes = out.add_subplot(grid[0, :])
        axes.plot(states.trace_steps, states.trace, color=OURS[0])
        for letter, mark in zip(LETTERS, states.trace_marks, strict=True):
            at = (float(states.trace_steps[mark]), float(states.trace[mark]))
            axes.plot(*at, "o", color="black", markersize=4)
            note(axes, letter, at, (4, 5), color="black", fontweight="bold")
        axes.set(xlabel="step of the episode", ylabel="value, max Q", title=f"{whose(states)}: {states.about['event']}")
        for place, (letter, picture) in enumerate(zip(LETTERS, states.trace_screens, strict=False)):
            below = out.add_subplot(grid[1, place])
            below.imshow(picture, interpolation="nearest")
            below.set_axis_off()
            below.set_title(f"{letter}: step {states.trace_steps[states.trace_marks[place]]}", fontsize=9)
    return out


def filters(states: RecordedStates) -> Figure:
    """The kernels of the first convolution, a row for each filter, a column for each channel; gray is 0.

    Args:
        states: as they were recorded.

    Returns:
        The figure.
    """
    kernels = states.filters[..., :MOST_FILTERS]
    height, width, channels, number = kernels.shape
    per_row = max(1, min(number, 32 // channels))
    rows = -(-number // per_row)
    tile = np.full((rows * (height + 1) + 1, per_row * (channels * (width + 1) + 1) + 1), np.nan)
    for index in range(number):
        top, left = index // per_row * (height + 1) + 1, index % per_row * (channels * (width + 1) + 1) + 1
        for channel in range(channels):
            start = left + channel * (width + 1)
            tile[top : top + height, start : start + width] = kernels[:, :, channel, index]
    most = float(np.abs(kernels).max()) or 1.0
    with style():
        out = figure(7.6, max(1.8, 7.2 * tile.shape[0] / tile.shape[1] + 0.9))
        axes = out.subplots()
        image = axes.imshow(tile, cmap="PuOr", vmin=-most, vmax=most, interpolation="nearest")
        axes.set_axis_off()
        whole = "" if number == states.filters.shape[3] else f", the first {number} of {states.filters.shape[3]}"
        words = f"each filter: {channels} channel{'s' if channels > 1 else ''} side by side{whole}"
        axes.set_title(f"First convolution of {whose(states)}; {words}", fontsize=9)
        out.colorbar(image, ax=axes, label="weight", shrink=0.6)
    return out


def saliency(states: RecordedStates) -> Figure:
    """What the network saw, and on it what its Q-values depend on by two methods, named under their pictures.

    Args:
        states: as they were recorded.

    Returns:
        The figure.
    """
    rows = len(states.saliency_screens)
    columns: list[tuple[str, Any]] = [
        ("what the network saw", None),
        ("perturbation\n(Greydanus et al. 2018)", states.saliency_perturbation),
        ("gradient\n(Simonyan et al. 2013)", states.saliency_gradient),
    ]
    with style():
        out = figure(7.0, 2.2 * rows + 0.9)
        for row, each in enumerate(out.subplots(rows, 3, squeeze=False)):
            for axes, (words, maps) in zip(each, columns, strict=True):
                axes.imshow(states.saliency_screens[row], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
                if maps is not None:
                    strength = maps[row] / (float(maps[row].max()) or 1.0)
                    axes.imshow(strength, cmap="Reds", alpha=0.85 * strength, vmin=0, vmax=1, interpolation="nearest")
                axes.set(xticks=[], yticks=[])
                axes.set_xlabel(words if row == rows - 1 else "", fontsize=8.5)
        out.suptitle(f"What the Q-values depend on: {whose(states)}", fontsize=10.5)
    return out
