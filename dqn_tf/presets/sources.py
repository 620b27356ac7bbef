"""Sources that presets share, and how a preset puts its own together."""

from __future__ import annotations

from dqn_tf import fields
from dqn_tf.config import AgentConfig, Evaluation

MEMORY = "remembered from the paper, not read in a source"

# The parts of plain DQN, in every preset that does not say otherwise.
DQN = {
    "value": "DQN: one expected return per action",
    "bootstrap": "DQN: the target network's largest value",
    "replay": "DQN: uniform sampling",
    "replay.compression": "ours: how frames are kept changes no bit of a result",
    "replay.placement": "ours: where frames are kept changes no bit of a result",
    "execution": "DQN: acting and learning take turns",
    "head": "DQN: one stream of hidden layers",
    "head.bias": "DQN: a bias for every output",
    "layers": "DQN: no noise",
    "exploration.decay_from": "DQN: epsilon decays from the start of learning, as in the released code",
    "exploration.decay": "DQN: epsilon falls linearly",
    "exploration.until_steps": "DQN: actions are random with the last epsilon to the end",
    "updates_at_once": "DQN: one update when one is due",
    "augmentation": "DQN: an update learns from transitions as they were stored",
    "auxiliary": "DQN: the loss of the values alone",
    "acts_with": "DQN: the online network",
    "resets": "DQN: weights are drawn once",
    "target_tracking": "DQN: copies of the online network",
    "returns": "DQN: n-step returns, of one step where n_step says so",
    "evaluation.max_steps_per_episode": "ours: the 108,000 frames of the Atari suites, whose protocols count frames",
    "value.priority": "Schaul et al. 2016, section 3.3, where the replay asks for it: the TD error's size",
    "evaluation.final_network": "ours: the last network; iterations.csv has every evaluation",
}

# Of fully connected networks, where a preset does not say otherwise.
VECTORS = {
    "network.in_head": "as in the image networks: the last hidden layer",
    "network.input_low": "inputs as the environment gives them",
    "network.input_high": "inputs as the environment gives them",
}

# Of RMSProp, where a preset does not say otherwise.
RMSPROP = {"optimizer.epsilon_place": "inside the root, as the optimizer's own source has it"}

# Of convolutions, where a preset does not say otherwise.
CONVOLUTIONS = {
    "network.layer_norm": "no normalization",
    "network.layer_norm_epsilon": "not used: no normalization",
    "network.latent": "features as the convolutions give them",
    "network.input_scale": "bytes are divided by 255, other inputs taken as they are",
}

# Of PQN, in each of its presets.
ROLLOUTS = {
    "bootstrap": "Gallici et al. 2024: the largest of Q, by the only network",
    "replay": "no replay: each epoch has every transition of the rollout once",
    "replay.capacity": "no replay: one rollout is kept",
    "n_step": "of the lambda-returns, which sum over all n",
    "returns": "Gallici et al. 2024: lambda-returns over a rollout",
    "target_update_steps": "no target network: the targets of a rollout's updates are computed once, before them",
    "min_replay_steps": "learning begins after the first rollout",
    "exploration.decay_from": "epsilon falls from the first step on",
    "execution": "Gallici et al. 2024: rollouts in many environments at once, then epochs of minibatches",
    "execution.threads": "ours: how many operations run at a time changes no bit of a result",
    "execution.workers": "ours: in how many processes environments are played changes no bit of a result",
    "layers": "Gallici et al. 2024: layer normalization before each ReLU",
}

# Fields of the other ideas that came later, where a preset does not say otherwise: what the code did before.
IDEAS = {
    "layers.redraw": "Fortunato et al. 2018, section 3: noise is drawn anew",
    "value.divergence_priority": "priorities are the loss itself",
    "network.spectral_norm": "kernels are taken as they are",
    "network.pooled_size": "all of what the last stage gives",
    "value.absolute_priority": "priorities are the loss itself",
    "bootstrap.reward_network": "Vieillard et al. 2020, equation 1: the target network's policy",
    "value.log_clip": "the logarithm of the softmax, as in Bellemare et al. 2017, algorithm 1",
}


def adam(where: str, form: str) -> dict[str, str]:
    """Sources of those of Adam's fields that keep their defaults.

    Args:
        where: the library.
        form: why epsilon stands where it does.

    Returns:
        Sources by path.
    """
    return {
        "optimizer.beta_1": f"default of {where}",
        "optimizer.beta_2": f"default of {where}",
        "optimizer.epsilon_form": form,
    }


def complete(agent: AgentConfig, evaluation: Evaluation, *parts: dict[str, str]) -> dict[str, str]:
    """The sources of every path of a preset.

    Args:
        agent: of the preset.
        evaluation: of the preset.
        *parts: sources by path; later parts replace earlier ones, and paths that the preset does not have are left out.

    Returns:
        Sources by path.
    """
    known = {key: text for part in (CONVOLUTIONS, IDEAS, *parts) for key, text in part.items()}
    leaves = [*fields.paths(agent), *(f"evaluation.{path}" for path in fields.paths(evaluation)), "iteration_frames"]
    return {path: known[path] for path in leaves if path in known}
