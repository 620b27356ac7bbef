"""CleanRL's C51 for classic control, to the letter.

Source: `vwxyzjn/cleanrl@fe8d8a03`: `cleanrl/c51.py`; what the two files have in common, its `dqn.py`.  The scores of
`docs/rl-algorithms/c51.md` were added by 714e786d, whose `c51.py` has the same settings.
"""

from __future__ import annotations

from dqn_tf.agent.optimizers import Adam
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.presets import sources
from dqn_tf.presets.derived import preset
from dqn_tf.presets.dqn_cleanrl import PRESET as DQN_CLEANRL

FILE = "c51.py"
SAME = {path: text.replace("dqn.py:", f"{FILE}:") for path, text in DQN_CLEANRL.sources.items()}

PRESET = preset(
    DQN_CLEANRL,
    name="c51_cleanrl",
    summary="CleanRL's C51 for vector states (CartPole-v1, Acrobot-v1, MountainCar-v0; 500,000 steps)",
    reference="Huang et al. 2022, CleanRL (arXiv 2111.08819); vwxyzjn/cleanrl@fe8d8a03:cleanrl/c51.py",
    agent={
        "value": Categorical(atoms=101, v_min=-100.0, v_max=100.0, log_clip=1e-5),
        "optimizer": Adam(learning_rate=2.5e-4, beta_1=0.9, beta_2=0.999, epsilon=0.01 / 128, epsilon_form="corrected"),
    },
    own={
        **SAME,
        **sources.DQN,
        "exploration.decay_from": SAME["exploration.decay_from"],
        "value": f"{FILE}: projection and cross-entropy",
        "value.atoms": f"{FILE}: n_atoms = 101",
        "value.v_min": f"{FILE}: v_min = -100",
        "value.v_max": f"{FILE}: v_max = 100",
        "value.log_clip": f"{FILE}: old_pmfs.clamp(min=1e-5, max=1 - 1e-5).log()",
        "optimizer.epsilon": f"{FILE}: eps = 0.01 / batch_size",
        "target_update_steps": f"{FILE}: target_network_frequency = 500 (agent steps)",
        "max_grad_norm": f"{FILE}: gradients are not clipped",
    },
)
