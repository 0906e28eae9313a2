#!/usr/bin/env bash
# Our JPEGs in other people's readers: Pillow, ImageMagick and Chromium open every kind that the encoder writes.
# Installs what is missing (Debian packages as root, Pillow in a virtual environment of its own).
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

packages=()
command -v identify >/dev/null && identify -version | grep -q ImageMagick || packages+=(imagemagick)
command -v chromium >/dev/null || packages+=(chromium)
if [ ${#packages[@]} -gt 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi
venv=${INTEROP_VENV:-target/interop-venv}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import PIL' 2>/dev/null || "$venv/bin/pip" install -q pillow

cargo build --locked --release -q --bin imgcli
kinds=0
make() { # name, expected size, options
    target/release/imgcli --local docs/photo.png -o "$work/$1.jpg" "${@:2}" >/dev/null
    kinds=$((kinds + 1))
}
for effort in fast balanced smallest; do
    for subsampling in 420 422 444; do
        for progressive in false true; do
            make "$effort-$subsampling-$progressive" --width 333 --height 251 --effort "$effort" \
                --subsampling "$subsampling" --progressive "$progressive"
        done
    done
done
for quality in 1 50 100; do make "quality-$quality" --width 333 --height 251 --quality "$quality"; done
make grey --width 333 --height 251 --ops grayscale

"$venv/bin/python" - "$work" <<'PY'
import pathlib, sys
from PIL import Image, ImageFile
ImageFile.LOAD_TRUNCATED_IMAGES = False
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.jpg")):
    with Image.open(path) as image:
        image.load()
        assert image.format == "JPEG" and image.size == (333, 251), (path, image.size)
PY
echo "Pillow opens all $kinds"

for file in "$work"/*.jpg; do
    said=$(identify -regard-warnings -format '%wx%h %m' "$file" 2>&1)
    [ "$said" = "333x251 JPEG" ] || { echo "ImageMagick on $file: $said"; exit 1; }
done
echo "ImageMagick opens all $kinds"

{
    echo '<!doctype html><body>'
    for file in "$work"/*.jpg; do echo "<img src=\"$(basename "$file")\">"; done
    echo '<script>onload = () => { const all = [...document.images];
        document.title = "opened " + all.filter(i => i.complete && i.naturalWidth === 333 && i.naturalHeight === 251).length; }</script>'
} >"$work/page.html"
dom=$(chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --user-data-dir="$work/profile" --virtual-time-budget=5000 \
    --dump-dom "file://$work/page.html" 2>/dev/null)
grep -q "<title>opened $kinds</title>" <<<"$dom" || { grep '<title>' <<<"$dom"; exit 1; }
echo "Chromium opens all $kinds"
