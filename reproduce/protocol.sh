#!/usr/bin/env bash
# Carries out a protocol, from a fresh checkout: sets up what is needed, then  dqn-tf reproduce PROTOCOL ...
#   reproduce/protocol.sh PROTOCOL [--smoke] [--dry-run] ...     docs/reproduce.md
# The scripts named after a protocol call this one. Runs live in runs/ of this checkout, or of the folder that
# DQN_TF_OUTPUT names, unless --runs says otherwise;
# DQN_TF_KIND=gpu makes an environment for GPUs.
set -euo pipefail
export LC_ALL=C.UTF-8 # before 3.13, Python under "C" cannot start where the path has letters beyond ASCII
unset PYTHONHOME PYTHONPATH # on clusters these often name packages of another Python
root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
python=$("$root/reproduce/setup_env.sh" "${DQN_TF_KIND:-base}")

export KERAS_BACKEND=tensorflow
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}
exec "$python" -P -m dqn_tf reproduce --runs "${DQN_TF_OUTPUT:-$root}/runs" "$@" # -P: not what happens to lie in the current folder
