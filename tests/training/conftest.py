"""The user's own environments of simulators.py."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def simulators(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module, which can be imported by its name during the test; nothing has been called, no trouble."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    module = importlib.import_module("simulators")
    module.CALLS.clear()
    monkeypatch.setattr(module, "TROUBLE", module.from_environment)
    yield module
    sys.modules.setdefault("simulators", module)
