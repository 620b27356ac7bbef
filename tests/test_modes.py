"""Modes of execution: what they refuse, and how many cores they keep busy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dqn_tf.modes import Concurrent, Fused, Interleaved


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Interleaved, {"threads": 0}, "Expected 1 to 1024 threads for `execution.threads`, got 0."),
        (Fused, {"threads": 1025}, "Expected 1 to 1024 threads for `execution.threads`, got 1025."),
        (Fused, {"xla": "optimizer"}, "Expected one of update, none for `xla`"),
        (Concurrent, {"threads": 0}, "Expected 1 to 1024 threads for `execution.threads`, got 0."),
        (Concurrent, {"environments": 2, "workers": 3}, "Expected 0 to 2 (`execution.environments`)"),
        (Concurrent, {"updates_per_call": 65}, "Expected 1 to 64 updates for `execution.updates_per_call`, got 65."),
    ],
)
def test_what_makes_no_sense_is_refused(
    outcome: Callable[..., str], kind: Any, fields: dict[str, Any], message: str
) -> None:
    assert outcome(kind, **fields).startswith(message)


def test_cores() -> None:
    """Threads, and a worker's process beside them."""
    assert (Interleaved(threads=2).cores, Fused().cores, Concurrent(threads=2, workers=3).cores) == (2, 1, 5)
