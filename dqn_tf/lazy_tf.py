"""TensorFlow, imported at the first use of a name.

``from dqn_tf import lazy_tf as tf``: configuration, presets and their error messages do not wait for TensorFlow to
start, so a typo is answered in a fraction of a second.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from dqn_tf import lean

LEAN = False  # whether TensorFlow comes without what only other programs use (lean.py); the command dqn-tf says so

os.environ["KERAS_BACKEND"] = "tensorflow"  # also where the environment says otherwise
os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # GPUs by the numbers that nvidia-smi gives (memory.py)
_LOUD = int(os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")) < 2


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    new = "tensorflow" not in sys.modules
    with _silence() if new and not _LOUD else contextlib.nullcontext(), lean.imports(new and LEAN):
        import tensorflow

        tensorflow.config.list_physical_devices()
    value = getattr(tensorflow, name)
    globals()[name] = value  # found without this function the next time
    return value


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Suppress what the native libraries print when they start; failures still raise.

    They print to file descriptor 2 before any log level applies.  TF_CPP_MIN_LOG_LEVEL=0 shows it.
    """
    sys.stderr.flush()
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
