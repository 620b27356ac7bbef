"""A picture of traces that ``dqn-tf train --profile FILE`` wrote, and where their time went, as a table.

    python benchmarks/profile_picture.py [--cycles 2] [--out docs/images/profile.png] FILE [FILE ...]

A panel for each file, a band for each thread in it: calls as boxes, what a call calls below it.  It shows ``--cycles``
cycles, from the beginning of one update to that of another, some that were quick.  The table has, for each kind of
event, how often it happened, and the mean time of a call in microseconds, with and without what it calls in turn.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

COLORS = {
    "act": "#4c78a8",
    "environment": "#54a24b",
    "replay": "#b279a2",
    "update": "#e45756",
    "evaluate": "#f2cf5b",
    "checkpoint": "#9d755d",
    "other": "#bab0ac",
}
ROW, GAP, INCHES_A_ROW = 1.0, 0.6, 0.34
LETTER_SHARE = 0.0085  # of the picture's width, at the size of the boxes' text


class Call(NamedTuple):
    """An event of a trace.

    Attributes:
        name: of the event.
        phase: of the run.
        track: number of its thread.
        begin: microseconds.
        end: microseconds.
        depth: calls around it.
        own: microseconds that are left without the calls inside it.
    """

    name: str
    phase: str
    track: int
    begin: float
    end: float
    depth: int
    own: float


def read(path: Path) -> tuple[list[Call], dict[int, str], dict[str, Any]]:
    """The calls of a trace by track and time, the tracks' names, and what it says of the run."""
    trace = json.loads(path.read_text())
    tracks = {e["tid"]: e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "thread_name"}
    found: list[Call] = []
    around: list[int] = []  # indices in ``found``
    for event in (e for e in trace["traceEvents"] if e["ph"] == "X"):
        begin, length = event["ts"], event["dur"]
        while around and (found[around[-1]].track != event["tid"] or found[around[-1]].end <= begin + 2e-3):
            around.pop()
        if around:
            outer = found[around[-1]]
            found[around[-1]] = outer._replace(own=outer.own - length)
        found.append(Call(event["name"], event["cat"], event["tid"], begin, begin + length, len(around), length))
        around.append(len(found) - 1)
    return found, tracks, trace["otherData"]


def table(calls: list[Call]) -> str:
    """Kinds of events by all of their own time, largest first."""
    kinds: dict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in calls:
        kinds[call.name, call.phase].append(call)
    out = [f"{'event':18}  {'phase':12}  {'calls':>8}  {'us a call':>10}  {'own us':>10}  {'own, of all':>11}"]
    whole = sum(call.own for call in calls)
    for (name, phase), some in sorted(kinds.items(), key=lambda item: -sum(c.own for c in item[1])):
        length, own = sum(c.end - c.begin for c in some), sum(c.own for c in some)
        number = len(some)
        each = f"{length / number:10.1f}  {own / number:10.1f}  {100 * own / whole:9.1f} %"
        out.append(f"{name:18}  {phase:12}  {number:8,}  {each}")
    return "\n".join(out)


def window(calls: list[Call], cycles: int) -> tuple[float, float]:
    """From the beginning of one update to that of another.

    The quickest tenth of such spans ends with it, so that what other programs did to this one is hardly seen.

    Args:
        calls: of the whole trace.
        cycles: updates in the window.

    Returns:
        Begin and end, in microseconds.

    Raises:
        SystemExit: the trace has too few updates.
    """
    begins = [call.begin for call in calls if call.name == "update"]
    spans = sorted(zip(begins, begins[cycles:], strict=False), key=lambda span: span[1] - span[0])
    if not spans:
        raise SystemExit(f"Expected more than {cycles} updates in the trace, got {len(begins)}.")
    return spans[len(spans) // 10]


def draw(axes: plt.Axes, calls: list[Call], tracks: dict[int, str], span: tuple[float, float], title: str) -> None:
    """Draw the calls of a span, a row per thread and depth.

    Args:
        axes: where.
        calls: of the whole trace.
        tracks: number of a thread -> its name.
        span: begin and end, in microseconds.
        title: of the panel.
    """
    begin, end = span
    shown = [call for call in calls if call.end > begin and call.begin < end]
    top, ticks = 0.0, []
    for track in sorted(tracks):
        own = [call for call in shown if call.track == track]
        if not own:
            continue
        for call in own:
            left, right = max(call.begin, begin), min(call.end, end)
            y = top + ROW * call.depth
            axes.barh(
                y,
                right - left,
                ROW,
                left - begin,
                color=COLORS[call.phase],
                alpha=1 - 0.13 * min(call.depth, 3),
                edgecolor="white",
                lw=0.5,
                align="edge",
            )
            if (right - left) / (end - begin) > LETTER_SHARE * len(call.name):
                axes.text((left + right) / 2 - begin, y + ROW / 2, call.name, ha="center", va="center", fontsize=6.5)
        rows = 1 + max(call.depth for call in own)
        ticks.append((top + ROW * rows / 2, tracks[track].replace("MainThread", "main")))
        top += ROW * rows + GAP
    axes.set_ylim(top - GAP, 0)
    axes.set_xlim(0, end - begin)
    axes.set_yticks([y for y, _ in ticks], [f"thread\n{name}" for _, name in ticks], fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.set_xlabel("microseconds", fontsize=7)
    axes.set_title(title, fontsize=8, loc="left")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _rows(calls: list[Call]) -> int:
    """Rows of a panel: of each thread as many as its calls are deep."""
    deepest: dict[int, int] = {}
    for call in calls:
        deepest[call.track] = max(call.depth, deepest.get(call.track, 0))
    return sum(depth + 1 for depth in deepest.values())


def main() -> None:
    """Print a table for each file; with --out, draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--cycles", type=int, default=2)
    parser.add_argument("--out", type=Path, metavar="FILE.png")
    options = parser.parse_args()
    traces = [read(path) for path in options.files]
    for calls, _, about in traces:
        print(f"{about['preset']} on {about['environment']}\n{table(calls)}\n")
    if not options.out:
        return
    rows = [_rows(calls) for calls, _, _ in traces]
    figure, panels = plt.subplots(
        len(traces),
        1,
        figsize=(9, INCHES_A_ROW * sum(rows) + 0.75 * len(rows)),
        squeeze=False,
        gridspec_kw={"height_ratios": rows},
        layout="constrained",
    )
    for axes, (calls, tracks, about) in zip(panels[:, 0], traces, strict=True):
        title = f"{about['preset']} on {about['environment'].partition(':')[2]}: {options.cycles} cycles of an update"
        draw(axes, calls, tracks, window(calls, options.cycles), title)
    handles = [plt.Rectangle((0, 0), 1, 1, color=color) for color in COLORS.values()]
    figure.legend(handles, COLORS, loc="outside lower center", ncols=len(COLORS), fontsize=7, frameon=False)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.out, dpi=110)


if __name__ == "__main__":
    main()
