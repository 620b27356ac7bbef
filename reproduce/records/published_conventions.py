"""By which convention each published column of scores was made, as far as that is known."""

from __future__ import annotations

# The DQN family's columns of atari57_published_scores.csv: (agent, start) -> (convention as in analysis/run_scores.py,
# and how that is known).
_STATED, _TRAP3, _DATA, _STYLE = (
    "stated in the column's protocol",
    "a paper of 2015 to 2018: PROVENANCE.md, trap 3",
    "told by the data: PROVENANCE.md, last section",
    "said to be in the style of Dopamine",
)
FAMILY: dict[tuple[str, str], tuple[str, str]] = {
    ("DQN (Nature 2015)", "noop"): ("best_checkpoint", _TRAP3),
    ("DQN (re-evaluated, no-op 30 min)", "noop"): ("best_checkpoint", _STATED),
    ("DQN (re-run in NoisyNet paper)", "noop"): ("best_checkpoint", _TRAP3),
    ("Double DQN", "noop"): ("best_checkpoint", _TRAP3),
    ("Double DQN (no-op 30 min)", "noop"): ("best_checkpoint", _STATED),
    ("Prioritized DDQN (no-op, Wang 2016)", "noop"): ("best_checkpoint", _TRAP3),
    ("Dueling DDQN", "noop"): ("best_checkpoint", _TRAP3),
    ("Dueling (re-run in NoisyNet paper)", "noop"): ("best_checkpoint", _TRAP3),
    ("Prioritized Dueling DDQN", "noop"): ("best_checkpoint", _TRAP3),
    ("NoisyNet-DQN", "noop"): ("best_checkpoint", _TRAP3),
    ("NoisyNet-Dueling", "noop"): ("best_checkpoint", _TRAP3),
    ("C51", "noop"): ("best_checkpoint", _STATED),
    ("QR-DQN-0", "noop"): ("best_checkpoint", _STATED),
    ("QR-DQN-1", "noop"): ("best_checkpoint", _STATED),
    ("IQN", "noop"): ("best_checkpoint", _STATED),
    ("Distributional DQN (Rainbow paper)", "noop"): ("best_checkpoint", _STATED),
    ("Rainbow", "noop"): ("best_checkpoint", _STATED),
    ("DQN (Nair 2015)", "human"): ("best_checkpoint", _TRAP3),
    ("Double DQN", "human"): ("best_checkpoint", _TRAP3),
    ("Double DQN (tuned)", "human"): ("best_checkpoint", _TRAP3),
    ("Prioritized DQN (rank)", "human"): ("best_checkpoint", _TRAP3),
    ("Prioritized DDQN (rank)", "human"): ("best_checkpoint", _TRAP3),
    ("Prioritized DDQN (proportional)", "human"): ("best_checkpoint", _TRAP3),
    ("Dueling DDQN", "human"): ("best_checkpoint", _TRAP3),
    ("Prioritized Dueling DDQN", "human"): ("best_checkpoint", _TRAP3),
    ("Distributional DQN (Rainbow paper)", "human"): ("best_checkpoint", _STATED),
    ("Rainbow", "human"): ("best_checkpoint", _STATED),
    ("Dopamine DQN (legacy TF, final)", "none"): ("training_return", _DATA),
    ("Dopamine C51 (legacy TF, final)", "none"): ("training_return", _DATA),
    ("Dopamine Rainbow (legacy TF, final)", "none"): ("training_return", _DATA),
    ("Dopamine IQN (legacy TF, final)", "none"): ("training_return", _DATA),
    ("M-DQN", "none"): ("training_return", _STYLE),
    ("M-IQN", "none"): ("training_return", _STYLE),
    ("BTR (repo preview csv)", "noop?"): ("final_window", _STATED),
}
