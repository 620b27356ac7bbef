#!/usr/bin/env bash
# Makes the project's virtual environment, or finds it ready, and prints the path of its Python on standard output;
# all else goes to standard error. For use in scripts:  python=$(reproduce/setup_env.sh dev)
#
#   reproduce/setup_env.sh [base]   what the suite and its reports need (any other ready environment serves too)
#   reproduce/setup_env.sh dev      that, and what the tests and checks need
#   reproduce/setup_env.sh gpu      base, and the CUDA libraries that TensorFlow uses
#   reproduce/setup_env.sh cluster  base, and Ray and submitit
#
# DQN_TF_VENV says where (default: .venv in the repository); DQN_TF_PYTHON with which Python (default: the first that
# fits of python3.13, python3.12, python3.11 and python3). Versions and hashes come from requirements/.
set -euo pipefail
export LC_ALL=C.UTF-8 # before 3.13, Python under "C" cannot start where the path has letters beyond ASCII
unset PIP_USER PIP_TARGET PIP_PREFIX PYTHONHOME PYTHONPATH # on clusters these often lead to another Python

say() { printf 'setup: %s\n' "$@" >&2; }
die() { say "$@"; exit 1; }

kind=${1:-base}
case $kind in
    base) suffix='' minutes=2 mib=2400 ;;
    dev) suffix=-dev minutes=2 mib=2900 ;;
    gpu) suffix=-gpu minutes=5 mib=6700 ;;
    cluster) suffix=-cluster minutes=3 mib=2800 ;;
    *) say "Expected base, dev, gpu or cluster, got '$kind'."; exit 2 ;;
esac
root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
venv=$(realpath --canonicalize-missing "${DQN_TF_VENV:-$root/.venv}")
python=$venv/bin/python
stamp=$venv/.dqn_tf.stamp # FINGERPRINT KIND..., written when all is in place
guard=$venv/.dqn_tf.lock  # held while at work; also the mark of a folder that this script made
log=$venv/setup.log

# probe PYTHON: prints "VERSION FINGERPRINT", where the fingerprint is of all that an environment is made from, or
# fails and prints why that Python does not fit.
probe() {
    local told
    told=$("$1" -I - "$root" 2>/dev/null <<'PY'
import glob, hashlib, importlib.util, os, sys

root, version, why = sys.argv[1], "%d.%d.%d" % sys.version_info[:3], ""
if not (3, 11) <= sys.version_info[:2] < (3, 14):
    why = "is " + version
elif not importlib.util.find_spec("ensurepip"):
    why = "is " + version + " without its venv package (Debian, Ubuntu: apt install python3-venv)"
if why:
    print(why)
    sys.exit(1)
made_from = [repr((root, sys.version, sys.base_prefix)).encode()]
locks = glob.glob(os.path.join(glob.escape(root), "requirements", "py%d%d*.txt" % sys.version_info[:2]))
for path in [os.path.join(root, "pyproject.toml")] + sorted(locks):
    with open(path, "rb") as file:
        made_from.append(hashlib.sha256(file.read()).digest())
print(version, hashlib.sha256(b"".join(made_from)).hexdigest())
PY
    ) && echo "$told" && return
    echo "${told:-$(command -v "$1" >/dev/null && echo 'does not run' || echo 'not found')}"
    return 1
}

# look: sets state to ready (nothing to do), stale (whole, but not what is asked for) or broken (or not there).
look() {
    state=broken kinds=''
    have=$(probe "$python") && [[ -z $asked || $have == "$asked" ]] || return 0
    { read -r made_from kinds <"$stamp"; } 2>/dev/null || return 0
    state=stale
    [[ ${have#* } == "$made_from" ]] || { kinds=''; return 0; }
    [[ $kind == base || " $kinds " == *" $kind "* ]] && state=ready
    return 0
}

# choose: sets base to the Python to make the environment with.
choose() {
    local name told found=()
    for name in ${DQN_TF_PYTHON:+"$DQN_TF_PYTHON"} python3.13 python3.12 python3.11 python3; do
        if told=$(probe "$name"); then
            base=$(command -v "$name")
            return
        fi
        found+=("  $name: $told")
    done
    die "No Python from 3.11 to 3.13 was found:" "${found[@]}" "Install one, or name it in DQN_TF_PYTHON."
}

# step COMMAND...: runs it, all its words to the log, those that tell how far it is to the terminal too.
step() {
    local line
    "$@" </dev/null 2>&1 | tee -a "$log" | while IFS= read -r line; do
        if [[ $line =~ Downloading\ (.*/)?([A-Za-z0-9_.]+-[0-9][^-]*)-[^/]*\ \(([0-9]{2,}(\.[0-9]+)?\ MB)\) ]]; then
            say "  downloading ${BASH_REMATCH[2]} (${BASH_REMATCH[3]})"
        elif [[ $line == "Installing collected packages:"*,* ]]; then
            say "  downloads done, unpacking"
        fi
    done && return
    tail -n 25 "$log" >&2
    die "Failed: $*" "The lines above are the end of $log." \
        "Check the network and the free disk, then run the same command again: it starts over cleanly."
}

asked=''
if [[ -n ${DQN_TF_PYTHON:-} ]]; then
    asked=$(probe "$DQN_TF_PYTHON") || die "DQN_TF_PYTHON=$DQN_TF_PYTHON $asked; Python 3.11 to 3.13 is needed."
fi
look
if [[ $state == ready ]]; then
    echo "$python"
    exit
fi

if [[ -n $(ls -A "$venv" 2>/dev/null) && ! -e $guard ]]; then # in this order: another setup may just begin
    die "$venv was not made by this script, so it is left alone." "Remove it, or name another folder in DQN_TF_VENV."
fi
mkdir -p "$venv" || die "Name a folder that can be written to in DQN_TF_VENV."
exec 9>>"$guard"
if ! flock --nonblock 9; then
    say "Another setup is at work on $venv; waiting for it."
    flock 9
fi
look
if [[ $state == ready ]]; then
    echo "$python"
    exit
fi

SECONDS=0
if [[ $state == broken ]]; then
    choose
    have=$(probe "$base")
    say "Making $venv with $base (Python ${have% *})."
    find "$venv/" -mindepth 1 ! -name "${guard##*/}" -delete
    : >"$log"
    step "$base" -I -m venv "$venv"
fi
version=${have% *}
lock=$root/requirements/py$(cut -d. -f1-2 <<<"$version" | tr -d .)$suffix.txt
say "Installing $(grep -c '^[a-z0-9]' "$lock") packages of requirements/${lock##*/}, TensorFlow among them." \
    "  Where all must be downloaded: about $minutes minutes, and $((mib / 1000)).$((mib % 1000 / 100)) GB of disk."
free=$(($(df -Pk "$venv" | awk 'NR == 2 { print $4 }') / 1024))
((free > mib)) || say "Only $free MiB are free there: this may well fail."

rm -f "$stamp"
pip=("$python" -I -u -m pip install --no-input --disable-pip-version-check --progress-bar off)
step "${pip[@]}" --require-hashes --only-binary :all: -r "$lock"
step "${pip[@]}" --no-deps --no-index --no-build-isolation -e "$root"
echo "${have#* } $kinds $kind" >"$stamp.new"
mv "$stamp.new" "$stamp"
say "Ready after $SECONDS seconds."
echo "$python"
