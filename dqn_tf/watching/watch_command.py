"""``dqn-tf watch``: an agent plays, and one page shows what it sees, values and does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from dqn_tf import determinism, trained
from dqn_tf.checks import ConfigError, expect
from dqn_tf.watching import played, watch_page, watch_video


def watch(
    run_dir: str | Path,
    out: str | Path | None = None,
    *,
    episodes: int = 1,
    seed: int | None = None,
    epsilon: float | None = None,
    network: Literal["last", "best"] | None = None,
    checkpoint: int | None = None,
    most_steps: int = 2000,
    mp4: str | Path | None = None,
    environment: Callable[..., Any] | None = None,
    say: trained.Say = print,
) -> Path:
    """Play episodes with an agent and write a page about them; nothing else is written to the run.

    Args:
        run_dir: the directory of the run, or an archive, as for ``load``.
        out: the page; by default watch.html in the run's directory, or beside the archive.
        episodes: how many to play.
        seed: of the episodes; the run's own by default.
        epsilon: probability of a random action; that of the run's evaluations by default.
        network, checkpoint, environment: as for ``load``.
        most_steps: of an episode; it is cut there.
        mp4: a video to write, too (needs the extra ``video``).
        say: called with a sentence about every episode, and about every checkpoint that is skipped.

    Returns:
        The page's file.

    Raises:
        ConfigError: before anything is played: there is no such run, network or checkpoint, a number is out of range,
            or a file cannot be written so.
        RunError: there is no checkpoint that verifies, or the environment failed.
    """
    config = trained.read_config(run_dir)
    page = _beside(Path(run_dir)) if out is None else Path(out)
    video = None if mp4 is None else Path(mp4)
    epsilon = config.evaluation.epsilon if epsilon is None else epsilon
    _check(page, video, epsilon, episodes, most_steps)
    determinism.enable(config.agent.execution.threads)
    agent = trained.load(run_dir, network, seed=seed, environment=environment, checkpoint=checkpoint, say=say)
    found = played.play(agent, episodes, epsilon, most_steps)
    for line in played.describe(found):
        say(line)
    _whole(page, lambda path: path.write_text(watch_page.page(agent, found, epsilon), encoding="utf-8"))
    if video is not None:
        _whole(video, lambda path: watch_video.write(path, agent, found))
    return page


def _beside(home: Path) -> Path:
    """Where the page goes: into a run's directory, beside an archive."""
    return home.with_suffix(".html") if home.is_file() else home / "watch.html"


def _check(page: Path, video: Path | None, epsilon: float, episodes: int, most_steps: int) -> None:
    """Raises ConfigError: a number is out of range, or a file cannot be written so."""
    expect(0 <= epsilon <= 1, "a probability in [0, 1]", "--epsilon", epsilon)
    expect(episodes >= 1, "at least 1", "--episodes", episodes)
    expect(most_steps >= 1, "at least 1", "--steps", most_steps)
    if page.is_dir():
        raise ConfigError(f"Expected a file for --out, got the directory {page}.")
    if video is not None:
        expect(video.suffix == ".mp4" and not video.is_dir(), "a file that ends in .mp4", "--mp4", str(video))
        watch_video.writer()


def _whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file under a temporary name, then rename it: it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{path.name}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
