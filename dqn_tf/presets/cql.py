"""CQL as in its authors' program for Atari: QR-DQN with a conservative term, on recorded data.

Source: `aviralkumar2907/CQL@25c9984`: `atari/batch_rl/fixed_replay/configs/quantile.gin` (the values),
`atari/batch_rl/multi_head/quantile_agent.py` (the loss), `atari_helpers.py` of `google-research/batch_rl` (the
network); all read.
Paper: Kumar et al. 2020, "Conservative Q-Learning for Offline Reinforcement Learning" (arXiv 2006.04779).
"""

from __future__ import annotations

from dqn_tf.agent.conservative import Conservative
from dqn_tf.agent.values.quantile import Quantile
from dqn_tf.presets import dopamine

GIN, AGENT, HELPERS = "quantile.gin", "quantile_agent.py", "atari_helpers.py"

PRESET = dopamine.preset(
    name="cql",
    summary="CQL: QR-DQN that learns from recorded data, with a conservative term (train --offline)",
    reference="Kumar et al. 2020, arXiv 2006.04779; aviralkumar2907/CQL@25c9984:atari",
    gin=GIN,
    agent={
        "network": dopamine.CNN,
        "value": Quantile(quantiles=200, kappa=1.0),
        "auxiliary": Conservative(alpha=1.0),
        "optimizer": dopamine.adam(5e-5, 3.125e-4),
    },
    own={
        **dopamine.TF_ADAM,
        "network.initialization": f"{HELPERS}: VarianceScaling(1/sqrt(3), fan_in, uniform), zero biases",
        "replay": f"{GIN}: replay_scheme = 'uniform'",
        "value": f"{AGENT}: the loss of Dabney et al. 2018 (arXiv 1710.10044), equations (9) and (10)",
        "value.quantiles": f"{GIN}: num_atoms",
        "value.kappa": f"{AGENT}: default of kappa",
        "auxiliary": f"{AGENT}: the mean of logsumexp Q(s, .) - Q(s, a)",
        "auxiliary.alpha": f"{GIN}: minq_weight = 1.0 (the paper's text, remembered: 4 for 1 % of the data)",
        "optimizer": f"{GIN}: @tf.train.AdamOptimizer()",
        "optimizer.learning_rate": f"{GIN}: learning_rate = 0.00005",
        "optimizer.epsilon": f"{GIN}: epsilon = 0.0003125",
    },
    deviations=(
        "A batch is drawn uniformly from all of the data; the original learns from one of 50 files of a million "
        "transitions at a time.",
    ),
)
