"""What the published programs of PQN compute: targets, values of networks, and updates.

    python pqn_answers.py CLEANRL/cleanrl PUREJAXQL/purejaxql ANSWERS.npz

Run it in an environment with torch, jax, flax, optax and chex.  The folders are those of vwxyzjn/cleanrl@fe8d8a03 and
mttga/purejaxql@47af6d7.  Their own code is run, cut out of their files: CleanRL's QNetwork, and of its main program the
lines from "Compute Q(lambda) targets" to the end of the last epoch; of the authors' the function _compute_targets and
the networks.  The authors' update is a function inside others and is written down here once more, with Optax's own
optimizer: once with 64-bit numbers allowed, so that RAdam's rho is float64 (weights and moments stay float32), and
once without, as they run it: then rho is off by up to 0.05, and the fifth update takes another step by 2 %.

Nothing of dqn_tf is imported, and these libraries only when this is run: tests/independent/test_pqn.py takes ``inputs``
and the sizes from here.  Answers, in this project's layout: "cleanrl/returns" [ROLLOUTS, T, E], "cleanrl/change/<i>",
"authors/targets" [T, E], "authors/q" [B, A], "authors/loss" and "authors/loss_float32" [UPDATES], "authors/change/<i>",
"count/<name>" [].
"""

from __future__ import annotations

import ast
import importlib.metadata
import sys
from pathlib import Path
from typing import Any

import numpy as np

T, E, ROLLOUTS, EPOCHS, MINIBATCHES = 16, 4, 3, 4, 4  # CleanRL: 48 updates of 16 transitions
UPDATES, BATCH = 12, 32  # the authors' MinAtar
KEPT = 400  # numbers of each variable
SHAPES: dict[str, list[tuple[int, ...]]] = {
    "cleanrl": [(4, 120), (120,), (120,), (120,), (120, 84), (84,), (84,), (84,), (84, 2), (2,)],
    "authors": [(3, 3, 4, 16), (16,), (16,), (16,), (1024, 128), (128,), (128,), (128,), (128, 3), (3,)],
}


def inputs() -> dict[str, Any]:
    """Weights, rollouts and batches; the same numbers on every machine."""
    random = np.random.default_rng(20_260_301)

    def weights(name: str) -> list[np.ndarray]:
        out = []
        for i, shape in enumerate(SHAPES[name]):
            limit = 1 / np.sqrt(np.prod(shape[:-1])) if len(shape) > 1 else 0.3
            scale = i in (2, 6)  # of a normalization, around 1
            out.append((scale + random.uniform(-limit, limit, shape)).astype(np.float32))
        return out

    return {
        "cleanrl": weights("cleanrl"),
        "authors": weights("authors"),
        "obs": random.normal(size=(ROLLOUTS, T, E, 4)).astype(np.float32),
        "next_obs": random.normal(size=(ROLLOUTS, E, 4)).astype(np.float32),
        "actions": random.integers(0, 2, (ROLLOUTS, T, E)),
        "rewards": random.normal(size=(ROLLOUTS, T, E)).astype(np.float32),
        "dones": (random.random((ROLLOUTS, T + 1, E)) < 0.15).astype(np.float32),  # dones[t]: before step t
        "order": np.stack([[random.permutation(T * E) for _ in range(EPOCHS)] for _ in range(ROLLOUTS)]),
        "bits": random.random((UPDATES, BATCH, 10, 10, 4)) < 0.15,
        "chosen": random.integers(0, 3, (UPDATES, BATCH)),
        "targets": random.normal(size=(UPDATES, BATCH)).astype(np.float32),
        "q_vals": random.normal(size=(T, E, 5)).astype(np.float32),
        "last_q": random.normal(size=E).astype(np.float32),
    }


def every(size: int) -> int:
    """Of a variable of so many numbers, every such one is kept."""
    return max(1, size // KEPT)


def kept(change: np.ndarray) -> np.ndarray:
    return change.ravel()[:: every(change.size)]


def cut(path: Path, wanted: Any) -> list[ast.stmt]:
    """The statements of a file that ``wanted`` accepts, at any depth."""
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.stmt) and wanted(node)]


def run(statements: list[ast.stmt], names: dict[str, Any]) -> None:
    """Carry out statements of a file with these names."""
    exec(compile(ast.Module(statements, []), "<published>", "exec"), names)


# -- CleanRL -----------------------------------------------------------------------------------------------------------
def cleanrl(folder: Path, x: dict[str, Any]) -> dict[str, np.ndarray]:
    import torch
    from torch import nn, optim

    class Box:
        shape, n = (4,), 2

    class Envs:
        single_observation_space = single_action_space = Box

    def named(node: ast.stmt) -> bool:
        return getattr(node, "name", "") in ("layer_init", "QNetwork")

    names: dict[str, Any] = {"np": np, "torch": torch, "nn": nn, "F": torch.nn.functional}
    run(cut(folder / "pqn.py", named), names)
    network = names["QNetwork"](Envs)
    variables = list(network.parameters())
    for variable, values in zip(variables, x["cleanrl"], strict=True):
        variable.data = torch.tensor(values.T.copy())
    main: Any = next(iter(cut(folder / "pqn.py", lambda n: _is_loop(n, "iteration"))))
    starts = next(i for i, node in enumerate(main.body) if isinstance(node, ast.With))
    ends = next(i for i, node in enumerate(main.body) if _is_loop(node, "epoch"))
    update = main.body[starts : ends + 1]
    optimizer, returns = optim.RAdam(network.parameters(), lr=2.5e-4), []
    for r in range(ROLLOUTS):
        obs, orders = torch.tensor(x["obs"][r]), iter(x["order"][r])

        class Shuffled:
            """NumPy, whose shuffle gives the orders of ``inputs``."""

            arange = staticmethod(np.arange)

            class random:
                @staticmethod
                def shuffle(b_inds: np.ndarray, orders: Any = orders) -> None:
                    b_inds[:] = next(orders)

        class args:
            num_steps, gamma, q_lambda, update_epochs, max_grad_norm = T, 0.99, 0.65, EPOCHS, 10.0
            batch_size, minibatch_size = T * E, T * E // MINIBATCHES

        names.update(
            args=args,
            envs=Envs,
            np=Shuffled,
            device="cpu",
            q_network=network,
            optimizer=optimizer,
            obs=obs,
            actions=torch.tensor(x["actions"][r]),
            rewards=torch.tensor(x["rewards"][r]),
            dones=torch.tensor(x["dones"][r, :T]),
            next_done=torch.tensor(x["dones"][r, T]),
            next_obs=torch.tensor(x["next_obs"][r]),
            values=network(obs).max(-1).values.detach(),
        )
        Box.shape = (4,)
        Envs.single_action_space = type("Actions", (), {"shape": ()})
        run(update, names)
        returns.append(names["returns"].numpy())
    found = {"cleanrl/returns": np.array(returns)}
    for i, (variable, before) in enumerate(zip(variables, x["cleanrl"], strict=True)):
        found[f"cleanrl/change/{i}"] = kept(variable.detach().numpy().T - before)
    found["count/cleanrl_classic"] = np.array(sum(v.numel() for v in variables))
    return found


def _is_loop(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.For) and isinstance(node.target, ast.Name) and node.target.id == name


# -- the authors' ------------------------------------------------------------------------------------------------------
def authors(folder: Path, x: dict[str, Any]) -> dict[str, np.ndarray]:
    import chex
    import flax.linen as nn
    import jax
    import jax.numpy as jnp
    import optax

    names: dict[str, Any] = {"jax": jax, "jnp": jnp, "np": np, "config": {"GAMMA": 0.99, "LAMBDA": 0.65}}
    run(cut(folder / "pqn_atari.py", lambda n: getattr(n, "name", "") == "_compute_targets"), names)
    arguments = (x["last_q"], x["q_vals"], x["rewards"][0], x["dones"][0, 1:])
    found = {"authors/targets": np.asarray(names["_compute_targets"](*map(jnp.asarray, arguments)))}
    networks = {}
    for game in ("atari", "minatar"):
        names = {"nn": nn, "jnp": jnp, "chex": chex, "jax": jax}
        run(cut(folder / f"pqn_{game}.py", lambda n: getattr(n, "name", "") in ("CNN", "QNetwork")), names)
        networks[game] = names["QNetwork"]
    atari = networks["atari"](action_dim=4).init(jax.random.PRNGKey(0), jnp.zeros((1, 4, 84, 84)), train=False)
    found["count/authors_atari"] = np.array(sum(p.size for p in jax.tree.leaves(atari["params"])))
    network = networks["minatar"](action_dim=3)
    start = network.init(jax.random.PRNGKey(0), jnp.zeros((1, 10, 10, 4)), train=False)
    found["count/authors_minatar"] = np.array(sum(p.size for p in jax.tree.leaves(start["params"])))
    kernel, bias, scale, shift, kernel_2, bias_2, scale_2, shift_2, kernel_3, bias_3 = x["authors"]
    params = {
        **start["params"],  # the input's normalization, whose result is not used
        "CNN_0": {
            "Conv_0": {"kernel": kernel, "bias": bias},
            "LayerNorm_0": {"scale": scale, "bias": shift},
            "Dense_0": {"kernel": kernel_2, "bias": bias_2},
            "LayerNorm_1": {"scale": scale_2, "bias": shift_2},
        },
        "Dense_0": {"kernel": kernel_3, "bias": bias_3},
    }
    statistics = start["batch_stats"]

    def values(params: Any, bits: Any) -> Any:
        return network.apply({"params": params, "batch_stats": statistics}, bits, train=False)

    def loss(params: Any, bits: Any, chosen: Any, targets: Any) -> Any:
        q = jnp.take_along_axis(values(params, bits), chosen[:, None], axis=-1)[:, 0]
        return 0.5 * jnp.square(q - targets).mean()

    found["authors/q"] = np.asarray(values(params, x["bits"][0].astype(np.float32)))

    def updated(params: Any) -> tuple[Any, np.ndarray]:
        rate = optax.linear_schedule(5e-4, 1e-20, 100)
        rule = optax.chain(optax.clip_by_global_norm(0.05), optax.radam(learning_rate=rate))
        state, losses = rule.init(params), []
        for u in range(UPDATES):
            batch = (x["bits"][u].astype(np.float32), x["chosen"][u], x["targets"][u])
            value, gradients = jax.value_and_grad(loss)(params, *batch)
            changes, state = rule.update(gradients, state, params)
            params = optax.apply_updates(params, changes)
            losses.append(float(value))
        return params, np.array(losses)

    _, found["authors/loss_float32"] = updated(params)
    jax.config.update("jax_enable_x64", True)
    params, found["authors/loss"] = updated(params)
    cnn = params["CNN_0"]
    assert {p.dtype for p in jax.tree.leaves(cnn)} == {np.dtype("float32")}
    after = [*(cnn["Conv_0"][k] for k in ("kernel", "bias")), *(cnn["LayerNorm_0"][k] for k in ("scale", "bias"))]
    after += [*(cnn["Dense_0"][k] for k in ("kernel", "bias")), *(cnn["LayerNorm_1"][k] for k in ("scale", "bias"))]
    after += [params["Dense_0"]["kernel"], params["Dense_0"]["bias"]]
    for i, (now, before) in enumerate(zip(after, x["authors"], strict=True)):
        found[f"authors/change/{i}"] = kept(np.asarray(now) - before)
    return found


def main() -> None:
    of_cleanrl, of_authors, out = map(Path, sys.argv[1:])
    x = inputs()
    found = {**cleanrl(of_cleanrl, x), **authors(of_authors, x)}
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("torch", "jax", "flax", "optax", "numpy")]
    np.savez_compressed(out, versions=np.array(versions), **found)  # type: ignore[arg-type]
    print(*versions, *(f"{k} {v.shape}" for k, v in found.items()), sep="\n")


if __name__ == "__main__":
    main()
