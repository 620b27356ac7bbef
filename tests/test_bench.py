"""`dqn-tf bench`: what it says of its own measurement."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from dqn_tf import bench, determinism, make_config
from dqn_tf.envs import vector
from dqn_tf.types import Counters


def test_the_seconds_are_those_that_whole_periods_took() -> None:
    """Asked for 10 ms, with periods of 8 steps of 20 ms each."""
    run = SimpleNamespace(seconds=defaultdict(float), counters=Counters())
    loop = SimpleNamespace(run=run)

    def steps() -> Iterator[None]:
        while True:
            time.sleep(0.02)
            made = run.counters.steps + 1
            run.counters = run.counters._replace(steps=made, frames=4 * made)
            yield

    rate, wall, shares = bench._train_for(loop, steps(), seconds=0.01, whole=8)
    assert run.counters.steps == 8 and wall >= 0.16
    assert rate == 32 / wall and shares == {"other": 1}


def test_workers_are_let_go_of_when_a_measurement_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the warning that there are too many comes before they start."""
    happened: list[Any] = []

    class FailingLoop:
        def __init__(self, config: Any) -> None:
            self.run = SimpleNamespace(config=config, counters=Counters())
            happened.append("started")

        def records(self, each_step: Any) -> Iterator[None]:
            raise ZeroDivisionError
            yield

        def close(self) -> None:
            happened.append("closed")

    monkeypatch.setattr(determinism, "enable", lambda threads: None)
    monkeypatch.setattr(vector.os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(bench, "make_loop", FailingLoop)
    given = ["execution=concurrent", "execution.workers=2", "replay.capacity=20000"]
    with pytest.raises(ZeroDivisionError):
        bench.measure(make_config("dqn_classic", "CartPole-v1", frames=10**6, settings=given), 1.0, happened.append)
    assert [text[:21] for text in happened] == ["Measuring dqn_classic", "2 environment workers", "started", "closed"]


FOUND = {"frames_per_s": 10.0, "floor_frames_per_s": 100.0, "update_seconds": 5e-3, "floor_update_seconds": 4e-4}


@pytest.mark.parametrize(
    ("settings", "found", "says"),
    [
        ([], {}, "calls, not arithmetic: 0.40 of the 5.0 ms of an update are matrix products. --set execution=fused"),
        ([], {"floor_update_seconds": 3e-3}, ""),  # a large network: arithmetic, not calls
        ([], {"frames_per_s": 30.0}, ""),  # near its floor
        (
            [],
            {"phases": {"environment": 0.6}},
            "own steps take 60 % of the time: --set execution=concurrent",
        ),
        (["execution=fused"], {}, ""),
        (["execution=fused"], {"floor_update_seconds": 1e-3}, "--set execution.xla=none"),
    ],
)
def test_what_to_change_far_from_the_floor(settings: list[str], found: dict[str, Any], says: str) -> None:
    config = make_config("dqn_classic", "CartPole-v1", frames=1000, settings=["execution=interleaved", *settings])
    said = bench.advice(config, {**FOUND, "phases": {"update": 0.9}, **found})
    assert says in said and bool(says) == bool(said)
