"""Double DQN with rank-based prioritized replay.

Paper: Schaul et al. 2016, "Prioritized Experience Replay" (arXiv 1511.05952), sections 3.3 and 4, appendix B.2.  Its
code was not found; what the paper does not change is as in the preset prioritized.
"""

from __future__ import annotations

from dqn_tf.presets.derived import preset
from dqn_tf.presets.prioritized import PRESET as PRIORITIZED
from dqn_tf.replay.importance import Importance
from dqn_tf.replay.prioritized_rank import PrioritizedRank
from dqn_tf.replay.storage import Storage

PRESET = preset(
    PRIORITIZED,
    name="prioritized_rank",
    summary="Double DQN with prioritized replay, the rank-based variant",
    reference="Schaul et al. 2016, arXiv 1511.05952",
    agent={
        "replay": PrioritizedRank(
            alpha=0.7,
            importance=Importance(
                beta=0.5, beta_final=1.0, clock="updates", start=0, end=12_500_000, divided_by="batch_max"
            ),
            sort_updates=250_000,
        ),
        "storage": Storage(capacity=1_000_000),
    },
    own={
        "replay": "Schaul et al. 2016, section 3.3: the rank-based variant",
        "replay.alpha": "section 4 and appendix B.2.2, table 3: 0.7",
        "replay.importance.beta": "section 4 and appendix B.2.2, table 3: 0.5",
        "replay.importance.beta_final": "section 3.4 and table 3: annealed linearly to 1 at the end of learning",
        "replay.importance.clock": "ours: at the end of learning both clocks agree",
        "replay.importance.start": "ours: from the first update on",
        "replay.importance.end": "ours: 200M frames of four a step, one update every four steps",
        "replay.importance.divided_by": "algorithm 1: max_i w_i, taken over the batch",
        "replay.sort_updates": "appendix B.2.1: sorted every 10^6 steps, so every 250,000 updates",
    },
    deviations=("The parts of equal probability are exact; the paper approximates them by a precomputed partition.",),
)
