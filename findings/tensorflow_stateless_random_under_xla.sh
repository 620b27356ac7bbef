#!/usr/bin/env bash
# TensorFlow: stateless random floats of one seed are others in a function that XLA compiles; whole numbers are the same.
#
# tf.random.stateless_uniform is a function of its seed, so on one processor one expects the same numbers with and
# without jit_compile=True. Whole numbers agree, which shows that the generator and its state are the same; floats, which
# are made of these bits, do not, with alg="auto_select" and with alg="philox". Compiling a step therefore changes every noisy
# layer, dropout mask and augmentation of a run. Floats made from the whole numbers by hand agree.
#
# Seen with tensorflow 2.21.0 on a CPU. Makes a temporary folder, installs the pinned packages there, and fails if the
# behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet tensorflow-cpu==2.21.0 keras==3.15.1
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PY'
import numpy as np
import tensorflow as tf

seed = tf.constant([1, 2], tf.int64)


def agrees(what: str, draw) -> bool:
    plain, compiled = (tf.function(draw, jit_compile=jit, autograph=False)(seed).numpy() for jit in (False, True))
    print(f"  {what}: {plain[:3]} and, compiled, {compiled[:3]}")
    return bool(np.array_equal(plain, compiled))


def whole(s: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_uniform([1000], s, None, None, tf.int32, alg="philox")


def by_hand(s: tf.Tensor) -> tf.Tensor:
    upper_24_bits = tf.bitwise.right_shift(tf.bitcast(whole(s), tf.uint32), 8)
    return tf.cast(upper_24_bits, tf.float32) / 2**24


print("tensorflow", tf.__version__)
print("expected: the same numbers for one seed; got:")
assert agrees("whole numbers, philox", whole)
assert agrees("floats by hand", by_hand)
assert not agrees("floats, philox", lambda s: tf.random.stateless_uniform([1000], s, alg="philox"))
assert not agrees("floats, auto_select", lambda s: tf.random.stateless_uniform([1000], s))
PY
