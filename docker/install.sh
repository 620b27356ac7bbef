#!/usr/bin/env bash
# While the image is built: installs the lock base or gpu into .venv, and leaves no trace of where it came from.
# The build secrets pip_conf (a pip configuration) and ca_bundle (certificates to trust) are used where they are given.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[[ -s /run/secrets/pip_conf ]] && export PIP_CONFIG_FILE=/run/secrets/pip_conf
[[ -s /run/secrets/ca_bundle ]] && export PIP_CERT=/run/secrets/ca_bundle
export PIP_NO_CACHE_DIR=1
reproduce/setup_env.sh "$1"
rm .venv/setup.log # pip writes its indexes there
