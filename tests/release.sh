#!/usr/bin/env bash
# Builds every package of a release, installs each one where nothing else of the project is, and runs README's main job
# with it: a server starts, and the picture comes back small. Prints the time of each way, for docs/first-minute.md.
# Wants root and Debian's apt-get; takes twenty minutes on two cores, four with the programs built.
# tests/release.sh --packaged tests the files of target/release-files as they are.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
out=$PWD/target/release-files
version=$(sed -n '0,/^version = /s/^version = "\(.*\)"/\1/p' Cargo.toml)
native=$(uname -m)-unknown-linux-musl
foreign=aarch64-unknown-linux-musl

missing=()
for pair in debootstrap:debootstrap skopeo:skopeo qemu-aarch64-static:qemu-user-static npm:npm file:file curl:curl; do
    command -v "${pair%:*}" >/dev/null || missing+=("${pair#*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
PATH=$(packaging/tools.sh):$PATH

if [ "${1:-}" != --packaged ]; then
    packaging/build.sh
    packaging/package.sh
    # The same commit gives the same files.
    cp "$out/SHA256SUMS" target/first-sums
    packaging/package.sh >/dev/null
    diff target/first-sums "$out/SHA256SUMS" || { echo "release: packing again gives other files" >&2; exit 1; }
fi
(cd "$out" && sha256sum --quiet --check SHA256SUMS)

work=$(mktemp -d)
servers=()
cleanup() {
    for server in "${servers[@]}"; do kill "$server" 2>/dev/null || true; done
    wait
    for mounted in $(awk -v root="$work/" 'index($2, root) == 1 { print $2 }' /proc/mounts | sort -r); do umount "$mounted"; done
    rm -rf "$work"
}
trap cleanup EXIT

fail() {
    echo "release: $*" >&2
    exit 1
}
way() { # name, nanoseconds at its begin
    local tenths=$((($(date +%s%N) - $2) / 100000000))
    printf '%-28s %4d.%d s\n' "$1" $((tenths / 10)) $((tenths % 10))
}
is_small_jpeg() { # file
    file --brief "$1" | grep -q 'JPEG.*1024x768' || fail "$1 is $(file --brief "$1")"
}

# README's main job, with the two programs that a command prefix finds: it starts the server on free ports, and the
# client sends it the picture.
main_job() { # folder to work in, as the programs see it and as we do; prefix of commands
    local seen=$1 here=$2
    shift 2
    cp "$repository/docs/photo.png" "$here/photo.png"
    "$@" imgsrv --bind 127.0.0.1:0 --http 127.0.0.1:0 --data-dir none >"$here/addresses" 2>"$here/log" &
    local server=$!
    servers+=("$server")
    for _ in $(seq 100); do
        grep -q 'imgsrv listening on' "$here/addresses" && break
        kill -0 "$server" 2>/dev/null || fail "the server ended: $(cat "$here/log")"
        sleep 0.1
    done
    local address http
    address=$(sed -n 's/^imgsrv listening on //p' "$here/addresses")
    http=$(sed -n 's/^imgsrv http on //p' "$here/addresses")
    "$@" imgcli "$seen/photo.png" --server "$address" --width 1024 --height 768 >"$here/output"
    grep -q 'Processed image dimensions: (1024, 768)' "$here/output" || fail "imgcli printed $(cat "$here/output")"
    is_small_jpeg "$here/processed_photo.jpg"
    curl -sS --fail --data-binary @"$here/photo.png" -o "$here/http.jpg" "http://$http/resize?width=1024&height=768"
    is_small_jpeg "$here/http.jpg"
    "$@" imgcli "$seen/photo.png" --local --width 1024 --height 768 -o "$seen/local.jpg" --force >/dev/null
    cmp "$here/http.jpg" "$here/local.jpg" || fail "server and --local differ"
    kill "$server"
    wait "$server" || true
}
fresh() { # name
    mkdir -p "$work/$1"
    echo "$work/$1"
}

# The commands of docs/first-minute.md under a heading.
documented() { sed -n "/^## $1\$/,/^\`\`\`\$/p" docs/first-minute.md | sed '1,/^```sh$/d; $d'; }

# A root with Debian's minimum and Python, where no file of the project is.
root=$work/root
debootstrap --variant=minbase --include=python3-venv,systemd-standalone-sysusers bookworm "$root" >"$work/debootstrap.log" 2>&1 || fail "$(tail -5 "$work/debootstrap.log")"
mount -t proc proc "$root/proc"
# Prefixes of commands, no functions: a function in the background is a shell, which a signal would end instead.
in_root=(chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root)
printf '%-28s time until the first result\n' way

# Tarball.
began=$(date +%s%N)
mkdir "$root/tmp/tarball"
cp "$out/imgsrv-$version-$native.tar.gz" "$root/tmp"
"${in_root[@]}" bash -ec "cd /tmp; $(documented Tarball)"
tarball=$root/tmp/imgsrv-$version-$native
for name in man/imgsrv.1 man/imgcli.1 completions/bash/imgsrv THIRD-PARTY-LICENSES.txt LICENSE; do
    [ -s "$tarball/$name" ] || fail "the tarball has no $name"
done
main_job /tmp/tarball "$root/tmp/tarball" "${in_root[@]}"
way tarball "$began"
for program in imgsrv imgcli; do
    file --brief "$tarball/$program" | grep -q 'static.*stripped' || fail "$program is not static"
    [ "$(stat -c %s "$tarball/$program")" -lt 16777216 ] || fail "$program has more than 16 MiB"
done
"$tarball/imgsrv" --version | grep -q "$(git rev-parse --short=12 HEAD)" || [ "${1:-}" = --packaged ] || fail "--version has no commit"

# Debian's package: installed, started, removed, purged.
began=$(date +%s%N)
cp "$out"/imgsrv_*_"$(dpkg --print-architecture)".deb "$root/tmp"
rm "$root/usr/local/bin/imgsrv" "$root/usr/local/bin/imgcli"
"${in_root[@]}" bash -ec "cd /tmp; $(documented 'Debian package')" >"$work/dpkg.log" 2>&1 || fail "$(cat "$work/dpkg.log")"
mkdir "$root/tmp/deb"
main_job /tmp/deb "$root/tmp/deb" "${in_root[@]}" env IMGSRV_CONFIG=/etc/imgsrv/imgsrv.toml
way "Debian package" "$began"
"${in_root[@]}" getent passwd imgsrv >/dev/null || fail "the package made no user"
for name in usr/share/man/man1/imgsrv.1.gz usr/share/man/man1/imgcli-bench.1.gz usr/share/bash-completion/completions/imgcli \
    usr/share/zsh/vendor-completions/_imgsrv lib/systemd/system/imgsrv.service usr/lib/sysusers.d/imgsrv.conf; do
    [ -s "$root/$name" ] || [ -s "$root/usr/$name" ] || fail "the package has no $name"
done
"${in_root[@]}" imgsrv --config /etc/imgsrv/imgsrv.toml --print-config >/dev/null
grep -q '^ExecStart=/usr/bin/imgsrv ' "$root"/lib/systemd/system/imgsrv.service "$root"/usr/lib/systemd/system/imgsrv.service 2>/dev/null ||
    fail "the unit starts another program"
"${in_root[@]}" dpkg --remove imgsrv >>"$work/dpkg.log" 2>&1
[ ! -e "$root/usr/bin/imgsrv" ] && [ -e "$root/etc/imgsrv/imgsrv.toml" ] || fail "removal took too little or too much"
"${in_root[@]}" dpkg --purge imgsrv >>"$work/dpkg.log" 2>&1
[ ! -e "$root/etc/imgsrv/imgsrv.toml" ] || fail "purge left the settings"

# Python wheel: both programs, and the client with a server of its own.
began=$(date +%s%N)
cp "$out"/imgsrv-*-py3-none-*"$(uname -m)".whl "$root/tmp"
"${in_root[@]}" env PIP_NO_INDEX=1 PIP_QUIET=1 bash -ec "cd /tmp; $(documented 'Python wheel')"
mkdir "$root/tmp/wheel"
main_job /tmp/wheel "$root/tmp/wheel" "${in_root[@]}" env PATH=/tmp/environment/bin:/usr/bin:/bin
way "Python wheel" "$began"
cp docs/photo.png "$root/tmp/wheel"
"${in_root[@]}" /tmp/environment/bin/python - <<'PYTHON'
from pathlib import Path
import imgsrv

with imgsrv.local() as images:
    small = images.resize(Path("/tmp/wheel/photo.png"), width=1024, height=768)
    assert (small.width, small.height) == (1024, 768), small
PYTHON

# npm packages, with a home and a folder of their own.
began=$(date +%s%N)
folder=$(fresh npm)
npm_here=(env -i PATH="$folder/node_modules/.bin:/usr/local/bin:/usr/bin:/bin" HOME="$folder")
cp "$out"/imgsrv*-"$version".tgz "$folder"
(cd "$folder" && "${npm_here[@]}" env npm_config_offline=true npm_config_loglevel=error npm_config_audit=false \
    bash -ec "$(documented 'npm package')" >/dev/null)
main_job "$folder" "$folder" "${npm_here[@]}"
way "npm package" "$began"
(cd "$folder" && "${npm_here[@]}" node --input-type=module -e '
import { readFile } from "node:fs/promises";
import { local } from "imgsrv";
const images = await local();
const small = await images.resize(await readFile("photo.png"), { width: 1024, height: 768 });
if (small.width !== 1024) throw new Error(`width ${small.width}`);
images.close();
')

# Container image: the layers are a root of their own, read-only, with the image's user and environment.
began=$(date +%s%N)
image=oci-archive:$out/imgsrv-$version-oci.tar
for architecture in amd64 arm64; do
    skopeo --override-arch "$architecture" inspect --config "$image" | python3 -c '
import json, sys
image = json.load(sys.stdin)
assert image["architecture"] == sys.argv[1], image["architecture"]
assert image["config"]["User"] == "65532:65532" and "8080/tcp" in image["config"]["ExposedPorts"], image
' "$architecture"
done
skopeo --override-arch "$(dpkg --print-architecture)" copy -q "$image" "dir:$work/image"
[ "$(du -b -s "$work/image" | cut -f1)" -lt 20971520 ] || fail "the image has more than 20 MiB"
layers=$work/layers
mkdir -p "$layers/proc" "$layers/dev"
touch "$layers/dev/null"
python3 - "$work/image" "$layers" <<'PYTHON'
import json, subprocess, sys
folder, root = sys.argv[1:]
for layer in json.load(open(f"{folder}/manifest.json"))["layers"]:
    subprocess.run(["tar", "-xzpf", f"{folder}/{layer['digest'].removeprefix('sha256:')}", "-C", root], check=True)
PYTHON
chroot=$(command -v chroot) # the PATH of the image does not have it
mapfile -t variables < <(skopeo inspect --config "$image" | python3 -c 'import json, sys; print(*json.load(sys.stdin)["config"]["Env"], sep="\n")')
mount --bind "$layers" "$layers"
mount -t tmpfs -o "uid=65532,gid=65532,mode=0700" tmpfs "$layers/var/lib/imgsrv"
# What every container runtime gives.
mount -t proc proc "$layers/proc"
mount --bind /dev/null "$layers/dev/null"
mount -o remount,bind,ro "$layers"
start_image() { # variables; sets `container`
    env -i "${variables[@]}" "$@" "$chroot" --userspec=65532:65532 "$layers" /usr/bin/imgsrv >"$work/image.out" 2>"$work/image.log" &
    container=$!
    servers+=("$container")
    for _ in $(seq 100); do
        grep -q 'imgsrv listening on' "$work/image.out" && return
        kill -0 "$container" 2>/dev/null || fail "the image ended: $(cat "$work/image.log")"
        sleep 0.1
    done
}
start_image PORT=18080 IMGSRV_BIND=0.0.0.0:16543 IMGSRV_METRICS=0.0.0.0:19432
grep -q 'imgsrv http on 0.0.0.0:18080' "$work/image.out" || fail "PORT is not honoured: $(cat "$work/image.out")"
folder=$(fresh image-work)
curl -sS --fail --data-binary @docs/photo.png -o "$folder/http.jpg" 'http://127.0.0.1:18080/resize?width=1024&height=768'
is_small_jpeg "$folder/http.jpg"
way "container image" "$began"
"$tarball/imgcli" docs/photo.png --server 127.0.0.1:16543 --width 1024 --height 768 -o "$folder/tcp.jpg" >/dev/null
is_small_jpeg "$folder/tcp.jpg"
curl -sS --fail http://127.0.0.1:19432/metrics | grep -q "^imgsrv_build_info{version=\"$version\"" || fail "no metrics"
env -i "${variables[@]}" IMGSRV_METRICS=0.0.0.0:19432 "$chroot" --userspec=65532:65532 "$layers" /usr/bin/imgsrv health || fail "health check"
kill "$container"
wait "$container" || fail "the image did not stop in order"

# The programs of the other processor, under an emulator: the same bytes.
folder=$(fresh foreign)
tar -xzf "$out/imgsrv-$version-$foreign.tar.gz" -C "$folder" --strip-components=1
began=$(date +%s%N)
qemu-aarch64-static "$folder/imgcli" docs/photo.png --local --width 1024 --height 768 -o "$folder/local.jpg" >/dev/null
"$tarball/imgcli" docs/photo.png --local --width 1024 --height 768 -o "$folder/native.jpg" >/dev/null
cmp "$folder/local.jpg" "$folder/native.jpg" || fail "aarch64 gives other bytes"
way "aarch64 under an emulator" "$began"
echo "release: every package does README's main job"
