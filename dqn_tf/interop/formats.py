"""The formats that a trained network can be exported to: how each is written, and read again by its own runtime."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.checks import ConfigError, unknown
from dqn_tf.interop.policy import ACTION, Q_VALUES, policy_class

Answer = tuple[np.ndarray, np.ndarray]
"""Of a batch: actions [B] int64 and Q-values [B, A] float32."""
Runner = Callable[..., Answer]
"""Calls a file with observations [B, ...], and masks [B, A] where it takes them."""
PolicyModel = Any
"""What ``policy.build`` gives."""


class Format(NamedTuple):
    """One format.

    Attributes:
        file: what is written, beside contract.json.
        needs: packages of the extra ``export``.
        same_bytes: whether two exports are equal, byte by byte.
        differs: what differs between two of them, where they are not.
        use: how the file is called, in a sentence.
        write: writes a model to a path.
        open: what calls the file at a path.
    """

    file: str
    needs: tuple[str, ...]
    same_bytes: bool
    differs: str
    use: str
    write: Callable[[PolicyModel, Path], None]
    open: Callable[[Path], Runner]


def find(name: str) -> Format:
    """A format by its name.

    Raises:
        ConfigError: there is none of this name, or its packages are not installed.
    """
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    missing = [package for package in FORMATS[name].needs if importlib.util.find_spec(package) is None]
    if missing:
        raise ConfigError(
            f"--format {name} needs the extra: pip install 'dqn_tf[export]' (missing: {', '.join(missing)})"
        )
    return FORMATS[name]


# -- SavedModel --------------------------------------------------------------------------------------------------------
def _write_saved_model(policy: PolicyModel, path: Path) -> None:
    module = tf.Module()
    module.theta = [variable.value for variable in policy.theta]  # each once; Keras's own export stores them twice
    module.serve = tf.function(policy.call, input_signature=policy.signature, autograph=False)
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})


def _open_saved_model(path: Path) -> Runner:
    module = tf.saved_model.load(str(path))

    def run(*inputs: np.ndarray) -> Answer:
        found = module.serve(*map(tf.constant, inputs))
        return found[ACTION].numpy(), found[Q_VALUES].numpy()

    return run


# -- Keras -------------------------------------------------------------------------------------------------------------
def _write_keras(policy: PolicyModel, path: Path) -> None:
    """Save, then write the archive anew without the hour at which it was made."""
    policy.save(path)
    canonical = io.BytesIO()
    with zipfile.ZipFile(path) as saved, zipfile.ZipFile(canonical, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(saved.namelist()):
            data = saved.read(name)
            if name == "metadata.json":
                data = json.dumps({**json.loads(data), "date_saved": "1980-01-01@00:00:00"}).encode()
            archive.writestr(zipfile.ZipInfo(name), data)
    path.write_bytes(canonical.getvalue())


def _open_keras(path: Path) -> Runner:
    policy_class()  # known to Keras from now on
    model = tf.keras.models.load_model(path, compile=False)

    def run(*inputs: np.ndarray) -> Answer:
        found = model(*map(tf.constant, inputs))
        return found[ACTION].numpy(), found[Q_VALUES].numpy()

    return run


# -- ONNX --------------------------------------------------------------------------------------------------------------
def _write_onnx(policy: PolicyModel, path: Path) -> None:
    from dqn_tf.interop.onnx_files import canonical

    policy.export(str(path), format="onnx", input_signature=policy.signature, verbose=False)
    path.write_bytes(canonical(path.read_bytes()))


def _open_onnx(path: Path) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def run(*inputs: np.ndarray) -> Answer:
        action, q_values = session.run([ACTION, Q_VALUES], dict(zip(names, inputs, strict=True)))
        return action, q_values

    return run


# -- LiteRT ------------------------------------------------------------------------------------------------------------
def _write_litert(policy: PolicyModel, path: Path) -> None:
    """Convert, then name tensors by their place: their own names have a number that Keras gives to each layer."""
    from ai_edge_litert.tools import flatbuffer_utils

    policy.export(str(path), format="litert", input_signature=policy.signature, verbose=False)
    model = flatbuffer_utils.read_model(path)
    for graph in model.subgraphs:
        for place, tensor in enumerate(graph.tensors):
            tensor.name = f"tensor_{place}".encode()
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _open_litert(path: Path) -> Runner:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=path.read_bytes(), num_threads=1).get_signature_runner()
    names = list(runner.get_input_details())

    def run(*inputs: np.ndarray) -> Answer:
        named = dict(zip(("observations", "mask"), inputs, strict=False))
        found = runner(**{name: named[name] for name in names})
        return found[ACTION], found[Q_VALUES]

    return run


FORMATS: dict[str, Format] = {
    "saved_model": Format(
        file="policy",
        needs=(),
        same_bytes=False,
        differs="saved_model.pb and fingerprint.pb; the weights in variables/ are equal",
        use="tf.saved_model.load(path).serve(observations); the signature serving_default takes the same by name",
        write=_write_saved_model,
        open=_open_saved_model,
    ),
    "keras": Format(
        file="policy.keras",
        needs=(),
        same_bytes=True,
        differs="",
        use="dqn_tf.interop.policy.policy_class(), then keras.models.load_model(path)(observations); needs dqn_tf",
        write=_write_keras,
        open=_open_keras,
    ),
    "onnx": Format(
        file="policy.onnx",
        needs=("onnx", "onnxruntime", "tf2onnx"),
        same_bytes=True,
        differs="",
        use='onnxruntime.InferenceSession(path).run(["action", "q_values"], {"observations": observations})',
        write=_write_onnx,
        open=_open_onnx,
    ),
    "litert": Format(
        file="policy.tflite",
        needs=("ai_edge_litert",),
        same_bytes=True,
        differs="",
        use="ai_edge_litert.interpreter.Interpreter(path).get_signature_runner()(observations=observations): outputs "
        "by name, as their order in get_output_details is another",
        write=_write_litert,
        open=_open_litert,
    ),
}


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep what converters print, in Python and natively, from the terminal; it is shown if they fail."""
    sys.stdout.flush(), sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as said:
        try:
            os.dup2(said.fileno(), 1), os.dup2(said.fileno(), 2)
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                yield
        except BaseException as error:
            said.seek(0)
            error.add_note(said.read()[-2000:].decode(errors="replace"))
            raise
        finally:
            os.dup2(kept[0], 1), os.dup2(kept[1], 2)
            for handle in kept:
                os.close(handle)
