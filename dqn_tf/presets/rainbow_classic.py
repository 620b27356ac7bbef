"""Rainbow for vector states: the idea, on dqn_classic's small network and settings."""

from __future__ import annotations

from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.targets.double import Double
from dqn_tf.presets.c51_classic import PRESET as C51
from dqn_tf.presets.classic import CHOSEN, classic_preset
from dqn_tf.presets.noisy_classic import PRESET as NOISY
from dqn_tf.presets.prioritized_classic import PRESET as PER

PRESET = classic_preset(
    "rainbow_classic",
    "Rainbow for vector states",
    "Hessel et al. 2018, arXiv 1710.02298",
    agent={
        "head": Dueling(),
        "layers": Noisy(sigma_0=0.1, scoring="mean"),
        "value": C51.agent.value,
        "bootstrap": Double(),
        "replay": PER.agent.replay,
        "exploration": NOISY.agent.exploration,
        "n_step": 3,
    },
    own={
        **{path: text for path, text in PER.sources.items() if path.startswith("replay")},
        **{path: text for path, text in C51.sources.items() if path.startswith("value")},
        **{path: text for path, text in NOISY.sources.items() if path.startswith(("layers", "exploration"))},
        "layers.sigma_0": "ours: 0.5, the paper's, kept it from learning in time, see docs/classic.md",
        "bootstrap": "the idea: agent/targets/double.py",
        "head": "the idea: agent/networks/dueling.py",
        "head.hidden": CHOSEN,
        "head.torso_gradient": CHOSEN,
        "n_step": "as in rainbow",
    },
)
