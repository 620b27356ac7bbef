"""C51 with the settings behind Dopamine's published curves.

Source: `google/dopamine@5873f54`: `dopamine/tf/agents/rainbow/configs/c51.gin`, `rainbow_agent.py`,
`dopamine/discrete_domains/legacy_networks.py`.
Paper: Castro et al. 2018, "Dopamine" (arXiv 1812.06110); the agent after Bellemare et al. 2017 (arXiv 1707.06887).
"""

from __future__ import annotations

from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.presets import dopamine

GIN, AGENT = "c51.gin", "rainbow_agent.py"

PRESET = dopamine.preset(
    name="c51_dopamine",
    summary="C51 as in Dopamine's published curves (sticky actions, training returns)",
    reference="Castro et al. 2018, arXiv 1812.06110; google/dopamine@5873f54:dopamine/tf/agents/rainbow",
    gin=GIN,
    agent={
        "network": dopamine.CNN,
        "value": Categorical(atoms=51, v_min=-10.0, v_max=10.0),
        "optimizer": dopamine.adam(2.5e-4, 3.125e-4),
    },
    own={
        **dopamine.TF_ADAM,
        "replay": f"{GIN}: replay_scheme = 'uniform'",
        "network.initialization": dopamine.INITIALIZATION,
        "value": f"{AGENT}: project_distribution and cross-entropy",
        "value.atoms": f"{GIN}: num_atoms",
        "value.v_min": f"{AGENT}: -vmax",
        "value.v_max": f"{GIN}: vmax",
        "optimizer": f"{GIN}: @tf.train.AdamOptimizer()",
        "optimizer.learning_rate": f"{GIN}: learning_rate = 0.00025",
        "optimizer.epsilon": f"{GIN}: epsilon = 0.0003125",
    },
)
