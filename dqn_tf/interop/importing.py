"""``dqn-tf import``: Q-networks that other programs trained, as archives that this one evaluates under any protocol.

What has to be turned, by program:

    Stable-Baselines3, CleanRL (PyTorch)  kernels [out, in, H, W] -> [H, W, in, out]; features are flattened as C, H, W
                                          there and as H, W, C here: rows of the layer after them change places
    CleanRL (JAX), Dopamine (JAX)         kernels as here; Dopamine pads ("same"), the others do not
    QR-DQN of sb3-contrib                 its outputs are [N, A], here [A, N]

All of them divide bytes by 255 themselves, as the networks here do.  Weights go by name, and each shape is checked.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from dqn_tf import determinism, envs
from dqn_tf.agent.networks.torsos import CONVOLUTIONS, MLP, NatureCNN
from dqn_tf.agent.values.expected import Expected
from dqn_tf.agent.values.quantile import Quantile
from dqn_tf.api import make_config
from dqn_tf.checks import ConfigError, RunError, unknown
from dqn_tf.config import RunConfig
from dqn_tf.interop import archive, flax_files, torch_files
from dqn_tf.interop.card import card
from dqn_tf.interop.packing import agent_of
from dqn_tf.interop.zip_files import DAMAGE

LARGEST = 2**30  # bytes of a file
TOLERANCE = 1e-4  # of the largest |Q|: another library, another order of sums
Arrays = dict[str, np.ndarray]


class Layers(NamedTuple):
    """A network in the layouts of this program, in order.

    Attributes:
        convolutions: (kernel [H, W, in, out], bias) of each.
        dense: (kernel [in, out], bias) of each.
        padding: of the convolutions.
        quantiles_first: whether the last layer's outputs are quantiles [N, A]; else they are Q-values [A].
    """

    convolutions: list[tuple[np.ndarray, np.ndarray]]
    dense: list[tuple[np.ndarray, np.ndarray]]
    padding: Literal["valid", "same"] = "valid"
    quantiles_first: bool = False


def import_network(
    file: str | Path,
    source: str,
    environment: str,
    out: str | Path,
    *,
    protocol: str | None = None,
    answers: str | Path | None = None,
    settings: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Read a network that another program trained, and write it as an archive.

    Nothing in the file is executed.

    Args:
        file: what the other program saved.
        source: "sb3", "cleanrl", "cleanrl_jax" or "dopamine_jax".
        environment: as for ``make_config``.
        out: the archive, a new file.
        protocol: of an Atari game: under which it is to be evaluated.
        answers: an NPZ file with ``observations`` and the ``q_values`` that the original program gives to them, which
            must come out.
        settings: "path=value" texts, as after ``--set``: ``protocol.action_set=full``, say.

    Returns:
        The content of archive.json; "checked" says on how many answers, and how large the largest difference was.

    Raises:
        ConfigError: the file is no such network, would need unpickling, or does not fit the environment.
        RunError: the answers do not come out.
    """
    path, target = Path(file), Path(out)
    data = _checked(path, source, target)
    layers = layers_of(data, source, str(path))
    config, weights = configured(layers, environment, protocol, settings)
    about: dict[str, Any] = {
        "network": "last",
        "frames": 0,
        "origin": f"{path.name} of {source}, SHA-256 {hashlib.sha256(data).hexdigest()}",
        "weights_sha256": determinism.digest(weights),
        "checked": None,
    }
    agent = agent_of(archive.Archive(path, about, config, weights, {}))
    if answers is not None:
        about["checked"] = check(agent.q_values, agent.spec.observation.shape, Path(answers))
    files = {"README.md": card(config, about, None, {}).encode()}
    archive.write(target, about, config, weights, files)
    return about


def _checked(path: Path, source: str, target: Path) -> bytes:
    """The bytes of the file, if the request can be carried out.  Raises ConfigError."""
    if source not in SOURCES:
        raise unknown("source", source, SOURCES)
    if target.exists():
        raise ConfigError(f"Expected a new file for --out, got {target}, which exists.")
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise ConfigError(f"Expected a file of at most {LARGEST:,} bytes, got {path}.")
    return path.read_bytes()


def layers_of(data: bytes, source: str, whose: str) -> Layers:
    """The layers of another program's file.

    Args:
        data: the file's bytes.
        source: one of ``SOURCES``.
        whose: the file, for messages.

    Returns:
        The layers.

    Raises:
        ConfigError: the file holds another kind of network.
    """
    return SOURCES[source](data, whose)


def configured(
    layers: Layers, environment: str, protocol: str | None, settings: tuple[str, ...]
) -> tuple[RunConfig, Arrays]:
    """A configuration with this network, and its weights by name.

    Args:
        layers: the network.
        environment: as for ``make_config``.
        protocol: as for ``make_config``.
        settings: as for ``make_config``.

    Returns:
        The configuration, which trains nothing; the weights.

    Raises:
        ConfigError: the network does not fit the environment.
    """
    torso = _torso(layers)
    agent: dict[str, Any] = {"network": torso, "value": Expected()}
    make = functools.partial(
        make_config,
        "dqn_nature" if layers.convolutions else "dqn_classic",
        environment,
        frames=1_000,  # of a run that is never made
        protocol=protocol,
        settings=settings,
    )
    config = make(agent=agent)
    with contextlib.closing(envs.make(config.environment, config.protocol, config.seed)) as made:
        actions = made.spec.num_actions
    (kernel, bias), outputs = layers.dense[-1], layers.dense[-1][1].size
    if layers.quantiles_first and outputs % actions == 0:
        count = outputs // actions
        config = make(agent={**agent, "value": Quantile(quantiles=count)})
        kernel = kernel.reshape(-1, count, actions).transpose(0, 2, 1).reshape(-1, outputs)
        bias = bias.reshape(count, actions).T.ravel()
    elif outputs != actions:
        raise ConfigError(
            f"Expected {actions} actions, as {config.environment} has under this protocol, got a network with "
            f"{outputs} outputs. Another action set takes --set protocol.action_set=full, or minimal."
        )
    return config, _named(layers._replace(dense=[*layers.dense[:-1], (kernel, bias)]))


def _torso(layers: Layers) -> NatureCNN | MLP:
    """Raises ConfigError: convolutions of an unknown kind."""
    hidden = tuple(bias.size for _, bias in layers.dense[:-1])
    if not layers.convolutions:
        return MLP(hidden=hidden)
    found = [(kernel.shape[3], kernel.shape[0]) for kernel, _ in layers.convolutions]
    if len(hidden) != 1 or found != [(filters, side) for filters, side, _ in CONVOLUTIONS]:
        raise ConfigError(
            "Expected the three convolutions of Mnih et al. 2015 and one hidden layer, got (filters, side) "
            f"{found} and hidden layers {list(hidden)}. Strides do not stand in such a file, so no others are known."
        )
    return NatureCNN(hidden=hidden[0], padding=layers.padding)


def _named(layers: Layers) -> Arrays:
    """The weights by this program's names."""
    hidden = len(layers.dense) - 1
    outside = 0 if layers.convolutions else max(0, hidden - 1)
    names = [f"torso/conv2d_{i}" for i in range(len(layers.convolutions))]
    names += [f"torso/dense_{i}" for i in range(outside)]
    names += [*(f"head/hidden_{i}" for i in range(hidden - outside)), "head/output"]
    weights: Arrays = {}
    for name, (kernel, bias) in zip(names, [*layers.convolutions, *layers.dense], strict=True):
        weights |= {f"{name}/kernel": np.ascontiguousarray(kernel), f"{name}/bias": np.ascontiguousarray(bias)}
    return weights


def check(q_values: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...], answers: Path) -> dict[str, Any]:
    """Hold a network against what the original program answers.

    Args:
        q_values: a function from observations [B, ...] to Q [B, A].
        shape: of an observation here; images with channels first are turned.
        answers: an NPZ file with ``observations`` and ``q_values``.

    Returns:
        states, largest_difference, equal_actions.

    Raises:
        ConfigError: the file lacks something, or does not fit.
        RunError: a Q-value differs by more than 1e-4 of the largest, or an action differs where it is not a tie.
    """
    from dqn_tf.interop.recorded import compare

    try:
        with np.load(answers, allow_pickle=False) as file:
            observations, wanted = file["observations"], file["q_values"].astype(np.float32)
    except (OSError, ValueError, *DAMAGE, KeyError) as error:
        raise ConfigError(f"Expected observations and q_values in {answers}: {error}.") from error
    if observations.shape[1:] != shape and observations.ndim == 4 and len(shape) == 3:
        observations = observations.transpose(0, 2, 3, 1)
    found = q_values(observations)
    if found.shape != wanted.shape:
        raise ConfigError(f"Expected q_values {list(found.shape)} in {answers}, got {list(wanted.shape)}.")
    try:
        parity = compare(wanted, found.argmax(axis=1), found, None, TOLERANCE)
    except RunError as error:
        raise RunError(f"The answers of the original program in {answers} do not come out: {error}") from error
    return {
        "states": parity.states,
        "largest_difference": parity.largest_difference,
        "equal_actions": parity.equal_actions,
    }


# -- programs ----------------------------------------------------------------------------------------------------------
def _sb3(data: bytes, whose: str) -> Layers:
    """DQN of Stable-Baselines3, QR-DQN of sb3-contrib: the zip file of ``model.save``."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as saved:
            member = saved.getinfo("policy.pth")
            if member.file_size > LARGEST:
                raise ConfigError(f"Expected at most {LARGEST:,} bytes of weights in {whose}. It was not opened.")
            policy = saved.read(member)
    except (*DAMAGE, KeyError) as error:
        raise ConfigError(f"Expected a file that Stable-Baselines3 saved, got {whose}: {error}.") from error
    found = torch_files.state_dict(policy, f"policy.pth in {whose}")
    kind = "q_net" if any(name.startswith("q_net.") for name in found) else "quantile_net"
    own = {name.removeprefix(f"{kind}."): array for name, array in found.items() if name.startswith(f"{kind}.")}
    convolutions = _numbered(own, "features_extractor.cnn.", 4)
    dense = _numbered(own, "features_extractor.linear.", 2) + _numbered(own, f"{kind}.", 2)
    return _from_torch(convolutions, dense, whose)._replace(quantiles_first=kind == "quantile_net")


def _cleanrl(data: bytes, whose: str) -> Layers:
    """dqn.py and dqn_atari.py: the state dict of a ``QNetwork`` whose layers are ``network``."""
    found = torch_files.state_dict(data, whose)
    return _from_torch(_numbered(found, "network.", 4), _numbered(found, "network.", 2), whose)


def _numbered(arrays: Mapping[str, np.ndarray], start: str, axes: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(weight, bias) of the layers <start><number>, by number, whose weight has so many axes."""
    found = {}
    for name, array in arrays.items():
        number, _, part = name.removeprefix(start).partition(".")
        if name.startswith(start) and number.isdigit() and part == "weight" and array.ndim == axes:
            found[int(number)] = (array, arrays[f"{start}{number}.bias"])
    return [found[number] for number in sorted(found)]


def _from_torch(
    convolutions: list[tuple[np.ndarray, np.ndarray]], dense: list[tuple[np.ndarray, np.ndarray]], whose: str
) -> Layers:
    if not dense:
        raise ConfigError(
            f"Expected a Q-network of convolutions and fully connected layers in {whose}, got other names."
        )
    turned = [(kernel.transpose(2, 3, 1, 0), bias) for kernel, bias in convolutions]
    first, *rest = dense
    weight = first[0]
    if convolutions:
        channels = convolutions[-1][1].size
        side = round((weight.shape[1] / channels) ** 0.5)
        if channels * side * side != weight.shape[1]:
            raise ConfigError(
                f"Expected features of square images in {whose}, got {weight.shape[1]} of {channels} channels."
            )
        weight = weight.reshape(-1, channels, side, side).transpose(0, 2, 3, 1).reshape(len(weight), -1)
    return Layers(turned, [(each.T, bias) for each, bias in [(weight, first[1]), *rest]])


def _flax(padding: Literal["valid", "same"]) -> Callable[[bytes, str], Layers]:
    def read(data: bytes, whose: str) -> Layers:
        found = flax_files.arrays(data, whose)
        while found and all(name.startswith("params.") for name in found):
            found = {name.removeprefix("params."): array for name, array in found.items()}
        kinds = {"Conv_": list[tuple[np.ndarray, np.ndarray]](), "Dense_": list[tuple[np.ndarray, np.ndarray]]()}
        for kind, layers in kinds.items():
            numbers = [int(n.split(".")[0][len(kind) :]) for n in found if n.startswith(kind) and n.endswith(".kernel")]
            layers += [(found[f"{kind}{i}.kernel"], found[f"{kind}{i}.bias"]) for i in sorted(numbers)]
        if not kinds["Dense_"]:
            raise ConfigError(f"Expected Conv_k and Dense_k in {whose}, got {', '.join(sorted(found)[:4])}.")
        return Layers(kinds["Conv_"], kinds["Dense_"], padding)

    return read


SOURCES: dict[str, Callable[[bytes, str], Layers]] = {
    "sb3": _sb3,
    "cleanrl": _cleanrl,
    "cleanrl_jax": _flax("valid"),
    "dopamine_jax": _flax("same"),
}
