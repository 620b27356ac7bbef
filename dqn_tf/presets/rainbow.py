"""Rainbow with the settings of its paper.

Paper: Hessel et al. 2018, "Rainbow: Combining Improvements in Deep Reinforcement Learning" (arXiv 1710.02298), section
"Hyper-parameter tuning" and table 1.  Its code was not published; the environment and what the paper leaves open are as
in DQN Zoo's Rainbow.
"""

from __future__ import annotations

from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.presets import zoo
from dqn_tf.presets.derived import preset
from dqn_tf.presets.rainbow_zoo import PRESET as RAINBOW_ZOO
from dqn_tf.replay.importance import Importance
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.storage import Storage

TUNING = 'section "Hyper-parameter tuning"'

PRESET = preset(
    RAINBOW_ZOO,
    name="rainbow",
    summary="Rainbow: C51, Double, dueling, noisy layers, prioritized replay, 3 steps",
    reference="Hessel et al. 2018, arXiv 1710.02298",
    agent={
        "layers": Noisy(sigma_0=0.5, distribution="normal", scoring="noisy"),
        "replay": Prioritized(
            alpha=0.5,
            importance=Importance(
                beta=0.4, beta_final=1.0, clock="updates", start=0, end=12_500_000, divided_by="batch_max"
            ),
            stratified=True,
        ),
        "storage": Storage(capacity=1_000_000),
        "optimizer": zoo.adam(6.25e-5, 1.5e-4),
        "max_grad_norm": None,
    },
    own={
        "layers.sigma_0": f"{TUNING}: 0.5",
        "layers.distribution": 'section "The Integrated Agent": factorized Gaussian noise',
        "replay": f"{TUNING}: the proportional variant",
        "replay.alpha": f"{TUNING}: omega = 0.5",
        "replay.importance.beta": f"{TUNING}: 0.4",
        "replay.importance.beta_final": f"{TUNING}: 1, linearly over the course of training",
        "replay.importance.clock": "ours: at the end of training both clocks agree",
        "replay.importance.start": "ours: from the first update on",
        "replay.importance.end": "ours: 200M frames of four a step, one update every four steps",
        "replay.importance.divided_by": "Schaul et al. 2016 (arXiv 1511.05952), algorithm 1",
        "replay.epsilon": "ours: nothing is added; a cross-entropy is never 0",
        "replay.largest": "ours: priorities are not clipped",
        "replay.stratified": "Schaul et al. 2016 (arXiv 1511.05952), appendix B.2.1",
        "replay.uniform_share": "ours: no uniform draws",
        "optimizer.learning_rate": f"{TUNING}: a quarter of 0.00025",
        "optimizer.epsilon": f"{TUNING}: 1.5e-4",
        "max_grad_norm": f"ours: {TUNING} mentions no clipping",
    },
    deviations=(
        "The priority is the cross-entropy, as in DQN Zoo and Dopamine; the paper's is the KL loss, which is smaller "
        "by the entropy of the target.",
    ),
)
