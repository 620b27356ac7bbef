"""REM as in its authors' program: 200 heads, mixed at random, on recorded data.

Source: `google-research/batch_rl@8d967cc`: `batch_rl/fixed_replay/configs/rem.gin` (the values),
`batch_rl/multi_head/multi_head_dqn_agent.py` (the loss), `batch_rl/multi_head/atari_helpers.py` (network and mixture);
all read.
Paper: Agarwal et al. 2020, "An Optimistic Perspective on Offline Reinforcement Learning" (arXiv 1907.04543).
"""

from __future__ import annotations

from dqn_tf.agent.values.random_ensemble import RandomEnsemble
from dqn_tf.presets import dopamine

GIN, AGENT, HELPERS = "rem.gin", "multi_head_dqn_agent.py", "atari_helpers.py"

PRESET = dopamine.preset(
    name="rem",
    summary="REM: random mixtures of 200 Q-values, learned from recorded data (train --offline)",
    reference="Agarwal et al. 2020, arXiv 1907.04543; google-research/batch_rl@8d967cc",
    gin=GIN,
    agent={
        "network": dopamine.CNN,
        "value": RandomEnsemble(heads=200, loss="huber", huber_threshold=1.0),
        "optimizer": dopamine.adam(5e-5, 3.125e-4),
    },
    own={
        **dopamine.TF_ADAM,
        "network.initialization": f"{HELPERS}: VarianceScaling(1/sqrt(3), fan_in, uniform), zero biases",
        "value": f"{HELPERS}: combine_q_functions, random_stochastic_matrix with one column",
        "value.heads": f"{GIN}: num_heads",
        "value.loss": f"{AGENT}: tf.losses.huber_loss, then the mean over the batch",
        "value.huber_threshold": "default delta of tf.compat.v1.losses.huber_loss",
        "exploration.final_epsilon": "not used: no step is made while learning",
        "optimizer": f"{GIN}: @tf.train.AdamOptimizer()",
        "optimizer.learning_rate": f"{GIN}: learning_rate = 0.00005",
        "optimizer.epsilon": f"{GIN}: epsilon = 0.0003125",
    },
    deviations=(
        "A batch is drawn uniformly from all of the data; the original learns from one of 50 files of a million "
        "transitions at a time.",
        "A drawn weight is at least 1e-6 before all are divided by their sum.",
    ),
)
