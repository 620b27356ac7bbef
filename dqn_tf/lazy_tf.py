"""TensorFlow, imported at the first use of a name.

``from dqn_tf import lazy_tf as tf`` keeps configuration, presets and their error messages free of TensorFlow's
start-up time: a typo is answered in a fraction of a second.
"""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up chatter; its errors reach Python anyway
os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever the user's shell says


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    import tensorflow

    value = getattr(tensorflow, name)
    globals()[name] = value  # the next look-up is an ordinary one
    return value
