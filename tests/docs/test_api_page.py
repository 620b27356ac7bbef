"""docs/api.md has every public name."""

from __future__ import annotations

import re
from pathlib import Path

import dqn_tf

ROOT = Path(__file__).resolve().parents[2]


def test_every_public_name_is_on_the_page() -> None:
    shown = re.findall(r"^\.\. [\w:]+:: dqn_tf\.(\w+)$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    assert sorted(shown) == sorted(dqn_tf.__all__)
