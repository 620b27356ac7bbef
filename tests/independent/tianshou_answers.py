"""What Tianshou says of the inputs: run by `dqn-tf results independent`, in an environment with tianshou.

    python tianshou_answers.py INPUTS.npz ANSWERS.npz

Nothing of dqn_tf is imported.  Answers are "<idea>/<precision>/<quantity>".  A gradient is what plain gradient descent
with a step of 1 takes away.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from typing import Any

import gymnasium
import numpy as np
import torch
from tianshou.algorithm.modelfree.fqf import FQF, FQFPolicy
from tianshou.algorithm.optim import TorchOptimizerFactory
from tianshou.data import Batch, PrioritizedReplayBuffer
from tianshou.utils.net.common import ModuleWithVectorOutput, Net
from tianshou.utils.net.discrete import FractionProposalNetwork, FullQuantileFunction, NoisyLinear
from torch import nn


def tensor(x: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(x, dtype=torch.get_default_dtype() if x.dtype.kind == "f" else torch.int64)


def put(module: nn.Linear, weights: np.ndarray, bias: np.ndarray) -> nn.Linear:
    """weights [in, out]."""
    module.weight.data, module.bias.data = tensor(weights).T.contiguous(), tensor(bias)
    return module


# -- FQF ---------------------------------------------------------------------------------------------------------------
class Torso(ModuleWithVectorOutput):
    def __init__(self, weights: np.ndarray, bias: np.ndarray) -> None:
        super().__init__(weights.shape[1])
        self.linear = put(nn.Linear(*weights.shape), weights, bias)

    def forward(self, obs: Any, state: Any = None, info: Any = None) -> tuple[torch.Tensor, Any]:
        return torch.relu(self.linear(tensor(obs))), state


def fqf_network(x: dict[str, np.ndarray]) -> dict[str, Any]:
    """Z at the proposed fractions and between them, the fractions, their entropy, and Q."""
    actions, count = x["net_out_b"].shape[0], x["net_proposal_b"].shape[0]
    model = FullQuantileFunction(
        preprocess_net=Torso(x["net_torso_w"], x["net_torso_b"]),
        action_shape=actions,
        hidden_sizes=(x["net_hidden_b"].shape[0],),
        num_cosines=x["net_phi_w"].shape[0],
    )
    put(model.embed_model.net[0], x["net_phi_w"], x["net_phi_b"])
    linears = [m for m in model.last.modules() if isinstance(m, nn.Linear)]
    put(linears[0], x["net_hidden_w"], x["net_hidden_b"])
    put(linears[1], x["net_out_w"], x["net_out_b"])
    proposal = FractionProposalNetwork(count, x["net_torso_b"].shape[0])
    put(proposal.net, x["net_proposal_w"], x["net_proposal_b"])
    (z, fractions, edges), _ = model(x["net_states"], propose_model=proposal)
    widths = fractions.taus[:, 1:] - fractions.taus[:, :-1]
    return {
        "z": z,
        "edges": edges,
        "tau": fractions.taus,
        "tau_hat": fractions.tau_hats,
        "entropy": fractions.entropies,
        "q": (widths.unsqueeze(1) * z).sum(2),
    }


class Given(nn.Module):
    """A network whose outputs are its parameters."""

    def __init__(self, dist: np.ndarray, edges: np.ndarray) -> None:
        super().__init__()
        self.dist, self.edges = nn.Parameter(tensor(dist)), tensor(edges)

    def forward(self, obs: Any, propose_model: Any, **more: Any) -> Any:
        taus, tau_hats, entropies = propose_model(torch.eye(len(self.dist)))
        return (self.dist, Batch(taus=taus, tau_hats=tau_hats, entropies=entropies), self.edges), None


def fqf_loss(x: dict[str, np.ndarray]) -> dict[str, Any]:
    """One update on given quantile values, fractions' logits and targets.  All are means over the batch."""
    size, actions, count = x["fqf_dist"].shape
    model = Given(x["fqf_dist"], x["fqf_edges"])
    proposal = FractionProposalNetwork(count, size)
    put(proposal.net, x["fqf_logits"], np.zeros(count, x["fqf_logits"].dtype))  # its input is one-hot
    policy = FQFPolicy(model=model, fraction_model=proposal, action_space=gymnasium.spaces.Discrete(actions))
    descent = TorchOptimizerFactory(torch.optim.SGD, lr=1.0)
    algorithm = FQF(
        policy=policy, optim=descent, fraction_optim=descent, num_fractions=count, ent_coef=float(x["fqf_entropy"])
    )
    dist, logits = model.dist.detach().clone(), proposal.net.weight.detach().clone()
    batch = Batch(obs=np.zeros((size, 1)), info=[None] * size, act=x["a_tm1"], returns=tensor(x["fqf_target"]))
    found = algorithm._update_with_batch(batch)
    return {
        "quantile_loss": np.array(found.quantile_loss),
        "fraction_loss": np.array(found.fraction_loss),
        "entropy": np.array(found.entropy_loss),
        "gradient_dist": dist - model.dist,
        "gradient_logits": (logits - proposal.net.weight).T,
    }


# -- layers ------------------------------------------------------------------------------------------------------------
def noisy(x: dict[str, np.ndarray]) -> dict[str, Any]:
    """A layer with given noise, and the gradients of the sum of squares of its outputs."""
    layer = NoisyLinear(*x["noisy_mu_w"].shape).to(torch.get_default_dtype())
    for name in ("mu_W", "sigma_W"):
        getattr(layer, name).data = tensor(x[f"noisy_{name.lower()}"]).T.contiguous()
    for name in ("mu", "sigma"):
        getattr(layer, f"{name}_bias").data = tensor(x[f"noisy_{name}_b"])
    for name in ("p", "q"):  # Tianshou keeps f(eps)
        eps = tensor(x[f"noisy_eps_{name}"])
        getattr(layer, f"eps_{name}").data = eps.sign() * eps.abs().sqrt()
    y = layer(tensor(x["noisy_x"]))
    y.square().sum().backward()
    return {
        "y": y,
        "gradient_mu_w": layer.mu_W.grad.T,
        "gradient_sigma_w": layer.sigma_W.grad.T,
        "gradient_sigma_b": layer.sigma_bias.grad,
    }


def dueling(x: dict[str, np.ndarray]) -> dict[str, Any]:
    """Q of two streams, each one linear layer."""
    features, actions, atoms = *x["dueling_x"].shape[1:], x["dueling_a"].shape[1], x["dueling_v"].shape[1]
    actions //= atoms
    net = Net(state_shape=features, action_shape=actions, num_atoms=atoms, dueling_param=({}, {}))
    for module, weights in ((net.Q, x["dueling_a"]), (net.V, x["dueling_v"])):
        (linear,) = (m for m in module.modules() if isinstance(m, nn.Linear))
        put(linear, weights, np.zeros(weights.shape[1]))
    return {"q": net(x["dueling_x"])[0]}


# -- prioritized replay ------------------------------------------------------------------------------------------------
def prioritized(x: dict[str, np.ndarray]) -> dict[str, Any]:
    """Which transitions given uniform numbers draw, and their weights, after priorities were set; in float64."""
    size = len(x["prio_found"])
    buffer = PrioritizedReplayBuffer(size, alpha=float(x["prio_alpha"]), beta=float(x["prio_beta"]))
    for _ in range(size):
        buffer.add(Batch(obs=0.0, act=0, rew=0.0, terminated=False, truncated=False, obs_next=0.0, info={}))
    buffer.update_weight(np.arange(size), x["prio_found"].astype(np.float64))
    draws = x["prio_draws"].astype(np.float64)
    places = buffer.weight.get_prefix_sum_idx(draws * buffer.weight.reduce())
    return {"places": places.astype(np.float64), "weights": buffer[places].weight}


FLOAT32 = {"fqf_network": fqf_network, "dueling": dueling}  # Tianshou's networks turn their inputs into this
BOTH = {"fqf_loss": fqf_loss, "noisy": noisy}


def main(inputs: str, answers: str) -> None:
    given = dict(np.load(inputs))
    out: dict[str, Any] = {f"prioritized/float64/{k}": v for k, v in prioritized(given).items()}
    for precision in ("float32", "float64"):
        torch.set_default_dtype(getattr(torch, precision))
        x = {k: v.astype(precision) if v.dtype.kind == "f" else v for k, v in given.items()}
        for idea, answer in {**BOTH, **(FLOAT32 if precision == "float32" else {})}.items():
            for quantity, value in answer(x).items():
                array = value.detach().numpy() if isinstance(value, torch.Tensor) else value
                out[f"{idea}/{precision}/{quantity}"] = array.astype(precision)
    versions = {name: importlib.metadata.version(name) for name in ("tianshou", "torch")}
    np.savez_compressed(answers, versions=json.dumps(versions), **out)


if __name__ == "__main__":
    main(*sys.argv[1:])
