"""The episodes as an MP4 file: screen, what the network sees, and the value of each action, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dqn_tf.checks import ConfigError
from dqn_tf.trained import TrainedAgent
from dqn_tf.watching.picture_series import SeriesReader
from dqn_tf.watching.played import Moment, Played

STEPS_PER_SECOND, INCHES, DPI = 15, (9.6, 5.4), 100
TAKEN, RANDOM, OTHER = "#0072b2", "#c4320a", "#b9c4cc"


def writer() -> Any:
    """The module that writes videos.

    Raises:
        ConfigError: the extra is not installed.
    """
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise ConfigError(f"Writing a video needs the extra: pip install 'dqn_tf[video]' ({error})") from error
    return imageio_ffmpeg


def write(path: Path, agent: TrainedAgent, played: Played) -> None:
    """Write the file; equal episodes give equal bytes with one version of ffmpeg.

    Args:
        path: the file, .mp4.
        agent: that played.
        played: its episodes.

    Raises:
        ConfigError: the extra is not installed.
    """
    size = (int(INCHES[0] * DPI), int(INCHES[1] * DPI))
    exact = ["-bitexact", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-threads", "1"]
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = writer().write_frames(
        str(path), size, fps=STEPS_PER_SECOND, quality=7, macro_block_size=2, output_params=exact
    )
    frames.send(None)
    try:
        drawing = _Drawing(agent, played)
        for number, episode in enumerate(played.episodes, start=1):
            for step, moment in enumerate(episode.moments):
                frames.send(drawing.frame(moment, f"episode {number}, step {step}, return {moment.score:g}"))
    finally:
        frames.close()


class _Drawing:
    """A figure whose parts are changed from step to step."""

    def __init__(self, agent: TrainedAgent, played: Played) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._screens, self._panels = SeriesReader(played.screens), SeriesReader(played.panels)
        figure = Figure(figsize=INCHES, dpi=DPI)
        self._canvas = FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2, width_ratios=[1, 1])
        self._title = figure.suptitle("", fontsize=11)
        left.set_axis_off()
        self._image: Any = None
        self._axis = left
        q = [moment.q for episode in played.episodes for moment in episode.moments if moment.q is not None]
        lowest, highest = min(0.0, float(np.min(q))), max(0.0, float(np.max(q)))
        names = agent.spec.action_names
        self._bars = right.barh(range(len(names)), np.zeros(len(names)))
        right.set(xlim=(lowest, highest if highest > lowest else lowest + 1), xlabel="Q-value")
        right.set_yticks(range(len(names)), names, fontsize=8)
        right.invert_yaxis()
        right.set_title("blue: the action taken; red: at random", fontsize=9)
        figure.tight_layout()

    def frame(self, moment: Moment, title: str) -> bytes:
        """The picture of a moment, RGB row by row."""
        self._title.set_text(title)
        picture = self._picture(moment)
        if self._image is None:
            self._image = self._axis.imshow(picture, interpolation="nearest")
        self._image.set_data(picture)
        for action, bar in enumerate(self._bars):
            bar.set_width(0.0 if moment.q is None else float(moment.q[action]))
            bar.set_color((RANDOM if moment.random else TAKEN) if action == moment.action else OTHER)
        self._canvas.draw()
        return np.ascontiguousarray(np.asarray(self._canvas.buffer_rgba())[..., :3]).tobytes()

    def _picture(self, moment: Moment) -> np.ndarray:
        if moment.screen is not None:
            return self._screens(moment.screen)
        if moment.panels:
            return self._panels(moment.panels[-1])
        vector = np.zeros(1) if moment.vector is None else moment.vector
        shown = np.tanh(vector.astype(np.float64))[None, :, None]  # no screen: each number as a gray, 0 in the middle
        return np.repeat(np.rint(127.5 + 127.5 * shown).astype(np.uint8), 3, axis=2)
