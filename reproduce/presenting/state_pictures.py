"""``dqn-tf pictures``: what a run's agent sees and values, as figures; and those of results/states/."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from dqn_tf.checks import ConfigError, expect
from dqn_tf.trained import Say
from reproduce.presenting import plots

STATES = "states"  # the folder in results/


def of_run(
    run_dir: Path,
    out: Path,
    *,
    states: int,
    epsilon: float | None = None,
    seed: int | None = None,
    network: Literal["last", "best"] | None = None,
    checkpoint: int | None = None,
    say: Say = print,
) -> Iterator[Path]:
    """Record states of a run's agent and draw them; nothing is written to the run.

    Args:
        run_dir: the directory of the run.
        out: a folder, for states.npz and the figures.
        states: how many are put into the plane.
        epsilon: probability of a random action; that of the run's evaluations by default.
        seed: of the episodes; the run's own by default.
        network: as for ``dqn_tf.load``.
        checkpoint: as for ``dqn_tf.load``.
        say: called with a sentence about every checkpoint that is skipped.

    Yields:
        Each file once it is written.

    Raises:
        ConfigError: before anything is played: there is no such run, network or checkpoint, a number is out of range,
            or scikit-learn is not installed.
    """
    from dqn_tf import determinism, trained
    from dqn_tf.watching import recorded_states

    config = trained.read_config(run_dir)
    epsilon = config.evaluation.epsilon if epsilon is None else epsilon
    expect(0 <= epsilon <= 1, "a probability in [0, 1]", "--epsilon", epsilon)
    if out.exists() and not out.is_dir():
        raise ConfigError(f"Expected a folder for --out, got the file {out}.")
    recorded_states.embedding()
    determinism.enable(config.agent.execution.threads)
    agent = trained.load(run_dir, network, seed=seed, checkpoint=checkpoint, say=say)
    recorded = recorded_states.record(agent, states, epsilon)
    recorded_states.write(out / "states.npz", recorded)
    yield out / "states.npz"
    yield from draw(out / "states.npz", out)


def draw(file: Path, folder: Path) -> Iterator[Path]:
    """Draw a file of recorded states.

    Args:
        file: states.npz of a run, or one of results/states/.
        folder: where to write <figure>.svg, or .png where that is smaller.

    Yields:
        Each file once it is written.
    """
    from dqn_tf.watching import recorded_states
    from reproduce.presenting.plots import states as state_figures

    for name, figure in state_figures.drawn(recorded_states.read(file)).items():
        yield plots.save_one(figure, folder / name)


def of_results(folder: Path, out: Path) -> Iterator[Path]:
    """Draw every file of states/ in a results folder.

    Args:
        folder: the results folder; it may have no states.
        out: results/plots, or another folder: states/<file>/<figure>.svg or .png are written below it.

    Yields:
        Each file once it is written.
    """
    for file in sorted((folder / STATES).glob("*.npz")):
        yield from draw(file, out / STATES / file.stem)
