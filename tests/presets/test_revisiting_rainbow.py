"""The fifteen agents of "Revisiting Rainbow": each the parts that its name says, with the values of its files."""

from __future__ import annotations

import math
from typing import Any

import pytest

from dqn_tf import explain, fields, make_config
from dqn_tf.envs import MinAtarProtocol
from dqn_tf.presets import PRESETS, load
from dqn_tf.presets.revisiting_rainbow import ENVIRONMENTS, IDEAS, MINATAR, RAINBOW

# JohanSamir/revisiting_rainbow@7cd2bc6, Configs: lr and update_period of dqn_*.gin, of rainbow_*.gin;
# target_update_period, vmax, training_steps, max_steps_per_episode; once more and by hand.
FILES: dict[str, tuple[float, ...]] = {
    "CartPole-v0": (0.001, 4, 0.0001, 2, 100, 200, 1_000, 200),
    "Acrobot-v1": (0.001, 4, 0.0001, 2, 100, 200, 1_000, 500),
    "LunarLander-v3": (0.001, 4, 0.001, 4, 300, 300, 4_000, 1_000),
    "MountainCar-v0": (0.01, 4, 0.0001, 2, 100, 100, 1_000, 600),
}
# The part of the configuration that each idea is.
PART: dict[str, tuple[str, Any]] = {
    "double": ("bootstrap", "double"),
    "prioritized": ("replay", "prioritized"),
    "dueling": ("head", "dueling"),
    "multi_step": ("n_step", 3),
    "distributional": ("value", "categorical"),
    "noisy": ("layers", "noisy"),
    "munchausen": ("bootstrap", "munchausen"),
}


def leaves(name: str, environment: str) -> dict[str, Any]:
    return {path: value for path, value, _ in fields.leaves(load(name).at(f"gym:{environment}").agent)}


def test_there_are_fifteen() -> None:
    assert len(IDEAS) == 15 and [p for p in PRESETS if p.startswith("rr_")] == [
        "rr_dqn",
        *(
            f"rr_dqn_{i}"
            for i in ("double", "prioritized", "dueling", "multi_step", "distributional", "noisy", "munchausen")
        ),
        "rr_rainbow",
        *(f"rr_rainbow_no_{i}" for i in ("double", "prioritized", "dueling", "multi_step", "distributional", "noisy")),
    ]


@pytest.mark.parametrize("name", IDEAS)
@pytest.mark.parametrize("environment", FILES)
def test_an_agent_is_what_its_name_says(name: str, environment: str) -> None:
    found = leaves(name, environment)
    plain = leaves("rr_dqn", environment)
    for idea, (path, value) in PART.items():
        assert (found[path] == value) == (idea in IDEAS[name]), (idea, path)
        assert plain[path] != value


@pytest.mark.parametrize("environment", FILES)
def test_values_of_the_files(environment: str) -> None:
    rate, period, rainbow_rate, rainbow_period, target, v_max, iteration, most = FILES[environment]
    for name, ideas in IDEAS.items():
        preset, found = load(name).at(f"gym:{environment}"), leaves(name, environment)
        of_rainbow = "distributional" in ideas
        assert found["optimizer.learning_rate"] == (rainbow_rate if of_rainbow else rate)
        assert found["steps_per_update"] == (rainbow_period if of_rainbow else period)
        assert found["target_update_steps"] == target and preset.iteration_frames == iteration
        assert preset.rules is not None and preset.rules.max_steps_per_episode == most
        assert found.get("value.v_max", v_max) == v_max and found.get("value.v_min", -v_max) == -v_max
        assert (found["batch_size"], found["min_replay_steps"], found["replay.capacity"]) == (128, 500, 50_000)
        assert found["network.hidden"] == (512, 512) and found["optimizer.epsilon"] == 3.125e-4
        assert found["exploration.initial_epsilon"] == found["exploration.final_epsilon"] == 0.01


def test_inputs_are_scaled_where_the_original_has_bounds() -> None:
    assert leaves("rr_dqn", "CartPole-v0")["network.input_high"] == (2.4, 5.0, math.pi / 12, 2 * math.pi)
    assert leaves("rr_rainbow", "MountainCar-v0")["network.input_low"] == (-1.2, -0.07)
    assert leaves("rr_dqn", "LunarLander-v3")["network.input_low"] == ()


def test_a_run_has_the_values_of_its_environment() -> None:
    car = make_config("rr_dqn", "MountainCar-v0", frames=30_000)
    assert car.agent.optimizer.learning_rate == 0.01
    assert fields.to_json(car.protocol) == {
        "kind": "gymnasium_protocol",
        "max_steps_per_episode": 600,
        "time_limit": "terminal",
        "reward_clip": [-1.0, 1.0],
    }
    assert make_config("rr_dqn", "CartPole-v0", frames=30_000).agent.optimizer.learning_rate == 0.001
    assert load("rr_dqn").agent == load("rr_dqn").at("gym:CartPole-v0").agent


def test_another_environment_is_refused(outcome) -> None:
    told = outcome(make_config, "rr_dqn", "CartPole-v1", frames=1_000)
    assert told.startswith("Expected one of CartPole-v0, Acrobot-v1, LunarLander-v3, MountainCar-v0, minatar:asterix, ")
    assert told.endswith(
        " for the preset rr_dqn, got CartPole-v1: its source has values of their own for each of these, and for no "
        "other."
    )
    assert "got pong" in outcome(make_config, "rr_rainbow", "pong", frames=1_000)


def test_explain_tells_the_values_of_each_environment() -> None:
    of = {name: {row.field: row for row in explain.rows("rr_rainbow", name)} for name in FILES}
    assert of["LunarLander-v3"]["value.v_max"].value == "300" and of["MountainCar-v0"]["value.v_max"].value == "100"
    row = of["MountainCar-v0"]["protocol.max_steps_per_episode"]
    assert (row.value, row.unit) == ("600", "agent steps") and row.source.startswith("rainbow_mountaincar.gin: ")
    page = " ".join(explain.explain("rr_rainbow", 100, "MountainCar-v0").split())
    assert "These are the values for MountainCar-v0. There are others for each of: CartPole-v0, Acrobot-v1," in page
    assert explain.rows("rr_rainbow") == explain.rows("rr_rainbow", "CartPole-v0")


@pytest.mark.parametrize("game", MINATAR)
@pytest.mark.parametrize("name", IDEAS)
def test_values_of_the_files_of_minatar(name: str, game: str) -> None:
    """lr 0.00025 (DQN) and 0.0001 (Rainbow), batch 32, replay 100,000 from 1,000 on, update 4, target 1,000, vmax 100;
    one convolution of 16 filters and no hidden layer; Huber for Asterix alone; epsilon decays unless noisy."""
    preset, ideas = load(name).at(game), IDEAS[name]
    found = {path: value for path, value, _ in fields.leaves(preset.agent)}
    of_rainbow, noisy = "distributional" in ideas, "noisy" in ideas
    assert found["optimizer.learning_rate"] == (1e-4 if of_rainbow else 2.5e-4)
    assert [found[p] for p in ("batch_size", "replay.capacity", "min_replay_steps", "steps_per_update")] == [
        32,
        100_000,
        1_000,
        4,
    ]
    assert found["target_update_steps"] == 1_000 and preset.iteration_frames == 1_000_000
    assert (found["network.channels"], found["network.padding"], found["network.hidden"]) == ((16,), "same", None)
    assert found.get("value.v_max", 100.0) == 100.0
    if not of_rainbow:
        assert found["value.loss"] == ("huber" if game == "minatar:asterix" else "squared")
    assert (found["exploration.initial_epsilon"], found["exploration.final_epsilon"]) == (0.01 if noisy else 1.0, 0.01)
    for idea, (path, value) in PART.items():
        assert (found[path] == value) == (idea in ideas), (idea, path)
    if "munchausen" in ideas:
        assert (found["bootstrap.alpha"], found["bootstrap.tau"]) == (0.9, 0.03)
    assert preset.rules == MinAtarProtocol(reward_clip=(-1.0, 1.0))


def test_every_idea_of_rainbow_is_left_out_once() -> None:
    assert {RAINBOW - ideas for ideas in IDEAS.values() if len(ideas) == 5} == {frozenset({idea}) for idea in RAINBOW}
    assert list(ENVIRONMENTS) == [f"gym:{name}" for name in FILES]
