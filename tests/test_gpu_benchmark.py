"""benchmarks/gpu.py, as far as it goes without a GPU: what it asks for can be run, and it keeps to its time."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from dqn_tf import bench, make_config

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def gpu() -> ModuleType:
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("gpu_benchmark", ROOT / "benchmarks" / "gpu.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_mode_can_be_run_with_every_preset(gpu: ModuleType) -> None:
    """As `dqn-tf bench` makes its configuration, and as it changes it."""
    for settings in gpu.MODES.values():
        for preset in gpu.PRESETS:
            config = make_config(preset, "breakout", frames=10**9, settings=settings)
            assert bench.measured(config).agent.execution == config.agent.execution
