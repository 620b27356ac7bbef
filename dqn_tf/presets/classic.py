"""What the presets for vector states share: `dqn_classic` with one idea changed.  No paper prints these settings."""

from __future__ import annotations

from typing import Any

from dqn_tf.presets import Preset, derived
from dqn_tf.presets.dqn_classic import PRESET as DQN_CLASSIC

CHOSEN = "ours: a first guess, not tuned"
PRIORITIZED = {
    "replay.alpha": "Schaul et al. 2016, section 4 and appendix B.2.2, table 3",
    "replay.importance.beta": "Schaul et al. 2016, section 4 and appendix B.2.2, table 3",
    "replay.importance.beta_final": "Schaul et al. 2016, section 3.4 and table 3: 1 at the end of learning",
    "replay.importance.clock": CHOSEN,
    "replay.importance.start": CHOSEN,
    "replay.importance.end": "ours: the updates of 50,000 steps",
    "replay.importance.divided_by": "Schaul et al. 2016, algorithm 1",
    "replay.epsilon": CHOSEN,
    "replay.largest": "ours: priorities are not clipped",
    "replay.stratified": "Schaul et al. 2016, appendix B.2.1",
    "replay.uniform_share": "ours: no uniform draws",
}
IMPLICIT = {
    "value.samples": CHOSEN,
    "value.target_samples": CHOSEN,
    "value.policy_samples": CHOSEN,
    "value.cosines": "as in iqn",
    "value.first_cosine": "Dabney et al. 2018, equation (4): from 0",
    "value.kappa": "as in iqn",
}
MUNCHAUSEN = {
    "bootstrap.alpha": "as in m_dqn",
    "bootstrap.tau": "as in m_dqn",
    "bootstrap.log_policy_min": "as in m_dqn",
}


def classic_preset(name: str, summary: str, paper: str, agent: dict[str, Any], own: dict[str, str]) -> Preset:
    """dqn_classic with one idea changed.

    Args:
        name: of the preset.
        summary: one line.
        paper: of the idea.
        agent: values of fields of ``AgentConfig``.
        own: sources of these values, by path.

    Returns:
        The preset.
    """
    return derived.preset(DQN_CLASSIC, name, summary, f"{paper}; settings of this project", agent, own)
