"""BBF for 100,000 steps, with the eight updates per step of its paper's headline; `bbf_rr2` is its published file.

Source: `google-research/google-research@35c7461`: `bigger_better_faster/bbf/configs/BBF.gin` and `bbf/spr_networks.py`;
@1d4d2f1: `bbf/agents/spr_agent.py`.  The file has two updates per step and a reset every 20,000 steps, with the remark
that the one is to change with the other: 40,000 updates from one reset to the next.  With eight updates per step these
are 5,000 steps, as in SR_SPR.gin, which has eight.
Paper: Schwarzer et al. 2023, "Bigger, Better, Faster: Human-level Atari with human-level efficiency" (arXiv
2305.19452).
"""

from __future__ import annotations

import dataclasses

from dqn_tf.agent.adamw import AdamW
from dqn_tf.agent.annealing import AnnealedNStep
from dqn_tf.agent.networks.impala import Impala
from dqn_tf.agent.resets import ShrinkPerturb
from dqn_tf.presets import Preset, dopamine, sources
from dqn_tf.presets.sr_spr import PRESET as SR_SPR

GIN, AGENT, NETWORKS = "BBF.gin", "spr_agent.py", "spr_networks.py"
RESET_UPDATES, UNTIL_STEPS = 40_000, 100_000

_OWN = {
    "network": f"{GIN}: encoder_type = 'impala'",
    "network.width": f"{GIN}: width_scale = 4",
    "network.channels": f"{NETWORKS}: ImpalaCNN.dims = (16, 32, 32)",
    "network.blocks": f"{GIN}: ImpalaCNN.num_blocks = 2",
    "network.pooling": f"{NETWORKS}: max_pool of 3 x 3, strides (2, 2), padding='SAME'",
    "network.hidden": f"{GIN}: hidden_dim = 2048",
    "network.initialization": f"{NETWORKS}: initializer_type = 'xavier_uniform', zero biases",
    "network.latent": f"{GIN}: renormalize = True",
    "optimizer": f"{AGENT}: optax.adamw, for torso and transition model and for the rest, with equal settings",
    "optimizer.epsilon_form": "optax.adamw adds epsilon after the bias correction",
    "optimizer.weight_decay": f"{GIN}: create_scaling_optimizer.weight_decay = 0.1",
    "returns": f"{GIN}: max_update_horizon, min_gamma and cycle_steps",
    "returns.initial_n_step": f"{GIN}: max_update_horizon = 10",
    "returns.initial_discount": f"{GIN}: min_gamma = 0.97",
    "returns.decay_updates": f"{GIN}: cycle_steps = 10_000, of cycle_grad_steps",
    "n_step": f"{GIN}: update_horizon = 3",
    "discount": f"{GIN}: JaxDQNAgent.gamma = 0.997",
    "resets.shrink": f"{GIN}: shrink_factor = 0.5",
    "resets.perturb": f"{GIN}: perturb_factor = 0.5",
}


def preset(name: str, summary: str, updates_per_step: int, own: dict[str, str]) -> Preset:
    """BBF with some replay ratio.

    Args:
        name: of the preset.
        summary: of the preset.
        updates_per_step: the replay ratio, in updates of 32 transitions.
        own: sources of what goes with it.

    Returns:
        The preset; from one reset to the next it makes 40,000 updates.
    """
    period = RESET_UPDATES // updates_per_step
    agent = dataclasses.replace(
        SR_SPR.agent,
        network=Impala(width=4, hidden=2048, initialization="glorot_uniform", latent="min_max"),
        optimizer=AdamW(learning_rate=1e-4, epsilon=1.5e-4, weight_decay=0.1),
        returns=AnnealedNStep(initial_n_step=10, initial_discount=0.97, decay_updates=10_000),
        n_step=3,
        discount=0.997,
        updates_at_once=updates_per_step,
        resets=ShrinkPerturb(
            period_steps=period, until_steps=UNTIL_STEPS - period, shrink=0.5, perturb=0.5, slots="fresh"
        ),
    )
    inherited = {path: text.replace("SR_SPR.gin", GIN) for path, text in SR_SPR.sources.items()}
    return Preset(
        name=name,
        summary=summary,
        reference="Schwarzer et al. 2023, arXiv 2305.19452; google-research/google-research:bigger_better_faster",
        protocol="atari100k",
        agent=agent,
        evaluation=SR_SPR.evaluation,
        iteration_frames=SR_SPR.iteration_frames,
        sources=sources.complete(agent, SR_SPR.evaluation, sources.DQN, inherited, {**_OWN, **own}),
        deviations=(
            *dopamine.LABORATORY,
            "The target bootstraps from the state n steps ahead; there from that of n - 1, beside the sum of n rewards "
            "and gamma^n, and an end in the last of the n steps is not seen (subsequence_replay_buffer.py).",
            "The mask of what followed ends with the episode's last observation, and where ten steps are not complete "
            "yet; there it ends two states earlier, and no transition is drawn whose K steps are not complete.",
            "Each update draws its batch when it is due, by the n and gamma of its own number and by the priorities "
            "that the one before it found. There, a group of batches is drawn with one n and gamma, two groups ahead.",
            "Each transition gets the priority of its own loss. In spr_agent.py the losses of a batch are averaged "
            "before priorities are made of them.",
            f"Resets are at {period:,}, {2 * period:,}, ... {UNTIL_STEPS - period:,} steps, as in "
            "spr_agent.py@1d4d2f1. A version that compares with > resets one step later each time.",
            "Intensities multiply bytes, which are divided by 255 afterwards; there, the other way round.",
        ),
    )


PRESET = preset(
    "bbf",
    "BBF (Atari 100k): SPR with a wide residual torso, annealed n and gamma, eight updates per step",
    8,
    {
        "updates_at_once": f"replay ratio 8 of the paper's headline; {sources.MEMORY}. {GIN} has 2",
        "resets.period_steps": f"40,000 updates, as in {GIN} with its two updates per step; SR_SPR.gin has 5_000",
        "resets.until_steps": f"{AGENT}: none where next_reset, a period later, is past no_resets_after = 100,000",
        "replay.importance.divided_by": f"{AGENT}: divided by the largest of a group of batches; here of one",
    },
)
