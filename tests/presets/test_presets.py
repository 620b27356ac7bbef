"""Presets: every value has a source, every source a value."""

from __future__ import annotations

import pytest

from dqn_tf import fields, presets
from dqn_tf.envs.protocols import PROTOCOLS
from dqn_tf.presets import PRESETS, load

# Words of the checklist; "return" and "per agent step" scale values rather than count time.
UNITS = {"", "frames", "agent steps", "transitions", "units", "episodes", "iterations", "threads", "return",
         "per agent step", "as in the protocol"}  # fmt: skip


@pytest.fixture(params=PRESETS)
def preset(request: pytest.FixtureRequest) -> presets.Preset:
    return load(request.param)


def leaves(preset: presets.Preset) -> set[str]:
    evaluation = {f"evaluation.{path}" for path in fields.paths(preset.evaluation)}
    return {*fields.paths(preset.agent), *evaluation, "iteration_frames"}


def test_every_value_has_a_source_and_every_source_a_value(preset: presets.Preset) -> None:
    assert set(preset.sources) == leaves(preset)
    assert all(len(source) > 3 and source == source.strip() for source in preset.sources.values())


def test_every_unit_is_one_of_the_checklist_s(preset: presets.Preset) -> None:
    units = {f.metadata["unit"] for part in (preset.agent, preset.evaluation) for _, _, f in fields.leaves(part)}
    assert units <= UNITS


def test_fields_that_count_time_name_their_unit(preset: presets.Preset) -> None:
    for part in (preset.agent, preset.evaluation):
        for path, _, field in fields.leaves(part):
            for word, unit in (("_steps", "agent steps"), ("_frames", "frames"), ("_iterations", "iterations")):
                assert not path.endswith(word) or field.metadata["unit"] == unit, path


def test_every_field_says_what_it_is(preset: presets.Preset) -> None:
    for part in (preset.agent, preset.evaluation):
        assert all(field.metadata["doc"] for _, _, field in fields.leaves(part))


def test_a_preset_knows_its_name_its_reference_and_its_protocol(preset: presets.Preset) -> None:
    assert load(preset.name) is preset
    assert preset.summary and preset.reference
    assert preset.protocol is None or preset.protocol in PROTOCOLS


def test_an_unknown_preset_names_the_nearest(outcome) -> None:
    assert outcome(load, "dqn_natur") == (
        "Unknown preset 'dqn_natur'. Did you mean 'dqn_nature'? `dqn-tf presets` lists them all."
    )
    assert "dqn_classic" in outcome(load, "zzz")


# -- the numbers of the papers, once more and by hand ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "values"),
    [
        (
            "dqn_nature",
            {
                "replay.capacity": 1_000_000,
                "batch_size": 32,
                "discount": 0.99,
                "steps_per_update": 4,
                "target_update_steps": 10_000,
                "min_replay_steps": 50_000,
                "optimizer.learning_rate": 0.00025,
                "optimizer.decay": 0.95,
                "optimizer.epsilon": 0.01 / 1024,
                "exploration.final_epsilon": 0.1,
                "exploration.decay_steps": 1_000_000,
                "exploration.random_ties": True,
                "network.padding": "valid",
                "value.loss": "huber",
            },
        ),
        (
            "dqn_dopamine",
            {
                "min_replay_steps": 20_000,
                "target_update_steps": 8_000,
                "optimizer.epsilon": 1e-5,
                "optimizer.initial_mean_square": 1.0,
                "exploration.final_epsilon": 0.01,
                "exploration.decay_steps": 250_000,
                "network.padding": "same",
            },
        ),
        ("dqn_zoo", {"optimizer.epsilon": 0.01 / 1024, "exploration.decay_steps": 1_000_000, "n_step": 1}),
        (
            "dqn_classic",
            {
                "network.hidden": (128, 128),
                "optimizer": "adam",
                "optimizer.learning_rate": 1e-3,
                "discount": 0.99,
                "value.loss": "squared",
                "max_grad_norm": 10.0,
                "replay.capacity": 100_000,
            },
        ),
    ],
)
def test_values_of_the_sources(name: str, values: dict[str, object]) -> None:
    """Mnih et al. 2015, Extended Data Table 1; Dopamine's dqn.gin; DQN Zoo's flags; the issue's dqn_classic."""
    found = {path: value for path, value, _ in fields.leaves(load(name).agent)}
    assert {path: found[path] for path in values} == values
