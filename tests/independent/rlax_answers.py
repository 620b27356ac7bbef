"""What RLax says of the inputs: run by `dqn-tf results independent`, in an environment with jax and rlax.

    python rlax_answers.py INPUTS.npz ANSWERS.npz

Nothing of dqn_tf is imported.  Answers are "<idea>/<precision>/<quantity>"; "gradient" is that of the summed loss.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import sys
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import rlax
from jax import numpy as jnp

A_TM1, R_T, DISCOUNT = "a_tm1", "r_t", "discount_t"


def over_batch(function: Callable[..., Any], *columns: Any) -> Any:
    return jax.vmap(function)(*columns)


def scalar(td: Callable[[Any, dict[str, Any]], Any], loss: Callable[[Any], Any], x: dict[str, Any]) -> dict[str, Any]:
    """TD errors [B], their losses [B], and the gradient of the sum with respect to the online Q-values."""

    def losses(q: Any) -> Any:
        return loss(td(q, x))

    gradient = jax.grad(lambda q: jnp.sum(losses(q)))(x["q_tm1"])
    return {"td_error": td(x["q_tm1"], x), "loss": losses(x["q_tm1"]), "gradient": gradient}


def distributional(loss: Callable[[Any, dict[str, Any]], Any], start: str, x: dict[str, Any]) -> dict[str, Any]:
    return {"loss": loss(x[start], x), "gradient": jax.grad(lambda d: jnp.sum(loss(d, x)))(x[start])}


# -- one number per action ---------------------------------------------------------------------------------------------
def q_learning(q: Any, x: dict[str, Any]) -> Any:
    return over_batch(rlax.q_learning, q, x[A_TM1], x[R_T], x[DISCOUNT], x["q_t"])


def double(q: Any, x: dict[str, Any]) -> Any:
    return over_batch(rlax.double_q_learning, q, x[A_TM1], x[R_T], x[DISCOUNT], x["q_t"], x["q_online_t"])


def log_policy(x: dict[str, Any], name: str) -> Any:
    return x["temperature"] * jax.nn.log_softmax(x[name] / x["temperature"])


def munchausen_reward(x: dict[str, Any]) -> Any:
    taken = rlax.batched_index(log_policy(x, "soft_tm1"), x[A_TM1])
    return x[R_T] + x["alpha"] * jnp.clip(taken, x["log_policy_min"], 0)


def munchausen(q: Any, x: dict[str, Any]) -> Any:
    probs = rlax.softmax(x["temperature"]).probs(x["soft_t"])
    values = x["soft_t"] - log_policy(x, "soft_t")
    return over_batch(rlax.expected_sarsa, q, x[A_TM1], munchausen_reward(x), x[DISCOUNT], values, probs)


def n_step(x: dict[str, Any]) -> dict[str, Any]:
    return {
        "target": rlax.n_step_bootstrapped_returns(
            x["episode_reward"], x["gamma"] * x["episode_discount"], x["episode_value"], int(x["n"])
        )
    }


# -- distributions -----------------------------------------------------------------------------------------------------
def project(x: dict[str, Any]) -> dict[str, Any]:
    return {
        "projection": jax.vmap(rlax.categorical_l2_project, (0, 0, None))(
            x["any_atoms"], x["any_probabilities"], x["support"]
        )
    }


def c51(dist: Any, x: dict[str, Any]) -> Any:
    function = jax.vmap(rlax.categorical_q_learning, (None, 0, 0, 0, 0, None, 0))
    return function(x["support"], dist, x[A_TM1], x[R_T], x[DISCOUNT], x["support"], x["dist_t"])


def c51_double(dist: Any, x: dict[str, Any]) -> Any:
    function = jax.vmap(rlax.categorical_double_q_learning, (None, 0, 0, 0, 0, None, 0, 0))
    columns = (x["support"], dist, x[A_TM1], x[R_T], x[DISCOUNT], x["support"], x["dist_t"], x["q_online_t"])
    return function(*columns)


def quantiles(selector: str, taus: str, following: str, kappa: float, dist: Any, x: dict[str, Any]) -> Any:
    """A selector [B, A] of Q-values becomes one quantile of each action."""
    chosen = x[selector] if x[selector].ndim == 3 else x[selector][:, :, None]
    function = jax.vmap(functools.partial(rlax.quantile_q_learning, huber_param=kappa))
    columns = (jnp.swapaxes(z, 1, 2) for z in (dist, chosen, x[following]))
    online, select, target = columns
    return function(online, x[taus], x[A_TM1], x[R_T], x[DISCOUNT], select, target) / (kappa or 1.0)


def m_iqn(dist: Any, x: dict[str, Any]) -> Any:
    probs = rlax.softmax(x["temperature"]).probs(x["soft_t"])
    values = x["target_dist_t"] - log_policy(x, "soft_t")[:, :, None]
    target = munchausen_reward(x)[:, None] + x[DISCOUNT][:, None] * jnp.einsum("ba,ban->bn", probs, values)
    source = jax.vmap(lambda d, a: d[a])(dist, x[A_TM1])
    return jax.vmap(functools.partial(rlax.quantile_regression_loss, huber_param=1.0))(source, x["taus"], target)


def squared(td: Any) -> Any:
    return 2 * rlax.l2_loss(td)


def clipped(td: Any) -> Any:
    return rlax.l2_loss(rlax.clip_gradient(td, -1.0, 1.0))


HUBER = functools.partial(rlax.huber_loss, delta=1.0)
IDEAS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "q_learning_squared": functools.partial(scalar, q_learning, squared),
    "q_learning_huber": functools.partial(scalar, q_learning, HUBER),
    "q_learning_clipped": lambda x: {"gradient": scalar(q_learning, clipped, x)["gradient"]},
    "double": functools.partial(scalar, double, HUBER),
    "munchausen": functools.partial(scalar, munchausen, HUBER),
    "n_step": n_step,
    "projection": project,
    "c51": functools.partial(distributional, c51, "dist_tm1"),
    "c51_double": functools.partial(distributional, c51_double, "dist_tm1"),
    "qr_dqn": functools.partial(
        distributional, functools.partial(quantiles, "dist_t", "midpoints", "dist_t", 1.0), "dist_tm1"
    ),
    "qr_dqn_kappa_0": functools.partial(
        distributional, functools.partial(quantiles, "dist_t", "midpoints", "dist_t", 0.0), "dist_tm1"
    ),
    "qr_dqn_kappa_2": functools.partial(
        distributional, functools.partial(quantiles, "dist_t", "midpoints", "dist_t", 2.0), "dist_tm1"
    ),
    "qr_dqn_double": functools.partial(
        distributional, functools.partial(quantiles, "q_online_t", "midpoints", "dist_t", 1.0), "dist_tm1"
    ),
    "iqn": functools.partial(
        distributional, functools.partial(quantiles, "policy_dist_t", "taus", "target_dist_t", 1.0), "dist_tm1"
    ),
    "m_iqn": functools.partial(distributional, m_iqn, "dist_tm1"),
}


def main(inputs: str, answers: str) -> None:
    given = dict(np.load(inputs))
    out: dict[str, Any] = {}
    for precision in ("float32", "float64"):
        jax.config.update("jax_enable_x64", precision == "float64")
        x = {k: jnp.asarray(v.astype(precision) if v.dtype.kind == "f" else v) for k, v in given.items()}
        for idea, answer in IDEAS.items():
            for quantity, value in answer(x).items():
                assert value.dtype == precision, (idea, quantity, value.dtype)
                out[f"{idea}/{precision}/{quantity}"] = np.asarray(value)
    versions = {name: importlib.metadata.version(name) for name in ("rlax", "jax")}
    np.savez_compressed(answers, versions=json.dumps(versions), **out)


if __name__ == "__main__":
    main(*sys.argv[1:])
