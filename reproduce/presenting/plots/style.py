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
    """Color and dashes of the curve ``number`` (from 0) of the published ones, or of ours: 36 that differ.

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
    """An empty figure (inches) without a window, whatever the backend."""
    return Figure(figsize=(width, height), layout="constrained")


def save(drawn: Figure, stem: Path) -> list[Path]:
    """Write ``stem``.svg and ``stem``.png without dates or versions; returns both paths."""
    return [_write(stem, ending, render(drawn, ending)) for ending in ("svg", "png")]


def save_one(drawn: Figure, stem: Path, largest_svg: int = LARGEST_SVG) -> Path:
    """Write ``stem``.svg, or ``stem``.png if the SVG would be too large (``render_one``); returns the path."""
    data, ending = render_one(drawn, largest_svg)
    return _write(stem, ending, data)


def render_one(drawn: Figure, largest_svg: int = LARGEST_SVG) -> tuple[bytes, str]:
    """The figure's bytes and their kind: "svg", or "png" where that would be larger than ``largest_svg`` bytes."""
    data = render(drawn, "svg")
    return (data, "svg") if len(data) <= largest_svg else (render(drawn, "png"), "png")


def render(drawn: Figure, ending: str) -> bytes:
    """The figure as "svg" or "png", without dates or versions."""
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
    """Words at ``at``, moved by ``offset`` points.  within: the unit of ``at``, or of its x and its y."""
    look = {"color": REFERENCE, "fontsize": 8.5, **look}
    axes.annotate(text, at, xytext=offset, xycoords=within, textcoords="offset points", **look)


def level_line(axes: Axes, level: float, **more: Any) -> None:
    """A dashed gray line across the axes at ``level``."""
    axes.axhline(level, color=REFERENCE, linewidth=1, linestyle=(0, (2, 2)), **more)


def percent_axis(axes: Axes, which: str, ticks: tuple[float, ...], linear_to: float = 100.0) -> None:
    """A scale in percent that is linear within +- ``linear_to`` and logarithmic beyond, with ``ticks`` written out."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("symlog", linthresh=linear_to, linscale=1.0)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f} %"))
