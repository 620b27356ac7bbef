"""SPR for 100,000 steps, the authors' own; `spr_dopamine` is that of the published runs.

Source: `mila-iqia/spr@0b9dd4e`: `scripts/run.py` (its options and their defaults), `src/models.py`, `src/algos.py`,
`src/utils.py`, with `--momentum-tau 1.`, as its README asks for with augmentation.  What it takes from rlpyt's Rainbow
(`ernbw`) was not read, and is marked as remembered.
Paper: Schwarzer et al. 2021, "Data-Efficient Reinforcement Learning with Self-Predictive Representations" (arXiv
2007.05929).
"""

from __future__ import annotations

import dataclasses

from dqn_tf.agent.augmentation import PadAndCrop
from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.networks.torsos import NatureCNN
from dqn_tf.agent.spr import SPR
from dqn_tf.agent.target_tracking import Averaged
from dqn_tf.agent.targets.double import Double
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.presets import Preset, sources, zoo
from dqn_tf.presets.der import PRESET as DER
from dqn_tf.replay.importance import Importance
from dqn_tf.replay.prioritized import Prioritized

RUN, MODELS, ALGOS = "run.py", "models.py", "algos.py"
RLPYT = "rlpyt's ernbw; remembered, not read"

_AGENT = dataclasses.replace(
    DER.agent,
    network=NatureCNN(padding="valid", hidden=256, initialization="fan_in_uniform", latent="min_max"),
    head=Dueling(hidden="separate", torso_gradient=2 ** (-1 / 2)),
    layers=Noisy(sigma_0=0.5, scoring="mean"),
    value=Categorical(atoms=51, v_min=-10.0, v_max=10.0, divergence_priority=True),
    bootstrap=Double(),
    replay=Prioritized(
        alpha=0.5,
        importance=Importance(
            beta=0.4, beta_final=1.0, clock="transitions", start=2_000, end=100_000, divided_by="batch_max"
        ),
        epsilon=1e-6,
        largest=1e6,
        stratified=False,
    ),
    exploration=EpsilonGreedy(
        initial_epsilon=1.0, final_epsilon=0.0, decay_steps=2_001, decay_from="first_step", random_ties=False
    ),
    optimizer=zoo.adam(1e-4, 1.5e-4),
    n_step=10,
    augmentation=PadAndCrop(pad=4, intensity=0.05),
    auxiliary=SPR(steps=5, weight=5.0, batch_norm=True, norm_floor=1e-3, clip_apart=True),
    steps_per_update=1,
    updates_at_once=2,
    target_update_steps=1,
    target_tracking=Averaged(tau=1.0),
    min_replay_steps=2_000,
    max_grad_norm=10.0,
)
_OWN = {
    "network": f"{MODELS}: Conv2dModel, 32, 64 and 64 channels",
    "network.padding": f"{MODELS}: paddings=[0, 0, 0] (3136 features)",
    "network.hidden": f"{RUN}: --dqn-hidden-size, 256 in each stream",
    "network.initialization": "torch.nn.Conv2d's default (the noisy layers have their own)",
    "network.latent": f"{RUN}: --renormalize 1",
    "head": f"{RUN}: --dueling 1",
    "head.hidden": f"{MODELS}: DQNDistributionalDuelingHeadModel, a hidden layer in each stream",
    "head.torso_gradient": f"{MODELS}: grad_scale = 2 ** (-1 / 2)",
    "layers": f"{RUN}: --noisy-nets 1",
    "layers.sigma_0": f"{RUN}: --noisy-nets-std, 0.5",
    "layers.distribution": f"{MODELS}: torch.randn, factorized",
    "layers.scoring": "src/agent.py: no noise in evaluation",
    "value": f"{RUN}: --distributional 1; {ALGOS}: dist_rl_loss",
    "value.atoms": RLPYT,
    "value.v_min": RLPYT,
    "value.v_max": f"{MODELS}: select_action, limit=10",
    "value.divergence_priority": f"{ALGOS}: dist_rl_loss, KL_div",
    "bootstrap": RLPYT,
    "replay": f"{RUN}: --prioritized-replay 1",
    "replay.alpha": "src/utils.py: 0.5",
    "replay.importance.beta": RLPYT,
    "replay.importance.beta_final": RLPYT,
    "replay.importance.clock": RLPYT,
    "replay.importance.start": RLPYT,
    "replay.importance.end": RLPYT,
    "replay.importance.divided_by": RLPYT,
    "replay.epsilon": f"{ALGOS}: KL_div is clamped to 1e-6 from below; here 1e-6 is added",
    "replay.largest": f"{ALGOS}: KL_div is clamped to 1e6",
    "replay.stratified": RLPYT,
    "replay.uniform_share": "no uniform draws",
    "replay.capacity": RLPYT,
    "exploration.initial_epsilon": f"{RUN}: --eps-init 1",
    "exploration.final_epsilon": f"{RUN}: --eps-final 0",
    "exploration.decay_steps": f"{RUN}: --eps-steps 2001",
    "exploration.decay_from": "src/agent.py: epsilon falls from the first step",
    "exploration.random_ties": "torch.argmax",
    "optimizer": RLPYT,
    "optimizer.learning_rate": "src/utils.py: 0.0001",
    "optimizer.epsilon": "src/utils.py: 0.00015",
    "n_step": f"{RUN}: --n-step 10",
    "discount": RLPYT,
    "batch_size": f"{RUN}: --batch-size 32",
    "augmentation": f"{RUN}: --augmentation shift intensity, --aug-prob 1, --target-augmentation 1",
    "augmentation.pad": f"{MODELS}: ReplicationPad2d(4), RandomCrop",
    "augmentation.intensity": f"{MODELS}: Intensity(scale=0.05)",
    "auxiliary": f"{RUN}: --spr 1",
    "auxiliary.steps": f"{RUN}: --jumps 5",
    "auxiliary.weight": f"{RUN}: --model-spr-weight 5",
    "auxiliary.batch_norm": f"{RUN}: --norm-type bn",
    "auxiliary.norm_floor": f"{MODELS}: F.normalize(eps=1e-3)",
    "auxiliary.clip_apart": f"{ALGOS}: clip_grad_norm_ of stem_parameters and of the dynamics model",
    "steps_per_update": f"{RUN}: --batch-t 1",
    "updates_at_once": f"{RUN}: --replay-ratio 64, two updates of 32 per step",
    "target_update_steps": "not used: theta^- follows every update",
    "target_tracking": f"{RUN}: --target-update-interval 1",
    "target_tracking.tau": f"{RUN}: --target-update-tau 1; the README: --momentum-tau 1",
    "min_replay_steps": f"{RUN}: --min-steps-learn 2000",
    "max_grad_norm": f"{RUN}: --max-grad-norm 10",
    "evaluation.epsilon": "src/utils.py: 0.001",
    "evaluation.episodes": "not used: one phase, at the end",
    "evaluation.final_episodes": "src/utils.py: 100 episodes",
    "evaluation.noops_max": "as in training",
    "evaluation.period_iterations": f"{RUN}: --final-eval-only 1",
    "iteration_frames": f"{RUN}: --num-logs 10 of 100,000 steps",
}

PRESET = Preset(
    name="spr",
    summary="SPR (Atari 100k): noisy dueling C51 with self-prediction, two updates per step, 10 steps",
    reference="Schwarzer et al. 2021, arXiv 2007.05929; mila-iqia/spr@0b9dd4e",
    protocol="atari100k",
    agent=_AGENT,
    evaluation=DER.evaluation,
    iteration_frames=DER.iteration_frames,
    sources=sources.complete(
        _AGENT,
        DER.evaluation,
        sources.DQN,
        sources.adam("torch.optim.Adam", "torch.optim.Adam adds epsilon after the bias correction"),
        {"execution.xla": DER.sources["execution.xla"], "execution.threads": DER.sources["execution.threads"]},
        {"evaluation.frames": "not used: the phase is counted in episodes"},
        _OWN,
    ),
    deviations=(
        "The targets of the auxiliary loss come from theta^-, which is theta after every update; with momentum-tau 1 "
        "the authors' momentum encoder is theta as it was one update before.",
        "The mask of what followed ends with the episode's last observation, and where n-step returns are not "
        "complete yet; the authors' ends two states earlier, and their replay draws only where all is complete.",
        "Latents are divided by their range plus 1e-5, the authors' by their range.",
        "A noisy layer's bias begins with a sigma of 0.5 / sqrt(inputs); the authors' with 0.5 / sqrt(outputs).",
        "The authors' head has one bias more per atom, added to all advantages, which their mean takes away again; "
        "and a reward predictor and an action embedding that no loss reads. They are left out.",
        "Weights of the two convolutions of the transition model are drawn as the torso's, from torch's default.",
        "The protocol is that of the other Atari 100k agents here (0 to 29 no-op steps); the authors' begins with 1 "
        "to 30 no-op frames.",
    ),
)
