#!/usr/bin/env python3
"""Measures the size of `effort=smallest` at equal quality: beside libjpeg-turbo's optimised files, and beside mozjpeg.

    benches/peers/setup.sh PHOTOS
    target/peers/venv/bin/python benches/peers/smallest.py --photos PHOTOS

Each photo is resized to some widths; all three encoders get those pixels, 4:2:0. libjpeg-turbo (by Pillow, with
`optimize`) encodes at qualities 75 to 90. The others encode at a ladder of qualities, and the size that they would have
at the very SSIMULACRA2 score of libjpeg-turbo's file is read off between the steps. A line per photo and width: the
saving in percent, the mean over the qualities. The exit code is 1 where a bar is missed.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
QUALITIES = (75, 80, 85, 90)
LADDER = tuple(range(61, 98, 4))
LEAST_SAVING = 8.0
"""Percent below libjpeg-turbo."""
LEVEL = 1.0
"""Percent above mozjpeg that still counts as level, in the mean over all."""


class Metric:
    """SSIMULACRA2 by the program in `metric/`."""

    def __init__(self, peers: Path):
        program = peers / "metric/release/metric"
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def score(self, reference: Image.Image, file: bytes) -> float:
        width, height = reference.size
        other = Image.open(io.BytesIO(file)).convert("RGB")
        size = width.to_bytes(4, "little") + height.to_bytes(4, "little")
        self.process.stdin.write(size + reference.tobytes() + other.tobytes())
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def turbo(picture: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, optimize=True, subsampling="4:2:0")
    return file.getvalue()


def ours(program: Path, png: Path, folder: Path) -> dict[int, bytes]:
    files = {}
    for quality in LADDER:
        out = folder / f"ours-{quality}.jpg"
        options = ["--quality", str(quality), "--effort", "smallest", "--subsampling", "420", "--width", "0", "--height", "0"]
        subprocess.run([program, "--local", png, "-o", out, *options], check=True, stdout=subprocess.DEVNULL)
        files[quality] = out.read_bytes()
    return files


def mozjpeg(peers: Path, png: Path, folder: Path) -> dict[int, bytes]:
    script = Path(__file__).parent / "mozjpeg.mjs"
    command = ["node", script, png, folder, *map(str, LADDER)]
    subprocess.run(command, check=True, env={**os.environ, "PEERS_DIR": str(peers)})
    return {quality: (folder / f"{quality}.jpg").read_bytes() for quality in LADDER}


class Curve:
    """Bytes by score, between the steps of the ladder."""

    def __init__(self, files: dict[int, bytes], metric: Metric, reference: Image.Image):
        points = sorted((metric.score(reference, file), len(file)) for file in files.values())
        self.scores = [score for score, _ in points]
        self.logs = [numpy.log(size) for _, size in points]

    def bytes_at(self, score: float) -> float:
        return float(numpy.exp(numpy.interp(score, self.scores, self.logs)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--widths", default="200,800,1600")
    parser.add_argument("--peers-dir", type=Path, default=ROOT / "target/peers")
    parser.add_argument("--imgcli", type=Path, default=ROOT / "target/release/imgcli")
    args = parser.parse_args()
    metric = Metric(args.peers_dir.resolve())
    print("| photo | width | below libjpeg-turbo, optimised | bar | below mozjpeg |\n|---|---|---|---|---|")
    all_savings, missed = [], False
    for path in sorted(args.photos.glob("*.jpg")):
        photo = Image.open(path).convert("RGB")
        for width in map(int, args.widths.split(",")):
            if width > photo.width:
                continue
            height = max(1, round(photo.height * width / photo.width))
            picture = photo.resize((width, height), Image.Resampling.LANCZOS)
            with tempfile.TemporaryDirectory() as folder:
                folder = Path(folder)
                png = folder / "picture.png"
                picture.save(png, compress_level=1)
                our_curve = Curve(ours(args.imgcli, png, folder), metric, picture)
                moz_curve = Curve(mozjpeg(args.peers_dir.resolve(), png, folder), metric, picture)
            savings = []
            for quality in QUALITIES:
                file = turbo(picture, quality)
                score = metric.score(picture, file)
                size = our_curve.bytes_at(score)
                savings.append((1 - size / len(file), 1 - size / moz_curve.bytes_at(score)))
            below_turbo, below_moz = 100 * numpy.mean(savings, axis=0)
            all_savings.append((below_turbo, below_moz))
            missed |= bool(below_turbo < LEAST_SAVING)
            print(f"| {path.stem} | {width} | {below_turbo:.1f} % | 8 % | {below_moz:.1f} % |", flush=True)
    below_turbo, below_moz = numpy.mean(all_savings, axis=0)
    missed |= bool(below_moz < -LEVEL)
    print(f"| mean | | {below_turbo:.1f} % | 8 % | {below_moz:.1f} % |")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
