"""The ideas that are compared with other libraries: random inputs, and this project's outputs for them.

Written in the order of docs/independent.md; reproduce/checking/library_comparison.py compares.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.n_step import Accumulator
from dqn_tf.agent.networks.dueling import combine
from dqn_tf.agent.networks.noisy import noisy_linear
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.targets.double import Double
from dqn_tf.agent.targets.greedy import Greedy
from dqn_tf.agent.targets.munchausen import Munchausen
from dqn_tf.agent.values.categorical import Categorical, project
from dqn_tf.agent.values.expected import Expected
from dqn_tf.agent.values.fqf import FQF, Proposed, fraction_loss, fractions
from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.agent.values.quantile import Quantile, midpoints, quantile_losses
from dqn_tf.replay.importance import Importance
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.rng import Stream
from dqn_tf.types import ObservationSpec, Transition, ValueOutputs

PRECISIONS = ("float32", "float64")
B, A, N, M, K = 16, 3, 8, 5, 6  # batch, actions, atoms or quantiles, quantiles of the target, of the policy
C51 = Categorical(atoms=N, v_min=-7.0, v_max=7.0)  # atoms 2 apart, exact in float32


def single(x: float) -> float:
    """The float32 next to ``x``: what the other libraries are given."""
    return float(np.float32(x))


MUNCHAUSEN = Munchausen(alpha=single(0.9), tau=single(0.03), log_policy_min=-1.0)
PRIORITIZED = Prioritized(
    alpha=single(0.6),
    importance=Importance(beta=single(0.4), beta_final=single(0.4)),
    epsilon=float(np.finfo(np.float32).eps),
    stratified=False,
)
REPLAY_SIZE = 64  # transitions in the replay
FQF_NETWORK = FQF(fractions=5, cosines=7, first_cosine=1, entropy=0.25)

Numbers = dict[str, Any]  # name -> array


def inputs() -> dict[str, np.ndarray]:
    """Random numbers for all ideas; every real one is exact in float32."""
    random = np.random.default_rng(20260117)
    normal, uniform = random.normal, random.random
    x: Numbers = {
        "a_tm1": random.integers(0, A, B),
        "r_t": normal(size=B),
        "discount_t": np.where(uniform(B) < 0.25, 0, 0.99 ** random.integers(1, 4, B)),
        **{name: 2 * normal(size=(B, A)) for name in ("q_tm1", "q_t", "q_online_t")},
        **{name: 0.02 * normal(size=(B, A)) for name in ("soft_tm1", "soft_t")},
        "alpha": MUNCHAUSEN.alpha,
        "temperature": MUNCHAUSEN.tau,
        "log_policy_min": MUNCHAUSEN.log_policy_min,
        **{name: 2 * normal(size=(B, A, N)) for name in ("dist_tm1", "dist_t")},
        "target_dist_t": 2 * normal(size=(B, A, M)),
        "policy_dist_t": 2 * normal(size=(B, A, K)),
        "taus": uniform((B, N)),
        "midpoints": np.tile(midpoints(N), (B, 1)),
        "support": C51.support,
        "any_atoms": 6 * normal(size=(B, M)),
        "any_probabilities": random.dirichlet(np.ones(M), B),
        "n": 3,
        "gamma": 0.97,
        "episode_reward": normal(size=40),
        "episode_discount": (uniform(40) > 0.15).astype(float),
        "episode_value": normal(size=40),
        **_fqf_inputs(random),
        "noisy_x": normal(size=(B, 6)),
        **{f"noisy_{name}_w": normal(size=(6, 4)) for name in ("mu", "sigma")},
        **{f"noisy_{name}_b": normal(size=4) for name in ("mu", "sigma")},
        "noisy_eps_p": normal(size=6),
        "noisy_eps_q": normal(size=4),
        "dueling_x": normal(size=(B, 6)),
        "dueling_v": normal(size=(6, N)),
        "dueling_a": normal(size=(6, A * N)),
        "prio_found": random.exponential(size=REPLAY_SIZE) * (uniform(REPLAY_SIZE) > 0.1),
        "prio_draws": uniform(B),
        "prio_alpha": PRIORITIZED.alpha,
        "prio_beta": PRIORITIZED.importance.beta,
    }
    arrays = {name: np.asarray(value) for name, value in x.items()}
    return {name: v.astype(np.float32) if v.dtype.kind == "f" else v for name, v in arrays.items()}


def _fqf_inputs(random: np.random.Generator) -> Numbers:
    """Quantile values that rise with their fractions, and the weights of a small network."""
    count, normal = FQF_NETWORK.fractions, random.normal
    rising = np.sort(2 * normal(size=(B, A, 2 * count - 1)), axis=2)
    sizes = {"torso": (4, 6), "phi": (FQF_NETWORK.cosines, 6), "hidden": (6, 9), "out": (9, A), "proposal": (6, count)}
    weights = {f"net_{name}_w": normal(size=size) for name, size in sizes.items()}
    biases = {f"net_{name}_b": normal(size=size[1]) for name, size in sizes.items()}
    return {
        "fqf_dist": rising[:, :, ::2],
        "fqf_edges": rising[:, :, 1::2],
        "fqf_logits": normal(size=(B, count)),
        "fqf_target": 2 * normal(size=(B, count)),
        "fqf_entropy": FQF_NETWORK.entropy,
        "net_states": normal(size=(B, 4)),
        **weights,
        **biases,
    }


# -- what this project says --------------------------------------------------------------------------------------------
def _regressed(
    value: Any, rule: Any, values: Callable[[Any], ValueOutputs], start: str, following: str, x: Numbers
) -> Numbers:
    """Losses, TD errors and the gradient of the summed loss.  following: the target network's outputs for s_t."""
    transitions = Transition(None, x["a_tm1"], x["r_t"], x["discount_t"], None)
    next_outputs = values(x[following])
    if rule == MUNCHAUSEN:
        next_outputs = next_outputs._replace(q_values=x["soft_t"])
    elif isinstance(value, ImplicitQuantile):
        next_outputs = next_outputs._replace(q_values=tf.reduce_mean(x["policy_dist_t"], axis=-1))
    others = {("online", "s_t"): ValueOutputs(x["q_online_t"]), ("target", "s_tm1"): ValueOutputs(x["soft_tm1"])}
    terms = rule.terms(next_outputs, others, x["a_tm1"])
    with tf.GradientTape() as tape:
        tape.watch(x[start])
        out = value.losses(values(x[start]), transitions, next_outputs, terms)
        total = tf.reduce_sum(out.loss)
    return {"loss": out.loss, "td_error": out.td_error, "gradient": tape.gradient(total, x[start])}


def _expected(rule: Any, loss: str, x: Numbers) -> Numbers:
    following = "soft_t" if rule == MUNCHAUSEN else "q_t"
    return _regressed(Expected(loss=loss), rule, ValueOutputs, "q_tm1", following, x)  # type: ignore[arg-type]


def _categorical(rule: Any, x: Numbers) -> Numbers:
    return _regressed(
        C51, rule, lambda logits: C51.outputs(None, lambda f, d: logits, [], "target", None), "dist_tm1", "dist_t", x
    )


def _quantiles(rule: Any, kappa: float, taus: str, following: str, x: Numbers) -> Numbers:
    value = Quantile(quantiles=N, kappa=kappa) if taus == "midpoints" else ImplicitQuantile(kappa=kappa)
    return _regressed(
        value,
        rule,
        lambda dist: ValueOutputs(tf.reduce_mean(dist, axis=-1), dist, x[taus]),
        "dist_tm1",
        following,
        x,
    )


def _projection(x: Numbers) -> Numbers:
    return {"projection": project(x["any_atoms"], x["any_probabilities"], C51.support)}


def _n_step(x: Numbers) -> Numbers:
    """The targets that follow from the accumulator's transitions, for each step of a sequence cut off at its end."""
    rewards, discounts, values = (np.asarray(x[f"episode_{name}"]) for name in ("reward", "discount", "value"))
    accumulator, out = Accumulator(int(x["n"]), float(x["gamma"])), np.zeros_like(rewards)
    for t, (reward, discount) in enumerate(zip(rewards.tolist(), discounts.tolist(), strict=True)):
        for done in accumulator.add(0, reward, discount, last=discount == 0 or t == len(rewards) - 1):
            r_t, discount_t = (np.asarray(v, rewards.dtype) for v in (done.reward, done.discount))
            out[t - done.steps + 1] = r_t + discount_t * values[t]
    return {"target": out}


def _fqf_network(x: Numbers) -> Numbers:
    network = QNetwork(MLP(hidden=(6, 9)), FQF_NETWORK, ObservationSpec((4,), "float32"), A, Stream(0, "weights"))
    parts = ("torso", "phi", "proposal", "hidden", "out")  # in the order of the network's variables
    for variable, name in zip(network.variables, [f"net_{p}_{v}" for p in parts for v in "wb"], strict=True):
        variable.assign(tf.cast(x[name], tf.float32))
    out = network(tf.cast(x["net_states"], tf.float32), "predict")
    tau, entropy, edges = out.proposal
    return {"z": out.dist, "edges": edges, "tau": tau, "tau_hat": out.taus, "entropy": entropy, "q": out.q_values}


def _fqf_loss(x: Numbers) -> Numbers:
    dist, logits, target = x["fqf_dist"], x["fqf_logits"], x["fqf_target"]
    transitions = Transition(None, x["a_tm1"], tf.zeros_like(x["r_t"]), tf.ones_like(x["r_t"]), None)
    next_outputs = ValueOutputs(tf.zeros_like(x["q_t"]), tf.tile(target[:, None], [1, A, 1]))
    terms = Greedy().terms(next_outputs, {}, x["a_tm1"])
    with tf.GradientTape() as tape:
        tape.watch([dist, logits])
        tau, tau_hat, entropy = fractions(logits)
        proposal = Proposed(tau, entropy, x["fqf_edges"])
        values = ValueOutputs(None, dist, tf.stop_gradient(tau_hat), proposal)
        loss = tf.reduce_mean(FQF_NETWORK.losses(values, transitions, next_outputs, terms).loss)
    gradient = tape.gradient(loss, [dist, logits])
    taken = tf.one_hot(x["a_tm1"], A, dtype=dist.dtype)[:, :, None]
    middles, edges = (tf.reduce_sum(z * taken, axis=1) for z in (dist, x["fqf_edges"]))
    return {
        "quantile_loss": tf.reduce_mean(quantile_losses(values, transitions, next_outputs, terms, 1.0).loss),
        "fraction_loss": tf.reduce_mean(fraction_loss(tau, edges, middles)),
        "entropy": tf.reduce_mean(entropy),
        "gradient_dist": gradient[0],
        "gradient_logits": gradient[1],
    }


def _noisy(x: Numbers) -> Numbers:
    names = ("mu_w", "sigma_w", "sigma_b")
    with tf.GradientTape() as tape:
        tape.watch([x[f"noisy_{name}"] for name in names])
        mu, sigma = ((x[f"noisy_{name}_w"], x[f"noisy_{name}_b"]) for name in ("mu", "sigma"))
        y = noisy_linear(x["noisy_x"], mu, sigma, (x["noisy_eps_p"], x["noisy_eps_q"]))
        total = tf.reduce_sum(tf.square(y))
    gradients = tape.gradient(total, [x[f"noisy_{name}"] for name in names])
    return {"y": y, **{f"gradient_{name}": g for name, g in zip(names, gradients, strict=True)}}


def _dueling(x: Numbers) -> Numbers:
    value, advantage = (tf.linalg.matmul(x["dueling_x"], x[f"dueling_{name}"]) for name in "va")
    return {"q": combine(value[:, None, :], tf.reshape(advantage, [B, A, N]))}


def _prioritized(x: Numbers) -> Numbers:
    """The sampler's own numbers: float64, weights float32."""
    size, sampler = REPLAY_SIZE, PRIORITIZED.build(REPLAY_SIZE)
    for row in range(size):
        sampler.on_insert(row)
    sampler.update_priorities(np.arange(size), np.asarray(x["prio_found"], np.float64))
    draws: Any = types.SimpleNamespace(random=lambda n: np.asarray(x["prio_draws"], np.float64))
    ring: Any = types.SimpleNamespace(head=size)
    rows, weights = sampler.sample_indices(ring, B, draws)
    return {"places": rows.astype(np.float64), "weights": weights.astype(np.float64)}


class Idea(NamedTuple):
    """One comparison with another library.

    Attributes:
        title: what is compared.
        ours: this project's outputs for the inputs, quantity -> tensor.
        peer: "rlax" or "tianshou".
        theirs: the other library's function, and its convention where it is another than ours.
        precisions: dtypes in which both are computed.
    """

    title: str
    ours: Callable[[Numbers], Numbers]
    peer: str
    theirs: str
    precisions: tuple[str, ...] = PRECISIONS


EXPECTED_SARSA = "`expected_sarsa` with `softmax`'s policy; their sum of reward and log-policy made of `jax.nn`"
IDEAS = {
    "q_learning_squared": Idea(
        "DQN, squared error",
        functools.partial(_expected, Greedy(), "squared"),
        "rlax",
        "`q_learning`, `l2_loss`; that is half the square, here it is the square: theirs times 2",
    ),
    "q_learning_huber": Idea(
        "DQN, Huber loss", functools.partial(_expected, Greedy(), "huber"), "rlax", "`q_learning`, `huber_loss`"
    ),
    "q_learning_clipped": Idea(
        "the gradient of the Huber loss is a clipped TD error",
        functools.partial(_expected, Greedy(), "huber"),
        "rlax",
        "`q_learning`, `clip_gradient`, `l2_loss`: gradients alone, the losses are others",
    ),
    "double": Idea(
        "Double DQN", functools.partial(_expected, Double(), "huber"), "rlax", "`double_q_learning`, `huber_loss`"
    ),
    "munchausen": Idea(
        "M-DQN", functools.partial(_expected, MUNCHAUSEN, "huber"), "rlax", f"{EXPECTED_SARSA}; `huber_loss`"
    ),
    "n_step": Idea("n-step targets", _n_step, "rlax", "`n_step_bootstrapped_returns`, n = 3, 40 steps, ends within"),
    "projection": Idea("C51, the projection", _projection, "rlax", "`categorical_l2_project`"),
    "c51": Idea("C51", functools.partial(_categorical, Greedy()), "rlax", "`categorical_q_learning`"),
    "c51_double": Idea(
        "C51 with Double", functools.partial(_categorical, Double()), "rlax", "`categorical_double_q_learning`"
    ),
    "qr_dqn": Idea(
        "QR-DQN, kappa = 1",
        functools.partial(_quantiles, Greedy(), 1.0, "midpoints", "dist_t"),
        "rlax",
        "`quantile_q_learning`; in both a sum over the online quantiles of means over the target's",
    ),
    "qr_dqn_kappa_0": Idea(
        "QR-DQN, kappa = 0",
        functools.partial(_quantiles, Greedy(), 0.0, "midpoints", "dist_t"),
        "rlax",
        "`quantile_q_learning`",
    ),
    "qr_dqn_kappa_2": Idea(
        "QR-DQN, kappa = 2",
        functools.partial(_quantiles, Greedy(), 2.0, "midpoints", "dist_t"),
        "rlax",
        "`quantile_q_learning`; RLax does not divide by kappa: theirs divided by 2",
    ),
    "qr_dqn_double": Idea(
        "QR-DQN with Double",
        functools.partial(_quantiles, Double(), 1.0, "midpoints", "dist_t"),
        "rlax",
        "`quantile_q_learning`, the selector made of the online network's values",
    ),
    "iqn": Idea(
        "IQN, N = 8, N' = 5, K = 6",
        functools.partial(_quantiles, Greedy(), 1.0, "taus", "target_dist_t"),
        "rlax",
        "`quantile_q_learning`, the selector made of the K other samples",
    ),
    "m_iqn": Idea(
        "M-IQN",
        functools.partial(_quantiles, MUNCHAUSEN, 1.0, "taus", "target_dist_t"),
        "rlax",
        "`quantile_regression_loss`, `softmax`; their target put together of `jax.numpy`",
    ),
    "fqf_network": Idea(
        "FQF, the networks",
        _fqf_network,
        "tianshou",
        "`FullQuantileFunction`, `FractionProposalNetwork`, the same weights; cosines from i = 1; float32 in both",
        ("float32",),
    ),
    "fqf_loss": Idea(
        "FQF, both losses",
        _fqf_loss,
        "tianshou",
        "one update of `FQF`, on values that rise with their fractions: where they do not, Tianshou turns signs in "
        "dW/dtau, the paper's equation does not",
    ),
    "noisy": Idea("noisy layer", _noisy, "tianshou", "`NoisyLinear`, the same noise, in which Tianshou keeps f(eps)"),
    "dueling": Idea(
        "dueling streams", _dueling, "tianshou", "`Net(dueling_param=...)`, 8 atoms; theirs are float32", ("float32",)
    ),
    "prioritized": Idea(
        "prioritized replay: who is drawn, and the weights",
        _prioritized,
        "tianshou",
        "`PrioritizedReplayBuffer`, not stratified, weights divided by the batch's largest; ours leave as float32",
        ("float64",),
    ),
}
