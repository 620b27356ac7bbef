"""The presets of MinAtar's authors and of CleanRL against their programs in PyTorch (torch_answers.py).

The same weights, batches and settings give the same losses and the same updated weights, to float32 rounding.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from dqn_tf.presets import load
from reproduce.checking import program_comparison
from reproduce.presenting import independent_page


def largest_differences(name: str, **changes: Any) -> tuple[float, float]:
    """Of the losses, as shares of them; and of the changes, as shares of the variable's largest change."""
    mine, known = program_comparison.ours(name, **changes), program_comparison.theirs(name)
    of_losses = np.abs(mine.losses / known.losses - 1).max()
    shares = [np.abs(a - b).max() / np.abs(b).max() for a, b in zip(mine.changes, known.changes, strict=True)]
    return float(of_losses), float(max(shares))


@pytest.mark.parametrize("name", program_comparison.script().LAYOUT)
def test_the_same_updates_as_the_authors_program(name: str) -> None:
    """Twenty updates in float32: found were 2e-7 of a loss, and 1.4e-5 of a variable's largest change (a weight of 0.1
    that moves by 1e-3 is itself rounded to 1e-5 of that)."""
    of_losses, of_changes = largest_differences(name)
    assert of_losses < 2e-6 and of_changes < 2e-4, (of_losses, of_changes)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("dqn_minatar", {"optimizer": {"epsilon_place": "inside"}}),
        ("dqn_minatar", {"value": {"huber_threshold": 0.5}}),
        ("dqn_cleanrl", {"value": {"loss": "huber"}}),
        ("c51_cleanrl", {"optimizer": {"epsilon": 1e-8}}),
    ],
)
def test_another_setting_would_be_seen(name: str, changes: dict[str, dict[str, Any]]) -> None:
    agent = load(name).agent
    other = {field: dataclasses.replace(getattr(agent, field), **values) for field, values in changes.items()}
    assert max(largest_differences(name, **other)) > 0.05


def test_what_the_page_says_is_of_these_programs_and_is_small() -> None:
    found = json.loads(program_comparison.FOUND.read_text())
    assert {row["agent"] for row in found["differences"]} == set(program_comparison.script().LAYOUT)
    for row in found["differences"]:
        assert row["largest"] > 0 and row["largest_difference"] < 1e-4 * row["largest"], row
        assert f"`{row['agent']}`" in independent_page.page()
