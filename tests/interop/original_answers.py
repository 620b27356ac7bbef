"""Networks of other programs and what they answer, as data for test_importing.py.

    python tests/interop/original_answers.py

needs stable-baselines3 2.9.2, sb3-contrib 2.9.2, torch 2.14.1 and flax 0.12.8 in an environment of their own.  Weights
are few different numbers, so that the files stay small; the zip files are packed again for the same reason.
"""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import gymnasium
import jax
import numpy as np
import torch
from flax import linen, serialization
from sb3_contrib import QRDQN
from stable_baselines3 import DQN

HERE = Path(__file__).parent / "originals"
IMAGES = gymnasium.spaces.Box(0, 255, (4, 44, 44), np.uint8)
draw = np.random.default_rng(0)


class Shown(gymnasium.Env):
    """An environment that shows images and is never stepped."""

    observation_space, action_space = IMAGES, gymnasium.spaces.Discrete(3)


def few_numbers(module: torch.nn.Module) -> None:
    """Replace every weight by one of nine numbers of its own size."""
    with torch.no_grad():
        for parameter in module.parameters():
            scale = 1.5 / max(1, parameter[0].numel()) ** 0.5
            levels = np.clip(np.round(draw.normal(size=tuple(parameter.shape)) * 2), -4, 4) / 2
            parameter.copy_(torch.tensor(levels * scale, dtype=torch.float32))


def packed(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name in source.namelist():
            out.writestr(zipfile.ZipInfo(name), source.read(name), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def sb3(name: str, model: DQN | QRDQN, observations: np.ndarray) -> np.ndarray:
    few_numbers(model.policy)
    buffer = io.BytesIO()
    model.save(buffer)
    (HERE / f"{name}.zip").write_bytes(packed(buffer.getvalue()))
    tensor, _ = model.policy.obs_to_tensor(observations)
    net = model.policy.quantile_net if isinstance(model, QRDQN) else model.policy.q_net
    with torch.no_grad():
        out = net(tensor).numpy()
    return out.mean(axis=1) if isinstance(model, QRDQN) else out


class CleanRL(torch.nn.Module):
    """The networks of CleanRL's dqn.py and dqn_atari.py, narrower."""

    def __init__(self, images: bool) -> None:
        super().__init__()
        nn = torch.nn
        self.images = images
        convolutions = [nn.Conv2d(4, 32, 8, stride=4), nn.ReLU(), nn.Conv2d(32, 64, 4, stride=2), nn.ReLU()]
        convolutions += [nn.Conv2d(64, 64, 3, stride=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 8), nn.ReLU()]
        dense = [nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 8), nn.ReLU()]
        self.network = nn.Sequential(*(convolutions if images else dense), nn.Linear(8, 3 if images else 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x / 255.0 if self.images else x)


def cleanrl(name: str, images: bool, observations: np.ndarray) -> np.ndarray:
    model = CleanRL(images)
    few_numbers(model)
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    (HERE / f"{name}.cleanrl_model").write_bytes(packed(buffer.getvalue()) if images else buffer.getvalue())
    with torch.no_grad():
        return model(torch.tensor(observations, dtype=torch.float32)).numpy()


class Flax(linen.Module):
    """The network of CleanRL's dqn_atari_jax.py (VALID) or of Dopamine (SAME), narrower."""

    padding: str

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = x / 255.0
        for features, kernel, stride in ((32, 8, 4), (64, 4, 2), (64, 3, 1)):
            x = linen.relu(linen.Conv(features, (kernel, kernel), (stride, stride), padding=self.padding)(x))
        x = linen.relu(linen.Dense(8)(x.reshape((x.shape[0], -1))))
        return linen.Dense(3)(x)


def flax(name: str, padding: str, observations: np.ndarray) -> np.ndarray:
    network = Flax(padding)
    parameters = network.init(jax.random.PRNGKey(0), observations)
    few = jax.tree.map(lambda a: np.round(np.asarray(a) * 2 / max(float(a.std()), 0.1)) / 2 * 0.05, parameters)
    few = jax.tree.map(lambda a: a.astype(np.float32), few)
    (HERE / f"{name}.flax.gz").write_bytes(gzip.compress(serialization.to_bytes(few), mtime=0))
    return np.asarray(network.apply(few, observations))


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    images = (draw.integers(0, 8, (6, 4, 44, 44)) * 36).astype(np.uint8)
    vectors = draw.normal(size=(6, 4)).astype(np.float32)
    last = images.transpose(0, 2, 3, 1)
    cartpole = gymnasium.make("CartPole-v1")
    narrow = {"net_arch": [], "features_extractor_kwargs": {"features_dim": 8}}
    mlp = {"net_arch": [12, 8]}
    answers = {
        "sb3_images": sb3("sb3_images", DQN("CnnPolicy", Shown(), buffer_size=1, policy_kwargs=narrow), images),
        "sb3_vectors": sb3("sb3_vectors", DQN("MlpPolicy", cartpole, buffer_size=1, policy_kwargs=mlp), vectors),
        "sb3_quantiles": sb3(
            "sb3_quantiles",
            QRDQN("MlpPolicy", cartpole, buffer_size=1, policy_kwargs={**mlp, "n_quantiles": 5}),
            vectors,
        ),
        "cleanrl_images": cleanrl("cleanrl_images", True, images),
        "cleanrl_vectors": cleanrl("cleanrl_vectors", False, vectors),
        "cleanrl_jax_images": flax("cleanrl_jax_images", "VALID", last),
        "dopamine_jax_images": flax("dopamine_jax_images", "SAME", last),
    }
    np.savez_compressed(HERE / "answers.npz", images=images, vectors=vectors, **answers)
