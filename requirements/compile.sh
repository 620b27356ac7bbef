#!/usr/bin/env bash
# Writes the hashed locks anew from pyproject.toml.
#   requirements/compile.sh                        keep the pins that still fit
#   requirements/compile.sh --upgrade              newest versions of everything
#   requirements/compile.sh --upgrade-package NAME newest version of one package
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/uv"
"$scratch/uv/bin/pip" install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'

# lock PYTHON NAME [uv's options]: only wheels (an install must need no compiler), of the oldest glibc that
# TensorFlow's own dependencies still serve. The header names this script rather than uv's full command line.
lock() {
    local python=$1 file=requirements/$2.txt
    shift 2
    echo "locking $file" >&2
    UV_CUSTOM_COMPILE_COMMAND=requirements/compile.sh UV_PYTHON_DOWNLOADS=never \
        "$scratch/uv/bin/uv" pip compile pyproject.toml requirements/build.in \
        --quiet --no-config --python "$scratch/uv/bin/python" --python-version "$python" \
        --python-platform x86_64-manylinux_2_28 --only-binary :all: \
        --generate-hashes --no-emit-index-url --output-file "$file" "$@"
}

# The first lock is resolved; each other one starts from its pins, so that every environment agrees with
# every other one wherever it can (tests/packaging/test_locks.py checks that it must within one Python).
first=py311-dev
lock 3.11 "$first" --extra dev "$@"
for python in 3.11 3.12 3.13; do
    name=py${python/./}
    [ "$name-dev" = "$first" ] || { cp "requirements/$first.txt" "requirements/$name-dev.txt"; lock "$python" "$name-dev" --extra dev; }
    cp "requirements/$name-dev.txt" "requirements/$name.txt"
    lock "$python" "$name"
    cp "requirements/$name-dev.txt" "requirements/$name-gpu.txt"
    lock "$python" "$name-gpu" --extra gpu
    cp "requirements/$name-dev.txt" "requirements/$name-cluster.txt"
    lock "$python" "$name-cluster" --extra cluster
done
