"""What PyTorch makes of BTR's parts: torso, spectral normalization, adaptive max-pooling, target and loss.

    python btr_answers.py ANSWERS.npz

Run it in an environment with torch.  The torso is put together of torch's own layers as in `networks.py` of
VIPTankz/BeyondTheRainbowICML@0e08f8b (ImpalaCNNLargeIQN), the target and the loss as in `Agent.py` (learn_call, with
Munchausen and IQN); both are written down here once more.

Nothing of dqn_tf is imported, and torch only when this is run: tests/independent/test_btr.py takes ``inputs`` and the
sizes from here.  Answers, in this project's layout: "features" [B, F] with u and v as given; "u/<i>", "v/<i>" and
"features_after" after one pass in training, which makes a step of the power iteration first; "loss", "priority" [B];
"gradient" of the summed loss with respect to the online quantiles of the actions taken [B, N].
"""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Any

import numpy as np

HEIGHT, WIDTH, FRAMES, BATCH, POOLED = 21, 18, 2, 3, 2
CHANNELS, BLOCKS = (3, 4, 4), 2
TRANSITIONS, ACTIONS, TAUS = 7, 4, 8
ALPHA, TAU, LOWEST, GAMMA, STEPS = 0.9, 0.03, -1.0, 0.997, 3


def shapes() -> list[tuple[int, ...]]:
    """Kernels and biases of the torso, in order."""
    out: list[tuple[int, ...]] = []
    before = FRAMES
    for filters in CHANNELS:
        out += [(3, 3, before, filters), (filters,), *[(3, 3, filters, filters), (filters,)] * (2 * BLOCKS)]
        before = filters
    return out


def inputs() -> dict[str, Any]:
    """Weights, vectors, pictures and quantiles; the same numbers on every machine."""
    random = np.random.default_rng(20_260_501)

    weights = [random.uniform(-0.4, 0.4, shape).astype(np.float32) for shape in shapes()]
    vectors = []
    for place in (10 * s + 2 * k for s in range(len(CHANNELS)) for k in range(1, 1 + 2 * BLOCKS)):  # in the blocks
        matrix = weights[place].astype(np.float64).reshape(-1, weights[place].shape[-1])
        u = random.normal(size=matrix.shape[1])
        for _ in range(2):  # somewhat near the singular vectors
            v = np.einsum("ij,j->i", matrix, u)
            v /= np.sqrt(np.square(v).sum())
            u = np.einsum("ij,i->j", matrix, v)
            u /= np.sqrt(np.square(u).sum())
        vectors += [u.astype(np.float32), v.astype(np.float32)]
    return {
        "weights": weights,
        "vectors": vectors,
        "pictures": random.integers(0, 256, (BATCH, HEIGHT, WIDTH, FRAMES)).astype(np.uint8),
        "next": random.normal(size=(TRANSITIONS, ACTIONS, TAUS)).astype(np.float32),
        "now": (0.1 * random.normal(size=(TRANSITIONS, ACTIONS))).astype(np.float32),
        "predicted": random.normal(size=(TRANSITIONS, ACTIONS, TAUS)).astype(np.float32),
        "taus": random.random((TRANSITIONS, TAUS)).astype(np.float32),
        "actions": random.integers(0, ACTIONS, TRANSITIONS),
        "rewards": random.integers(-1, 2, TRANSITIONS).astype(np.float32),
        "over": random.random(TRANSITIONS) < 0.3,
    }


def torch_rows(v: np.ndarray) -> np.ndarray:
    """v [9 C] in the order of torch's kernels, channel by channel."""
    return v.reshape(3, 3, -1).transpose(2, 0, 1).ravel()


def our_rows(v: np.ndarray) -> np.ndarray:
    """The inverse."""
    return v.reshape(-1, 3, 3).transpose(1, 2, 0).ravel()


def of_torso(x: dict[str, Any]) -> dict[str, np.ndarray]:
    import torch
    from torch import nn
    from torch.nn.utils.parametrizations import spectral_norm

    weights, vectors = iter(x["weights"]), iter(x["vectors"])
    normalized: list[Any] = []

    def convolution(inside: int, filters: int) -> Any:
        layer = nn.Conv2d(inside, filters, 3, 1, padding=1)
        layer.weight.data = torch.tensor(next(weights).transpose(3, 2, 0, 1).copy())
        layer.bias.data = torch.tensor(next(weights))
        return layer

    class Residual(nn.Module):  # type: ignore[misc]
        def __init__(self, filters: int) -> None:
            super().__init__()
            self.convolutions = nn.ModuleList()
            for _ in range(2):
                layer = spectral_norm(convolution(filters, filters))
                power = layer.parametrizations.weight[0]
                power._u.data = torch.tensor(next(vectors))
                power._v.data = torch.tensor(torch_rows(next(vectors)))
                self.convolutions.append(layer)
                normalized.append(power)

        def forward(self, y: Any) -> Any:
            first, second = self.convolutions
            return y + second(torch.relu(first(torch.relu(y))))

    layers: list[Any] = []
    before = FRAMES
    for filters in CHANNELS:
        layers += [convolution(before, filters), nn.MaxPool2d(3, 2, padding=1)]
        layers += [Residual(filters) for _ in range(BLOCKS)]
        before = filters
    torso = nn.Sequential(*layers, nn.ReLU(), nn.AdaptiveMaxPool2d((POOLED, POOLED)))
    pictures = torch.tensor(x["pictures"].transpose(0, 3, 1, 2).copy()).float() / 255

    def features() -> np.ndarray:
        with torch.no_grad():
            return torso(pictures).numpy().transpose(0, 2, 3, 1).reshape(BATCH, -1)

    torso.eval()
    found = {"features": features()}
    torso.train()
    found["features_after"] = features()
    for i, power in enumerate(normalized):
        found |= {f"u/{i}": power._u.numpy().copy(), f"v/{i}": our_rows(power._v.numpy())}
    return found


def of_loss(x: dict[str, Any]) -> dict[str, np.ndarray]:
    import torch

    q_next, now, predicted = (torch.tensor(x[name]) for name in ("next", "now", "predicted"))
    q_next, predicted = q_next.transpose(1, 2), predicted.transpose(1, 2).requires_grad_()  # [B, N, A], as theirs
    actions, rewards, over = (torch.tensor(x[name]).unsqueeze(1) for name in ("actions", "rewards", "over"))

    def log_policy(q: Any) -> Any:
        above = q - q.max(1)[0].unsqueeze(-1)
        return above - TAU * torch.logsumexp(above / TAU, 1).unsqueeze(-1)

    mean = q_next.mean(dim=1)
    policy = torch.softmax(mean / TAU, dim=1).unsqueeze(1)
    soft = policy * (q_next - log_policy(mean).unsqueeze(1)) * (~over.unsqueeze(-1))
    bonus = ALPHA * torch.clamp(log_policy(now).gather(1, actions), min=LOWEST, max=0)
    target = (rewards + bonus).unsqueeze(-1) + (GAMMA**STEPS * soft.sum(2)).unsqueeze(1)
    expected = predicted.gather(2, actions.unsqueeze(-1).expand(TRANSITIONS, TAUS, 1))
    expected.retain_grad()
    error = target - expected
    priority = torch.abs(error).sum(dim=1).mean(dim=1)
    huber = torch.where(error.abs() <= 1.0, 0.5 * error.pow(2), error.abs() - 0.5)
    each = abs(torch.tensor(x["taus"]).unsqueeze(-1) - (error.detach() < 0).float()) * huber
    loss = each.sum(dim=1).mean(dim=1)
    loss.sum().backward()
    return {
        "loss": loss.detach().numpy(),
        "priority": priority.detach().numpy(),
        "gradient": expected.grad.numpy()[..., 0],
    }


def main() -> None:
    x = inputs()
    versions = [f"torch {importlib.metadata.version('torch')}"]
    np.savez_compressed(sys.argv[1], versions=np.array(versions), **of_torso(x), **of_loss(x))


if __name__ == "__main__":
    main()
