"""Same seed, same bytes: the settings that ensure it, the scope of the promise, and digests to check it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.checks import RunError
from dqn_tf.types import Tree

PROMISE = (
    "Two runs of one configuration agree in every byte (timing.csv and log.txt excepted) where everything in `scope` "
    "is the same. Elsewhere they agree statistically only."
)
KERNEL_VARIABLES = (  # environment variables that choose kernels, and so the last bits
    "TF_ENABLE_ONEDNN_OPTS",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "XLA_FLAGS",
    "TF_XLA_FLAGS",
)
VERSIONS = ("tensorflow", "keras", "numpy", "gymnasium", "ale-py")


def enable(threads: int, *, required: bool = True) -> None:
    """Pin TensorFlow's threads and make its operations deterministic.

    Every operation runs on one thread (the order of its sums never changes), and several of them run at a time: so
    results do not depend on their number.

    Args:
        threads: operations at a time.
        required: whether an error is raised where TensorFlow already runs with other threads; else it keeps those.

    Raises:
        RunError: TensorFlow already runs in this process with other threads, and ``required``.
    """
    config = tf.config.threading
    try:
        config.set_intra_op_parallelism_threads(1)
        config.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        now = config.get_intra_op_parallelism_threads(), config.get_inter_op_parallelism_threads()
        if required and now != (1, threads):
            raise RunError(
                f"Expected to pin TensorFlow to {threads} operations at a time with 1 thread each, but this process "
                f"already runs it with {now[1] or 'any number'} and {now[0] or 'any number'}. Call "
                "dqn_tf.determinism.enable before other TensorFlow code, or start a new process."
            ) from error
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)  # several runs may share a GPU
    tf.config.experimental.enable_op_determinism()
    tf.keras.config.set_floatx("float32")  # a user's keras.json must not decide
    tf.keras.config.set_image_data_format("channels_last")


def scope(xla: str) -> dict[str, Any]:
    """What the bytes of a run may depend on beside its configuration.

    Args:
        xla: what XLA compiles.

    Returns:
        Plain values: versions, processor, devices, variables.
    """
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(g).get("device_name", "GPU") for g in gpus]
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        **{name: importlib.metadata.version(name) for name in VERSIONS},
        "dqn_tf": package_version(),
        "machine": platform.machine(),
        "cpu": cpu_model(),
        "devices": details or ["CPU"],
        "xla": xla,
        "variables": {name: os.environ[name] for name in KERNEL_VARIABLES if name in os.environ},
        "op_determinism": True,
    }


def package_version() -> str:
    """The installed version of dqn_tf."""
    try:
        return importlib.metadata.version("dqn_tf")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def code_digest(more: Iterable[Path] = ()) -> str:
    """SHA-256 of the package's source files, and of ``more``: which code runs, committed or not."""
    sha = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        sha.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    for path in sorted(set(more)):
        sha.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()


def cpu_model() -> str:
    """The processor's name and its widest vector instructions."""
    model, flags = platform.processor() or platform.machine(), ""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                model = value.strip()
            elif name.strip() == "flags":
                flags = value
                break
    except OSError:
        pass
    widest = next((f for f in ("avx512f", "avx2", "avx", "sse4_1") if f in flags.split()), "")
    return f"{model} ({widest})" if widest else model


def digest(tree: Tree) -> str:
    """SHA-256 of a state: nested dicts and lists of arrays, numbers, texts and None.  The order of dicts is ignored.

    What stands under a key "evidence" follows from the rest (envs/classic.py), and is left out.

    >>> digest({"a": 1, "b": np.zeros(2)}) == digest({"b": np.zeros(2), "a": 1})
    True
    """
    sha = hashlib.sha256()
    _feed(sha, tree)
    return sha.hexdigest()


def _feed(sha: hashlib._Hash, tree: Tree) -> None:
    if isinstance(tree, dict):
        sha.update(b"{")
        for key in sorted(tree.keys() - {"evidence"}):
            sha.update(f"{key}:".encode())
            _feed(sha, tree[key])
        sha.update(b"}")
    elif isinstance(tree, list | tuple):
        sha.update(b"[")
        for value in tree:
            _feed(sha, value)
        sha.update(b"]")
    elif isinstance(tree, np.ndarray):
        array = np.ascontiguousarray(tree)
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        sha.update(array.reshape(-1).view(np.uint8).data)
    else:
        sha.update(json.dumps(tree).encode() + b";")
