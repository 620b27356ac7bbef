"""Presets: every value has a source, every source a value."""

from __future__ import annotations

import pytest

from dqn_tf import fields, presets
from dqn_tf.envs.protocols import PROTOCOLS
from dqn_tf.presets import PRESETS, load

# Words of the checklist; "return" and "per agent step" scale values rather than count time.
UNITS = {
    *("", "frames", "agent steps", "transitions", "units", "episodes", "iterations", "threads", "return", "updates"),
    *(
        "filters",
        "pixels",
        "per agent step",
        "as in the protocol",
        "atoms",
        "quantiles",
        "as in replay.importance.clock",
        *("environments", "processes", "parts"),
    ),
}


@pytest.fixture(params=PRESETS)
def preset(request: pytest.FixtureRequest) -> presets.Preset:
    return load(request.param)


def all_of(preset: presets.Preset) -> list[presets.Preset]:
    """The preset, or where its values differ between environments, all of them."""
    return [preset, *preset.environments.values()]


def leaves(preset: presets.Preset) -> set[str]:
    evaluation = {f"evaluation.{path}" for path in fields.paths(preset.evaluation)}
    return {*fields.paths(preset.agent), *evaluation, "iteration_frames"}


def test_every_value_has_a_source_and_every_source_a_value(preset: presets.Preset) -> None:
    for one in all_of(preset):
        assert set(one.sources) == leaves(one)
        assert set(one.rules_sources) == (set(fields.paths(one.rules)) if one.rules else set())
        said = [*one.sources.values(), *one.rules_sources.values()]
        assert all(len(source) > 3 and source == source.strip() for source in said)


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


def test_what_is_only_remembered_says_so() -> None:
    """The papers whose values were not read in a source; ``explain`` prints the sources."""
    remembered = {name for name in PRESETS if any("remembered" in text for text in load(name).sources.values())}
    assert {"dueling", "dueling_double", "noisy", "der_paper"} <= remembered
    assert not remembered & {
        "double_dqn",
        "prioritized",
        "prioritized_rank",
        "c51",
        "c51_dopamine",
        "qr_dqn",
        "iqn",
        "m_dqn",
        "m_iqn",
        "rainbow",
        "rainbow_zoo",
        "rainbow_dopamine",
        "der",
        "otrainbow",
        "drq",
        "drq_eps",
        "spr_dopamine",
        "sr_spr",
        "dqn_cleanrl",
        "c51_cleanrl",
    }


def test_an_unknown_preset_names_the_nearest(outcome) -> None:
    assert outcome(load, "dqn_natur") == (
        "Unknown preset 'dqn_natur'. Did you mean 'dqn_nature' or 'dqn_minatar' or 'pqn_minatar'? `dqn-tf presets` "
        "lists them all."
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
            "double_dqn",
            {
                "bootstrap": "double",
                "head.bias": "shared",
                "target_update_steps": 30_000,
                "exploration.final_epsilon": 0.01,
            },
        ),
        ("dueling_double", {"head": "dueling", "optimizer.learning_rate": 6.25e-5, "max_grad_norm": 10.0}),
        (
            "prioritized",
            {
                "replay.alpha": 0.6,
                "replay.importance.beta": 0.4,
                "optimizer.learning_rate": 6.25e-5,
                "optimizer.epsilon": 0.01 / 1024 / 16,
                "replay.uniform_share": 0.001,
            },
        ),
        ("prioritized_rank", {"replay": "prioritized_rank", "replay.alpha": 0.7, "replay.importance.beta": 0.5}),
        ("noisy", {"layers": "noisy", "layers.sigma_0": 0.5, "exploration.initial_epsilon": 0.0}),
        (
            "c51",
            {
                "value.atoms": 51,
                "value.v_min": -10.0,
                "value.v_max": 10.0,
                "optimizer.learning_rate": 2.5e-4,
                "optimizer.epsilon": 0.01 / 32,
                "optimizer.epsilon_form": "corrected",
                "max_grad_norm": 10.0,
            },
        ),
        (
            "c51_dopamine",
            {
                "optimizer.learning_rate": 2.5e-4,
                "optimizer.epsilon": 3.125e-4,
                "optimizer.epsilon_form": "hat",
                "max_grad_norm": None,
                "min_replay_steps": 20_000,
                "target_update_steps": 8_000,
                "n_step": 1,
                "replay": "uniform",
                "exploration.decay_steps": 250_000,
                "network.padding": "same",
            },
        ),
        ("qr_dqn", {"value.quantiles": 201, "optimizer.learning_rate": 5e-5, "max_grad_norm": 10.0}),
        ("iqn", {"value.samples": 64, "value.policy_samples": 64, "value.first_cosine": 1, "min_replay_steps": 20_000}),
        ("fqf", {"value.fractions": 32, "value.entropy": 10.0, "value.optimizer.learning_rate": 2.5e-9, "n_step": 3}),
        ("m_dqn", {"bootstrap.alpha": 0.9, "bootstrap.tau": 0.03, "bootstrap.log_policy_min": -1.0}),
        ("m_iqn", {"value": "implicit_quantile", "bootstrap": "munchausen", "n_step": 1}),
        (
            "rainbow",
            {
                "n_step": 3,
                "replay.alpha": 0.5,
                "replay.importance.beta": 0.4,
                "replay.importance.beta_final": 1.0,
                "optimizer.learning_rate": 6.25e-5,
                "optimizer.epsilon": 1.5e-4,
                "layers.sigma_0": 0.5,
                "target_update_steps": 8_000,
                "min_replay_steps": 20_000,
                "head": "dueling",
                "bootstrap": "double",
            },
        ),
        ("rainbow_zoo", {"layers.sigma_0": 0.1, "replay.importance.end": 50_000_000, "replay.largest": 100.0}),
        (
            "rainbow_dopamine",
            {
                "head": "single",
                "layers": "dense",
                "bootstrap": "greedy",
                "n_step": 3,
                "replay.alpha": 0.5,
                "replay.importance.beta": 0.5,
                "replay.importance.beta_final": 0.5,
                "optimizer.learning_rate": 6.25e-5,
                "optimizer.epsilon": 1.5e-4,
                "exploration.final_epsilon": 0.01,
            },
        ),
        (
            "der",
            {
                "n_step": 10,
                "steps_per_update": 1,
                "min_replay_steps": 1_600,
                "target_update_steps": 2_000,
                "optimizer.learning_rate": 1e-4,
                "head.hidden": "shared",
                "updates_at_once": 1,
                "exploration.initial_epsilon": 0.0,
                "exploration.final_epsilon": 0.0,
            },
        ),
        (
            "der_paper",
            {
                "network.channels": (32, 64),
                "network.kernels": (5, 5),
                "network.strides": (5, 5),
                "network.hidden": 256,
                "head.hidden": "separate",
                "layers.sigma_0": 0.1,
                "n_step": 20,
                "steps_per_update": 1,
                "min_replay_steps": 1_600,
                "target_update_steps": 2_000,
                "replay.importance.beta": 0.4,
                "replay.importance.beta_final": 1.0,
                "replay.importance.end": 98_400,
                "optimizer.learning_rate": 1e-4,
                "optimizer.epsilon": 1.5e-4,
                "max_grad_norm": 10.0,
                "exploration.initial_epsilon": 0.0,
            },
        ),
        (
            "drq",
            {
                "augmentation": "pad_and_crop",
                "augmentation.pad": 4,
                "augmentation.intensity": 0.05,
                "network.padding": "same",
                "head": "dueling",
                "head.hidden": "shared",
                "layers": "dense",
                "bootstrap": "double",
                "replay": "uniform",
                "value.loss": "huber",
                "exploration.initial_epsilon": 1.0,
                "exploration.final_epsilon": 0.1,
                "exploration.decay_steps": 5_000,
                "optimizer.learning_rate": 1e-4,
                "optimizer.epsilon": 1.5e-4,
                "n_step": 10,
                "discount": 0.99,
                "steps_per_update": 1,
                "target_update_steps": 1,
                "min_replay_steps": 1_600,
                "max_grad_norm": None,
            },
        ),
        (
            "spr",
            {
                "network.padding": "valid",
                "network.hidden": 256,
                "network.latent": "min_max",
                "head.hidden": "separate",
                "head.torso_gradient": 0.5**0.5,
                "layers.sigma_0": 0.5,
                "value.divergence_priority": True,
                "replay.importance.beta": 0.4,
                "replay.importance.beta_final": 1.0,
                "replay.importance.end": 100_000,
                "auxiliary.steps": 5,
                "auxiliary.weight": 5.0,
                "auxiliary.batch_norm": True,
                "auxiliary.norm_floor": 1e-3,
                "target_tracking": "averaged",
                "target_tracking.tau": 1.0,
                "updates_at_once": 2,
                "steps_per_update": 1,
                "n_step": 10,
                "max_grad_norm": 10.0,
                "min_replay_steps": 2_000,
            },
        ),
        (
            "spr_dopamine",
            {
                "network.padding": "same",
                "network.hidden": 512,
                "network.latent": "min_max",
                "head.hidden": "shared",
                "layers.sigma_0": 0.5,
                "replay.alpha": 0.5,
                "auxiliary.steps": 5,
                "auxiliary.batch_norm": False,
                "augmentation": "pad_and_crop",
                "exploration.decay_steps": 2_001,
                "target_tracking": "copied",
                "target_update_steps": 1,
                "updates_at_once": 2,
                "max_grad_norm": None,
                "min_replay_steps": 2_000,
            },
        ),
        (
            "sr_spr",
            {
                "layers": "dense",
                "replay.capacity": 200_000,
                "updates_at_once": 8,
                "target_tracking.tau": 0.005,
                "acts_with": "target",
                "resets": "shrink_perturb",
                "resets.period_steps": 5_000,
                "resets.until_steps": 95_000,
                "resets.shrink": 0.8,
                "resets.perturb": 0.2,
                "auxiliary.steps": 5,
                "n_step": 10,
            },
        ),
        ("drq_eps", {"exploration.final_epsilon": 0.01, "n_step": 10, "augmentation": "pad_and_crop"}),
        ("otrainbow", {"updates_at_once": 8, "steps_per_update": 1, "target_update_steps": 500, "layers": "dense"}),
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
        (
            "dqn_cleanrl",
            {
                "network.hidden": (120, 84),
                "network.initialization": "fan_in_uniform",
                "replay.capacity": 10_000,
                "batch_size": 128,
                "min_replay_steps": 10_000,
                "steps_per_update": 10,
                "target_update_steps": 500,
                "exploration.initial_epsilon": 1.0,
                "exploration.final_epsilon": 0.05,
                "exploration.decay_steps": 250_000,
                "exploration.decay_from": "first_step",
                "optimizer.learning_rate": 2.5e-4,
                "optimizer.epsilon": 1e-8,
                "optimizer.epsilon_form": "corrected",
                "value.loss": "squared",
                "max_grad_norm": None,
            },
        ),
        (
            "dqn_minatar",
            {
                "network.channels": (16,),
                "network.kernels": (3,),
                "network.hidden": 128,
                "network.padding": "valid",
                "replay.capacity": 100_000,
                "batch_size": 32,
                "steps_per_update": 1,
                "target_update_steps": 1_000,
                "min_replay_steps": 5_000,
                "exploration.final_epsilon": 0.1,
                "exploration.decay_steps": 100_000,
                "optimizer.learning_rate": 2.5e-4,
                "optimizer.decay": 0.95,
                "optimizer.epsilon": 0.01,
                "optimizer.epsilon_place": "outside",
                "value.loss": "huber",
                "max_grad_norm": None,
            },
        ),
        (
            "c51_cleanrl",
            {
                "value.atoms": 101,
                "value.v_min": -100.0,
                "value.v_max": 100.0,
                "value.log_clip": 1e-5,
                "optimizer.epsilon": 0.01 / 128,
                "steps_per_update": 10,
            },
        ),
    ],
)
def test_values_of_the_sources(name: str, values: dict[str, object]) -> None:
    """Mnih et al. 2015, Extended Data Table 1; Dopamine's dqn.gin; DQN Zoo's flags; the issue's dqn_classic."""
    found = {path: value for path, value, _ in fields.leaves(load(name).agent)}
    assert {path: found[path] for path in values} == values


@pytest.mark.parametrize("name", ["der", "otrainbow", "drq", "drq_eps", "spr_dopamine", "sr_spr"])
def test_deviations_of_the_atari_100k_laboratory_are_its_own(name: str) -> None:
    """Not those of Dopamine's DQN: two networks, a first sync at step 24,000, iterations of 250,000 steps."""
    said = " ".join(load(name).deviations)
    assert not any(text in said for text in load("dqn_dopamine").deviations)
    assert "24,000" not in said and "250,000" not in said and "100,000 steps" in said
