#!/usr/bin/env bash
# A first look, from a fresh checkout: sets up what is needed and runs the quick start. Arguments go to it.
set -euo pipefail
export LC_ALL=C.UTF-8 # before 3.13, Python under "C" cannot start where the path has letters beyond ASCII
unset PYTHONHOME PYTHONPATH # on clusters these often name packages of another Python
python=$("$(dirname "${BASH_SOURCE[0]}")/setup_env.sh" base)

export KERAS_BACKEND=tensorflow
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}
exec "$python" -P -m dqn_tf results quickstart "$@" # -P: not what happens to lie in the current folder
