"""Where things are: the checkout, and what is written."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results"
PROTOCOLS = ROOT / "reproduce" / "protocols"
OUTPUT = Path(os.environ.get("DQN_TF_OUTPUT") or ROOT).absolute()  # holds runs/ and results/; the image's volume
