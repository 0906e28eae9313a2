#!/usr/bin/env bash
# Our results in other readers: Pillow, ImageMagick and Chromium open every kind of file that we write. What we read of
# odd files is compared with Pillow.
# Installs what is missing: Debian packages (as root), Pillow in a virtual environment of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

packages=()
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
command -v identify >/dev/null && identify -version | grep -q ImageMagick || packages+=(imagemagick)
command -v chromium >/dev/null || packages+=(chromium)
if [ ${#packages[@]} -gt 0 ]; then
    echo "installing ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi
venv=${INTEROP_VENV:-target/interop-venv}
[ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import PIL, numpy' 2>/dev/null || "$venv/bin/pip" install -q pillow numpy

cargo build --locked --release -q --bin imgcli
size=(--width 333 --height 251)
make() { # name with extension, options
    target/release/imgcli --local docs/photo.png -o "$work/$1" "${size[@]}" "${@:2}" >/dev/null
}
for effort in fast balanced smallest; do
    for subsampling in 420 422 444; do
        for progressive in false true; do
            make "$effort-$subsampling-$progressive.jpg" --effort "$effort" --subsampling "$subsampling" \
                --progressive "$progressive"
        done
    done
    for progressive in false true; do
        make "$effort-$progressive.png" --format png --effort "$effort" --progressive "$progressive"
    done
    make "$effort.webp" --format webp --effort "$effort"
    make "$effort.gif" --format gif --effort "$effort"
    make "$effort.tiff" --format tiff --effort "$effort"
done
for quality in 1 50 100; do make "quality-$quality.jpg" --quality "$quality"; done
make lossless.webp --format webp --lossless true
make plain.bmp --format bmp
for format in jpg png webp gif tiff bmp; do
    make "grey.$format" --format "${format/jpg/jpeg}" --ops grayscale
done
# Transparent borders: contain's padding of a clear background.
for format in png webp gif tiff; do
    make "clear.$format" --format "$format" --crop 0,0,1600,600 --fit contain --background '#00000000'
done

"$venv/bin/python" - "$work" <<'PY'
import pathlib, sys
from PIL import Image, ImageFile
ImageFile.LOAD_TRUNCATED_IMAGES = False
formats = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".gif": "GIF", ".tiff": "TIFF", ".bmp": "BMP"}
files = sorted(pathlib.Path(sys.argv[1]).iterdir())
for path in files:
    with Image.open(path) as image:
        image.load()
        assert image.format == formats[path.suffix] and image.size == (333, 251), (path, image.format, image.size)
        if path.stem == "clear":
            assert image.convert("RGBA").getpixel((166, 0))[3] == 0, f"{path}: the border is not clear"
print(f"Pillow opens all {len(files)}")
PY

# Every odd picture of the corpus, as Pillow shows it. Files that imgcli refuses are not compared.
shared=${TEST_SHARED:-../shared}
if [ -d "$shared/corpus/odd" ]; then
    target/release/imgcli --local -r "$shared/corpus/odd" --out "$work/odd" --name '{dir}/{name}.png' --frames first --format png \
        --effort fast --passthrough false --width 0 --height 0 >/dev/null 2>&1 || true
    "$venv/bin/python" tests/interop_pictures.py "$shared/corpus/odd" "$work/odd" tests/interop_known.tsv
    rm -r "$work/odd"
elif [ -n "${CI:-}" ]; then
    echo "there is no corpus in $shared"
    exit 1
fi

for file in "$work"/*.*; do
    said=$(identify -regard-warnings -format '%wx%h' "$file" 2>&1)
    [ "$said" = "333x251" ] || { echo "ImageMagick on $(basename "$file"): $said"; exit 1; }
done
echo "ImageMagick opens all $(find "$work" -type f | wc -l)"

# Browsers show no TIFF.
shown=("$work"/*.{jpg,png,webp,gif,bmp})
{
    echo '<!doctype html><body>'
    for file in "${shown[@]}"; do echo "<img src=\"$(basename "$file")\">"; done
    echo '<script>onload = () => { const all = [...document.images];
        const bad = all.filter(i => !(i.complete && i.naturalWidth === 333 && i.naturalHeight === 251));
        document.title = "opened " + (all.length - bad.length) + bad.map(i => " not " + i.getAttribute("src")).join(""); }</script>'
} >"$work/page.html"
dom=$(timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run \
    --disable-background-networking --disable-component-update --disable-sync --user-data-dir="$work/profile" \
    --virtual-time-budget=20000 --dump-dom "file://$work/page.html" 2>/dev/null)
grep -q "<title>opened ${#shown[@]}</title>" <<<"$dom" || { grep -o '<title>.*</title>' <<<"$dom"; exit 1; }
echo "Chromium opens all ${#shown[@]}"
