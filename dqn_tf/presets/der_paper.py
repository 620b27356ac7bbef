"""Data-efficient Rainbow as van Hasselt et al. 2019 describe it: a small network, 20 steps, one update per step.

Paper: van Hasselt, Hessel & Aslanides 2019, "When to use parametric models in reinforcement learning?" (arXiv
1906.05243), appendix.  Its code was not published and its text was not read: values are second-hand, from
`Kaixhin/Rainbow@1745b18`: `README.md` (the options that it gives for data-efficient Rainbow), `main.py` (the defaults
of all others), `model.py`, `agent.py`, `memory.py`.  What only the paper could say is marked as remembered.
"""

from __future__ import annotations

import dataclasses

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.networks.torsos import CNN
from dqn_tf.agent.targets.double import Double
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.presets import Preset, sources, zoo
from dqn_tf.presets.der import PRESET as DER
from dqn_tf.presets.sources import MEMORY
from dqn_tf.replay.importance import Importance
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.storage import Storage

OPTIONS, MAIN, MODEL, AGENT, REPLAY = "README.md", "main.py", "model.py", "agent.py", "memory.py"

_AGENT = dataclasses.replace(
    DER.agent,
    network=CNN(channels=(32, 64), kernels=(5, 5), strides=(5, 5), hidden=256, initialization="fan_in_uniform"),
    head=Dueling(hidden="separate"),
    layers=Noisy(sigma_0=0.1, distribution="normal", scoring="mean"),
    value=Categorical(atoms=51, v_min=-10.0, v_max=10.0),
    bootstrap=Double(),
    replay=Prioritized(
        alpha=0.5,
        importance=Importance(beta=0.4, beta_final=1.0, clock="updates", start=0, end=98_400, divided_by="batch_max"),
        stratified=True,
    ),
    storage=Storage(capacity=120_000),
    exploration=EpsilonGreedy(initial_epsilon=0.0, final_epsilon=0.0, decay_steps=1, random_ties=False),
    optimizer=zoo.adam(1e-4, 1.5e-4),
    n_step=20,
    discount=0.99,
    batch_size=32,
    steps_per_update=1,
    target_update_steps=2_000,
    min_replay_steps=1_600,
    max_grad_norm=10.0,
)
_EVALUATION = DER.evaluation

PRESET = Preset(
    name="der_paper",
    summary="Data-efficient Rainbow of its paper (Atari 100k): two 5x5 convolutions, hidden 256, 20 steps",
    reference="van Hasselt et al. 2019, arXiv 1906.05243; second-hand: Kaixhin/Rainbow@1745b18",
    protocol="atari100k",
    agent=_AGENT,
    evaluation=_EVALUATION,
    iteration_frames=DER.iteration_frames,
    sources=sources.complete(
        _AGENT,
        _EVALUATION,
        sources.DQN,
        sources.adam("torch.optim.Adam", "torch.optim.Adam adds epsilon after the bias correction"),
        {
            "network": f"{OPTIONS}: --architecture data-efficient",
            "network.channels": f"{MODEL}: 32 and 64 filters",
            "network.kernels": f"{MODEL}: 5 x 5 both",
            "network.strides": f"{MODEL}: 5 both",
            "network.padding": f"{MODEL}: padding=0 (576 features)",
            "network.hidden": f"{OPTIONS}: --hidden-size 256",
            "network.initialization": f"{MODEL}: torch.nn.Conv2d's default; the noisy layers have their own",
            "head": f"{MODEL}: DQN.forward, value and advantages",
            "head.hidden": f"{MODEL}: fc_h_v and fc_h_a, a hidden layer each",
            "head.torso_gradient": f"{MODEL}: no scaling",
            "layers": f"{MODEL}: NoisyLinear, all fully connected layers",
            "layers.sigma_0": f"{MAIN}: --noisy-std, 0.1",
            "layers.distribution": f"{MODEL}: torch.randn, factorized",
            "layers.scoring": f"{MODEL}: NoisyLinear has no noise outside training",
            "value": f"{AGENT}: learn, cross-entropy",
            "value.atoms": f"{MAIN}: --atoms, 51",
            "value.v_min": f"{MAIN}: --V-min, -10",
            "value.v_max": f"{MAIN}: --V-max, 10",
            "bootstrap": f"{AGENT}: learn, the online network chooses",
            "replay": f"{REPLAY}: a sum tree of priorities",
            "replay.capacity": f"{OPTIONS}: --memory-capacity 100000, all steps; here an episode's last frame takes a "
            f"row too (the paper: unbounded; {MEMORY})",
            "replay.alpha": f"{MAIN}: --priority-exponent, 0.5",
            "replay.importance.beta": f"{MAIN}: --priority-weight, 0.4",
            "replay.importance.beta_final": f"{MAIN}: priority_weight_increase, 1 at the end of training",
            "replay.importance.clock": f"{MAIN}: once every step from learn_start on, and so every update",
            "replay.importance.start": f"{MAIN}: from the start of learning",
            "replay.importance.end": f"{MAIN}: T_max - learn_start = 100,000 - 1,600",
            "replay.importance.divided_by": f"{REPLAY}: sample, weights / weights.max()",
            "replay.epsilon": f"{REPLAY}: nothing is added",
            "replay.largest": f"{REPLAY}: priorities are not clipped",
            "replay.stratified": f"{REPLAY}: one draw from each of 32 segments",
            "replay.uniform_share": f"{REPLAY}: no uniform draws",
            "exploration.initial_epsilon": f"{AGENT}: act, greedy; the noise explores",
            "exploration.final_epsilon": f"{AGENT}: act, greedy; the noise explores",
            "exploration.decay_steps": "not used: epsilon is 0",
            "exploration.decay_from": "not used: epsilon is 0",
            "exploration.random_ties": f"{AGENT}: argmax takes the first of equal values",
            "optimizer": f"{AGENT}: optim.Adam",
            "optimizer.learning_rate": f"{OPTIONS}: --learning-rate 0.0001",
            "optimizer.epsilon": f"{MAIN}: --adam-eps, 1.5e-4",
            "n_step": f"{OPTIONS}: --multi-step 20",
            "discount": f"{MAIN}: --discount, 0.99",
            "batch_size": f"{MAIN}: --batch-size, 32",
            "steps_per_update": f"{OPTIONS}: --replay-frequency 1",
            "target_update_steps": f"{OPTIONS}: --target-update 2000 (steps, and so updates)",
            "min_replay_steps": f"{OPTIONS}: --learn-start 1600",
            "max_grad_norm": f"{MAIN}: --norm-clip, 10",
            "execution.xla": "ours: how the same arithmetic is compiled",
            "execution.threads": "ours: how many operations run at a time changes no bit of a result",
            "evaluation.epsilon": f"{AGENT}: act_e_greedy, 0.001",
            "evaluation.episodes": "not used: one phase, at the end",
            "evaluation.frames": "not used: one phase, at the end",
            "evaluation.final_episodes": "Atari 100k, as in der: 100 (Kaixhin/Rainbow's default: 10)",
            "evaluation.noops_max": "as in training",
            "evaluation.period_iterations": "ours: one phase, at the end of the 100,000 steps",
            "iteration_frames": "as in der: 10,000 agent steps",
        },
    ),
    deviations=(
        "No code of the paper exists; its hyperparameters are taken from a re-implementation that names them its own.",
        "Where fewer than 20 steps are left of an episode, the last targets here have what is left of them; where the "
        "frame cap cuts an episode off, they bootstrap, where Kaixhin/Rainbow's are as after a terminal state.",
        "Each layer and each pass of an update has its own noise, drawn for each action and update.",
        "The protocol is that of the other Atari 100k agents here (gray of the emulator's palette, area resize, 0 to "
        "29 no-op steps); Kaixhin/Rainbow resizes bilinearly and begins with 0 to 29 no-op frames.",
    ),
)
