"""What the published program of BBF computes: its network, its optimizer, its schedules, its resets.

    python bbf_answers.py BBF ANSWERS.npz

Run it in an environment with jax, flax and optax.  BBF is the folder bbf of yogesh1q2w/bigger_better_faster@964818c, a
copy of google-research's bigger_better_faster with another layout of lines.  Its own code is run: spr_networks.py as it
is, and of agents/spr_agent.py, which imports Dopamine, the functions that are called here, cut out of the file.

Nothing of dqn_tf is imported, and these libraries only when this is run: tests/independent/test_bbf.py takes ``inputs``
and the sizes from here.  Answers, in this project's layout: "latent" [B, H, W, C], "q" [B, A], "logits" [B, A, N],
"predictions" [B, K, P], "targets" [B, K, P], "adamw/<i>", "n" and "gamma" at ``CLOCKS``, "slots" (the sum of all
moments of all variables right after a reset), "count" (parameters with 18 actions).
"""

from __future__ import annotations

import ast
import collections
import copy
import functools
import importlib.metadata
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np

SIZE, FRAMES, BATCH, ACTIONS, ATOMS, HIDDEN, STEPS = 11, 2, 3, 3, 5, 6, 2
CHANNELS, BLOCKS = (16, 32, 32), 2
LATENT = (2, 2, CHANNELS[-1])
UPDATES = 12
CLOCKS = (0, 1, 425, 426, 427, 999, 2_500, 5_000, 7_777, 9_999, 10_000, 60_000)
KERNELS = {"adamw/0": (5, 4), "adamw/1": (4,), "adamw/2": (3, 3, 2, 4)}
FUNCTIONS = ("copy_params", "interpolate_weights", "create_scaling_optimizer", "exponential_decay_scheduler")


def shapes() -> list[tuple[int, ...]]:
    """Of the network's variables, in this project's order: torso, projection, value, advantage, transition model,
    predictor; a kernel and a bias each."""
    out: list[tuple[int, ...]] = []
    before = FRAMES
    for filters in CHANNELS:
        out += [(3, 3, before, filters), (filters,), *[(3, 3, filters, filters), (filters,)] * (2 * BLOCKS)]
        before = filters
    features = int(np.prod(LATENT))
    out += [(features, HIDDEN), (HIDDEN,), (HIDDEN, ATOMS), (ATOMS,), (HIDDEN, ACTIONS * ATOMS), (ACTIONS * ATOMS,)]
    out += [(3, 3, before + ACTIONS, before), (before,), (3, 3, before, before), (before,)]
    return [*out, (HIDDEN, HIDDEN), (HIDDEN,)]


def inputs() -> dict[str, Any]:
    """Weights, pictures, actions and gradients; the same numbers on every machine."""
    random = np.random.default_rng(20_260_401)

    def weights(shape: tuple[int, ...]) -> np.ndarray:
        limit = 1.5 / np.sqrt(np.prod(shape[:-1])) if len(shape) > 1 else 0.2
        return random.uniform(-limit, limit, shape).astype(np.float32)

    return {
        "weights": [weights(shape) for shape in shapes()],
        "pictures": random.integers(0, 256, (BATCH, SIZE, SIZE, FRAMES)).astype(np.uint8),
        "future": random.integers(0, 256, (BATCH, STEPS, SIZE, SIZE, FRAMES)).astype(np.uint8),
        "actions": random.integers(0, ACTIONS, (BATCH, STEPS)),
        "theta": {name: random.normal(size=shape).astype(np.float32) for name, shape in KERNELS.items()},
        "gradients": [
            {name: random.normal(size=shape).astype(np.float32) for name, shape in KERNELS.items()}
            for _ in range(UPDATES)
        ],
    }


def networks_of(folder: Path) -> Any:
    """Its spr_networks.py, without gin."""
    gin = types.ModuleType("gin")
    gin.configurable = lambda function: function  # type: ignore[attr-defined]
    sys.modules["gin"] = gin
    spec = importlib.util.spec_from_file_location("spr_networks", folder / "spr_networks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def functions_of(folder: Path) -> dict[str, Any]:
    """Functions of its spr_agent.py."""
    import jax
    import optax
    from flax.core.frozen_dict import FrozenDict

    gin = types.SimpleNamespace(configurable=lambda function: function)
    logging = types.SimpleNamespace(info=lambda *_: None)
    names = {"jax": jax, "optax": optax, "onp": np, "FrozenDict": FrozenDict, "gin": gin, "logging": logging}
    names |= {"functools": functools, "collections": collections, "copy": copy}
    tree = ast.parse((folder / "agents" / "spr_agent.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in FUNCTIONS:
            exec(compile(ast.Module([node], []), "spr_agent.py", "exec"), names)
    return names


def parameters(flat: list[np.ndarray]) -> dict[str, Any]:
    """Flax's tree of the weights."""
    pairs = iter([{"kernel": flat[i], "bias": flat[i + 1]} for i in range(0, len(flat), 2)])
    encoder = {f"ResidualStage_{s}": {f"Conv_{c}": next(pairs) for c in range(1 + 2 * BLOCKS)} for s in range(3)}
    projection, value, advantage = next(pairs), next(pairs), next(pairs)
    (cell,) = [{"Conv_0": next(pairs), "Conv_1": next(pairs)}]
    tree = {"encoder": encoder, "projection": {"net": projection}, "predictor": next(pairs)}
    head = {"value": {"net": value}, "advantage": {"net": advantage}}
    return {"params": {**tree, "head": head, "transition_model": {"ScanConvTMCell_0": cell}}}


def of_network(module: Any, x: dict[str, Any]) -> dict[str, np.ndarray]:
    import jax
    import jax.numpy as jnp

    parts = {"noisy": False, "dueling": True, "distributional": True, "renormalize": True, "encoder_type": "impala"}
    network = module.RainbowDQNNetwork(num_actions=ACTIONS, num_atoms=ATOMS, hidden_dim=HIDDEN, width_scale=1, **parts)
    support, theta, key = jnp.linspace(-10.0, 10.0, ATOMS), parameters(x["weights"]), jax.random.PRNGKey(0)
    made = network.init(
        key, x=jnp.zeros((SIZE, SIZE, FRAMES)), actions=jnp.zeros((5,)), do_rollout=True, support=support
    )
    same = jax.tree_util.tree_map(lambda a, b: a.shape == b.shape, dict(made), theta)
    assert all(jax.tree_util.tree_leaves(same))

    def each(picture: Any, actions: Any) -> Any:
        found = network.apply(theta, picture, actions=actions, do_rollout=True, key=key, support=support)
        return found.q_values, found.logits, found.latent

    def encode(picture: Any) -> Any:
        return network.apply(theta, picture, method=network.encode)

    def target(picture: Any) -> Any:
        return network.apply(theta, picture, key=key, eval_mode=True, method=network.encode_project)

    pictures, future = x["pictures"].astype(np.float32) / 255.0, x["future"].astype(np.float32) / 255.0
    q, logits, predictions = jax.vmap(each)(pictures, x["actions"])
    large = module.RainbowDQNNetwork(num_actions=18, num_atoms=51, hidden_dim=2048, width_scale=4, **parts)
    sized = functools.partial(
        large.init,
        x=jnp.zeros((84, 84, 4)),
        actions=jnp.zeros((5,)),
        do_rollout=True,
        support=jnp.linspace(-10, 10, 51),
    )
    count = sum(int(np.prod(leaf.shape)) for leaf in jax.tree_util.tree_leaves(jax.eval_shape(sized, key)))
    return {
        "latent": jax.vmap(encode)(pictures),
        "q": q,
        "logits": logits,
        "predictions": predictions,
        "targets": jax.vmap(jax.vmap(target))(future),
        "count": np.array(count),
    }


def of_optimizer(functions: dict[str, Any], x: dict[str, Any]) -> dict[str, np.ndarray]:
    import jax
    import optax

    theta = x["theta"]
    rule = functions["create_scaling_optimizer"]("adam", learning_rate=1e-2, eps=1.5e-4, weight_decay=0.1)
    state = rule.init(theta)
    for gradients in x["gradients"]:
        changes, state = rule.update(gradients, state, params=theta)
        theta = optax.apply_updates(theta, changes)
    # jit_reset's lines on the optimizer's state, of an optimizer made as _build_networks_and_optimizer makes it
    names = {"encoder": x["theta"], "head": x["theta"]}
    masks = [{key: key == name for key in names} for name in names]
    both = optax.chain(*(optax.masked(rule, mask) for mask in masks))
    used = both.update(names, both.init(names), params=names)[1]
    assert _moments(used) > 0
    parts = zip(used, both.init(names), strict=True)
    copied = [
        functions["copy_params"](a._asdict(), b._asdict(), keys=("encoder", "transition_model")) for a, b in parts
    ]
    return {**theta, "slots": np.array(_moments(jax.tree_util.tree_map(np.asarray, copied)))}


def _moments(state: Any) -> float:
    import jax

    return float(sum(np.abs(leaf).sum() for leaf in jax.tree_util.tree_leaves(state)))


def of_schedules(functions: dict[str, Any]) -> dict[str, np.ndarray]:
    schedule = functions["exponential_decay_scheduler"]
    shorter, nearer = schedule(10_000, 0, 1, 3 / 10), schedule(10_000, 0, 0.97, 0.997, reverse=True)
    n = [int(np.round(shorter(c) * 10)) for c in CLOCKS]  # as update_horizon_scheduler has it
    return {"n": np.array(n), "gamma": np.array([nearer(c) for c in CLOCKS])}


def main() -> None:
    folder, out = Path(sys.argv[1]), sys.argv[2]
    x, functions = inputs(), functions_of(folder)
    found = {**of_network(networks_of(folder), x), **of_optimizer(functions, x), **of_schedules(functions)}
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("jax", "flax", "optax")]
    np.savez_compressed(out, versions=np.array(versions), **{k: np.asarray(v) for k, v in found.items()})


if __name__ == "__main__":
    main()
