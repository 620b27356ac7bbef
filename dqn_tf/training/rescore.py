"""What can be computed from a run's newest checkpoint: its digest, and how well its agent plays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from dqn_tf import determinism, envs, trained
from dqn_tf.checks import ConfigError, expect
from dqn_tf.config import RunConfig
from dqn_tf.training import evaluation


def digest_of(run_dir: str | Path, say: trained.Say = print) -> str:
    """SHA-256 of the state in the newest checkpoint of a run, recomputed from its bytes; needs no TensorFlow.

    Args:
        run_dir: the directory of the run.
        say: called with a sentence about every checkpoint that is skipped.

    Returns:
        64 hexadecimal digits.

    Raises:
        ConfigError: there is no run.
        RunError: there is no checkpoint, or none that verifies.
    """
    _, state, read_piece = trained.read(run_dir, say)
    for name in {*state["replay"]["segments"], *filter(None, [state["heldout"]])}:
        read_piece(name)  # raises if the content is not what the name says
    return determinism.digest(state)


def evaluate(
    run_dir: str | Path,
    episodes: int,
    epsilon: float | None = None,
    seed: int | None = None,
    video: Path | None = None,
    network: Literal["last", "best"] | None = None,
    environment: Callable[..., Any] | None = None,
    say: trained.Say = print,
) -> dict[str, Any]:
    """Play episodes with a network of the newest checkpoint, under the run's evaluation protocol.

    Random streams are "evaluate/...", so the scores are new ones.  Nothing is written to the run.

    Args:
        run_dir: the directory of the run.
        episodes: how many to play.
        epsilon: probability of a random action; the run's own by default.
        seed: of the random streams; the run's own by default.
        video: a file for a recording of the first episode (needs the extra ``video``).
        network: as for ``load``.
        environment: as for ``train``: what makes it, where only this program has it.
        say: called with a sentence about every checkpoint that is skipped.

    Returns:
        return_mean, return_std, return_min, return_max (raw, undiscounted), episodes, epsilon, seed, network, and
        frames (of its training).

    Raises:
        ConfigError: before anything is played: there is no run, or it keeps no best network.
        RunError: there is no checkpoint, or none that verifies.
    """
    config = trained.read_config(run_dir)
    epsilon = _epsilon(epsilon, config)
    recorder = Recorder(video.absolute()) if video else None
    determinism.enable(config.agent.execution.threads)
    agent = trained.load(run_dir, network, seed=seed, environment=environment, say=say)
    scores = evaluation.play(
        dataclasses.replace(config, seed=agent.seed),
        agent.q_values,
        "evaluate",
        episodes=episodes,
        epsilon=epsilon,
        watch=recorder.watch if recorder else None,
        say=say,
    )
    if recorder:
        recorder.save()
    identity = {"epsilon": epsilon, "seed": agent.seed, "network": agent.network, "frames": agent.frames}
    return {**evaluation.summary(scores), **identity}


def _epsilon(asked: float | None, config: RunConfig) -> float:
    epsilon = config.evaluation.epsilon if asked is None else asked
    expect(0 <= epsilon <= 1, "a probability in [0, 1]", "--epsilon", epsilon)
    return epsilon


class Recorder:
    """Keeps the screens of an episode and writes them as a GIF or, by the file's ending, any format imageio knows."""

    STEPS_PER_SECOND, MOST_STEPS = 15, 3000

    def __init__(self, path: Path) -> None:
        """
        Args:
            path: the file to write.

        Raises:
            ConfigError: imageio is not installed.
        """
        try:
            import imageio.v3
        except ImportError as error:
            raise ConfigError(f"Recording a video needs the extra: pip install 'dqn_tf[video]' ({error})") from error
        self.path, self._write, self._screens = path, imageio.v3.imwrite, []  # type: ignore[var-annotated]

    def watch(self, environment: envs.Environment) -> None:
        """Called after every step of the first episode."""
        if len(self._screens) < self.MOST_STEPS:
            self._screens.append(environment.render())

    def save(self) -> None:
        """Write the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        extra = (
            {"duration": 1000 / self.STEPS_PER_SECOND, "loop": 0}
            if self.path.suffix == ".gif"
            else {"fps": self.STEPS_PER_SECOND}
        )
        self._write(self.path, self._screens, **extra)
