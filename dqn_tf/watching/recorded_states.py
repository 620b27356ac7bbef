"""States of a trained agent, recorded so that pictures of them can be drawn without it: one small file.

What is drawn of them: the states of many games in the plane by the activations of the last hidden layer (Mnih et al.
2015, doi 10.1038/nature14236, Figure 4; t-SNE: van der Maaten & Hinton 2008), the value before and after an event (Mnih
et al. 2013, arXiv 1312.5602, Figure 3), the first layer's filters, and saliency (saliency.py).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dqn_tf import envs
from dqn_tf import lazy_tf as tf
from dqn_tf.checks import ConfigError
from dqn_tf.trained import TrainedAgent
from dqn_tf.watching import saliency
from dqn_tf.watching.picture_series import SeriesReader
from dqn_tf.watching.played import Moment, Played, panels_of, play

STEPS_OF_EPISODE = 5_000  # most
THUMBNAILS, THUMBNAIL_SIDE = 12, 84  # pixels, at most
SALIENT = 3  # states
BEFORE, AFTER = 60, 30  # steps of the value trace around its event
BATCH = 256
FORMAT = 1


class RecordedStates(NamedTuple):
    """What was recorded; N states of several episodes.

    Attributes:
        about: whose states they are and how the pictures were computed, plain values.
        places: [N, 2] float32, t-SNE of the last hidden layer.
        values: [N] float32, max_a Q.
        thumbnails: [K, h, w, 3] uint8, of some of the states; K is 0 where there are no pictures.
        thumbnail_states: [K] int32, which.
        trace: [T] float32, the value around an event.
        trace_steps: [T] int32, their steps in the episode.
        trace_marks: [3] int32, places in ``trace``: before, at its height, after.
        trace_screens: [3, h, w, 3] uint8, what was to be seen there; or [0, ...].
        filters: [h, w, C, F] float32, kernels of the first convolution; F is 0 where there is none.
        saliency_screens: [S, H, W] uint8, what the network saw, the newest frame; S is 0 of vectors.
        saliency_perturbation: [S, H, W] float32.
        saliency_gradient: [S, H, W] float32.
    """

    about: dict[str, Any]
    places: np.ndarray
    values: np.ndarray
    thumbnails: np.ndarray
    thumbnail_states: np.ndarray
    trace: np.ndarray
    trace_steps: np.ndarray
    trace_marks: np.ndarray
    trace_screens: np.ndarray
    filters: np.ndarray
    saliency_screens: np.ndarray
    saliency_perturbation: np.ndarray
    saliency_gradient: np.ndarray


def record(agent: TrainedAgent, states: int, epsilon: float) -> RecordedStates:
    """Play until there are so many states, and compute what pictures need.

    Args:
        agent: that plays; it has not been asked for anything yet.
        states: how many are put into the plane; evenly out of all that were played.
        epsilon: probability of a random action.

    Returns:
        What was recorded; the same for the same agent and arguments.

    Raises:
        ConfigError: scikit-learn is not installed.
    """
    embed = embedding()
    played = play(agent, 1, epsilon, STEPS_OF_EPISODE, least_states=states, keep=True)
    moments = [moment for episode in played.episodes for moment in episode.moments if moment.q is not None]
    chosen = np.unique(np.linspace(0, len(moments) - 1, min(states, len(moments))).round().astype(int))
    some = [moments[index] for index in chosen]
    places = embed(_hidden(agent, some))
    values = np.array([value_of(moment) for moment in some], np.float32)
    spread = _spread(places, THUMBNAILS)
    look = _Look(agent, played)
    event = _event(played)
    screens = [look.picture(event.moments[index], THUMBNAIL_SIDE * 2) for index in event.places]
    salient = _salient(agent, [event.moments[event.places[1]], *(some[i] for i in spread[: SALIENT - 1])])
    return RecordedStates(
        about=_about(agent, played, epsilon, event),
        places=places,
        values=values,
        thumbnails=_stacked([look.picture(some[index], THUMBNAIL_SIDE) for index in spread]),
        thumbnail_states=np.array(spread, np.int32),
        trace=np.array([value_of(moment) for moment in event.moments], np.float32),
        trace_steps=np.arange(event.first, event.first + len(event.moments), dtype=np.int32),
        trace_marks=np.array(event.places, np.int32),
        trace_screens=_stacked(screens),
        filters=_filters(agent),
        saliency_screens=salient[0],
        saliency_perturbation=salient[1],
        saliency_gradient=salient[2],
    )


def write(path: Path, states: RecordedStates) -> None:
    """Write an npz file; equal states give equal bytes.

    Args:
        path: the file.
        states: what was recorded.
    """
    columns = {name: getattr(states, name) for name in states._fields if name != "about"}
    about = np.frombuffer(json.dumps(states.about, sort_keys=True).encode(), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        np.savez_compressed(file, about=about, **columns)


def read(path: Path) -> RecordedStates:
    """What ``write`` wrote.

    Raises:
        ConfigError: it is no such file, or one of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            columns = {name: archive[name] for name in archive.files}
        about = json.loads(columns.pop("about").tobytes())
        if about.get("format") != FORMAT or set(columns) != set(RecordedStates._fields) - {"about"}:
            raise ValueError("it has other parts")
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ConfigError(f"Expected a file of recorded states (dqn-tf pictures), got {path}: {error}") from error
    return RecordedStates(about=about, **columns)


def value_of(moment: Moment) -> float:
    """max_a Q(s, a) over the legal actions, of a state that is not terminal."""
    assert moment.q is not None
    return float(moment.q.max() if moment.legal is None else moment.q[moment.legal].max())


# -- the plane ---------------------------------------------------------------------------------------------------------
def embedding() -> Callable[[np.ndarray], np.ndarray]:
    """A function [N, H] -> [N, 2] float32: t-SNE.

    Raises:
        ConfigError: scikit-learn is not installed.
    """
    try:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise ConfigError(f"These pictures need the extra: pip install 'dqn_tf[pictures]' ({error})") from error

    def embed(hidden: np.ndarray) -> np.ndarray:
        if len(hidden) < 4 or not np.ptp(hidden, axis=0).any():  # t-SNE needs neighbors that differ
            return np.zeros((len(hidden), 2), np.float32)
        perplexity = min(30.0, (len(hidden) - 1) / 3)
        found = TSNE(n_components=2, perplexity=perplexity, init="pca", learning_rate="auto", random_state=0)
        with threadpool_limits(limits=1):  # the order of sums does not depend on the machine's cores
            return np.asarray(found.fit_transform(hidden.astype(np.float64)), np.float32)

    return embed


def _hidden(agent: TrainedAgent, moments: list[Moment]) -> np.ndarray:
    """The activations of the last hidden layer [N, H]."""
    seen = np.stack([np.asarray(moment.observation, np.float32) for moment in moments])
    parts = [agent.q_network.of_numbers(tf.constant(seen[i : i + BATCH]))[1] for i in range(0, len(seen), BATCH)]
    return np.concatenate([part.numpy() for part in parts])


def _spread(places: np.ndarray, number: int) -> list[int]:
    """States far from one another: each next one is the farthest from those that were taken."""
    taken = [int(np.argmin(places[:, 0]))]
    distance = np.full(len(places), np.inf)
    while len(taken) < min(number, len(places)):
        distance = np.minimum(distance, np.square(places - places[taken[-1]]).sum(axis=1))
        if distance.max() == 0:
            break
        taken.append(int(np.argmax(distance)))
    return taken


# -- the value trace ---------------------------------------------------------------------------------------------------
class _Event(NamedTuple):
    """States around an event; first: the step of the first; places: before, at the value's height, after."""

    moments: list[Moment]
    first: int
    places: tuple[int, int, int]
    what: str


def _event(played: Played) -> _Event:
    """The reward after which the value falls most; without a rare reward, the largest fall of the value."""
    moments = max(played.episodes, key=lambda episode: (episode.return_raw, len(episode.moments))).moments
    moments = moments[: next((i for i, moment in enumerate(moments) if moment.q is None), len(moments))]
    values = np.array([value_of(moment) for moment in moments])
    rewards = [moment.reward for moment in moments[:-1]]
    usual = max(sorted(set(rewards), key=str), key=rewards.count) if rewards else None
    paid = [step for step, reward in enumerate(rewards) if reward != usual and step + 1 < len(values)]
    what = "a reward" if paid else "the largest fall of the value"
    steps = paid or list(range(len(values)))

    def fall(step: int) -> float:
        return float(values[max(0, step - AFTER) : step + 1].max() - values[step : step + AFTER].min())

    center = max(steps, key=fall)
    first, end = max(0, center - BEFORE), min(len(values), center + AFTER + 1)
    top = max(first, center - AFTER) + int(values[max(first, center - AFTER) : center + 1].argmax())
    before = first + int(values[first : top + 1].argmin())
    after = top + int(values[top:end].argmin())
    return _Event(moments[first:end], first, (before - first, top - first, after - first), what)


# -- pictures ----------------------------------------------------------------------------------------------------------
class _Look:
    """The screens of what was played, or what the network saw where there are none."""

    def __init__(self, agent: TrainedAgent, played: Played) -> None:
        self._spec, self._panels = agent.spec.observation, SeriesReader(played.panels)
        self._screens = None if played.no_screen else SeriesReader(played.screens)

    def picture(self, moment: Moment, side: int) -> np.ndarray | None:
        """[h, w, 3] uint8 of at most ``side`` pixels; None: there is nothing to see."""
        if self._screens is not None and moment.screen is not None:
            picture = self._screens(moment.screen)
        elif moment.panels:
            picture = self._panels(moment.panels[-1])
        else:
            return None
        every = -(-max(picture.shape[:2]) // side)
        rows, columns = (size - size % every for size in picture.shape[:2])
        parts = picture[:rows, :columns].reshape(rows // every, every, columns // every, every, 3)
        mean: np.ndarray = np.rint(parts.mean(axis=(1, 3))).astype(np.uint8)
        return mean


def _stacked(pictures: list[np.ndarray | None]) -> np.ndarray:
    found = [picture for picture in pictures if picture is not None]
    return np.stack(found) if found else np.zeros((0, 1, 1, 3), np.uint8)


def _filters(agent: TrainedAgent) -> np.ndarray:
    for layer in agent.q_network.torso.layers:
        if isinstance(layer, tf.keras.layers.Conv2D):
            return np.asarray(layer.kernel, np.float32)
    return np.zeros((0, 0, 0, 0), np.float32)


def _salient(agent: TrainedAgent, moments: list[Moment]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What was seen, and the two maps; of images only."""
    spec, network = agent.spec.observation, agent.q_network
    if len(spec.frame_shape) < 2:
        empty = np.zeros((0, 1, 1), np.float32)
        return empty.astype(np.uint8), empty, empty
    seen = [np.asarray(moment.observation).reshape(*spec.frame_shape[:2], -1) for moment in moments]
    per_frame = [panels_of(np.asarray(moment.observation), spec) for moment in moments]
    newest = spec.frame_shape[2] if len(spec.frame_shape) == 3 and spec.frame_shape[2] not in (1, 3) else 1
    screens = [np.max([panel.reshape(*panel.shape[:2], -1).max(2) for panel in p[-newest:]], 0) for p in per_frame]
    maps = [[f(network, each) for each in seen] for f in (saliency.perturbation, saliency.gradient)]
    return np.stack(screens), np.stack(maps[0]), np.stack(maps[1])


def _about(agent: TrainedAgent, played: Played, epsilon: float, event: _Event) -> dict[str, Any]:
    config = agent.config
    return {
        "format": FORMAT,
        "agent": config.preset,
        "environment": envs.short_name(config.environment),
        "config_hash": config.hash,
        "network": agent.network,
        "frames": agent.frames,
        "seed": agent.seed,
        "epsilon": epsilon,
        "episodes": len(played.episodes),
        "event": event.what,
    }
