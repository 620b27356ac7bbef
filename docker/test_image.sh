#!/usr/bin/env bash
# Builds the image and runs it, for real and without a container engine: buildah with chroot isolation on a base that
# debootstrap makes. Needs root and Debian's packages buildah and debootstrap; some 12 GB of disk (gpu: 40), which it
# gives back.
#   docker/test_image.sh [cpu|gpu]
# DQN_TF_IMAGE_DIR   keeps base and images there for the next call (default: a temporary folder)
# DQN_TF_DEBIAN      the release of the base (default: bookworm); packages come from the mirror that apt uses here
# pip's index is the caller's: what `pip config` and SSL_CERT_FILE or PIP_CERT say is given to the build as secrets.
set -euo pipefail
root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
target=${1:-cpu}
release=${DQN_TF_DEBIAN:-bookworm}
marker=/of-the-builder-alone-$$ # a folder that pip is told to look in, which must not be found in the image

say() { printf '== %s\n' "$*"; }
die() { printf 'test_image: %s\n' "$@" >&2; exit 1; }

[[ $target == cpu || $target == gpu ]] || { echo "test_image: Expected cpu or gpu, got '$target'." >&2; exit 2; }
[[ $(id -u) == 0 ]] || die "Expected root, got user $(id -u): debootstrap and chroot need it."
for tool in buildah debootstrap; do
    command -v "$tool" >/dev/null || die "Expected $tool, which is missing; apt-get install buildah debootstrap."
done

work=${DQN_TF_IMAGE_DIR:-$(mktemp -d)}
mkdir -p "$work"
work=$(realpath "$work")
secrets=$(mktemp -d)
data=$(mktemp -d)
container=
store() { buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }
finish() {
    [[ -z $container ]] || store rm "$container" >/dev/null || true
    rm -rf "$secrets" "$data"
    [[ -n ${DQN_TF_IMAGE_DIR:-} ]] || rm -rf "$work"
}
trap finish EXIT

# -- the base: a Debian as small as it comes, with the mirror that this machine uses -----------------------------------
if ! store inspect --type image "localhost/base-$release" >/dev/null 2>&1; then
    say "debootstrap $release"
    sources=$(apt-get indextargets --format 'deb $(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sort -u)
    sources=$(grep -E " $release(-updates|-security)? " <<<"$sources") \
        || die "apt on this machine knows no $release; set DQN_TF_DEBIAN to a release that it has."
    mirror=$(awk -v release="$release" '$3 == release { print $2; exit }' <<<"$sources")
    rm -rf "$work/rootfs"
    debootstrap --variant=minbase "$release" "$work/rootfs" "$mirror" >"$work/debootstrap.log" 2>&1 \
        || { tail -n 5 "$work/debootstrap.log" >&2; die "debootstrap failed; $work/debootstrap.log"; }
    echo "$sources" >"$work/rootfs/etc/apt/sources.list"
    container=$(store from scratch)
    store add --quiet "$container" "$work/rootfs" /
    store commit --quiet "$container" "localhost/base-$release" >/dev/null
    store rm "$container" >/dev/null
    container=
    rm -rf "$work/rootfs"
fi

# -- the build ---------------------------------------------------------------------------------------------------------
{
    echo "[global]"
    python3 -m pip config list 2>/dev/null \
        | sed -nE "s/^[^.]*\.(index-url|extra-index-url|trusted-host)='(.*)'$/\1 = \2/p" \
        | grep -v 'file://' || true
    echo "find-links = $marker"
} >"$secrets/pip_conf"
cat "${PIP_CERT:-${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}}" >"$secrets/ca_bundle"

say "build --target $target"
store build --isolation chroot --format docker --pull-never --target "$target" \
    --build-arg "BASE_IMAGE=localhost/base-$release" \
    --secret "id=pip_conf,src=$secrets/pip_conf" --secret "id=ca_bundle,src=$secrets/ca_bundle" \
    --tag "localhost/dqn_tf:$target" "$root"

# -- what is in it -----------------------------------------------------------------------------------------------------
image() { store inspect --type image --format "$1" "localhost/dqn_tf:$target"; }
container=$(store from --pull-never "localhost/dqn_tf:$target")
files=$(store mount "$container")
user=$(image '{{.OCIv1.Config.User}}')
say "image: user $user, $(du -sxm "$files" | cut -f1) MiB"
[[ $user == 1000:1000 ]] || die "Expected the image's user to be 1000:1000, got '$user'."
if left=$(grep -rIl --exclude-dir=proc --exclude-dir=sys -e "$marker" "$files"); then
    die "The builder's pip configuration is in the image:" "$left"
fi
if store inspect --type image "localhost/dqn_tf:$target" | grep -e "$marker"; then
    die "The builder's pip configuration is in the image's history."
fi
[[ $(image '{{.OCIv1.Config.Volumes}}') == 'map[/data:{}]' ]] || die "Expected /data to be the image's volume."
store config --volume /data- "$container" # buildah would put an empty folder of its own over ours
for file in run/secrets/pip_conf run/secrets/ca_bundle opt/dqn_tf/.venv/setup.log opt/dqn_tf/tests opt/dqn_tf/.git; do
    [[ ! -s $files/$file ]] || die "Expected no $file in the image."
done

# -- what it does: as `docker run` would, with no network ----------------------------------------------------------------
readarray -t entry < <(image '{{range .OCIv1.Config.Entrypoint}}{{println .}}{{end}}' | grep .)
in_image() { # UID WORDS...: the image's entry point with these words, as that user
    unshare --net buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs \
        run --isolation chroot --user "$1:$1" --volume "$data:/data" "$container" -- "${entry[@]}" "${@:2}"
}
quick=(--seed 1 --frames 500 --set evaluation.final_episodes=1 --set min_replay_steps=100)

say "a volume of someone else is refused in words"
! told=$(in_image 1000 dqn-tf --help 2>&1) || die "Expected a refusal of a folder that user 1000 cannot write to."
grep -q "can write to" <<<"$told" || die "Expected a word about the folder, got: $told"

chown 1000:1000 "$data"
say "dqn-tf --help"
in_image 1000 dqn-tf --help | grep -q presets || die "dqn-tf --help failed"
say "train, and again as another user: the same bytes"
in_image 1000 dqn-tf train dqn_classic CartPole-v1 "${quick[@]}" --run-dir one
install --directory --owner 4321 "$data/other"
chmod 755 "$data"
in_image 4321 true 2>/dev/null && die "Expected the folder of user 1000 to be refused to user 4321."
chmod 1777 "$data"
in_image 4321 python -m dqn_tf train dqn_classic CartPole-v1 "${quick[@]}" --run-dir other/two
cmp "$data/one/episodes.csv" "$data/other/two/episodes.csv"
cmp "$data/one/iterations.csv" "$data/other/two/iterations.csv"
say "reproduce/quickstart.sh --smoke"
in_image 1000 reproduce/quickstart.sh --smoke
[[ $(find "$data/runs/quickstart-smoke" -name summary.json | wc -l) == 2 ]] || die "Expected two runs on the volume."
say "reproduce/atari57.sh --smoke, one game"
in_image 1000 reproduce/atari57.sh --smoke --games breakout --seeds 1
say "the code cannot be changed by who runs it"
! in_image 1000 touch /opt/dqn_tf/dqn_tf/__init__.py 2>/dev/null || die "Expected a refusal."
if [[ $target == gpu ]]; then
    say "TensorFlow is a build for CUDA"  # whether it finds the libraries shows only where there is a GPU
    in_image 1000 python -c 'import tensorflow as tf; print(tf.sysconfig.get_build_info()["cuda_version"])'
fi
say "1 image built and run: $target"
