#!/usr/bin/env bash
# Packs the static programs that packaging/build.sh made, for each target that is named, by default both: tarball, .deb,
# Python wheel and npm packages, the container image of all, licences, SBOM and checksums. All go to target/release-files.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$(packaging/tools.sh):$PATH
[ $# -gt 0 ] || set -- x86_64-unknown-linux-musl aarch64-unknown-linux-musl
version=$(sed -n '0,/^version = /s/^version = "\(.*\)"/\1/p' Cargo.toml)
# The same commit gives the same files.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
out=$PWD/target/release-files
stage=$PWD/target/packaging
rm -rf "$out" "$stage"
mkdir -p "$out" "$stage"

# Files that are the same for every target. The program of this machine prints them.
here=
for target; do
    case $target in "$(uname -m)"-*) here=target/$target/dist ;; esac
done
[ -n "$here" ] || { echo "package.sh: no program for $(uname -m) among $*" >&2; exit 2; }
for program in imgsrv imgcli; do
    "$here/$program" man --dir "$stage/man"
    for shell in bash zsh fish; do
        mkdir -p "$stage/completions/$shell"
    done
    "$here/$program" completions bash >"$stage/completions/bash/$program"
    "$here/$program" completions zsh >"$stage/completions/zsh/_$program"
    "$here/$program" completions fish >"$stage/completions/fish/$program.fish"
done
python3 packaging/licences.py >"$stage/THIRD-PARTY-LICENSES.txt"
# Packages of a distribution belong into /usr/bin.
mkdir "$stage/systemd"
sed -e '1,3d' -e '3i # systemd unit. Settings in /etc/imgsrv/imgsrv.toml, tokens in /etc/imgsrv/tokens (mode 0640, group imgsrv).' \
    -e 's|/usr/local/bin/|/usr/bin/|' deploy/imgsrv.service >"$stage/systemd/imgsrv.service"

for target; do
    programs=target/$target/dist
    name=imgsrv-$version-$target
    mkdir -p "$stage/$name"
    cp "$programs/imgsrv" "$programs/imgcli" README.md CHANGELOG.md LICENSE imgsrv.example.toml deploy/imgsrv.service \
        "$stage/THIRD-PARTY-LICENSES.txt" "$stage/$name"
    cp -r "$stage/man" "$stage/completions" "$stage/$name"
    chmod -R u=rwX,go=rX "$stage/$name"
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$stage" -c "$name" |
        gzip -9n >"$out/$name.tar.gz"
    cargo deb --quiet --no-build --no-strip --profile dist --target "$target" --output "$out/"
    python3 packaging/wheel.py "$programs" "$target" "$out"
done
python3 packaging/npm.py "$version" "$out" "$@"
python3 packaging/oci_image.py "$version" "$out/imgsrv-$version-oci.tar" "$@"
cargo cyclonedx --quiet --format json --target all --override-filename imgsrv.cdx
sed "s|path+file://$PWD|path+file:///imgsrv|" imgsrv.cdx.json >"$out/imgsrv-$version.cdx.json"
rm imgsrv.cdx.json
(cd "$out" && sha256sum -- *.* >SHA256SUMS)
ls -l "$out"
