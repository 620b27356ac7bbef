"""Who is to blame for numbers that are not finite, or too large."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf.agent.optimizers import Adam
from dqn_tf.agent.values.expected import Expected
from dqn_tf.checks import Diverged
from dqn_tf.config import AgentConfig, RunConfig
from dqn_tf.modes import Fused, Interleaved
from dqn_tf.replay.ring import Ring
from dqn_tf.training.divergence import advice
from dqn_tf.training.options import Options
from dqn_tf.training.run import train
from dqn_tf.types import ObservationSpec

pytestmark = pytest.mark.usefixtures("threads_left_alone")


def ring(observation: float = 1.0, reward: float = 1.0, capacity: int = 8, rows: int = 3) -> Ring:
    """Vectors of two numbers; the newest has these."""
    one = Ring(ObservationSpec((2,), "float32"), capacity)
    for i in range(rows):
        newest = i == rows - 1
        one.append(np.array([0.5, observation if newest else -0.5], np.float32), first=i == 0)
        one.complete(i, 1, 0, reward if newest else 0.0, 0.99)
    return one


def test_usual_numbers_leave_the_learning_rate() -> None:
    assert advice(ring()) == "Try a smaller learning rate."
    assert advice(ring(rows=0)) == "Try a smaller learning rate."
    images = Ring(ObservationSpec((4, 4), "uint8", 4), 8)
    images.append(np.full((4, 4), 255, np.uint8), first=True)
    assert advice(images) == "Try a smaller learning rate."


@pytest.mark.parametrize("rows", [3, 11])
def test_large_numbers_are_named(rows: int) -> None:
    assert advice(ring(observation=-2.5e7, rows=rows)).startswith("Observations are as large as 2.5e+07: scale them")
    both = advice(ring(observation=1e30, reward=-1e6, rows=rows))
    assert "Observations are as large as 1e+30" in both and "Rewards are as large as 1e+06" in both


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_came_from_the_environment(value: float) -> None:
    for found in (advice(ring(observation=value)), advice(ring(reward=value))):
        assert "in the replay are not finite: they came so from the environment" in found
        assert "learning rate" not in found


@pytest.mark.parametrize(
    "execution",
    [Fused(xla="none"), Fused(xla="update"), Interleaved(xla="none", threads=1)],
    ids=["fused", "xla", "plain"],
)
def test_a_loss_that_is_not_finite_stops_the_run_at_its_update(
    execution: Any, tmp_path: Path, cartpole: Callable[..., RunConfig], tiny_agent: Callable[..., AgentConfig]
) -> None:
    """A step of 1e30 in the first update, number 0, due at step 8: Q-values and loss overflow in the second one, at
    step 12, whatever carries the updates out.  The checkpoint of step 10 is what stays."""
    agent = tiny_agent(execution=execution, optimizer=Adam(learning_rate=1e30), value=Expected(loss="squared"))
    with pytest.raises(Diverged, match=r"The loss is (inf|nan) .* at update 1 \(step 12\)") as caught:
        train(cartpole(agent=agent), tmp_path, Options(checkpoint_frames=10, progress=False))
    assert [path.name for path in (tmp_path / "checkpoints").glob("0*")] == ["000000000010"]
    assert "The last checkpoint is 000000000010" in " ".join(caught.value.__notes__)
    rows = (tmp_path / "iterations.csv").read_text().splitlines()
    assert len(rows) == 1  # its heading: no statistic of a diverged update is written
