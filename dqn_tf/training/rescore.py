"""What can be asked of a run's newest checkpoint: its digest, and how well its agent plays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from dqn_tf import determinism, envs
from dqn_tf.checks import ConfigError, RunError, expect
from dqn_tf.config import RunConfig
from dqn_tf.learning.learner import Learner
from dqn_tf.training import evaluation
from dqn_tf.training.checkpoint import Columns, Store
from dqn_tf.training.run_dir import read_json

Say = Callable[[str], None]


def _load(run_dir: str | Path, say: Say) -> tuple[RunConfig, dict[str, Any], Callable[[str], Columns]]:
    path = Path(run_dir)
    if not (path / "config.json").exists():
        raise ConfigError(f"Expected a run directory, got {path}: it has no config.json.")
    config = RunConfig.from_json(read_json(path / "config.json"))
    loaded = Store(path / "checkpoints", config.hash).load(say)
    if loaded is None:
        raise RunError(f"Expected a checkpoint in {path / 'checkpoints'}, found none.")
    return config, loaded[1]["run"], loaded[2]


def digest_of(run_dir: str | Path, say: Say = print) -> str:
    """SHA-256 of the state in the newest checkpoint of a run, recomputed from its bytes; needs no TensorFlow.

    Raises ConfigError if this is no run, RunError if there is no checkpoint, or none that verifies.
    """
    _, state, blob = _load(run_dir, say)
    for name in {*state["replay"]["segments"], *filter(None, [state["heldout"]])}:
        blob(name)  # raises if the content is not what the name says
    return determinism.digest(state)


def evaluate(
    run_dir: str | Path,
    episodes: int,
    epsilon: float | None = None,
    seed: int | None = None,
    video: Path | None = None,
    network: Literal["last", "best"] | None = None,
    say: Say = print,
) -> dict[str, Any]:
    """Play ``episodes`` episodes with a network of the newest checkpoint, under the run's evaluation protocol.

    epsilon, seed: the run's own by default; streams are "evaluate/...", so the scores are new ones.  video: record the
    first episode there (needs the extra ``video``).  network: "last", or the "best" of the evaluations so far; by
    default the one that the run's final evaluation is of.  Returns return_mean, _std, _min, _max, episodes, epsilon,
    seed, network, frames (of its training).  Nothing is written to the run.  Raises ConfigError, before anything is
    played, if the run keeps no best network.
    """
    expect(network in (None, "last", "best"), "last or best", "--network", network)
    config, state, _ = _load(run_dir, say)
    best: dict[str, Any] | None = state.get("best")
    if network == "best" and not best:
        raise ConfigError(
            f"{run_dir} keeps no best network: expected `evaluation.final_network=best` and an evaluation before now, "
            f"got `{config.evaluation.final_network}`. Ask for --network last."
        )
    if network == "last" or not best:
        network, frames, theta = "last", state["counters"]["frames"], {}
    else:
        network, frames, theta = "best", best["frames"], best["theta"]
    epsilon = config.evaluation.epsilon if epsilon is None else epsilon
    expect(0 <= epsilon <= 1, "a probability in [0, 1]", "--epsilon", epsilon)
    config = dataclasses.replace(config, seed=config.seed if seed is None else seed)
    recorder = Recorder(video) if video else None
    determinism.enable(config.agent.execution.threads)
    environment = envs.make(config.environment, config.protocol, config.seed)
    learner = Learner(config.agent, environment.spec, config.seed)
    environment.close()
    learner.restore(state["learner"])
    learner.set_theta(theta)
    scores = evaluation.play(
        config,
        learner.scorer("evaluate"),
        "evaluate",
        episodes=episodes,
        epsilon=epsilon,
        watch=recorder.watch if recorder else None,
        say=say,
    )
    if recorder:
        recorder.save()
    identity = {"epsilon": epsilon, "seed": config.seed, "network": network, "frames": int(frames)}
    return {**evaluation.summary(scores), **identity}


class Recorder:
    """Keeps the screens of an episode and writes them as a GIF or, by the file's ending, any format imageio knows."""

    STEPS_PER_SECOND, MOST_STEPS = 15, 3000

    def __init__(self, path: Path) -> None:
        try:
            import imageio.v3
        except ImportError as error:
            raise ConfigError("Recording a video needs the extra: pip install 'dqn_tf[video]'") from error
        self.path, self._write, self._screens = path, imageio.v3.imwrite, []  # type: ignore[var-annotated]

    def watch(self, environment: envs.Environment) -> None:
        """Called after every step of the first episode."""
        if len(self._screens) < self.MOST_STEPS:
            self._screens.append(environment.render())

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        extra = (
            {"duration": 1000 / self.STEPS_PER_SECOND, "loop": 0}
            if self.path.suffix == ".gif"
            else {"fps": self.STEPS_PER_SECOND}
        )
        self._write(self.path, self._screens, **extra)
