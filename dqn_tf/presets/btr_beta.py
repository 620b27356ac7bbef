"""BTR with the importance weights of its first published code, whose exponent grows to 1; everything else is in btr.py.

Source: `VIPTankz/BeyondTheRainbowICML@0e08f8b`: `Agent.py`.
Paper: Clark et al. 2024, "Beyond The Rainbow" (arXiv 2411.03820).
"""

from __future__ import annotations

import dataclasses

from dqn_tf.presets.btr import AGENT, preset
from dqn_tf.replay.importance import Importance

PRESET = preset(
    "btr_beta",
    "BTR with importance weights whose exponent grows from 0.4 to 1, as in its first published code",
    Importance(beta=0.4, beta_final=1.0, clock="updates", start=0, end=778_125, divided_by="batch_max"),
    {
        "replay.importance.beta": f"{AGENT}: per_beta = 0.4",
        "replay.importance.beta_final": f"{AGENT}: learn_call, priority_weight rises to 1",
        "replay.importance.clock": f"{AGENT}: learn_call, once for each update",
        "replay.importance.start": f"{AGENT}: from the first update on",
        "replay.importance.end": f"{AGENT}: total_grad_steps = (50,000,000 - 200,000) / 64",
    },
)
PRESET = dataclasses.replace(
    PRESET,
    deviations=(
        *PRESET.deviations,
        "One sum tree for all environments; there, each environment has a replay and a tree of its own, and a batch "
        "comes from one of them, chosen by the sums of their priorities.",
    ),
)
