#!/usr/bin/env bash
# Runs the tests of the executors for clusters, with Ray and submitit installed first. Arguments go to pytest.
# Slurm's tests need Debian's packages munge, slurm-client, slurmctld and slurmd, and root, and are left out elsewhere.
set -euo pipefail
export LC_ALL=C.UTF-8 # before 3.13, Python under "C" cannot start where the path has letters beyond ASCII
unset PYTHONHOME PYTHONPATH # on clusters these often name packages of another Python
root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
"$root/reproduce/setup_env.sh" dev >/dev/null
python=$("$root/reproduce/setup_env.sh" cluster)

export KERAS_BACKEND=tensorflow
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}
cd "$root"
exec "$python" -m pytest -p no:xdist tests/cluster "$@"
