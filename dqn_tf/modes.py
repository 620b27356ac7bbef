"""The modes of execution, as configuration (``AgentConfig.execution``): order and means of acting and learning."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interleaved:
    """The paper's order: act, store, and every ``steps_per_update`` steps one update, one after the other.

    ``xla``: what XLA compiles.  "optimizer": the choice of actions, and the optimizer's step of each variable where
    TensorFlow has no kernel for it (RMSProp; it has one for Adam), the convolutions of updates left to TensorFlow's
    own, the fastest on CPUs (docs/speed.md); "update": all of it; "none".  The choice changes the last bits of
    results.  ``threads`` does not: every operation runs on one thread.  With more than one, the next update begins
    while its steps are made (execution/pipelined.py), which changes no bit either.
    """

    KIND = "interleaved"
    xla: Literal["optimizer", "update", "none"] = setting("optimizer", doc="what XLA compiles", at="execution/learner")
    threads: int = setting(2, unit="threads", doc="TensorFlow operations at a time", at="execution/updater")

    @property
    def cores(self) -> int:
        """Cores that a run keeps busy."""
        return self.threads

    def __post_init__(self) -> None:
        check_types(self)
        expect(1 <= self.threads <= 1024, "1 to 1024 threads", "execution.threads", self.threads)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fused:
    """As ``Interleaved``, the same order, for small networks: a whole update is one compiled call on one vector of
    parameters, and actions are chosen on the host where they can be (execution/fused.py).

    What is computed is the same to float32 rounding, not to the bit, so it is part of a run's identity.  ``xla``:
    "update": XLA compiles the call; "none": TensorFlow's own operations, better where matrix products take most of the
    time (layers of 512 and more, convolutions).  ``threads``: as in ``Interleaved``; nothing is begun early, but
    independent operations of one update run side by side, where XLA does not compile them.
    """

    KIND = "fused"
    xla: Literal["update", "none"] = setting("update", doc="what XLA compiles", at="execution/fused")
    threads: int = setting(1, unit="threads", doc="TensorFlow operations at a time", at="execution/updater")

    @property
    def cores(self) -> int:
        """Cores that a run keeps busy."""
        return self.threads

    def __post_init__(self) -> None:
        check_types(self)
        expect(1 <= self.threads <= 1024, "1 to 1024 threads", "execution.threads", self.threads)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rollouts:
    """PQN's order (training/rollout_loop.py): a rollout of ``steps_per_update`` agent steps, made side by side in
    ``environments``; then ``updates_at_once`` updates on it, in epochs of minibatches of ``batch_size``; then the next
    one.  There is no replay and no target network.

    Paper: Gallici et al. 2024, "Simplifying Deep Temporal Difference Learning" (arXiv 2407.04811).

    ``xla``: "optimizer": the optimizer's step of each variable, and each layer normalization with its ReLU; "update":
    the updates of a rollout and the choice of actions, as one call each, better for small networks; "none".
    ``workers``, ``threads``: as in ``Concurrent``.  ``shards``: a batch goes through the network in so many parts,
    which run side by side on as many threads; their gradients are added.  ``xla`` and ``shards`` change the last bits
    of results; ``workers`` and ``threads`` do not.
    """

    KIND = "rollouts"
    xla: Literal["optimizer", "update", "none"] = setting(
        "optimizer", doc="what XLA compiles", at="execution/rollout_updater"
    )
    threads: int = setting(2, unit="threads", doc="TensorFlow operations at a time", at="execution/rollout_updater")
    environments: int = setting(8, unit="environments", doc="games played side by side", at="envs/vector")
    workers: int = setting(1, unit="processes", doc="processes that play them; 0: ours", at="envs/vector")
    shards: int = setting(1, unit="parts", doc="of a batch, computed side by side", at="execution/rollout_updater")

    @property
    def cores(self) -> int:
        """Cores that a run keeps busy: it acts and learns in turn."""
        return max(self.threads, self.workers)

    def __post_init__(self) -> None:
        check_types(self)
        expect(1 <= self.threads <= 1024, "1 to 1024 threads", "execution.threads", self.threads)
        expect(1 <= self.environments <= 4096, "1 to 4096", "execution.environments", self.environments)
        most = f"0 to {self.environments} (`execution.environments`)"
        expect(0 <= self.workers <= self.environments, most, "execution.workers", self.workers)
        fits = f"1 to {self.environments}, and a divisor of `execution.environments`={self.environments},"
        good = self.shards >= 1 and self.environments % self.shards == 0
        expect(good, fits, "execution.shards", self.shards, "All parts have one size.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Concurrent:
    """Acting and learning at the same time, several environments side by side (training/concurrent_loop.py).

    Paper: Daley & Amato 2021, "Human-level control without server-grade hardware" (arXiv 2111.01264).

    A deviation from algorithm 1 of Mnih et al. 2015, with the same numbers of steps, updates and copies; so it is part
    of a run's identity.  ``xla``, ``threads``: as in ``Interleaved``.  ``workers``: processes for the environments; 0:
    this one.  ``updates_per_call``: how many updates one compiled call makes, where so many are due; a
    request to stop waits for the end of the call.  ``threads``, ``workers`` and ``updates_per_call`` change no bit of a
    result.
    """

    KIND = "concurrent"
    DEVIATION: ClassVar[str] = (
        "concurrent execution (Daley & Amato 2021, arXiv 2111.01264): between two copies of theta to theta^- actions "
        "are chosen by theta^- in several environments, and updates draw from the replay as it was at the last copy"
    )
    xla: Literal["optimizer", "update", "none"] = setting("optimizer", doc="what XLA compiles", at="execution/learner")
    threads: int = setting(2, unit="threads", doc="TensorFlow operations at a time", at="training/run")
    environments: int = setting(8, unit="environments", doc="games played side by side", at="envs/vector")
    workers: int = setting(1, unit="processes", doc="processes that play them; 0: ours", at="envs/vector")
    updates_per_call: int = setting(
        1, unit="updates", doc="updates in one compiled call", later=True, at="training/concurrent_loop"
    )

    @property
    def cores(self) -> int:
        """Cores that a run keeps busy."""
        return self.threads + self.workers

    def __post_init__(self) -> None:
        check_types(self)
        expect(1 <= self.threads <= 1024, "1 to 1024 threads", "execution.threads", self.threads)
        expect(1 <= self.environments <= 1024, "1 to 1024", "execution.environments", self.environments)
        expect(1 <= self.updates_per_call <= 64, "1 to 64 updates", "execution.updates_per_call", self.updates_per_call)
        expect(
            0 <= self.workers <= self.environments,
            f"0 to {self.environments} (`execution.environments`)",
            "execution.workers",
            self.workers,
            "A worker needs an environment.",
        )
