#!/usr/bin/env bash
# Runs the tests, setting up what they need first. Arguments go to pytest (paths are relative to the repository):
#   tests/run.sh                     all of them
#   tests/run.sh -m 'not slow'       without the slow ones
#   tests/run.sh -n0 --pdb -k replay in one process, with the debugger
set -euo pipefail
export LC_ALL=C.UTF-8 # before 3.13, Python under "C" cannot start where the path has letters beyond ASCII
unset PYTHONHOME PYTHONPATH # on clusters these often name packages of another Python
root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
python=$("$root/reproduce/setup_env.sh" dev)

export KERAS_BACKEND=tensorflow
export MPLBACKEND=Agg
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}
export TF_FORCE_GPU_ALLOW_GROWTH=true # the two workers share a GPU, if there is one
cd "$root"
exec "$python" -m pytest -n 2 --dist loadfile "$@"
