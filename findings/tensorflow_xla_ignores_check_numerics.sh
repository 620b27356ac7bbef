#!/usr/bin/env bash
# TensorFlow: tf.debugging.check_numerics says nothing in a function that XLA compiles.
#
# A check that stops a training run when a loss is NaN should stop it whether or not the step is compiled. With
# jit_compile=True the operation is dropped without a word, and the NaN is returned.
#
# Seen with tensorflow 2.21.0 on a CPU. Makes a temporary folder, installs the pinned packages there, and fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet tensorflow-cpu==2.21.0 keras==3.15.1
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PY'
import tensorflow as tf


def checked(x: tf.Tensor) -> tf.Tensor:
    return tf.debugging.check_numerics(tf.math.log(x), "the loss")


def outcome(jit_compile: bool) -> str:
    try:
        return f"returned {tf.function(checked, jit_compile=jit_compile)(tf.constant([-1.0, 1.0])).numpy()}"
    except tf.errors.InvalidArgumentError:
        return "raised InvalidArgumentError"


print("tensorflow", tf.__version__)
plain, compiled = outcome(False), outcome(True)
print(f"expected: an error in both; got: {plain}; with jit_compile=True {compiled}")
assert plain.startswith("raised") and "nan" in compiled
PY
