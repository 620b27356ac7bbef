"""What the authors' own programs make of a network: twenty updates of MinAtar's DQN, CleanRL's DQN and CleanRL's C51.

    python torch_answers.py MINATAR_DQN.py ANSWERS.npz

Run it in an environment with torch and minatar.  MINATAR_DQN.py is `examples/dqn.py` of kenjyoung/MinAtar@4241f24: its
QNetwork and its train are called as they are.  CleanRL's updates stand in the main program of `cleanrl/dqn.py` and
`cleanrl/c51.py` (vwxyzjn/cleanrl@fe8d8a03) and are written down here once more, with torch's own losses and optimizer.

Nothing of dqn_tf is imported, and torch only when this is run: tests/independent/test_torch.py takes ``inputs`` and
``LAYOUT`` from here.  Answers are "<agent>/loss" [20] and "<agent>/change/<variable>": how far each number of a
variable has moved, every k-th of them, in this project's layout.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import itertools
import json
import sys
from typing import Any

import numpy as np

UPDATES = 20
ATOMS = 101
# agent: (batch, actions, shapes of weights and biases in this project's layout: kernels [in, out] or [h, w, in, out])
LAYOUT: dict[str, tuple[int, int, list[tuple[int, ...]]]] = {
    "dqn_minatar": (32, 6, [(3, 3, 4, 16), (16,), (1024, 128), (128,), (128, 6), (6,)]),
    "dqn_cleanrl": (128, 2, [(4, 120), (120,), (120, 84), (84,), (84, 2), (2,)]),
    "c51_cleanrl": (128, 2, [(4, 120), (120,), (120, 84), (84,), (84, 2 * ATOMS), (2 * ATOMS,)]),
}


def inputs(agent: str) -> dict[str, Any]:
    """Weights of the online and of the target network, a batch for each update; the same numbers on every machine."""
    batch, actions, shapes = LAYOUT[agent]
    random = np.random.default_rng(20_260_101)

    def weights() -> list[np.ndarray]:
        limits = [1 / np.sqrt(np.prod(shapes[i - i % 2][:-1])) for i in range(len(shapes))]
        return [random.uniform(-a, a, shape).astype(np.float32) for a, shape in zip(limits, shapes, strict=True)]

    def states() -> np.ndarray:
        if agent == "dqn_minatar":
            return random.random((UPDATES, batch, 10, 10, 4)) < 0.15
        return random.normal(size=(UPDATES, batch, 4)).astype(np.float32)

    return {
        "online": weights(),
        "target": weights(),
        "s_tm1": states(),
        "s_t": states(),
        "a_tm1": random.integers(0, actions, (UPDATES, batch)),
        "r_t": random.integers(-1, 4, (UPDATES, batch)).astype(np.float32),
        "over": random.random((UPDATES, batch)) < 0.2,
    }


def every(size: int) -> int:
    """Of a variable of so many numbers, every such one is kept."""
    return max(1, size // 2_000)


# -- from here on with torch -------------------------------------------------------------------------------------------
def to_torch(kernel: np.ndarray, after_convolution: bool) -> np.ndarray:
    """A kernel in torch's layout: [out, in, h, w], [out, in], or [out, (C, H, W)] of features [H, W, C]."""
    if kernel.ndim == 4:
        return kernel.transpose(3, 2, 0, 1)
    if after_convolution:
        return kernel.reshape(8, 8, 16, -1).transpose(3, 2, 0, 1).reshape(kernel.shape[1], -1)
    return kernel.T


def from_torch(kernel: np.ndarray, after_convolution: bool) -> np.ndarray:
    """The inverse of ``to_torch``."""
    if kernel.ndim == 4:
        return kernel.transpose(2, 3, 1, 0)
    if after_convolution:
        return kernel.reshape(-1, 16, 8, 8).transpose(2, 3, 1, 0).reshape(-1, kernel.shape[0])
    return kernel.T


def put(network: Any, weights: list[np.ndarray], convolutional: bool) -> None:
    import torch

    with torch.no_grad():
        for i, (parameter, values) in enumerate(zip(network.parameters(), weights, strict=True)):
            values = to_torch(values, convolutional and i == 2) if values.ndim > 1 else values
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(values)))


def taken(network: Any, convolutional: bool) -> list[np.ndarray]:
    found = [p.detach().numpy() for p in network.parameters()]
    return [from_torch(v, convolutional and i == 2) if v.ndim > 1 else v for i, v in enumerate(found)]


def minatar(program: Any, x: dict[str, Any]) -> tuple[list[float], Any]:
    """The authors' train, on samples made as their replay makes them."""
    import torch

    nets = [program.QNetwork(4, 6), program.QNetwork(4, 6)]
    for net, name in zip(nets, ("online", "target"), strict=True):
        put(net, x[name], convolutional=True)
    optimizer = torch.optim.RMSprop(
        nets[0].parameters(),
        lr=program.STEP_SIZE,
        alpha=program.SQUARED_GRAD_MOMENTUM,
        centered=True,
        eps=program.MIN_SQUARED_GRAD,
    )
    losses: list[float] = []
    smooth_l1 = program.f.smooth_l1_loss

    def noted(*arguments: Any) -> Any:
        loss = smooth_l1(*arguments)
        losses.append(loss.item())
        return loss

    program.f.smooth_l1_loss = noted
    for u in range(UPDATES):
        sample = [
            program.transition(
                program.get_state(x["s_tm1"][u, b]),
                program.get_state(x["s_t"][u, b]),
                torch.tensor([[x["a_tm1"][u, b]]]),
                torch.tensor([[x["r_t"][u, b]]]),
                torch.tensor([[x["over"][u, b]]]),
            )
            for b in range(len(x["r_t"][u]))
        ]
        program.train(sample, *nets, optimizer)
    return losses, nets[0]


def cleanrl(agent: str, x: dict[str, Any]) -> tuple[list[float], Any]:
    """CleanRL's loop body: dqn.py's squared error, or c51.py's projection and clipped cross-entropy."""
    import torch

    sizes = [4, 120, 84, LAYOUT[agent][2][-1][0]]

    def layers() -> list[Any]:
        return [torch.nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]

    nets = []
    for name in ("online", "target"):
        one, two, three = layers()
        nets.append(torch.nn.Sequential(one, torch.nn.ReLU(), two, torch.nn.ReLU(), three))
        put(nets[-1], x[name], convolutional=False)
    eps = 1e-8 if agent == "dqn_cleanrl" else 0.01 / 128
    optimizer = torch.optim.Adam(nets[0].parameters(), lr=2.5e-4, eps=eps)
    losses = []
    for u in range(UPDATES):
        s, a, r, over, s_next = (torch.from_numpy(x[k][u]) for k in ("s_tm1", "a_tm1", "r_t", "over", "s_t"))
        if agent == "dqn_cleanrl":
            with torch.no_grad():
                target = r + 0.99 * nets[1](s_next).max(dim=1).values * (1 - over.float())
            loss = torch.nn.functional.mse_loss(target, nets[0](s).gather(1, a[:, None])[:, 0])
        else:
            loss = c51_loss(nets, s, a, r, over, s_next)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, nets[0]


def c51_loss(nets: list[Any], s: Any, a: Any, r: Any, over: Any, s_next: Any) -> Any:
    import torch

    atoms, rows = torch.linspace(-100, 100, ATOMS), torch.arange(len(a))

    def pmf(net: Any, state: Any) -> Any:
        return torch.softmax(net(state).view(len(a), 2, ATOMS), dim=2)

    with torch.no_grad():
        following = pmf(nets[1], s_next)
        following = following[rows, (following * atoms).sum(2).argmax(1)]
        moved = (r[:, None] + 0.99 * atoms * (1 - over.float())[:, None]).clamp(-100, 100)
        b = (moved + 100) / (atoms[1] - atoms[0])
        low, high = b.floor().clamp(0, ATOMS - 1), b.ceil().clamp(0, ATOMS - 1)
        target = torch.zeros_like(following)
        target.scatter_add_(1, low.long(), (high + (low == high).float() - b) * following)
        target.scatter_add_(1, high.long(), (b - low) * following)
    chosen = pmf(nets[0], s)[rows, a]
    return (-(target * chosen.clamp(min=1e-5, max=1 - 1e-5).log()).sum(-1)).mean()


def main(program: str, answers: str) -> None:
    spec = importlib.util.spec_from_file_location("minatar_dqn", program)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    out: dict[str, Any] = {}
    for agent in LAYOUT:
        x = inputs(agent)
        losses, network = minatar(module, x) if agent == "dqn_minatar" else cleanrl(agent, x)
        out[f"{agent}/loss"] = np.array(losses, np.float32)
        for i, (now, before) in enumerate(zip(taken(network, agent == "dqn_minatar"), x["online"], strict=True)):
            out[f"{agent}/change/{i}"] = (now - before).ravel()[:: every(now.size)]
    versions = {name: importlib.metadata.version(name) for name in ("torch", "minatar")}
    np.savez_compressed(answers, versions=json.dumps(versions), **out)


if __name__ == "__main__":
    main(*sys.argv[1:])
