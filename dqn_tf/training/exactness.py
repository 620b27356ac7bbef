"""Whether a run's environment can be restored exactly: tried before training, shown, and noted in manifest.json."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dqn_tf import envs, outside
from dqn_tf.checks import ConfigError, InexactRestore, RunError
from dqn_tf.config import RunConfig

ADVICE = (
    "To continue nevertheless, where the episode under way begins again: --resume inexact "
    '(Options(resume="inexact")). manifest.json will say where.'
)
BROKEN = "The promise does not hold for this run: "


def check_environment(environment: Callable[..., Any], config: RunConfig) -> None:
    """Make a function of this program known, so that its environment can be made.

    Args:
        environment: makes the environment.
        config: of the run.

    Raises:
        ConfigError: it is not the one that the configuration names.
    """
    given, named = envs.identify(environment), config.environment
    if given.partition("{")[0] != named.partition("{")[0]:
        raise ConfigError(
            f"Expected the environment of the configuration, {named!r}, for `environment`, got {given!r}. Give the "
            "same function to make_config and to train."
        )


def trial_of(config: RunConfig) -> dict[str, Any] | None:
    """A trial of the run's environment, as it goes to manifest.json; None for the games that this package plays itself.

    Raises:
        ConfigError: its answers cannot be used, or only one object of it can exist and the run asks for several.
    """
    kind, _, name = config.environment.partition(":")
    if kind != "gym":
        return None
    from dqn_tf.envs.trial import examine

    rules = config.protocol if isinstance(config.protocol, envs.GymnasiumProtocol | envs.ImageProtocol) else None
    with outside.folder_kept():
        trial = examine(name, config.seed, protocol=rules)
    if trial.alone:
        _check_alone(config, name, trial.alone)
    return trial._asdict()


def _check_alone(config: RunConfig, name: str, why: str) -> None:
    execution = config.agent.execution
    several, workers = getattr(execution, "environments", 1), getattr(execution, "workers", 0)
    if several > 1 or workers:
        wanted = f"{several} environments in {workers} worker processes" if workers else f"{several} environments"
        raise ConfigError(
            f"Expected more than one object of {name} at a time for {wanted}, got: {why} Set "
            "`execution.environments`=1 and `execution.workers`=0, or execution=interleaved."
        )


def note_trial(trial: dict[str, Any], manifest: dict[str, Any]) -> list[str]:
    """Note a trial in a manifest.

    Args:
        trial: as of ``trial_of``.
        manifest: is changed.

    Returns:
        What to say of it at the start, a line each.
    """
    manifest["environment_trial"] = trial
    lines: list[str] = []
    if trial["broken"]:
        manifest["promise"] = BROKEN + trial["broken"]
        lines.append(
            f"THIS RUN WILL NOT BE EXACT. {trial['broken']} Its bytes differ from those of another run with the same "
            f"seed, and it cannot be continued exactly. {ADVICE} `dqn-tf check-env` shows all that was found."
        )
    if trial["alone"]:
        lines.append(
            f"A second object of {trial['environment']} cannot be had while one is open ({trial['alone']}): "
            "evaluations borrow the one of training, which then plays the episode that was under way again."
        )
    return lines


def note_abandoned(abandoned: Sequence[dict[str, int]], manifest: dict[str, Any]) -> list[str]:
    """Note episodes in a manifest that could not be restored.

    Args:
        abandoned: as in ``RunState.abandoned``.
        manifest: is changed.

    Returns:
        A line for each that was not noted yet.
    """
    noted: list[dict[str, int]] = manifest.setdefault("inexact_resumes", [])
    new = [each for each in abandoned if each not in noted]
    noted.extend(new)
    if not manifest["promise"].startswith(BROKEN):
        manifest["promise"] = f"{BROKEN}it was continued with episodes that began anew, see `inexact_resumes`."
    return [
        f"At {each['frames']:,} frames episode {each['episode']:,} of environment {each['environment_index']} could "
        f"not be restored: its {each['steps']:,} steps stay in the replay as an episode that was cut off, and the next "
        "one begins. The promise of determinism does not hold for this run."
        for each in new
    ]


def refusal(error: InexactRestore) -> RunError:
    """What to raise where an exact restore was asked for."""
    return RunError(f"{error} {ADVICE}")
