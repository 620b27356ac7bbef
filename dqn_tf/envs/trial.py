"""A trial of an environment before training: can it be restored exactly, and is anything about it unusual?

The promise of determinism (docs/determinism.md) holds for environments whose episodes are a function of the seed that
reset() gets and of the actions.  Three objects play the same short script: the second must answer as the first, from
the first reset on; the third is restored, from what the first had saved in mid-episode, and must answer as the first
from there on, over the end of the episode too.  So few steps do not show everything; so
every restore compares again (classic.py).
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dqn_tf import envs, fields, rng
from dqn_tf.agent.exploration import random_action
from dqn_tf.checks import ConfigError, EnvironmentFault, expect, unknown
from dqn_tf.envs.classic import GymnasiumEnvironment
from dqn_tf.envs.image_protocol import ImageProtocol
from dqn_tf.envs.registered import describe_error
from dqn_tf.envs.simple_protocols import GymnasiumProtocol
from dqn_tf.envs.trial_comparisons import Script, compare, restore, take_turns
from dqn_tf.types import ObservationSpec, StepType, TimeStep

STEPS = 600  # of each of the three objects, at most
KEPT_BYTES = 2**27  # of the answers that are kept to be compared; of large images fewer steps are played
LEAST_STEPS = 60
SECONDS = 3.0  # that the first object plays, at most; the others play as many steps
MIDDLE = 5  # the step of an episode at which a state is saved
PER_EPISODE = 150  # steps after which an episode is left for the next one
DARK = 0.1  # of the range: images that use less of it are told
UNSCALED = 100.0  # observations beyond this are large for a network whose inputs nobody scales


class Trial(NamedTuple):
    """What a trial found.

    Attributes:
        environment: its id.
        shown: its spaces, in words.
        steps: that each object played.
        episodes: that each object began.
        seconds: that the trial took.
        broken: why it cannot be restored exactly, in a sentence; None if nothing of that kind was seen.
        alone: the error when a second object was made while the first was open; None if it could be made.
        remarks: what is worth knowing, a sentence each.
    """

    environment: str
    shown: str
    steps: int
    episodes: int
    seconds: float
    broken: str | None
    alone: str | None
    remarks: tuple[str, ...]


def examine(
    environment: str,
    seed: int = 0,
    steps: int = STEPS,
    seconds: float = SECONDS,
    protocol: GymnasiumProtocol | ImageProtocol | None = None,
) -> Trial:
    """Try an environment.

    It is played three times; two objects are open at a time at most, and every one is closed.

    Args:
        environment: an id as of ``GymnasiumEnvironment``.
        seed: of the run.
        steps: that each object plays, at most.
        seconds: within which the first object's last step begins; the others play as many steps.
        protocol: how it is played.

    Returns:
        What was found.

    Raises:
        ConfigError: it cannot be made, or its answers cannot be used; with its own words.
    """
    began, opened = time.perf_counter(), list[GymnasiumEnvironment]()
    make = functools.partial(GymnasiumEnvironment, environment, seed, "trial", protocol=protocol)
    try:
        opened.append(make())
        first = _play_script(opened[0], _fewer(steps, opened[0].spec.observation), seconds)
        alone, broken = _repeat_script(first, make, opened, environment)
        remarks, space = tuple(_remarks(opened[-1], first)), opened[-1].space
        shown = f"observations {space}{_as_seen(opened[-1])}, {opened[-1].spec.num_actions} actions"
    except EnvironmentFault as error:
        raise ConfigError(
            f"{str(error).removesuffix('.')}. This was found in a trial of {environment}, before training."
        ) from error
    finally:
        for one in opened:
            one.close()
    played = sum(action is not None for action in first.actions)
    return Trial(
        environment=environment,
        shown=shown,
        steps=played,
        episodes=len(first.actions) - played,
        seconds=round(time.perf_counter() - began, 3),
        broken=broken,
        alone=alone,
        remarks=remarks,
    )


def _fewer(steps: int, spec: ObservationSpec) -> int:
    """``steps``, or fewer where the answers would not fit into ``KEPT_BYTES``."""
    fits = KEPT_BYTES // (int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize)
    return min(steps, max(LEAST_STEPS, fits))


def _as_seen(environment: GymnasiumEnvironment) -> str:
    """What of an image the agent sees, and what the replay keeps of it; "" of vectors."""
    spec = environment.spec.observation
    if len(spec.shape) == 1:
        return ""
    low, high = (spec.low, spec.high) if spec.low is not None else (0, 255 if spec.dtype == "uint8" else 1)
    bits = "a bit" if spec.dtype == "bool" else f"{8 * np.dtype(spec.dtype).itemsize} bits"
    return (
        f", seen as {spec.dtype} [{', '.join(map(str, spec.shape))}] (rows, columns, channels), {low:g} as 0 and "
        f"{high:g} as 1, {bits} for a number in the replay"
    )


def words(trial: Trial) -> str:
    """A trial for people, a line for each finding."""
    exact = (
        f"NOT EXACT. {trial.broken} Runs train, but other runs with the same seed differ, and a run that was "
        "stopped is continued only with --resume inexact, where the episode under way begins again."
        if trial.broken
        else "Exact, as far as was seen: equal seeds and actions gave equal answers, in a second object and in one "
        "that was restored in mid-episode, to the end of the episode and beyond."
    )
    copies = (
        f"It exists once: a second object cannot be had while one is open ({trial.alone}). Evaluations borrow the "
        "one of training, which then plays the episode that was under way again; there can be no workers, and no "
        "environments side by side."
        if trial.alone
        else "Several objects of it can be open at a time."
    )
    lines = [
        f"{trial.environment}: {trial.shown}.",
        "Its answers are what its spaces declare; rewards and observations were finite.",
        exact,
        copies,
        *trial.remarks,
        f"Tried: {trial.steps:,} steps of {trial.episodes:,} episodes by random actions, three times, in "
        f"{trial.seconds:.1f} s. What did not happen in them was not seen.",
    ]
    return "\n".join(lines)


def report(
    environment: str, arguments: Sequence[str], protocol: str | None = None, settings: Sequence[str] = ()
) -> tuple[int, str]:
    """Carries out `dqn-tf check-env`.

    Args:
        environment: a name as for ``envs.check_environment``.
        arguments: keywords for it, "name=value" each.
        protocol: of images, one of ``envs.IMAGE_PROTOCOLS``.
        settings: of the protocol, "protocol.FIELD=VALUE" each.

    Returns:
        The exit code, 1 if it cannot be restored exactly, and the text to print.

    Returns:
        The exit code, and the words.

    Raises:
        ConfigError: it cannot be used, or there is no such protocol or field.
    """
    name = envs.identify(environment, envs.keywords(arguments))
    lines = envs.notes(environment, None)
    if not name.startswith("gym:"):
        lines.append(f"{name} is a game that is played by this package itself, and restored exactly.")
        return 0, "\n".join(lines)
    found = examine(name.removeprefix("gym:"), protocol=_protocol(name, protocol, settings))
    return (1 if found.broken else 0), "\n".join([*lines, words(found)])


def _protocol(name: str, asked: str | None, settings: Sequence[str]) -> ImageProtocol | None:
    """The protocol under which images are tried; None of vectors."""
    if asked is not None and asked not in envs.IMAGE_PROTOCOLS:
        raise unknown("protocol of images", asked, envs.IMAGE_PROTOCOLS)
    chosen = envs.IMAGE_PROTOCOLS[asked or "image"]
    for text in settings:
        expect(text.startswith("protocol.") and "=" in text, "protocol.FIELD=VALUE", "--set", text)
    if settings or asked:
        pairs = [text.removeprefix("protocol.").split("=", 1) for text in settings]
        return fields.with_values(chosen, [(path, value) for path, value in pairs], "protocol.")
    return envs.default_protocol(name)


def _repeat_script(
    first: Script, make: Callable[[], GymnasiumEnvironment], opened: list[GymnasiumEnvironment], name: str
) -> tuple[str | None, str | None]:
    """A second and a third object play the script: ``alone`` and ``broken`` of the ``Trial``."""
    alone = _another(make, opened)
    broken = compare(first, opened[-1], name)
    if broken is None:
        while opened:
            opened.pop().close()
        opened.append(make())
        broken = restore(first, opened[0], name)
    if broken is None and alone is None:
        opened.append(make())
        broken = take_turns(first, opened[0], opened[1], name)
    return alone, broken


def _another(make: Callable[[], GymnasiumEnvironment], opened: list[GymnasiumEnvironment]) -> str | None:
    """Open one more object beside the first, or instead of it if there can be only one: then returns why."""
    try:
        opened.append(make())
    except ConfigError as error:
        opened.pop().close()
        opened.append(make())
        return describe_error(error.__cause__ or error)
    return None


def _play_script(environment: GymnasiumEnvironment, steps: int, seconds: float) -> Script:
    """Random actions; episodes that last are left for the next one, so that several begin."""
    stream, began = rng.Stream(0, "trial/actions"), time.perf_counter()
    answers: list[tuple[int, int, TimeStep]] = []
    actions: list[int | None] = []
    middle, state = 0, environment.state()
    answer: TimeStep
    episode, step, made, spent, over = -1, 0, 0, 0.0, True
    while spent < 1:
        leave = step >= PER_EPISODE or (episode < 2 and step > 0 and spent > (episode + 1) / 3)
        if over or leave:
            episode, step, action = episode + 1, 0, None
            answer = environment.reset()
        else:
            action = random_action(environment.spec.num_actions, stream.at(made), answer.mask)
            made, step = made + 1, step + 1
            answer = environment.step(action)
        over = answer.step_type == StepType.LAST
        answers.append((episode, step, answer))
        actions.append(action)
        spent = max(made / steps, (time.perf_counter() - began) / seconds)
        if spent < 0.7 and (step == MIDDLE or over):
            middle, state = len(answers), environment.state()
    return Script(answers, actions, middle, state)


# -- what is odd, and allowed ------------------------------------------------------------------------------------------
def _remarks(environment: GymnasiumEnvironment, first: Script) -> Iterator[str]:
    if len(environment.spec.observation.shape) == 1:
        yield from _of_observations(environment, np.stack([t.observation for _, _, t in first.answers]))
    else:
        yield from _of_images(environment.spec.observation, [t.frame for _, _, t in first.answers])
    yield from _of_episodes(environment, first)
    yield from _of_answers(environment)


def _of_observations(environment: GymnasiumEnvironment, seen: np.ndarray) -> Iterator[str]:
    largest = float(np.abs(seen).max(initial=0.0))
    if largest > UNSCALED:
        yield (
            f"Observations as large as {largest:.3g} were seen. Nothing scales them, and networks learn badly from "
            "such numbers: bring them to about -1 to 1 (gymnasium.wrappers.TransformObservation)."
        )
    space = environment.space
    if (seen < space.low.astype(np.float32)).any() or (seen > space.high.astype(np.float32)).any():
        yield "Observations outside of the bounds of observation_space were seen. They are taken as they come."


def _of_images(spec: ObservationSpec, frames: Sequence[np.ndarray]) -> Iterator[str]:
    scale, offset = spec.scaling
    least, most = (
        scale * float(edge) + offset for edge in (min(f.min() for f in frames), max(f.max() for f in frames))
    )
    if least < -1e-6 or most > 1 + 1e-6:
        yield (
            f"Numbers outside of the range were seen, which networks see as {least:.3g} to {most:.3g}. They are taken "
            "as they come; protocol.low and protocol.high set another range."
        )
    elif most - least < DARK:
        yield (
            f"Networks saw numbers from {least:.3g} to {most:.3g} only, of a range from 0 to 1, and learn slowly from "
            "such. If there are no others, say so: --set protocol.low=LOWEST --set protocol.high=HIGHEST."
        )


def _of_episodes(environment: GymnasiumEnvironment, first: Script) -> Iterator[str]:
    ends = [(step, answer) for _, step, answer in first.answers if answer.step_type == StepType.LAST]
    limit = environment.time_limit
    if limit:
        what = "frames" if environment.spec.frame_skip > 1 else "steps"
        yield f"Episodes are cut off after {limit:,} {what}, as truncated: values are bootstrapped there."
    elif not ends:
        yield (
            "No episode ended, and there is no time limit (max_episode_steps). That is allowed; evaluation cuts its "
            "episodes off (`evaluation.max_steps_per_episode`)."
        )
    if at_once := sum(step == 1 for step, _ in ends):
        yield f"{at_once} of {len(ends)} episodes that ended were over with their first step."
    begun = {answer.observation.tobytes() for _, step, answer in first.answers if step == 0}
    if len(begun) == 1 and sum(step == 0 for _, step, _ in first.answers) > 1:
        yield "Every episode began with the same observation: the seed decides nothing that a reset shows."
    if not any(answer.reward for _, _, answer in first.answers):
        yield "No reward but 0 came, for random actions."


def _of_answers(environment: GymnasiumEnvironment) -> Iterator[str]:
    """A reset and a step more, past the checks."""
    if environment.spec.num_actions == 1:
        yield "It has one action only: there is nothing to choose, and nothing to learn but values."
    if environment.masks_from:
        yield f"{environment.masks_from} has the legal actions: no other one is taken or learned from."
    try:
        before, after, reward = environment.unchecked_answers()
    except (Exception, SystemExit) as error:
        raise EnvironmentFault(f"{environment.env_id}, an episode more: it raised {describe_error(error)}") from error
    arrays = isinstance(before, np.ndarray) and isinstance(after, np.ndarray)
    if arrays and np.shares_memory(before, after):
        yield "Its observations are one array that it writes to again. That is allowed: they are copied here."
    if type(reward) is not float:
        yield f"Its rewards are of the type {type(reward).__name__}, and are taken as numbers."
    given, declared = getattr(after, "dtype", None), environment.space.dtype
    if given != declared:
        yield f"Its observations are of the type {given or type(after).__name__}, where its space declares {declared}."
