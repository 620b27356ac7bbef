"""The compact Rainbow behind Dopamine's published curves: C51, prioritized replay and 3 steps, nothing else.

Source: `google/dopamine@5873f54`: `dopamine/tf/agents/rainbow/configs/rainbow.gin`, `rainbow_agent.py`,
`dopamine/discrete_domains/legacy_networks.py`.
Paper: Castro et al. 2018, "Dopamine" (arXiv 1812.06110); the agent after Hessel et al. 2018 (arXiv 1710.02298).
"""

from __future__ import annotations

from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.presets import dopamine

GIN, AGENT = "rainbow.gin", "rainbow_agent.py"

PRESET = dopamine.preset(
    name="rainbow_dopamine",
    summary="Dopamine's compact Rainbow: C51, prioritized replay, 3 steps (not Double, dueling or noisy)",
    reference="Castro et al. 2018, arXiv 1812.06110; google/dopamine@5873f54:dopamine/tf/agents/rainbow",
    gin=GIN,
    agent={
        "network": dopamine.CNN,
        "value": Categorical(atoms=51, v_min=-10.0, v_max=10.0),
        "replay": dopamine.PRIORITIZED,
        "optimizer": dopamine.adam(6.25e-5, 1.5e-4),
        "n_step": 3,
    },
    own={
        **dopamine.TF_ADAM,
        **dopamine.PRIORITIZED_SOURCES,
        "network.initialization": dopamine.INITIALIZATION,
        "value": f"{AGENT}: project_distribution and cross-entropy",
        "value.atoms": f"{GIN}: num_atoms",
        "value.v_min": f"{AGENT}: -vmax",
        "value.v_max": f"{GIN}: vmax",
        "optimizer": f"{GIN}: @tf.train.AdamOptimizer()",
        "optimizer.learning_rate": f"{GIN}: learning_rate = 0.0000625",
        "optimizer.epsilon": f"{GIN}: epsilon = 0.00015",
    },
    deviations=("Where an episode is cut off, Dopamine drops the last n - 1 transitions; here they are kept.",),
)
