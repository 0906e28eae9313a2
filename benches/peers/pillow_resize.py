#!/usr/bin/env python3
"""Compares resized pixels with Pillow's `resize(LANCZOS)`, before any lossy encoder.

    python3 -m venv target/pillow && target/pillow/bin/pip install pillow numpy
    cargo build --release --bin imgcli
    target/pillow/bin/python benches/peers/pillow_resize.py PHOTOS

Pillow decodes each JPEG of the folder PHOTOS; both resize those pixels, and the results are compared as PNG: PSNR over
all samples, in dB. `from JPEG` is the same with our own decoder and planar resampler in front, for which there is no
bar: two decoders differ. The exit code is 1 where a bar is missed.
"""

import argparse
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
BAR = 45.0
WIDTHS = (200, 800, 1600)


def ours(program: Path, source: Path, size: tuple[int, int]) -> numpy.ndarray:
    width, height = map(str, size)
    options = ["--width", width, "--height", height, "--format", "png", "--effort", "fast", "--icc", "ignore"]
    run = subprocess.run([program, "--local", source, "-o", "-", *options], check=True, capture_output=True)
    return numpy.asarray(Image.open(io.BytesIO(run.stdout)).convert("RGB"))


def psnr(a: numpy.ndarray, b: numpy.ndarray) -> float:
    error = numpy.mean((a.astype(float) - b.astype(float)) ** 2)
    return 10 * numpy.log10(255**2 / error) if error else float("inf")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--imgcli", type=Path, default=ROOT / "target/release/imgcli")
    args = parser.parse_args()
    missed = False
    print("| photo | result | same decode, dB | bar | from JPEG, dB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        png = Path(folder) / "decoded.png"
        for path in sorted(args.photos.glob("*.jpg")):
            photo = Image.open(path).convert("RGB")
            photo.save(png, compress_level=1)
            for width in (width for width in WIDTHS if width < photo.width):
                size = width, max(1, round(photo.height * width / photo.width))
                reference = numpy.asarray(photo.resize(size, Image.Resampling.LANCZOS))
                same, own = psnr(ours(args.imgcli, png, size), reference), psnr(ours(args.imgcli, path, size), reference)
                missed |= same < BAR
                print(f"| {path.stem} | {size[0]} x {size[1]} | {same:.1f} | >= {BAR:.0f} | {own:.1f} |", flush=True)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
