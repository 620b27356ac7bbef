"""Where things are: the code, what comes with it, and what is written.

In a checkout everything lies in it.  Installed from a wheel, protocols and published numbers are in the package, and
what is written goes below the present folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from dqn_tf.checks import ConfigError

ROOT = Path(__file__).resolve().parent.parent  # holds the packages dqn_tf and reproduce: the checkout or site-packages
IN_CHECKOUT = (ROOT / "pyproject.toml").is_file()
PROTOCOLS = ROOT / "reproduce" / "protocols"
# Published numbers and measured speeds, in the layout of results/.
DATA = ROOT / "results" if IN_CHECKOUT else ROOT / "reproduce" / "data"
# Holds runs/ and results/.  DQN_TF_OUTPUT: the volume of the container image.
OUTPUT = Path(os.environ.get("DQN_TF_OUTPUT") or (ROOT if IN_CHECKOUT else ".")).absolute()
RESULTS = ROOT / "results" if IN_CHECKOUT else OUTPUT / "results"


def checkout(purpose: str) -> Path:
    """The checkout.

    Args:
        purpose: what needs it, for the error.

    Returns:
        Its folder.

    Raises:
        ConfigError: the package was installed without one.
    """
    if not IN_CHECKOUT:
        raise ConfigError(f"Expected a checkout of the repository for {purpose}, got an installed package in {ROOT}.")
    return ROOT


def folder_name(env_id: str) -> str:
    """What an environment's folder is called: "module:ns/Name-v0" -> "module_ns_Name-v0"."""
    return env_id.replace(":", "_").replace("/", "_")


def python_path() -> str:
    """PYTHONPATH of processes that must import the same code as this one."""
    known = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join(filter(None, [str(ROOT), known])) if IN_CHECKOUT else known
