"""FQF with Tianshou's settings ("Tianshou-derived": the authors' own code was not found).

Source: `thu-ml/tianshou@002ffd9:examples/atari/atari_fqf.py` (its arguments' defaults); the environment is Dopamine's.
Paper: Yang et al. 2019, "Fully Parameterized Quantile Function for Distributional Reinforcement Learning" (arXiv
1911.02140).
"""

from __future__ import annotations

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.networks.torsos import NatureCNN
from dqn_tf.agent.optimizers import Adam, RMSProp
from dqn_tf.agent.targets.double import Double
from dqn_tf.agent.values.fqf import FQF
from dqn_tf.presets.derived import preset
from dqn_tf.presets.dqn_dopamine import PRESET as DQN_DOPAMINE
from dqn_tf.presets.sources import adam
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform

ARGS, TORCH = "Tianshou-derived: atari_fqf.py", "Tianshou-derived: PyTorch's default"

PRESET = preset(
    DQN_DOPAMINE,
    name="fqf",
    summary="FQF: the quantile function at proposed fractions (Tianshou-derived settings)",
    reference="Yang et al. 2019, arXiv 1911.02140; thu-ml/tianshou@002ffd9:examples/atari/atari_fqf.py",
    agent={
        "network": NatureCNN(padding="valid", hidden=512, initialization="fan_in_uniform"),
        "value": FQF(
            fractions=32,
            cosines=64,
            first_cosine=1,
            kappa=1.0,
            entropy=10.0,
            optimizer=RMSProp(learning_rate=2.5e-9, decay=0.99, epsilon=1e-8, centered=False),
        ),
        "bootstrap": Double(),
        "replay": Uniform(),
        "storage": Storage(capacity=100_000),
        "exploration": EpsilonGreedy(initial_epsilon=1.0, final_epsilon=0.05, decay_steps=1_000_000, random_ties=False),
        "optimizer": Adam(learning_rate=5e-5, beta_1=0.9, beta_2=0.999, epsilon=1e-8, epsilon_form="corrected"),
        "n_step": 3,
        "steps_per_update": 10,
        "target_update_steps": 5_000,
        "min_replay_steps": 320,
    },
    own={
        **adam("torch.optim.Adam", "torch.optim.Adam divides by sqrt(v_hat) + epsilon"),
        "network.padding": "Tianshou-derived: atari_network.py, no padding",
        "network.hidden": f"{ARGS}: --hidden-sizes",
        "network.initialization": f"{TORCH}: uniform in the fan-in, weights and biases",
        "value": f"{ARGS}: FQFPolicy",
        "value.fractions": f"{ARGS}: --num-fractions",
        "value.cosines": f"{ARGS}: --num-cosines",
        "value.first_cosine": "Tianshou-derived: the embedding begins with 1; remembered, not read in a source",
        "value.kappa": "Tianshou-derived: fqf.py, the threshold 1 of F.smooth_l1_loss",
        "value.entropy": f"{ARGS}: --ent-coef",
        "value.optimizer.learning_rate": f"{ARGS}: --fraction-lr",
        "value.optimizer.decay": f"{TORCH}: alpha of torch.optim.RMSprop",
        "value.optimizer.epsilon": f"{TORCH}: eps of torch.optim.RMSprop (outside the root there)",
        "value.optimizer.epsilon_place": f"ours: inside the root; {TORCH}: outside, a difference of 1e-8",
        "value.optimizer.centered": f"{TORCH}: torch.optim.RMSprop is not centered",
        "value.optimizer.initial_mean_square": f"{TORCH}: torch.optim.RMSprop starts at zero",
        "bootstrap": "Tianshou-derived: the online network chooses the action at s'",
        "replay.capacity": f"{ARGS}: --buffer-size",
        "exploration.initial_epsilon": f"{ARGS}: --eps-train",
        "exploration.final_epsilon": f"{ARGS}: --eps-train-final",
        "exploration.decay_steps": f"{ARGS}: train_fn, the first million steps (of the agent)",
        "optimizer": f"{ARGS}: torch.optim.Adam",
        "optimizer.learning_rate": f"{ARGS}: --lr",
        "optimizer.epsilon": f"{TORCH}: eps of torch.optim.Adam",
        "n_step": f"{ARGS}: --n-step",
        "steps_per_update": f"{ARGS}: --update-per-step = 0.1",
        "target_update_steps": f"{ARGS}: --target-update-freq = 500 updates of 10 steps",
        "min_replay_steps": f"{ARGS}: batch_size * training_num steps before training",
        "evaluation.epsilon": f"{ARGS}: --eps-test",
    },
    deviations=(
        "The proposal's RMSProp adds epsilon inside the root; PyTorch's adds it outside.",
        "The target's fractions are proposed by the target network; Tianshou takes the online network's.",
        "One environment; Tianshou collects from ten at a time.",
    ),
    evaluation={"epsilon": 0.005},
)
