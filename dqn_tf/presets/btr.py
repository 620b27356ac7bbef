"""BTR, "Beyond The Rainbow", as its newest published code has it; `btr_beta` has the importance weights of its first.

Source: `VIPTankz/BeyondTheRainbowICML@0e08f8b`: `Agent.py`, `networks.py`, `main.py`; @195fe22: `PER.py`, whose
importance weights have the exponent of the priorities (an accident, as it says, that performed better) and whose sum
tree is one for all environments.
Paper: Clark et al. 2024, "Beyond The Rainbow: High Performance Deep Reinforcement Learning on a Desktop PC" (arXiv
2411.03820).
"""

from __future__ import annotations

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.impala import Impala
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.targets.munchausen import Munchausen
from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.config import AgentConfig, Evaluation
from dqn_tf.modes import Concurrent
from dqn_tf.presets import Preset, sources, zoo
from dqn_tf.replay.importance import Importance
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.storage import Storage

AGENT, NETWORKS, MAIN, PER = "Agent.py", "networks.py", "main.py", "PER.py"
ALPHA = 0.2

_OWN = {
    "network": f"{NETWORKS}: ImpalaCNNLargeIQN",
    "network.width": f"{AGENT}: model_size = 2",
    "network.channels": f"{NETWORKS}: 16, 32 and 32 times model_size",
    "network.blocks": f"{NETWORKS}: ImpalaCNNBlock, residual_0 and residual_1",
    "network.pooling": f"{NETWORKS}: MaxPool2d(3, 2, padding=1)",
    "network.hidden": f"{AGENT}: linear_size = 512",
    "network.initialization": "torch.nn.Conv2d's default (the noisy layers have their own)",
    "network.latent": f"{NETWORKS}: no scaling",
    "network.spectral_norm": f"{NETWORKS}: parametrizations.spectral_norm, in the residual blocks alone",
    "network.pooled_size": f"{AGENT}: maxpool_size = 6, AdaptiveMaxPool2d",
    "head": f"{AGENT}: dueling = True",
    "head.hidden": f"{NETWORKS}: Dueling, a hidden layer in each stream",
    "head.torso_gradient": f"{NETWORKS}: no scaling",
    "layers": f"{AGENT}: noisy = True",
    "layers.sigma_0": f"{NETWORKS}: FactorizedNoisyLinear, sigma_0 = 0.5",
    "layers.distribution": f"{NETWORKS}: torch.randn, factorized",
    "layers.scoring": f"{AGENT}: set_eval_mode, disable_noise",
    "value": f"{AGENT}: iqn = True",
    "value.samples": f"{AGENT}: taus = 8",
    "value.target_samples": f"{AGENT}: taus = 8",
    "value.policy_samples": f"{AGENT}: taus = 8",
    "value.cosines": f"{AGENT}: ncos = 64",
    "value.first_cosine": f"{NETWORKS}: pi times i for i in range(64)",
    "value.kappa": f"{AGENT}: calculate_huber_loss(td_error, 1.0)",
    "value.absolute_priority": f"{AGENT}: loss_v, absolute errors, summed over one set of quantiles",
    "bootstrap": f"{AGENT}: munch = True",
    "bootstrap.alpha": f"{AGENT}: alpha = 0.9",
    "bootstrap.tau": f"{AGENT}: entropy_tau = 0.03",
    "bootstrap.log_policy_min": f"{AGENT}: lo = -1",
    "bootstrap.reward_network": f"{AGENT}: q_k_target = net.qvals(states), of the online network",
    "replay": f"{AGENT}: per = True",
    "replay.alpha": f"{AGENT}: per_alpha = 0.2",
    "replay.importance.divided_by": f"{PER}: weights / weights.max()",
    "replay.epsilon": f"{PER}: eps = 1e-6",
    "replay.largest": f"{PER}: priorities are not clipped",
    "replay.stratified": f"{PER}: a draw from each of 256 segments",
    "replay.uniform_share": f"{PER}: no uniform draws",
    "replay.capacity": f"{AGENT}: max_mem_size = 1,048,576",
    "exploration.initial_epsilon": f"{AGENT}: eps_start = 1.0",
    "exploration.final_epsilon": f"{AGENT}: eps_final = 0.01",
    "exploration.decay_steps": f"{AGENT}: eps_steps = 2,000,000",
    "exploration.decay_from": f"{AGENT}: store_transition, update_eps from the first step",
    "exploration.decay": f"{AGENT}: EpsilonGreedy.update_eps, eps -= (eps - eps_final) / steps",
    "exploration.until_steps": f"{AGENT}: choose_action, until half of total_frames, 50,000,000 steps",
    "exploration.random_ties": "torch.argmax",
    "optimizer": f"{AGENT}: optim.Adam",
    "optimizer.learning_rate": f"{AGENT}: lr = 1e-4",
    "optimizer.epsilon": f"{AGENT}: 0.005 / batch_size",
    "n_step": f"{AGENT}: n = 3",
    "discount": f"{AGENT}: discount = 0.997",
    "batch_size": f"{AGENT}: batch_size = 256",
    "steps_per_update": f"{MAIN}: one call of learn for each step of all 64 environments",
    "target_update_steps": f"{AGENT}: target_replace = 500 updates, of 64 steps each",
    "min_replay_steps": f"{AGENT}: min_sampling_size = 200,000",
    "max_grad_norm": f"{AGENT}: clip_grad_norm_(10)",
    "execution": f"{MAIN}: learning while the environments make their step",
    "execution.xla": "ours: how the same arithmetic is compiled",
    "execution.threads": "ours: how many operations run at a time changes no bit of a result",
    "execution.environments": f"{MAIN}: --envs 64",
    "execution.workers": "ours: in how many processes environments are played changes no bit of a result",
    "execution.updates_per_call": "ours: changes no bit of a result",
    "evaluation.epsilon": f"{AGENT}: choose_action, random() > 0.99 in eval_mode",
    "evaluation.episodes": f"{MAIN}: --num_eval_episodes 100",
    "evaluation.frames": "not used: phases are counted in episodes",
    "evaluation.final_episodes": f"{MAIN}: --num_eval_episodes 100",
    "evaluation.noops_max": "as in training",
    "evaluation.period_iterations": f"{MAIN}: eval_every, after each iteration",
    "iteration_frames": f"{MAIN}: eval_every = 250,000 steps; here 256,000, whole rounds of 64 environments",
}


def preset(name: str, summary: str, importance: Importance, own: dict[str, str]) -> Preset:
    """BTR with some importance weights.

    Args:
        name: of the preset.
        summary: of the preset.
        importance: of the replay.
        own: sources of its fields.

    Returns:
        The preset.
    """
    agent = _agent(importance)
    evaluation = Evaluation(epsilon=0.01, episodes=100, final_episodes=100)
    return Preset(
        name=name,
        summary=summary,
        reference="Clark et al. 2024, arXiv 2411.03820; VIPTankz/BeyondTheRainbowICML",
        protocol="dopamine",
        agent=agent,
        evaluation=evaluation,
        iteration_frames=1_024_000,
        sources=sources.complete(
            agent,
            evaluation,
            sources.DQN,
            sources.adam("torch.optim.Adam", "torch.optim.Adam adds epsilon after the bias correction"),
            {**_OWN, **own},
        ),
        deviations=_DEVIATIONS,
    )


def _agent(importance: Importance) -> AgentConfig:
    return AgentConfig(
        network=Impala(width=2, pooling="centered", hidden=512, spectral_norm=True, pooled_size=6),
        head=Dueling(hidden="separate"),
        layers=Noisy(sigma_0=0.5, scoring="mean"),
        value=ImplicitQuantile(
            samples=8, target_samples=8, policy_samples=8, cosines=64, first_cosine=0, kappa=1.0, absolute_priority=True
        ),
        bootstrap=Munchausen(alpha=0.9, tau=0.03, log_policy_min=-1.0, reward_network="online"),
        replay=Prioritized(alpha=ALPHA, importance=importance, epsilon=1e-6, stratified=True),
        storage=Storage(capacity=1_048_576),
        exploration=EpsilonGreedy(
            initial_epsilon=1.0,
            final_epsilon=0.01,
            decay_steps=2_000_000,
            decay_from="first_step",
            random_ties=False,
            decay="geometric",
            until_steps=25_000_000,
        ),
        optimizer=zoo.adam(1e-4, 0.005 / 256),
        n_step=3,
        discount=0.997,
        batch_size=256,
        steps_per_update=64,
        target_update_steps=32_000,
        min_replay_steps=200_000,
        max_grad_norm=10.0,
        execution=Concurrent(environments=64),
    )


_DEVIATIONS = (
    "Concurrent execution: between two copies of theta to theta^- (500 updates) actions are chosen by theta^-, and "
    "updates draw from the replay as it was at the last copy; in BTR actions are chosen by theta as of the last "
    "update, and each update draws from all steps. Learning begins with the first period after 200,000 steps.",
    "The power iterations of spectral normalization make one step after each update. PyTorch makes one in every "
    "pass forwards of a network, also to act.",
    "Each pass of an update has noise of its own; there, the online network has that of its last actions.",
    "With duelling streams BTR chooses actions by the advantages alone, which orders them as Q does.",
    "A lost life ends nothing here; there it does where --life_info is set, which it is not by default.",
    "The protocol is that of Dopamine: sticky actions with 0.25 and the minimal action set, as the environments of "
    "Gymnasium's names ALE/...-v5 (remembered, not read); no-ops at the start, gray and resizing of BTR's own "
    "preprocessing were not read, as its file is not published beside the others.",
    "Random actions end at step 25,000,000, half of the published budget, whatever the budget of a run is.",
)

PRESET = preset(
    "btr",
    "BTR: Munchausen IQN, noisy dueling, a residual torso with spectral normalization, 64 environments",
    Importance(beta=ALPHA, beta_final=ALPHA, clock="updates", start=0, end=778_125, divided_by="batch_max"),
    {
        "replay.importance.beta": f"{PER}: weights = (capacity * probs) ** -alpha",
        "replay.importance.beta_final": f"{PER}: the exponent stays alpha, 0.2",
        "replay.importance.clock": "not used: the exponent is constant",
        "replay.importance.start": "not used: the exponent is constant",
        "replay.importance.end": "not used: the exponent is constant",
    },
)
