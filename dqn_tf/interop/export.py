"""``dqn-tf export``: a trained network as a file that other programs run, with its contract beside it."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dqn_tf import determinism, fields, plain_json, trained
from dqn_tf.checks import ConfigError, RunError, expect
from dqn_tf.interop import formats, policy, recorded

CONTRACT = "contract.json"
TOLERANCE = 1e-5  # of the largest |Q|: sums are taken in another order, and a byte times 1/255 is not a byte over 255


def export(
    run_dir: str | Path,
    format: str,
    out: str | Path,
    network: Literal["last", "best"] | None = None,
    *,
    states: int = 64,
    tolerance: float = TOLERANCE,
    environment: Callable[..., Any] | None = None,
    say: trained.Say = print,
) -> dict[str, Any]:
    """Write a trained network for other programs: observations in, the greedy action and the Q-values out.

    Nothing in the file is random: noisy layers are their means, implicit quantiles are taken at even fractions. The
    file is read again by its own runtime, which must answer recorded states as the agent does.

    Args:
        run_dir: the directory of the run.
        format: "saved_model", "keras", "onnx" or "litert"; the last two need the extra ``export``.
        out: a new or empty directory for the file and its contract.json.
        network: as for ``load``.
        states: how many states are recorded, from episodes of the agent.
        tolerance: largest difference of a Q-value, as a share of the largest |Q| (or of 1, if that is smaller).
        environment: as for ``train``: what makes it, where only this program has it.
        say: called with a sentence about every checkpoint that is skipped.

    Returns:
        The contract: what goes in and out, what the agent's environment does before, and how equal the answers were.

    Raises:
        ConfigError: before anything is written: there is no run, an unknown format, a missing extra, or ``out`` is not
            empty.
        RunError: there is no checkpoint that verifies, or the answers differ by more than the tolerance.
    """
    form = formats.find(format)
    expect(states >= 1, "at least 1", "states", states)
    expect(tolerance > 0, "a number > 0", "tolerance", tolerance)
    _check_empty(Path(out))
    agent = trained.load(run_dir, network, environment=environment, say=say)
    seen = recorded.record(agent, states)
    with _whole(Path(out)) as folder:
        return write(agent, format, form, folder, seen, tolerance)


def write(
    agent: trained.TrainedAgent,
    name: str,
    form: formats.Format,
    folder: Path,
    seen: recorded.States,
    tolerance: float,
) -> dict[str, Any]:
    """Write file and contract of an agent.

    Args:
        agent: the agent.
        name: of the format.
        form: the format.
        folder: an empty directory.
        seen: the states that its answers are compared on.
        tolerance: as for ``export``.

    Returns:
        The contract.

    Raises:
        RunError: the file cannot be run, or answers otherwise than the agent.
    """
    weights, path = agent.weights, folder / form.file
    model = policy.build(agent.config.agent, agent.spec, weights)
    try:
        with formats.quietly():
            form.write(model, path)
            actions, q_values = form.open(path)(*seen.inputs)
    except (ConfigError, OSError):
        raise
    except Exception as error:  # of another library, of any kind
        raise RunError(f"The network of {agent.config.preset} cannot be exported as {name}: {error!r}.") from error
    own = agent.q_values_without_draws(seen.observations)
    parity = recorded.compare(own, actions, q_values, seen.masks, tolerance)
    found = {**contract(agent, name, form, weights), "parity": parity._asdict()}
    if form.same_bytes:
        found["sha256"] = {form.file: hashlib.sha256(path.read_bytes()).hexdigest()}
    (folder / CONTRACT).write_text(plain_json.dumps(found, indent=2) + "\n")
    return found


def contract(
    agent: trained.TrainedAgent, name: str, form: formats.Format, weights: dict[str, np.ndarray]
) -> dict[str, Any]:
    """What a program must know to use the file, but for the parity.

    Args:
        agent: the agent.
        name: of the format.
        form: the format.
        weights: of the agent, by name.

    Returns:
        Plain values.
    """
    config, spec = agent.config, agent.spec
    return {
        "schema": 1,
        "format": name,
        "file": form.file,
        "use": form.use,
        "agent": {
            "preset": config.preset,
            "environment": config.environment,
            "seed": config.seed,
            "config_hash": config.hash,
            "network": agent.network,
            "frames": agent.frames,
        },
        "inputs": _inputs(agent),
        "outputs": {
            policy.ACTION: {
                "dtype": "int64",
                "shape": ["batch"],
                "meaning": "the first of the legal actions of largest Q",
            },
            policy.Q_VALUES: {"dtype": "float32", "shape": ["batch", spec.num_actions], "meaning": "Q(s, .)"},
        },
        "actions": list(spec.action_names),
        "frame_skip": spec.frame_skip,
        "environment_protocol": None if config.protocol is None else fields.to_json(config.protocol, whole=True),
        "randomness": randomness(agent),
        "weights": {n: {"shape": list(a.shape), "sha256": determinism.digest(a)} for n, a in weights.items()},
        "weights_sha256": determinism.digest(weights),
        "same_bytes_when_exported_again": form.same_bytes or f"no: {form.differs}",
    }


def _inputs(agent: trained.TrainedAgent) -> dict[str, Any]:
    spec = agent.spec.observation
    axes = {1: ["batch", "number"], 3: ["batch", "row", "column", "channel"]}
    found: dict[str, Any] = {
        policy.OBSERVATIONS: {
            "dtype": spec.dtype,
            "shape": ["batch", *spec.shape],
            "axes": axes.get(len(spec.shape), ["batch", *(f"axis_{i}" for i in range(len(spec.shape)))]),
            "scaling": "none: as the environment shows them; what the network scales is inside the file",
            "stack": None
            if spec.stack is None
            else {"frames": spec.stack, "axis": "last", "order": "newest last", "not_yet_full": spec.padding},
        }
    }
    if agent.spec.masked:
        shape = ["batch", agent.spec.num_actions]
        found[policy.MASK] = {"dtype": "bool", "shape": shape, "meaning": "the legal actions, at least one"}
    return found


def randomness(agent: trained.TrainedAgent) -> str:
    """Whether the agent draws numbers when it plays, and what the exported network has in their place."""
    parts, config = [], agent.config.agent
    if config.layers.random:
        plays = {"on": "with noise", "off": "with the means, too"}[agent.noise]
        parts.append(f"noisy layers are their means (in the run's evaluations the agent plays {plays})")
    if config.value.random:
        parts.append(
            "quantile fractions are the even ones, (2i - 1) / 2K, where the agent draws them anew for every call"
        )
    return "; ".join(parts) or "none: the agent draws nothing to compute its Q-values"


def _check_empty(out: Path) -> None:
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ConfigError(
            f"Expected a new or empty directory for --out, got {out}, where something is. Nothing was touched."
        )


@contextlib.contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A directory that becomes ``out`` when all is written, and is gone if something fails."""
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        temporary.rename(out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
