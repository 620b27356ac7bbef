#!/usr/bin/env bash
# TensorFlow: op determinism refuses unseeded random operations, but not Keras's unseeded initial weights.
#
# With tf.config.experimental.enable_op_determinism() an unseeded tf.random.uniform raises, and so one trusts that a
# program that runs is deterministic. Keras draws seeds of initializers from Python's random module: the weights of an
# unseeded layer differ from process to process, and nothing says so.
#
# Seen with tensorflow 2.21.0, keras 3.15.1 on a CPU. Makes a temporary folder, installs the pinned packages there, and fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet tensorflow-cpu==2.21.0 keras==3.15.1
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PY'
import subprocess
import sys

program = """
import keras, tensorflow as tf
tf.config.experimental.enable_op_determinism()
try:
    tf.random.uniform([2])
except RuntimeError:
    print("an unseeded tf.random.uniform raised;", end=" ")
layer = keras.layers.Dense(2)
layer.build((None, 3))
print("kernel of an unseeded Dense", layer.kernel.numpy().ravel()[:2].tolist())
"""
first, second = (
    subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    for _ in range(2)
)
print("tensorflow 2.21.0, keras 3.15.1")
print(f"expected: an error, or the same weights in two processes; got:\n  {first}\n  {second}")
assert "raised" in first and first != second
PY
