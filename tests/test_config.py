"""Configurations of runs: identity, settings by path, and what is refused before anything is touched."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from dqn_tf import fields, presets
from dqn_tf.agent.networks.torsos import MLP, NatureCNN
from dqn_tf.agent.optimizers import Adam
from dqn_tf.config import AgentConfig, Evaluation, RunConfig, setting_paths
from dqn_tf.envs.protocols import PROTOCOLS
from dqn_tf.modes import Interleaved
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform


def config(preset: str, protocol: str | None = None) -> RunConfig:
    """Two million frames of a preset, on Breakout if it has or is given a protocol."""
    loaded = presets.load(preset)
    name = protocol or loaded.protocol
    return RunConfig(
        preset=preset,
        agent=loaded.agent,
        environment="ale:breakout" if name else "gym:CartPole-v1",
        protocol=PROTOCOLS[name] if name else None,
        evaluation=loaded.evaluation,
        frames=2_048_000 if preset.startswith(("pqn", "btr")) else 2_000_000,  # whole rounds of environments
        iteration_frames=2_048_000 if preset.startswith("pqn") else loaded.iteration_frames,
    )


ALL = [(p, None) for p in presets.PRESETS] + [(p, q) for p in presets.PRESETS if p != "dqn_classic" for q in PROTOCOLS]
DOPAMINE = config("dqn_dopamine")


# -- identity ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("preset", "protocol"), ALL)
def test_every_configuration_survives_json(preset: str, protocol: str | None) -> None:
    run = config(preset, protocol)
    again = RunConfig.from_json(json.loads(json.dumps(run.to_json(), allow_nan=False)))
    assert again == run and again.hash == run.hash


def test_the_hash_is_a_run_s_identity() -> None:
    """Golden: runs already on disk are found again only while it stays; change it only with the CHANGELOG."""
    assert DOPAMINE.hash == "5ea2ae930bd5caf4fec8cd0fb93be3d13b4d48dfc9bc5b23dbb224fd287d0bda"
    assert RunConfig.from_json(dict(reversed(DOPAMINE.to_json().items()))).hash == DOPAMINE.hash


def test_every_field_is_part_of_the_identity() -> None:
    """Whatever leaf is changed, the hash is another one."""
    other = {int: lambda v: v + 1, float: lambda v: v / 2 or 0.5, bool: lambda v: not v}
    hashes = {DOPAMINE.hash}
    for path in ("seed", "frames", "heldout_states", "iteration_frames"):
        hashes.add(dataclasses.replace(DOPAMINE, **{path: getattr(DOPAMINE, path) + 100}).hash)
    numbers = [(p, v) for p, v, _ in fields.leaves(DOPAMINE.agent) if type(v) in other]
    for path, value in numbers:
        hashes.add(DOPAMINE.with_settings([f"{path}={other[type(value)](value)}"]).hash)
    assert len(hashes) == 1 + 4 + len(numbers) and len(numbers) > 15


def test_another_schema_is_refused(outcome) -> None:
    data = {**DOPAMINE.to_json(), "schema": 0}
    assert outcome(RunConfig.from_json, data) == (
        "Expected schema 1 for `config.json: schema`, got 0. It was written by another version of dqn_tf."
    )


# -- clocks ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("frames", "steps"), [(4, 1), (5, 2), (8, 2), (2_000_000, 500_000)])
def test_a_started_step_is_a_whole_one(frames: int, steps: int) -> None:
    run = dataclasses.replace(DOPAMINE, frames=frames, iteration_frames=frames)
    assert (run.frame_skip, run.steps, run.iteration_steps) == (4, steps, steps)


def test_without_a_protocol_a_frame_is_a_step(cartpole: Callable[..., RunConfig]) -> None:
    assert (cartpole().frame_skip, cartpole().steps, cartpole().iteration_steps) == (1, 100, 40)


# -- settings by path --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("setting", "get", "value"),
    [
        ("optimizer.learning_rate=1e-4", lambda c: c.agent.optimizer.learning_rate, 1e-4),
        ("min_replay_steps=5_000", lambda c: c.agent.min_replay_steps, 5000),
        ("exploration.decay_steps=1e6", lambda c: c.agent.exploration.decay_steps, 1_000_000),
        ("exploration.random_ties=true", lambda c: c.agent.exploration.random_ties, True),
        ("max_grad_norm=10", lambda c: c.agent.max_grad_norm, 10.0),
        ("network.padding=valid", lambda c: c.agent.network, NatureCNN(initialization="glorot_uniform")),
        ("network=mlp", lambda c: c.agent.network, MLP()),
        ("optimizer=adam", lambda c: c.agent.optimizer, Adam()),
        ("execution.threads=1", lambda c: c.agent.execution, Interleaved(threads=1)),
        ("evaluation.epsilon=0", lambda c: c.evaluation.epsilon, 0.0),
        ("protocol.stack=3", lambda c: c.protocol.stack, 3),
        ("protocol.reward_clip=none", lambda c: c.protocol.reward_clip, None),
        ("protocol.reward_clip=-2,2", lambda c: c.protocol.reward_clip, (-2.0, 2.0)),
        ("iteration_frames=4000", lambda c: c.iteration_frames, 4000),
        ("heldout_states = 7", lambda c: c.heldout_states, 7),
    ],
)
def test_one_setting_changes_one_value(setting: str, get: Callable[[RunConfig], Any], value: Any) -> None:
    run = DOPAMINE.with_settings([setting])
    assert get(run) == value != get(DOPAMINE)
    assert run.hash != DOPAMINE.hash


def test_settings_that_only_make_sense_together() -> None:
    """In any order: a phase in episodes instead of frames, a batch larger than the old replay, a kind and its field."""
    settings = [
        "evaluation.frames=none",
        "evaluation.episodes=5",
        "replay.capacity=100",
        "min_replay_steps=60",
        "network.hidden=32",
        "network=mlp",
    ]
    one, other = DOPAMINE.with_settings(settings), DOPAMINE.with_settings(settings[::-1])
    assert one == other
    assert (one.evaluation.frames, one.evaluation.episodes) == (None, 5)
    assert (one.agent.storage.capacity, one.agent.network) == (100, MLP(hidden=(32,)))


def test_the_later_of_two_counts() -> None:
    assert DOPAMINE.with_settings(["n_step=2", "n_step=3"]).agent.n_step == 3


def test_every_path_that_is_offered_is_accepted() -> None:
    """Spelling out what is there already changes nothing; naming a kind only brings back its defaults."""
    values = {path.removeprefix("agent."): value for path, value, _ in fields.leaves(DOPAMINE)}
    for path in setting_paths(DOPAMINE):
        text = values[path] if isinstance(values[path], str) else repr(values[path])
        assert DOPAMINE.with_settings([f"{path}={text}"]) == DOPAMINE or path in ("network", "optimizer")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ["optimizer.learning_rat=1"],
            "Unknown path 'optimizer.learning_rat'. Did you mean 'optimizer.learning_rate'?",
        ),
        (["optimiser=adam"], "Unknown path 'optimiser'. Did you mean 'optimizer'?"),
        (["seed=3"], "Unknown path 'seed'."),
        (["agent.discount=1"], "Unknown path 'agent.discount'. Did you mean 'discount'?"),
        (["heldout_states.x=1"], "Unknown path 'heldout_states.x'."),
        (["evaluation.episode=3"], "Unknown path 'evaluation.episode'. Did you mean 'evaluation.episodes'"),
        (
            ["discount"],
            "Expected path=value for `--set`, got 'discount'. For example: --set optimizer.learning_rate=1e-4",
        ),
        (["protocol=dqn_zoo"], "Expected one of its fields (protocol.stack=4) for `--set`, got 'protocol=dqn_zoo'."),
        (["discount=1.5"], "Expected a number in [0, 1] for `discount`, got 1.5."),
        (["discount=high"], "Expected a finite number for `discount`, got 'high'."),
        (["batch_size=0"], "Expected at least 1 for `batch_size`, got 0."),
        (["batch_size=2.5"], "Expected a whole number for `batch_size`, got '2.5'."),
        (["n_step=70000"], "Expected 1 to 65535 steps for `n_step`, got 70000."),
        (["max_grad_norm=0"], "Expected a number > 0 or none for `max_grad_norm`, got 0"),
        (["execution.threads=0"], "Expected 1 to 1024 threads for `execution.threads`, got 0."),
        (["execution.xla=all"], "Expected one of optimizer, update, none for `execution.xla`, got 'all'."),
        (["evaluation.epsilon=2"], "Expected a probability in [0, 1] for `evaluation.epsilon`, got 2"),
        (["evaluation.final_episodes=0"], "Expected at least 1 for `evaluation.final_episodes`, got 0."),
        (["protocol.stack=0"], "Expected at least 1 for `stack`, got 0."),
        (["iteration_frames=3"], "Expected at least one agent step (4 frames) for `iteration_frames`, got 3."),
    ],
)
def test_what_is_refused(outcome, settings: list[str], message: str) -> None:
    assert outcome(DOPAMINE.with_settings, settings).startswith(message)


def test_a_protocol_has_no_fields_where_there_is_none(outcome, cartpole: Callable[..., RunConfig]) -> None:
    assert outcome(cartpole().with_settings, ["protocol.stack=4"]).startswith("Unknown path 'protocol.stack'.")


# -- combinations ------------------------------------------------------------------------------------------------------
def test_a_replay_smaller_than_a_batch_names_both_numbers(outcome) -> None:
    assert outcome(DOPAMINE.with_settings, ["replay.capacity=16", "min_replay_steps=8"]) == (
        "Expected a replay of at least one batch, got `replay.capacity`=16 and `batch_size`=32. "
        "Raise the one or lower the other."
    )


def test_learning_before_there_is_a_transition_is_refused(outcome) -> None:
    message = outcome(DOPAMINE.with_settings, ["n_step=5", "min_replay_steps=4"])
    assert message.startswith("Expected at least n_step=5 steps before learning, got `min_replay_steps`=4")


@pytest.mark.parametrize("settings", [["replay.capacity=19_999"], ["replay.capacity=60_000", "n_step=30_001"]])
def test_a_replay_that_cannot_fill_is_refused(outcome, settings: list[str]) -> None:
    message = outcome(DOPAMINE.with_settings, [*settings, *(["min_replay_steps=40_000"] if settings[1:] else [])])
    assert message.startswith("Expected `replay.capacity` to hold min_replay_steps=")


@pytest.mark.parametrize(("stack", "n_step", "least"), [(4, 1, 6), (4, 3, 8), (1, 1, 3), (30, 2, 33)])
def test_a_replay_smaller_than_a_stack_and_its_open_steps_is_refused(
    outcome, stack: int, n_step: int, least: int
) -> None:
    """tests/replay/test_replay.py shows that the number is the least that works."""
    settings = [f"protocol.stack={stack}", f"n_step={n_step}", "batch_size=1", f"min_replay_steps={n_step}"]
    assert outcome(DOPAMINE.with_settings, [*settings, f"replay.capacity={least - 1}"]) == (
        f"Expected at least {least} for `replay.capacity`, got {least - 1}: with a stack of {stack} and "
        f"n_step={n_step} there would be times at which no transition has all its frames in the replay."
    )
    assert DOPAMINE.with_settings([*settings, f"replay.capacity={least}"]).agent.storage.capacity == least


@pytest.mark.parametrize(("episodes", "frames"), [(None, None), (5, 1000)])
def test_an_evaluation_phase_has_one_length(outcome, episodes: int | None, frames: int | None) -> None:
    message = outcome(Evaluation, episodes=episodes, frames=frames)
    assert message.startswith("Expected exactly one of `evaluation.episodes` and `evaluation.frames`, got")
    assert Evaluation(episodes=episodes, frames=frames, period_iterations=0)  # no phase, no length needed


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": -1}, "Expected a whole number in [0, 2^63) for `seed`, got -1."),
        ({"seed": 1.0}, "Expected a whole number for `seed`, got 1.0 (float)."),
        ({"frames": 0}, "Expected at least one agent step (1 frames) for `frames`, got 0."),
        ({"heldout_states": 0}, "Expected 1 to 10,000 states for `heldout_states`, got 0."),
    ],
)
def test_bad_runs(outcome, cartpole: Callable[..., RunConfig], values: dict[str, Any], message: str) -> None:
    assert outcome(cartpole, **values) == message


def test_frozen(cartpole: Callable[..., RunConfig]) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        cartpole().agent.discount = 0.5


def test_the_smallest_replay_that_is_allowed() -> None:
    agent = AgentConfig(
        network=MLP(), optimizer=Adam(), replay=Uniform(), storage=Storage(capacity=2), batch_size=2, min_replay_steps=2
    )
    assert agent.storage.capacity == 2


# -- no TensorFlow -----------------------------------------------------------------------------------------------------
def test_configuration_and_its_errors_do_without_tensorflow() -> None:
    """A typo is answered at once: neither TensorFlow nor Gymnasium nor the emulator is imported for a preset's
    configuration, its JSON, its settings and their errors."""
    code = """
import sys
from dqn_tf import fields, presets, config, envs
from dqn_tf.checks import ConfigError
from dqn_tf.envs.protocols import PROTOCOLS
for name in presets.PRESETS:
    p = presets.load(name)
    run = config.RunConfig(preset=name, agent=p.agent, environment="ale:breakout", protocol=PROTOCOLS["dopamine"],
                           evaluation=p.evaluation, frames=2**20, iteration_frames=2**20)
    config.RunConfig.from_json(run.to_json()).hash
    try:
        run.with_settings(["discuont=1"])
    except ConfigError as error:
        assert "'discount'" in str(error)
print([m for m in ("tensorflow", "keras", "gymnasium", "ale_py") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
