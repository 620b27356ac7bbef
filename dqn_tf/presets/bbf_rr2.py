"""BBF for 100,000 steps, with the two updates per step of its published file; everything else is in bbf.py.

Source: `google-research/google-research@35c7461`: `bigger_better_faster/bbf/configs/BBF.gin`, as it is.
Paper: Schwarzer et al. 2023, "Bigger, Better, Faster" (arXiv 2305.19452).
"""

from __future__ import annotations

from dqn_tf.presets.bbf import AGENT, GIN, preset

PRESET = preset(
    "bbf_rr2",
    "BBF (Atari 100k) with two updates per step, a quarter of the paper's headline: its published file",
    2,
    {
        "updates_at_once": f"{GIN}: replay_ratio = 64, two updates of 32 per step",
        "resets.period_steps": f"{GIN}: reset_every = 20_000",
        "resets.until_steps": f"{AGENT}: none where next_reset, a period later, is past no_resets_after = 100_000",
        "replay.importance.divided_by": f"{AGENT}: divided by the largest of a group of two batches; here of one",
    },
)
