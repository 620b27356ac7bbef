"""Learning curves to choose from in a browser: environments, agents, axes, smoothing (Vega-Altair, extra ``charts``).

A chart is one Vega-Lite specification; Vega's scripts are put into the page, so that nothing is fetched.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dqn_tf import plain_json

MEASURES = {  # column of the curves -> what it is
    "train_return": "episodes of training, mean per iteration",
    "eval_return": "evaluation, mean per phase",
    "max_q": "value of held-out states, mean max Q",
}
SMOOTHING = (1, 5, 20)  # iterations that a trailing mean is over
DIGITS = 5  # of a number
DATA = "runs"
BUNDLED = "window.vegaEmbed = vegaEmbed;"  # what the script leaves to the page
HEIGHT = 340  # pixels


def available() -> bool:
    """Whether the extra is installed."""
    try:
        import altair
        import vl_convert
    except ImportError:
        return False
    return bool(altair and vl_convert)


def rows(curves: pd.DataFrame) -> list[dict[str, Any]]:
    """The data of a chart: a row for each run and measure that has numbers.

    Args:
        curves: rows of ``CURVE_COLUMNS``.

    Returns:
        agent, environment, seed, measure, value (a list); and first, step (frames) where they are evenly spaced, else
        frames (a list).
    """
    several = curves["collection"].nunique() > 1
    found = []
    for key, run in curves.groupby(["collection", "agent", "environment", "seed"], sort=True):
        collection, agent, environment, seed = key if isinstance(key, tuple) else (key,) * 4
        for column, words in MEASURES.items():
            there = run[run[column].notna()].sort_values("frames")
            if len(there):
                who = {"agent": f"{collection}: {agent}" if several else agent, "environment": environment}
                value = [float(f"{number:.{DIGITS}g}") for number in there[column].astype(float)]
                frames = _spaced(there["frames"].astype(np.int64).tolist())
                found.append({**who, "seed": int(str(seed)), "measure": words, "value": value, **frames})
    return found


def _spaced(frames: Sequence[int]) -> dict[str, Any]:
    """first and step, or frames.

    >>> _spaced([10, 20, 30]), _spaced([10, 20, 25])
    ({'first': 10, 'step': 10}, {'frames': [10, 20, 25]})
    """
    steps = set(np.diff(frames).tolist())
    if len(steps) == 1 and min(steps) > 0:
        return {"first": frames[0], "step": steps.pop()}
    return {"frames": list(frames)}


def specification(data: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The chart, in Vega-Lite.

    Args:
        data: as ``rows`` gives it, at least one row.

    Returns:
        The specification with its data.
    """
    import altair as alt

    environments = sorted({str(row["environment"]) for row in data})
    measures = [words for words in MEASURES.values() if any(row["measure"] == words for row in data)]
    agents = sorted({str(row["agent"]) for row in data})
    params = [
        _select(alt, "environment", "Environment ", environments),
        _select(alt, "measure", "Shown ", measures),
        _select(alt, "smoothing", "Trailing mean over iterations ", list(SMOOTHING)),
        alt.param(name="log_frames", value=False, bind=alt.binding_checkbox(name="Frames on a log axis ")),
        alt.param(name="log_return", value=False, bind=alt.binding_checkbox(name="Returns on a log axis ")),
    ]
    chosen = alt.selection_point(name="agents", fields=["agent"], bind="legend", toggle="true")
    chart = _layers(alt, _transformed(alt, alt.Chart(alt.NamedData(name=DATA))), chosen, agents)
    chart = chart.properties(width="container", height=HEIGHT).add_params(*params)
    found: dict[str, Any] = chart.to_dict()
    return {**found, "datasets": {DATA: list(data)}}


def _select(alt: Any, name: str, words: str, options: Sequence[Any]) -> Any:
    return alt.param(name=name, value=options[0], bind=alt.binding_select(options=list(options), name=words))


def _transformed(alt: Any, chart: Any) -> Any:
    """One row per run and iteration of what is chosen, with the places of its point: across, up."""
    spaced = "sequence(datum.first, datum.first + (length(datum.value) - 0.5) * datum.step, datum.step)"
    chart = chart.transform_filter("datum.environment === environment && datum.measure === measure")
    chart = chart.transform_calculate(frames=f"isValid(datum.step) ? {spaced} : datum.frames")
    chart = chart.transform_flatten(["frames", "value"])
    for iterations in SMOOTHING[1:]:
        chart = chart.transform_window(
            window=[alt.WindowFieldDef(op="mean", field="value", **{"as": f"mean_{iterations}"})],
            frame=[1 - iterations, 0],
            groupby=["agent", "seed"],
            sort=[alt.SortField("frames")],
        )
    shown = "datum.value"
    for iterations in SMOOTHING[1:]:
        shown = f"smoothing == {iterations} ? datum.mean_{iterations} : ({shown})"
    return chart.transform_calculate(shown=shown)


_UP = "log_return ? (datum.{0} < 0 ? -1 : 1) * log(1 + abs(datum.{0})) / LN10 : datum.{0}"
_ACROSS = "log_frames ? log(max(1, datum.frames)) / LN10 : datum.frames"
_UP_LABEL = "format(log_return ? (datum.value < 0 ? -1 : 1) * (pow(10, abs(datum.value)) - 1) : datum.value, '~s')"
_ACROSS_LABEL = "format(log_frames ? pow(10, datum.value) : datum.value, '~s')"


def _layers(alt: Any, chart: Any, chosen: Any, agents: Sequence[str]) -> Any:
    """A thin line for each seed, a thick one for their mean, and what is under the pointer."""
    color = alt.Color("agent:N", scale=alt.Scale(domain=list(agents), range=_colors(len(agents))), title="Agent")
    color = color.legend(orient="bottom", columns=2, labelLimit=320, symbolLimit=0)
    across = alt.X("across:Q", title="frames", axis=alt.Axis(labelExpr=_ACROSS_LABEL), scale=alt.Scale(zero=False))
    up = alt.Y("up:Q", title="return or value", axis=alt.Axis(labelExpr=_UP_LABEL), scale=alt.Scale(zero=False))
    here = chart.transform_filter(chosen)
    each = here.transform_calculate(across=_ACROSS, up=_UP.format("shown"))
    lines = each.mark_line(strokeWidth=0.8, opacity=0.35).encode(x=across, y=up, color=color, detail="seed:N")
    means = here.transform_aggregate(mean="mean(shown)", seeds="distinct(seed)", groupby=["agent", "frames"])
    means = means.transform_calculate(across=_ACROSS, up=_UP.format("mean"))
    tips = [
        alt.Tooltip("agent:N", title="agent"),
        alt.Tooltip("frames:Q", title="frames", format=","),
        alt.Tooltip("mean:Q", title="mean over seeds", format=".5~g"),
        alt.Tooltip("seeds:Q", title="seeds"),
    ]
    thick = means.mark_line(strokeWidth=2.4).encode(x=across, y=up, color=color)
    points = means.mark_point(size=90, filled=True, opacity=0).encode(x=across, y=up, color=color, tooltip=tips)
    return alt.layer(lines, thick, points.add_params(chosen))


def _colors(number: int) -> list[str]:
    from reproduce.presenting.plots.style import OURS, PUBLISHED

    several = (PUBLISHED, *OURS)
    return [several[index % len(several)] for index in range(number)]


def explanation(data: Sequence[Mapping[str, Any]]) -> str:
    """What the chart shows and how it is smoothed, for its reader."""
    runs = len({(row["agent"], row["environment"], row["seed"]) for row in data})
    return (
        f"{runs:,} runs. A thin line is a seed, a thick one the mean over seeds at the same frame. Smoothing is a "
        f"trailing mean over the last iterations of a run, {', '.join(map(str, SMOOTHING))} of them (1: none); the "
        "first points have fewer. A log axis of returns shows sign(y) log10(1 + |y|). A click on an agent in the "
        "legend shows it alone; more clicks add others, a click beside them shows all."
    )


@functools.cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that can stand in a page."""
    import vl_convert

    return str(vl_convert.javascript_bundle(BUNDLED)).replace("</script", "<\\/script")


def call(place: str) -> str:
    """The script that draws a chart: the JSON of element ``place``-data, at element ``place``.

    Expressions are interpreted, not compiled, as the pages' policy forbids eval.
    """
    return (
        f'vegaEmbed("#{place}", JSON.parse(document.getElementById("{place}-data").textContent), '
        '{actions: false, ast: true, renderer: "canvas"});'
    )


def json_of(data: Sequence[Mapping[str, Any]]) -> str:
    """The specification as JSON that can stand in a page's script element."""
    return plain_json.dumps(specification(data)).replace("<", "\\u003c")
