"""One self-contained HTML page about episodes that were played: everything is inside, nothing is loaded."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dqn_tf import envs, fields
from dqn_tf.trained import TrainedAgent
from dqn_tf.types import ObservationSpec
from dqn_tf.watching.distributions import Kind
from dqn_tf.watching.picture_series import CHUNK, PictureSeries
from dqn_tf.watching.played import Moment, Played

LEVELS = 65535  # to which the numbers of distributions are rounded
MOST_COMPONENTS = 64  # of a vector that are shown


def page(agent: TrainedAgent, played: Played, epsilon: float) -> str:
    """The page.

    Args:
        agent: that played.
        played: its episodes.
        epsilon: it took random actions with this probability.

    Returns:
        HTML; equal arguments give equal bytes, whenever and wherever the page is made.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
    )
    name = envs.short_name(agent.config.environment)
    return templates.get_template("watch.html").render(
        title=f"{agent.config.preset} plays {name}",
        about=_about(agent, epsilon),
        no_screen=played.no_screen,
        seen=_seen_words(agent.spec.observation, played),
        discount=f"{agent.config.agent.discount:g}",
        clip=_clip_words(agent),
        distribution=played.kind.words if played.kind else "",
        data=data(agent, played),
    )


def data(agent: TrainedAgent, played: Played) -> dict[str, Any]:
    """What the page's script shows, as plain values for JSON.

    Args:
        agent: that played.
        played: its episodes.

    Returns:
        Columns, one entry for each moment of all episodes; pictures and distributions are compressed, as base64.
    """
    moments = [moment for episode in played.episodes for moment in episode.moments]
    starts = np.cumsum([0, *(len(episode.moments) for episode in played.episodes)]).tolist()
    masked = any(moment.legal is not None for moment in moments)
    return {
        "actions": list(agent.spec.action_names),
        "episodes": [
            {"first": first, "moments": len(e.moments), "return": _short(e.return_raw), "ending": e.ending}
            for first, e in zip(starts, played.episodes, strict=False)
        ],
        "screens": _series(played.screens),
        "panels": _series(played.panels),
        "labels": panel_labels(agent.spec.observation),
        "screen": [m.screen for m in moments] if not played.no_screen else None,
        "panel": [m.panels for m in moments] if len(played.panels) else None,
        "vector": None if moments[0].vector is None else [_numbers(m.vector) for m in moments],
        "q": [_numbers(m.q) for m in moments],
        "action": [m.action for m in moments],
        "random": [int(m.random) for m in moments],
        "legal": [None if m.legal is None else m.legal.astype(int).tolist() for m in moments] if masked else None,
        "reward": [_short(m.reward) for m in moments],
        "td": [_short(m.td_error) for m in moments],
        "score": [_short(m.score) for m in moments],
        "distribution": _distribution(moments, played.kind),
    }


def _short(number: float | None, digits: int = 5) -> float | None:
    return None if number is None else float(f"{number:.{digits}g}")


def _numbers(values: np.ndarray | None) -> list[float | None] | None:
    return None if values is None else [_short(float(value)) for value in values[:MOST_COMPONENTS]]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _series(series: PictureSeries) -> dict[str, Any] | None:
    if series.size is None:
        return None
    height, width = series.size
    chunks = [
        {"palette": None if c.palette is None else _text(c.palette.tobytes()), "data": _text(c.data)}
        for c in series.chunks
    ]
    return {"height": height, "width": width, "per_chunk": CHUNK, "chunks": chunks}


def _distribution(moments: Sequence[Moment], kind: Kind | None) -> dict[str, Any] | None:
    """The distributions of all moments, rounded to ``LEVELS`` between the lowest and the highest number."""
    found = [moment.dist for moment in moments if moment.dist is not None]
    if kind is None or not found:
        return None
    empty = np.zeros_like(found[0])
    numbers = np.stack([empty if moment.dist is None else moment.dist for moment in moments]).astype(np.float64)
    low, high = (0.0, 1.0) if kind.support else (float(numbers.min()), float(numbers.max()))
    high = high if high > low else low + 1
    levels = np.rint((numbers - low) / (high - low) * LEVELS).astype("<u2")
    return {
        "kind": kind.name,
        "number": kind.number,
        "low": low,
        "high": high,
        "support": list(kind.support) if kind.support else None,
        "data": _text(zlib.compress(levels.tobytes(), 9)),
    }


def panel_labels(spec: ObservationSpec) -> list[str]:
    """What the pictures of ``panels_of`` are, in its order.

    >>> panel_labels(ObservationSpec((84, 84), "uint8", stack=3))
    ['frame 1', 'frame 2', 'frame 3']
    """
    if len(spec.frame_shape) < 2:
        return []
    frames = [f"frame {number + 1}" for number in range(spec.stack or 1)]
    channels = spec.frame_shape[2] if len(spec.frame_shape) == 3 else 1
    if channels in (1, 3):
        return frames
    return [f"channel {c + 1}" + (f", {frame}" if len(frames) > 1 else "") for frame in frames for c in range(channels)]


def _about(agent: TrainedAgent, epsilon: float) -> list[tuple[str, str]]:
    config, noise = agent.config, {"on": "drawn for every action", "off": "off: the means of the weights act"}
    rows = [
        ("Agent", config.preset),
        ("Environment", envs.short_name(config.environment)),
        ("Protocol", fields.kind(config.protocol) if config.protocol else "none"),
        ("Network", f"the {agent.network} one, after {agent.frames:,} frames of training"),
        ("Random actions", f"with probability {epsilon:g}"),
        ("Seed", f"{agent.seed} of the episodes, {config.seed} of the run"),
        ("Run", config.hash[:16]),
    ]
    return [*rows, ("Noise", noise[agent.noise])] if agent.noise != "none" else rows


def _seen_words(spec: ObservationSpec, played: Played) -> str:
    shape = " x ".join(map(str, spec.shape))
    if len(played.panels):
        order = {
            "zeros_before": "the newest frame is the last",
            "zeros_after": "the newest frame is the last; while an episode is younger than the stack, empty ones are",
            "repeat_first": "the newest frame is the last",
        }
        stacked = f"; {order[spec.padding]}" if (spec.stack or 1) > 1 else ""
        return f"{shape} numbers ({spec.dtype}){stacked}. Black is 0 and white 1 at the network's input."
    more = f", of which the first {MOST_COMPONENTS} are shown" if np.prod(spec.shape) > MOST_COMPONENTS else ""
    return f"{shape} numbers ({spec.dtype}){more}."


def _clip_words(agent: TrainedAgent) -> str:
    clip = agent.config.protocol.reward_clip if agent.config.protocol else None
    return "" if clip is None else f", r clipped to [{clip[0]:g}, {clip[1]:g}] as in training"
