import dataclasses
from typing import Any

import pytest

from dqn_tf import fields
from dqn_tf.checks import ConfigError
from dqn_tf.envs.protocols import (
    ATARI100K,
    DOPAMINE,
    DQN_ZOO,
    MACHADO2018,
    NATURE2015,
    PROTOCOLS,
    SOURCES,
    AtariProtocol,
)

NAMES = [f.name for f in dataclasses.fields(AtariProtocol)]


def test_every_value_of_every_protocol_has_a_source_and_every_field_a_meaning() -> None:
    assert SOURCES.keys() == PROTOCOLS.keys()
    for sources in SOURCES.values():
        assert list(sources) == NAMES or set(sources) == set(NAMES)
    assert all(f.metadata["doc"] for f in dataclasses.fields(AtariProtocol))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_json_round_trip(name: str) -> None:
    assert fields.from_json(AtariProtocol, fields.to_json(PROTOCOLS[name])) == PROTOCOLS[name]


def test_what_tells_the_protocols_apart() -> None:
    assert len(set(PROTOCOLS.values())) == len(PROTOCOLS)
    assert (NATURE2015.resize, NATURE2015.luminance_rounding, NATURE2015.life_loss_training) == (
        "area",
        "none",
        "episode",
    )
    assert (DQN_ZOO.resize, DQN_ZOO.stack_padding, DQN_ZOO.life_loss_training) == (
        "bilinear_antialias",
        "zeros_after",
        "discount",
    )
    assert (DOPAMINE.sticky_probability, DOPAMINE.noops_max, DOPAMINE.max_frames_per_episode) == (0.25, 0, 108_000)
    assert (MACHADO2018.action_set, MACHADO2018.max_frames_per_episode) == ("full", 18_000)
    assert (ATARI100K.noops_max, ATARI100K.noops_unit, ATARI100K.sticky_probability) == (29, "steps", 0.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frame_skip": 0}, "Expected at least 1 for `frame_skip`, got 0"),
        ({"frame_skip": 4.0}, "Expected a whole number for `frame_skip`"),
        ({"stack": 0}, "`stack`"),
        ({"stack_padding": "zeros"}, "Expected one of zeros_before, zeros_after, repeat_first for `stack_padding`"),
        ({"sticky_probability": 1.0}, r"Expected a probability in \[0, 1\) for `sticky_probability`"),
        ({"sticky_probability": -0.1}, "`sticky_probability`"),
        ({"noops_min": 5, "noops_max": 4}, r"Expected at least noops_min \(5\) for `noops_max`, got 4"),
        ({"life_noops_min": 5}, "`life_noops_max`"),
        ({"noops_min": -1}, "`noops_min`"),
        ({"noops_unit": "seconds"}, "`noops_unit`"),
        ({"max_frames_pooled": 5}, r"Expected at most frame_skip \(4\) for `max_frames_pooled`, got 5"),
        ({"life_loss_training": "reset"}, "`life_loss_training`"),
        ({"reward_clip": (1.0, -1.0)}, "Expected low < high for `reward_clip`"),
        ({"max_frames_per_episode": 0}, "`max_frames_per_episode`"),
        ({"mode": 1.5}, "Expected a whole number or none for `mode`"),
        ({"ending_screen": "hidden"}, "Expected one of shown, left_out for `ending_screen`"),
        (
            {"ending_screen": "left_out", "life_loss_training": "episode"},
            "a discount, with `ending_screen`=left_out, got episode in training and ignore in evaluation",
        ),
        ({"action_set": "some"}, "`action_set`"),
        ({"luminance_rounding": "none"}, "Expected round for luminance ale_palette for `luminance_rounding`"),
        ({"pool_order": "max_then_luminance"}, "Expected luminance_then_max for luminance ale_palette"),
        ({"resize": "bilinear_antialias", "pixel_rounding": "truncate"}, "`pixel_rounding`.*Pillow rounds"),
        (
            {"resize": "bilinear_antialias", "luminance": "rec601", "luminance_rounding": "none"},
            "`luminance_rounding`.*Pillow resizes bytes",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(DOPAMINE, **changes)


def test_training_and_evaluation_columns() -> None:
    assert NATURE2015.life_loss(training=True) == "episode"
    assert NATURE2015.life_loss(training=False) == "ignore"
    assert NATURE2015.cap_frames(training=True) == 108_000
    assert NATURE2015.cap_frames(training=False) == 18_000
