"""SR-SPR for 100,000 steps: SPR with eight updates per step, made possible by resets of its weights.

Source: `google-research/google-research@83282e4`: `bigger_better_faster/bbf/configs/SR_SPR.gin`; @1d4d2f1:
`bbf/agents/spr_agent.py`; @35c7461: `bbf/spr_networks.py`.  That gin file cannot be run as it is: its import lines are
broken, and `encoder_type = "cnn"` is no name of an encoder; "dqn" is meant, and taken here.
Paper: D'Oro et al. 2023, "Sample-Efficient Reinforcement Learning by Breaking the Replay Ratio Barrier"; the code is
that of Schwarzer et al. 2023, "Bigger, Better, Faster" (arXiv 2305.19452), who compare with it.
"""

from __future__ import annotations

import dataclasses

from dqn_tf.agent.networks.dense import Dense
from dqn_tf.agent.resets import ShrinkPerturb
from dqn_tf.agent.target_tracking import Averaged
from dqn_tf.presets import Preset, dopamine, sources
from dqn_tf.presets.spr_dopamine import PRESET as SPR_DOPAMINE
from dqn_tf.replay.storage import Storage

GIN, AGENT, NETWORKS = "SR_SPR.gin", "spr_agent.py", "spr_networks.py"

_AGENT = dataclasses.replace(
    SPR_DOPAMINE.agent,
    layers=Dense(),
    storage=Storage(capacity=200_000),
    updates_at_once=8,
    acts_with="target",
    resets=ShrinkPerturb(period_steps=5_000, until_steps=95_000, shrink=0.8, perturb=0.2, slots="fresh"),
    target_tracking=Averaged(tau=0.005),
)
_OWN = {
    "network": f"{NETWORKS}: RainbowCNN; the file's encoder_type, 'cnn', names none",
    "network.padding": f"{NETWORKS}: padding = 'SAME' (7744 features)",
    "network.hidden": f"{GIN}: hidden_dim = 512",
    "network.initialization": f"{NETWORKS}: xavier_uniform, zero biases",
    "network.latent": f"{GIN}: renormalize = True",
    "head": f"{GIN}: dueling = True",
    "head.hidden": f"{NETWORKS}: one hidden layer, the projection, before both streams",
    "layers": f"{GIN}: noisy = False ('slower and hurts performance')",
    "value": f"{GIN}: distributional = True",
    "value.v_max": f"{AGENT}: default vmax = 10",
    "value.v_min": f"{AGENT}: -vmax",
    "bootstrap": f"{GIN}: double_dqn = True",
    "replay": f"{GIN}: replay_scheme = 'prioritized'",
    "replay.alpha": f"{AGENT}: priorities are sqrt(dqn_loss + 1e-10)",
    "replay.importance.beta": f"{AGENT}: weights are 1 / sqrt(probability)",
    "replay.importance.beta_final": f"{AGENT}: the exponent stays 0.5",
    "replay.importance.divided_by": f"{AGENT}: divided by the largest of a group of eight batches; here of one",
    "replay.epsilon": f"{AGENT}: sqrt(dqn_loss + 1e-10)",
    "replay.largest": f"{AGENT}: priorities are not clipped",
    "replay.capacity": f"{GIN}: replay_capacity = 200,000",
    "exploration.initial_epsilon": f"{GIN}: linearly_decaying_epsilon begins at 1",
    "exploration.random_ties": f"{AGENT}: jnp.argmax takes the first of equal values",
    "optimizer": f"{AGENT}: optax.adamw, whose weight_decay is 0 in {GIN}: Adam",
    "optimizer.learning_rate": f"{GIN}: learning_rate = encoder_learning_rate = 0.0001",
    "optimizer.beta_1": f"{AGENT}: create_scaling_optimizer, beta1=0.9",
    "optimizer.beta_2": f"{AGENT}: create_scaling_optimizer, beta2=0.999",
    "optimizer.epsilon": f"{GIN}: eps = 0.00015",
    "n_step": f"{AGENT}: default update_horizon = 10",
    "augmentation": f"{GIN}: data_augmentation = True",
    "augmentation.pad": f"{NETWORKS}: drq_image_aug, img_pad=4; offsets from 0 to 7, so shifts -4 to 3",
    "augmentation.intensity": f"{NETWORKS}: _intensity_aug, scale=0.05",
    "auxiliary": f"{GIN}: spr_weight > 0",
    "auxiliary.batch_norm": f"{NETWORKS}: ConvTMCell has none",
    "max_grad_norm": f"{AGENT}: gradients are not clipped",
    "updates_at_once": f"{GIN}: replay_ratio = 256, eight updates of 32 per step",
    "target_update_steps": "not used: theta^- follows every update",
    "target_tracking": f"{AGENT}: train_one_batch, interpolate_weights after every update",
    "target_tracking.tau": f"{GIN}: target_update_tau = 0.005",
    "acts_with": f"{GIN}: target_action_selection = True, in training and in evaluation",
    "resets": f"{GIN}: shrink_perturb_keys = 'encoder,transition_model'",
    "resets.period_steps": f"{GIN}: reset_every = 5_000",
    "resets.until_steps": f"{AGENT}: none where next_reset, a period later, is past no_resets_after = 100,000",
    "resets.shrink": f"{GIN}: shrink_factor = 0.8",
    "resets.perturb": f"{GIN}: perturb_factor = 0.2",
    "resets.slots": f"{AGENT}: jit_reset, whose copy_params finds no network in the optimizer's tuples; run with Optax",
    "iteration_frames": "ours: 10,000 agent steps, as in the laboratory",
}

PRESET = Preset(
    name="sr_spr",
    summary="SR-SPR (Atari 100k): SPR without noise, eight updates per step, a reset every 5,000 steps",
    reference="D'Oro et al. 2023; google-research/google-research@1d4d2f1:bigger_better_faster",
    protocol="atari100k",
    agent=_AGENT,
    evaluation=SPR_DOPAMINE.evaluation,
    iteration_frames=SPR_DOPAMINE.iteration_frames,
    sources=sources.complete(
        _AGENT,
        SPR_DOPAMINE.evaluation,
        sources.DQN,
        {path: text.replace("SPR.gin", GIN) for path, text in SPR_DOPAMINE.sources.items()},
        _OWN,
    ),
    deviations=(
        *dopamine.LABORATORY,
        "The target bootstraps from the state n steps ahead; there from that of n - 1, beside the sum of n rewards "
        "and gamma^n, and an end in the last of the n steps is not seen (subsequence_replay_buffer.py).",
        "The mask of what followed ends with the episode's last observation, and where n-step returns are not "
        "complete yet; there it ends two states earlier, and no transition is drawn whose K steps are not complete.",
        "Each update draws its batch when it is due, so that it knows the priorities that the one before it found; "
        "there, eight batches are drawn and weighted as one.",
        "Each transition gets the priority of its own loss. In spr_agent.py the losses of a batch are averaged before "
        "priorities are made of them.",
        "Resets are at 5,000, 10,000, ... 95,000 steps, as in spr_agent.py@1d4d2f1. A version that compares with > "
        "resets one step later each time, and not at 95,000.",
        "Intensities multiply bytes, which are divided by 255 afterwards; there, the other way round.",
    ),
)
