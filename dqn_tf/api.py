"""From names to a configuration: what the command line and scripts share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dqn_tf import envs, fields, presets
from dqn_tf.checks import ConfigError, unknown
from dqn_tf.config import AgentConfig, RunConfig
from dqn_tf.envs.image_protocol import IMAGE_PROTOCOLS, ImageProtocol
from dqn_tf.envs.simple_protocols import GymnasiumProtocol, MinAtarProtocol


def make_config(
    preset: str,
    environment: str | Callable[..., Any],
    *,
    frames: int,
    seed: int = 0,
    protocol: str | None = None,
    settings: Sequence[str] = (),
    agent: Mapping[str, object] | None = None,
    environment_arguments: Mapping[str, Any] | None = None,
) -> RunConfig:
    """The configuration of one run: a preset on an environment.

    Args:
        preset: one of ``PRESETS``.
        environment: "breakout", "ALE/Breakout-v5", "minatar:breakout", a Gymnasium id, "module:Name-v0",
            "module:factory", or a function or class itself that gives a Gymnasium environment (then it goes to
            ``train``, too). docs/environment_rules.md
        frames: training budget, in frames.
        seed: the one seed of every random stream.
        protocol: of Atari games, an id of ``PROTOCOLS``; of Gymnasium environments that show images, of
            ``IMAGE_PROTOCOLS``. None is the preset's own, or "image".
        settings: "path=value" texts, as after ``--set``.
        agent: values of fields of ``AgentConfig``, parts of your own among them; set before ``settings``.
        environment_arguments: keywords for the environment, plain values; part of the run's identity.

    Returns:
        The configuration; its ``hash`` is the run's identity.

    Raises:
        ConfigError: an unknown name (with the nearest ones), a value of the wrong type or out of range, or an agent
            that cannot play the environment.
    """
    name = envs.identify(environment, environment_arguments)
    loaded = presets.load(preset).at(name)
    config = RunConfig(
        preset=preset,
        agent=_with_its_own(_changed(loaded.agent, agent or {}), settings),
        environment=name,
        protocol=_protocol(preset, loaded, environment, name, protocol),
        evaluation=loaded.evaluation,
        seed=seed,
        frames=frames,
        iteration_frames=loaded.iteration_frames,
    ).with_settings(list(settings))
    shown = envs.observation_spec(name, config.protocol)
    config.agent.network.check_observation(shown)
    config.agent.augmentation.check_observation(shown)
    return config


def _protocol(
    preset: str, loaded: presets.Preset, environment: object, name: str, asked: str | None
) -> envs.AnyProtocol | None:
    """The protocol of a run: the one asked for, or the preset's, where it is one of the environment's kind; images have
    one in any case."""
    if asked is not None and asked not in (*envs.PROTOCOLS, *IMAGE_PROTOCOLS):
        raise unknown("protocol", asked, [*envs.PROTOCOLS, *IMAGE_PROTOCOLS])
    if name.startswith("gym:"):
        return _of_gymnasium(environment, name, loaded.rules, asked)
    if not name.startswith("ale:"):
        if asked is not None:
            raise ConfigError(f"Expected no --protocol for {environment}, got {asked!r}: it is not an Atari game.")
        return loaded.rules if isinstance(loaded.rules, MinAtarProtocol) else MinAtarProtocol()
    if asked in IMAGE_PROTOCOLS:
        raise ConfigError(
            f"Expected an Atari protocol for {environment}, one of {', '.join(envs.PROTOCOLS)}, got {asked!r}, which "
            "is for images of Gymnasium environments."
        )
    chosen = asked or loaded.protocol
    if chosen is None:
        shows = "images of a Gymnasium environment or of MinAtar" if loaded.rules else "a vector environment"
        raise ConfigError(
            f"Expected {shows} for the preset {preset}, got the Atari game {environment}. "
            f"Choose one of the Atari presets: {', '.join(_atari_presets())}."
        )
    return envs.PROTOCOLS[chosen]


def _of_gymnasium(
    environment: object,
    name: str,
    rules: GymnasiumProtocol | MinAtarProtocol | ImageProtocol | None,
    asked: str | None,
) -> GymnasiumProtocol | ImageProtocol | None:
    """The protocol of a Gymnasium environment."""
    if asked is not None and asked not in IMAGE_PROTOCOLS:
        raise ConfigError(
            f"Expected no --protocol for {environment}, or one for images ({', '.join(IMAGE_PROTOCOLS)}), got "
            f"{asked!r}: it is not an Atari game."
        )
    if asked is not None:
        return IMAGE_PROTOCOLS[asked]
    return rules if isinstance(rules, GymnasiumProtocol | ImageProtocol) else envs.default_protocol(name)


def _changed(agent: AgentConfig, values: Mapping[str, Any]) -> AgentConfig:
    known = [field.name for field in dataclasses.fields(agent)]
    for name in values:
        if name not in known:
            raise unknown("field of AgentConfig", name, known)
    return dataclasses.replace(agent, **values)


def _with_its_own(agent: AgentConfig, settings: Sequence[str]) -> AgentConfig:
    """The agent with those of the settings that are its own, before a run is made whose budget it has to fit."""
    names = {field.name for field in dataclasses.fields(agent)}
    split = [text.partition("=") for text in settings]
    own = [(path.strip(), value) for path, equals, value in split if equals and path.strip().split(".")[0] in names]
    return fields.with_values(agent, own)


def _atari_presets() -> list[str]:
    return [name for name in presets.PRESETS if presets.load(name).protocol]
