#!/usr/bin/env bash
# The image's entry point: works on the volume, and finds the repository's own scripts from there.
set -euo pipefail

home=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
data=${DQN_TF_OUTPUT:?}
if ! { cd "$data" && [[ -w . ]]; } 2>/dev/null; then
    printf '%s\n' "Expected a folder at $data that user $(id -u) can write to; what is there belongs to $(stat -c %u \
"$data" 2>/dev/null || echo nobody)." \
        "Give docker run  -v FOLDER:$data --user \"\$(id -u):\$(id -g)\"  with a folder of yours, or a named volume." >&2
    exit 2
fi
case ${1:-} in
    reproduce/*.sh | ./reproduce/*.sh) set -- "$home/$1" "${@:2}" ;;
    -*) set -- dqn-tf "$@" ;;
esac
exec "$@"
