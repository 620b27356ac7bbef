"""The replay's budget, checked before anything is allocated."""

from __future__ import annotations

import dataclasses
import re
import resource
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dqn_tf import memory, presets
from dqn_tf.config import RunConfig
from dqn_tf.envs.protocols import PROTOCOLS
from dqn_tf.replay import ring
from dqn_tf.replay.device_ring import DEVICE_COLUMN_BYTES
from dqn_tf.types import ObservationSpec

PRESET = presets.load("dqn_dopamine")
ATARI = RunConfig(
    preset="dqn_dopamine",
    agent=PRESET.agent,
    environment="ale:breakout",
    protocol=PROTOCOLS["dopamine"],
    evaluation=PRESET.evaluation,
    frames=200_000_000,
)
SPEC = ObservationSpec((84, 84), "uint8", 4)
GB = 10**9
MILLION = 1_000_000
ROW = 84 * 84 + 13


@pytest.fixture
def having(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A function (gigabytes): the memory that the machine claims to have."""
    return lambda gb: monkeypatch.setattr(memory, "available", lambda: (int(gb * GB), "available on this machine"))


def test_what_a_million_transitions_need() -> None:
    assert memory.replay_bytes(ATARI) == 1_000_000 * ROW


def test_a_short_run_fills_only_a_part() -> None:
    """1000 steps are 1000 frames, and the last ones of episodes: room for one in five."""
    assert memory.replay_bytes(dataclasses.replace(ATARI, frames=4000, iteration_frames=4000)) == 1201 * ROW


def test_the_budget_is_printed(having: Callable[[float], None]) -> None:
    having(16)
    memory.check_replay(ATARI)
    assert memory.describe(ATARI) == "Replay: 1,000,000 transitions, 7.07 GB of the 16.00 GB available on this machine."


def test_too_large_a_replay_is_refused_with_numbers_and_one_that_fits(outcome, having: Callable[[float], None]) -> None:
    having(4)
    message = outcome(memory.check_replay, ATARI)
    fits = (4 * GB - memory.HEADROOM) // ROW
    assert message == (
        "Expected memory for a replay of 1,000,000 transitions: 7.07 GB and 1.07 GB for the rest, but 4.00 GB are "
        f"available on this machine. A replay of {fits:,} would fit: --set replay.capacity={fits}. Or compress it, to "
        "some 1.42 GB: --set replay.compression=delta"
    )
    memory.check_replay(ATARI.with_settings([f"replay.capacity={fits}"]))
    assert outcome(memory.check_replay, ATARI.with_settings([f"replay.capacity={fits + 1}"]))


def test_the_budget_of_a_compressed_replay(outcome, having: Callable[[float], None]) -> None:
    """Planned for as most games compress, with the worst case beside it; refused where that does not fit."""
    compressed = ATARI.with_settings(["replay.compression=delta"])
    having(4)
    memory.check_replay(compressed)
    assert memory.describe(compressed) == (
        "Replay: 1,000,000 transitions, about 1.42 GB (7.07 GB if its frames have nothing in common) of the 4.00 GB "
        "available on this machine."
    )
    assert memory.raw_bytes(compressed) == memory.replay_bytes(ATARI) == memory.raw_bytes(ATARI)
    having(2)
    message = outcome(memory.check_replay, compressed)
    assert "some 1.42 GB and 1.07 GB for the rest, but 2.00 GB are available" in message
    assert message.endswith(f"--set replay.capacity={int(2 * GB - memory.HEADROOM) // 1424}")


def watched(frames: int) -> tuple[memory.Watch, ring.Ring, list[str]]:
    """A watch, the ring of 1,201 rows that it watches, with 1,100 frames in it, and what it says."""
    said: list[str] = []
    held = ring.Ring(SPEC, 1_000_000, "delta")
    for number in range(1_100):
        held.append(np.full((84, 84), number % 64, np.uint8), first=False)  # nothing in common: 7 kB each
    return memory.Watch(config_of(frames), said.append), held, said


def config_of(frames: int, compression: str = "delta") -> RunConfig:
    return dataclasses.replace(ATARI, frames=frames, iteration_frames=frames).with_settings(
        [f"replay.compression={compression}"]
    )


def test_a_replay_that_compresses_badly_is_told_once(having: Callable[[float], None]) -> None:
    watch, held, said = watched(frames=40_000_000)
    having(7.5)
    watch.check(held)
    assert said == []
    having(7)
    watch.check(held)
    watch.check(held)
    assert len(said) == 1
    assert said[0].startswith("Memory may not suffice: 1,100 of 1,000,000 rows are held, 7,0")
    assert "so that 7.08 GB more will be needed, and 7.00 GB are available on this machine" in said[0]


def test_when_memory_is_used_up_the_run_stops(outcome, having: Callable[[float], None]) -> None:
    watch, held, _ = watched(frames=40_000_000)
    having(memory.RESERVE / GB)
    watch.check(held)
    having((memory.RESERVE - 1) / GB)
    message = outcome(watch.check, held)
    assert message.startswith("Expected memory for the replay, but 0.27 GB are available on this machine: 1,100 of 1,0")
    assert "the same command continues it" in message and "--set replay.capacity=990" in message


def test_raw_frames_are_not_watched(having: Callable[[float], None]) -> None:
    """Their memory was checked before the start."""
    having(0)
    memory.Watch(config_of(40_000_000, "none"), pytest.fail).check(watched(4)[1])


def test_the_boundary(outcome, having: Callable[[float], None]) -> None:
    need = 1_000_000 * ROW + memory.HEADROOM
    having(need / GB)
    memory.check_replay(ATARI)
    having((need - 1) / GB)
    outcome(memory.check_replay, ATARI)


def test_where_nothing_fits_nothing_is_offered(outcome, having: Callable[[float], None]) -> None:
    having(memory.HEADROOM / GB)
    assert outcome(memory.check_replay, ATARI).endswith("are available on this machine. No replay would fit.")


# -- on the device -----------------------------------------------------------------------------------------------------
ON_DEVICE = ATARI.with_settings(["replay.placement=device"])
DEVICE_ROW = 84 * 84 + DEVICE_COLUMN_BYTES


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A function (gigabytes): the memory that a GPU claims to have."""
    return lambda gb: monkeypatch.setattr(memory, "gpu_memory", lambda: (int(gb * GB), "free on the GPU of the test"))


def test_without_a_gpu_the_device_is_this_machine(outcome, having: Callable[[float], None], monkeypatch) -> None:
    monkeypatch.setattr(memory, "gpu_memory", lambda: None)
    assert memory.replay_bytes(ON_DEVICE) == MILLION * (ROW + DEVICE_COLUMN_BYTES)
    having(16)
    memory.check_replay(ON_DEVICE)
    assert memory.describe(ON_DEVICE).startswith("Replay: 1,000,000 transitions, 7.10 GB of the 16.00 GB available")
    having(4)
    message = outcome(memory.check_replay, ON_DEVICE)
    fits = (4 * GB - memory.HEADROOM) // (ROW + DEVICE_COLUMN_BYTES)
    assert f"A replay of {fits:,} would fit: --set replay.capacity={fits}. Or compress it, to some 1.46 GB:" in message
    assert message.endswith("--set replay.compression=delta --set replay.placement=host")
    memory.check_replay(ON_DEVICE.with_settings(["replay.compression=delta", "replay.placement=host"]))


def test_what_a_gpu_holds_need_not_fit_this_machine(outcome, having, gpu: Callable[[float], None]) -> None:
    """The host keeps 13 bytes of a row."""
    having(1.5)
    gpu(10)
    memory.check_replay(ON_DEVICE)
    assert memory.describe(ON_DEVICE) == (
        "Replay: 1,000,000 transitions, 7.09 GB of the 10.00 GB free on the GPU of the test, and 0.01 GB on the host."
    )
    assert outcome(memory.check_replay, ATARI).endswith(
        "Or keep it where 10.00 GB are free on the GPU of the test: --set replay.placement=device"
    )


def test_too_large_a_replay_for_the_gpu(outcome, having, gpu: Callable[[float], None]) -> None:
    """All of it is taken at the start, however short the run."""
    having(16)
    gpu(6)
    short = dataclasses.replace(ON_DEVICE, frames=4000, iteration_frames=4000)
    fits = (6 * GB - memory.HEADROOM - 84 * 84) // DEVICE_ROW
    for config in (ON_DEVICE, short):
        assert outcome(memory.check_replay, config) == (
            "Expected memory on the GPU for a replay of 1,000,000 transitions: 7.09 GB and 1.07 GB for the rest, but "
            f"6.00 GB are free on the GPU of the test. A replay of {fits:,} would fit: --set replay.capacity={fits}. "
            "Or keep it on the host: --set replay.placement=host"
        )
        memory.check_replay(config.with_settings([f"replay.capacity={fits}"]))
        assert outcome(memory.check_replay, config.with_settings([f"replay.capacity={fits + 1}"]))
    having(4)
    assert outcome(memory.check_replay, ON_DEVICE).endswith(f"--set replay.capacity={fits}")
    gpu(1)
    assert outcome(memory.check_replay, ON_DEVICE).endswith("No replay would fit.")
    having(16)
    assert outcome(memory.check_replay, ON_DEVICE).endswith("test. Keep it on the host: --set replay.placement=host")


def test_columns_and_sampler_stay_on_this_machine(outcome, having, gpu: Callable[[float], None]) -> None:
    gpu(10)
    agent = presets.load("prioritized").agent
    config = dataclasses.replace(ATARI, agent=agent).with_settings(["replay.placement=device"])
    need = MILLION * (ring.COLUMN_BYTES + 1) + TREE + memory.HEADROOM
    having(need / GB)
    memory.check_replay(config)
    having((need - 1) / GB)
    message = outcome(memory.check_replay, config)
    assert message.startswith("Expected memory beside the GPU for a replay of 1,000,000 transitions: 0.03 GB and 1.07")
    fits = int(re.search(r"replay.capacity=(\d+)", message)[1])
    memory.check_replay(config.with_settings([f"replay.capacity={fits}"]))


def test_the_driver_is_asked_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the first GPU that is visible; where the driver's tool does not answer, nothing is known."""
    asked: list[list[str]] = []

    def answer(question: list[str], **_: object) -> object:
        asked.append(question)
        return SimpleNamespace(stdout="40500\n")

    config = SimpleNamespace(list_physical_devices=lambda kind: ["one"])
    config.experimental = SimpleNamespace(get_device_details=lambda gpu: {"device_name": "Some GPU"})
    monkeypatch.setattr(memory, "tf", SimpleNamespace(config=config))
    monkeypatch.setattr(memory.subprocess, "run", answer)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1")
    assert memory.gpu_memory() == (40_500 * 2**20, "free on the Some GPU")
    assert asked[0][:3] == ["nvidia-smi", "-i", "3"]
    monkeypatch.setattr(memory.subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(FileNotFoundError("no tool")))
    assert memory.gpu_memory() == (2**63, "unknown")
    config.list_physical_devices = lambda kind: []
    assert memory.gpu_memory() is None


# -- samplers ----------------------------------------------------------------------------------------------------------
TREE = 8 * 2 * 2**20  # the leaves of a million are 2^20, and there are as many nodes above them


@pytest.mark.parametrize(
    ("preset", "sampler"),
    [
        ("prioritized", TREE + MILLION),  # weights over the batch's largest: one tree, and a flag for each row
        ("prioritized_rank", 4 * 8 * MILLION),
        ("dqn_nature", 0),
    ],
)
def test_a_sampler_is_in_the_budget(preset: str, sampler: int) -> None:
    agent = presets.load(preset).agent
    assert memory.replay_bytes(dataclasses.replace(ATARI, agent=agent)) == MILLION * ROW + sampler
    short = dataclasses.replace(ATARI, agent=agent, frames=4000, iteration_frames=4000)
    assert memory.replay_bytes(short) == 1201 * ROW + sampler  # the sampler is there from the start


def test_weights_over_the_replay_s_largest_need_a_second_tree() -> None:
    agent = presets.load("prioritized").agent
    importance = dataclasses.replace(agent.replay.importance, divided_by="replay_max")
    replay = dataclasses.replace(agent.replay, importance=importance)
    assert replay.sampler_bytes(MILLION) == 2 * TREE + MILLION


@pytest.mark.parametrize("preset", ["prioritized", "prioritized_rank", "rainbow_dopamine"])
@pytest.mark.parametrize("capacity", [2, 5, 1000, 1024, 1025])
def test_what_a_sampler_says_is_what_it_takes(preset: str, capacity: int) -> None:
    """Every array that a new sampler holds."""
    rule = presets.load(preset).agent.replay
    sampler = rule.build(capacity)
    held = [*vars(sampler).values(), *(getattr(tree, "nodes", None) for tree in vars(sampler).values())]
    assert rule.sampler_bytes(capacity) == sum(array.nbytes for array in held if hasattr(array, "nbytes"))


def test_what_fits_beside_a_sampler(outcome, having: Callable[[float], None]) -> None:
    """The largest capacity, to the row: a tree grows in powers of two, so no division finds it."""
    having(4)
    config = dataclasses.replace(ATARI, agent=presets.load("prioritized").agent)
    fits = int(re.search(r"replay.capacity=(\d+)", outcome(memory.check_replay, config))[1])
    assert 2**18 < fits < 2**19  # 2^19 leaves
    room = 4 * GB - memory.HEADROOM
    assert fits * (ROW + 1) + 8 * 2**20 <= room < (fits + 1) * (ROW + 1) + 8 * 2**20
    memory.check_replay(config.with_settings([f"replay.capacity={fits}"]))
    assert outcome(memory.check_replay, config.with_settings([f"replay.capacity={fits + 1}"]))


def test_what_is_kept_aside_in_a_period_is_in_the_budget() -> None:
    """Concurrent execution: the raw frames of a period, or of all steps where there are fewer."""
    concurrent = ["execution=concurrent", "target_update_steps=8000"]
    for more in ([], ["replay.compression=delta"]):
        plain = memory.replay_bytes(ATARI.with_settings(more))
        assert memory.replay_bytes(ATARI.with_settings([*concurrent, *more])) == plain + 8_000 * 84 * 84
    assert memory.raw_bytes(ATARI.with_settings(concurrent)) == memory.raw_bytes(ATARI) + 8_000 * 84 * 84
    short = dataclasses.replace(ATARI, frames=48_000, iteration_frames=48_000)
    more = ["execution=concurrent", "target_update_steps=10000", "min_replay_steps=10000"]
    assert memory.replay_bytes(short.with_settings(more)) == memory.replay_bytes(short) + 10_000 * 84 * 84


def test_a_period_whose_frames_no_checkpoint_would_hold_is_refused(outcome, having: Callable[[float], None]) -> None:
    """2^30 bytes are 152,174 frames of 84 x 84."""
    having(64)
    concurrent = ["execution=concurrent", "execution.environments=1"]
    memory.check_replay(ATARI.with_settings([*concurrent, "target_update_steps=152174"]))
    message = outcome(memory.check_replay, ATARI.with_settings([*concurrent, "target_update_steps=160000"]))
    assert message.startswith("Expected at most 152,174 steps for `target_update_steps`")
    assert "got 160,000" in message and "1.13 GB" in message
    concurrent = ["execution=concurrent", "execution.environments=8"]
    message = outcome(memory.check_replay, ATARI.with_settings([*concurrent, "target_update_steps=160000"]))
    assert message.startswith("Expected at most 152,168 steps")  # 152,174 is not a multiple of 8
    memory.check_replay(ATARI.with_settings([*concurrent, "target_update_steps=152168"]))


def test_an_allocation_that_fails_is_a_sentence_too(outcome) -> None:
    """A short budget passes the check with any capacity, but address space is not endless."""
    for capacity in (10**15, 10**30):
        message = outcome(ring.Ring, SPEC, capacity)
        assert message.startswith(f"Expected memory for a replay of {capacity:,} transitions")


# -- what the machine says ---------------------------------------------------------------------------------------------
@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function (limit, usage, statistics) that writes the files of a control group and makes it this process's."""

    def build(limit: str, usage: str, statistics: str = "") -> None:
        for name, text in (("memory.max", limit), ("memory.current", usage), ("memory.stat", statistics)):
            (tmp_path / name).write_text(text)
        monkeypatch.setattr(memory, "_cgroup_files", lambda: [(tmp_path / "memory.max", tmp_path / "memory.current")])

    return build


def test_a_control_group_s_limit_counts(group: Callable[..., None]) -> None:
    group("1000000\n", "400000\n")
    assert memory.available() == (600_000, "left in this control group")


def test_files_that_the_kernel_keeps_in_memory_do_not_count(group: Callable[..., None]) -> None:
    """Writing a checkpoint fills the page cache, which the group's usage includes."""
    group("1000000\n", "900000\n", "anon 100000\ninactive_file 700000\nactive_file 100000\n")
    assert memory.available()[0] == 800_000
    group("1000000\n", "900000\n", "inactive_file 1\ntotal_inactive_file 700000\n")  # version 1: with its children
    assert memory.available()[0] == 800_000


@pytest.mark.parametrize("limit", ["max\n", "9223372036854771712\n"])
def test_no_limit_is_the_machine_s(group: Callable[..., None], limit: str) -> None:
    group(limit, "0\n")
    have, whose = memory.available()
    assert whose == "available on this machine" and have < 2**62


def test_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real files: some number of bytes, below what any machine has."""
    have, _ = memory.available()
    assert 10 * 2**20 < have < 2**50
    assert all(isinstance(path, Path) for pair in memory._cgroup_files() for path in pair)


def test_nothing_known_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_cgroup_files", lambda: [])
    monkeypatch.setattr(Path, "read_text", lambda self: (_ for _ in ()).throw(OSError("no /proc")))
    assert memory.available() == (2**63, "unknown")


def test_a_ring_takes_memory_only_as_it_fills() -> None:
    """What makes the smaller budget of a short run honest: pages never written are never resident."""
    before = resident()
    held = ring.Ring(SPEC, 100_000)
    assert held.frames.lookup(np.zeros(1, int))[0].nbytes > 700 * 10**6
    assert resident() - before < 50 * 10**6


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
