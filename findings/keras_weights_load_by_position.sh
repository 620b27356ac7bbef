#!/usr/bin/env bash
# Keras: load_weights puts the weights of one named layer into another.
#
# Two layers of the same class and shape have names, and the weights file was saved from layers of these names.
# Loading goes by class and  position in model.layers, not by name: a model that lists the same two heads in another
# order gets them  swapped, without a warning. Online and target network, value and advantage stream are such pairs.
#
# Seen with keras 3.15.1 with tensorflow 2.21.0. Makes a temporary folder, installs the pinned packages there, and fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet tensorflow-cpu==2.21.0 keras==3.15.1
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PY'
import os
import tempfile
import warnings

import keras
import numpy as np


def network(heads: list[str]) -> keras.Model:
    inputs = keras.Input((3,))
    return keras.Model(inputs, [keras.layers.Dense(2, name=name)(inputs) for name in heads])


saved, other = network(["value", "advantage"]), network(["advantage", "value"])
path = os.path.join(tempfile.mkdtemp(), "heads.weights.h5")
saved.save_weights(path)
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    other.load_weights(path)
value = saved.get_layer("value").kernel.numpy()
kept, swapped = (np.array_equal(value, other.get_layer(name).kernel.numpy()) for name in ("value", "advantage"))
print("keras", keras.__version__)
print(f"expected: value -> value; got: value -> value {kept}, value -> advantage {swapped}, warnings {len(told)}")
assert swapped and not kept and not told
PY
