"""How every figure looks and is saved: the same bytes every time.

Colors are Okabe & Ito's, which stay apart for all common kinds of color blindness; curves also differ in their dashes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

PUBLISHED = "#0072B2"  # blue
OURS = ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # vermillion first
SEVERAL = tuple("#0072B2 #56B4E9 #009E73 #CC79A7 #E69F00 #000000".split())  # published ones: vermillion is ours
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (7, 1.5, 1.5, 1.5)), (0, (3, 2)), (0, (9, 2)))
REFERENCE = "#666666"
LARGEST_SVG = 1_000_000  # bytes; above, a PNG is smaller and opens faster

_STYLE: dict[str, Any] = {
    "svg.hashsalt": "dqn_tf",  # ids in the SVG: the same every time
    "svg.fonttype": "path",  # looks the same without the font
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}


def look(number: int, published: bool) -> tuple[str, Any]:
    """Color and dashes of a curve: 36 that differ for ours, and as many for published ones.

    Args:
        number: of the curve, from 0, among ours or among the published ones.
        published: whether it is one of those.

    Returns:
        Color, and matplotlib's ``linestyle``.

    >>> len({look(n, published=False) for n in range(36)}), len({look(n, published=True)[0] for n in range(6)})
    (36, 6)
    """
    colors = SEVERAL if published else OURS
    return colors[number % len(colors)], DASHES[(number + number // len(colors)) % len(DASHES)]


@contextmanager
def style() -> Iterator[None]:
    """Draw within this: matplotlib's defaults, whatever a user's matplotlibrc says, and ours on top."""
    with mpl.rc_context():
        mpl.rcdefaults()
        for name, value in _STYLE.items():
            mpl.rcParams[name] = value  # type: ignore[index]
        yield


def figure(width: float = 7.6, height: float = 4.3) -> Figure:
    """An empty figure without a window, whatever the backend.

    Args:
        width: in inches.
        height: in inches.

    Returns:
        The figure; its layout keeps labels and legends apart.
    """
    return Figure(figsize=(width, height), layout="constrained")


def save(drawn: Figure, stem: Path) -> list[Path]:
    """Write a figure as ``stem``.svg and ``stem``.png, without dates or versions.

    Args:
        drawn: the figure.
        stem: path without an ending; its folder is made.

    Returns:
        Both files.
    """
    return [_write(stem, ending, render(drawn, ending)) for ending in ("svg", "png")]


def save_one(drawn: Figure, stem: Path, largest_svg: int = LARGEST_SVG) -> Path:
    """Write a figure as ``stem``.svg, or as ``stem``.png if the SVG would be too large.

    Args:
        drawn: the figure.
        stem: path without an ending; its folder is made.
        largest_svg: in bytes.

    Returns:
        The file.
    """
    data, ending = render_one(drawn, largest_svg)
    return _write(stem, ending, data)


def render_one(drawn: Figure, largest_svg: int = LARGEST_SVG) -> tuple[bytes, str]:
    """A figure as SVG, or as PNG if the SVG would be too large.

    Args:
        drawn: the figure.
        largest_svg: in bytes.

    Returns:
        The bytes, and "svg" or "png".
    """
    data = render(drawn, "svg")
    return (data, "svg") if len(data) <= largest_svg else (render(drawn, "png"), "png")


def render(drawn: Figure, ending: str) -> bytes:
    """A figure as bytes, without dates or versions.

    Args:
        drawn: the figure.
        ending: "svg", or "png" (150 dots per inch).

    Returns:
        The content of the file.
    """
    out = io.BytesIO()
    with style():
        if ending == "svg":
            drawn.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
        else:
            drawn.savefig(out, format="png", dpi=150, metadata={"Software": None})
    return out.getvalue()


def _write(stem: Path, ending: str, data: bytes) -> Path:
    path = stem.with_name(f"{stem.name}.{ending}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def amount(frames: int) -> str:
    """A number of frames in few letters.

    >>> [amount(n) for n in (2_000_000, 1_500_000, 200_000, 950)]
    ['2M', '1.5M', '200k', '950']
    """
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if frames >= size:
            return f"{frames / size:.3g}{letter}"
    return str(frames)


def note(
    axes: Axes,
    text: str,
    at: tuple[float, float],
    offset: tuple[float, float] = (0.0, 0.0),
    within: Any = "data",
    **look: Any,
) -> None:
    """Write words into the axes, in gray.

    Args:
        axes: where.
        text: the words.
        at: x and y, in the units of ``within``.
        offset: moves them, in points.
        within: the unit of ``at``, as matplotlib's ``xycoords``: "data", "axes fraction", or a pair for x and y.
        look: more for ``Axes.annotate``.
    """
    look = {"color": REFERENCE, "fontsize": 8.5, **look}
    axes.annotate(text, at, xytext=offset, xycoords=within, textcoords="offset points", **look)


def level_line(axes: Axes, level: float, **more: Any) -> None:
    """Draw a dashed gray line across the axes.

    Args:
        axes: where.
        level: its height, in the unit of the y-axis.
        more: for ``Axes.axhline``.
    """
    axes.axhline(level, color=REFERENCE, linewidth=1, linestyle=(0, (2, 2)), **more)


def percent_axis(axes: Axes, which: str, ticks: tuple[float, ...], linear_to: float = 100.0) -> None:
    """Make a scale in percent that is linear around 0 and logarithmic beyond.

    Args:
        axes: whose.
        which: "x" or "y".
        ticks: percent; each is written out.
        linear_to: where the linear part ends, on both sides.
    """
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("symlog", linthresh=linear_to, linscale=1.0)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f} %"))
