#!/usr/bin/env python3
"""Measures the picture operations against OpenCV, which defines them.

    cargo build --release --example apply_ops
    python3 benches/opencv/compare.py PHOTOS [--width 1024] [--only denoise,sift]

PHOTOS is a folder of JPEGs. OpenCV is installed into target/opencv, a virtual environment of its own, where it is
missing. Each photo is resized to the given width by OpenCV, and both sides work on those pixels, on one thread. The
table, in Markdown, has one line for each operation and measure: the bar, the worst and the mean value over the photos.
Of denoise the CPU time is compared as well: the median of pairs taken in turns, in which ours also reads and writes the
picture. The exit code is 1 when a bar is missed.
"""

import argparse
import os
import pathlib
import re
import resource
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
VENV = ROOT / "target" / "opencv"

try:
    import cv2
    import numpy as np
except ImportError:
    python = VENV / "bin" / "python"
    if pathlib.Path(sys.prefix) == VENV:
        raise
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "opencv-python-headless", "numpy"], check=True)
    os.execv(python, [python, *sys.argv])

PROGRAM = ROOT / "target" / "release" / "examples" / "apply_ops"
CORNER_MARK = 2  # radius of a corner's disc, in pixels


def ours(ops, picture):
    """Returns the picture (RGB or grey) after `ops`, the output of the program, and its CPU seconds."""
    kind = b"P6" if picture.ndim == 3 else b"P5"
    height, width = picture.shape[:2]
    body = kind + b"\n%d %d\n255\n" % (width, height) + np.ascontiguousarray(picture).tobytes()
    before = children_seconds()
    run = subprocess.run([PROGRAM, ops], input=body, capture_output=True, check=False)
    seconds = children_seconds() - before
    if run.returncode != 0:
        sys.exit(f"apply_ops {ops}: {run.stderr.decode()}")
    header = re.match(rb"(P[56])\s(\d+)\s(\d+)\s255\s", run.stdout)
    width, height = int(header[2]), int(header[3])
    shape = (height, width) if header[1] == b"P5" else (height, width, 3)
    result = np.frombuffer(run.stdout, np.uint8, offset=header.end()).reshape(shape)
    return result, run.stderr.decode(), seconds


def children_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def theirs(work):
    """Returns the result of `work` and its CPU seconds."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def in_turns(ops, picture, work, rounds):
    """Returns our result, the output of the program, OpenCV's result, and the median ratio of CPU times."""
    ratios = []
    for _ in range(rounds):
        result, said, our_seconds = ours(ops, picture)
        reference, their_seconds = theirs(work)
        ratios.append(our_seconds / max(their_seconds, 1e-6))
    return result, said, reference, float(np.median(ratios))


def within_one(a, b):
    """Share of pixels with no sample more than one level off, in percent."""
    apart = np.abs(a.astype(int) - b.astype(int))
    return 100 * np.mean((apart if apart.ndim == 2 else apart.max(axis=2)) <= 1)


def psnr(a, b):
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return 10 * np.log10(255**2 / error) if error else float("inf")


def edge_f1(found, reference):
    """F1 of two edge maps, an edge pixel counting as found within one pixel."""
    grow = lambda edges: cv2.dilate(edges, np.ones((3, 3), np.uint8))
    precision = np.mean(grow(reference)[found > 0] > 0)
    recall = np.mean(grow(found)[reference > 0] > 0)
    return 2 * precision * recall / (precision + recall)


def shared_marks(marked, source, reference):
    """Marked pixels that both have, in percent of all that either has."""
    red = (marked == (255, 0, 0)).all(axis=2) & (source != (255, 0, 0)).any(axis=2)
    return 100 * np.sum(red & reference) / max(1, np.sum(red | reference))


def key_points(said):
    """x, y, size and angle of each key point that the program printed."""
    lines = [line.split()[1:] for line in said.splitlines() if line.startswith("keypoint ")]
    return np.array(lines, float).reshape(-1, 4)


def recall_of_strongest(found, reference, count=500):
    """Share of the strongest reference key points with one of ours within 2 pixels and 20 % of the size."""
    strongest = sorted(reference, key=lambda point: -point.response)[:count]
    hits = 0
    for point in strongest:
        near = np.hypot(found[:, 0] - point.pt[0], found[:, 1] - point.pt[1]) <= 2
        alike = np.abs(found[:, 2] - point.size) <= 0.2 * point.size
        hits += bool(np.any(near & alike))
    return 100 * hits / max(1, len(strongest))


def luma_equalized(rgb):
    ycrcb = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)
    ycrcb[..., 0] = cv2.equalizeHist(ycrcb[..., 0])
    return cv2.cvtColor(ycrcb, cv2.COLOR_YCrCb2RGB)


def corner_marks(gray):
    response = cv2.cornerHarris(gray, 2, 3, 0.04)
    reach = np.arange(-CORNER_MARK, CORNER_MARK + 1)
    disc = (reach[:, None] ** 2 + reach**2 <= CORNER_MARK**2).astype(np.uint8)
    return cv2.dilate((response > 0.1 * response.max()).astype(np.uint8), disc) > 0


def square(radius):
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)


def sharpened(rgb, sigma):
    return cv2.addWeighted(rgb, 2, cv2.GaussianBlur(rgb, (0, 0), sigma), -1, 0)


def contrasted(rgb, percent):
    factor = 1 + percent / 100
    return cv2.addWeighted(rgb, factor, rgb, 0, 128 * (1 - factor))


def pictures(rgb):
    """(operation, measure, bar, OpenCV's implementation, comparison) of operations that return a picture."""
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    same, close = ("pixels within 1 level, %", 99.9, within_one), ("PSNR, dB", 40, psnr)
    return [
        ("grayscale", *same, lambda: cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)),
        ("invert", *same, lambda: cv2.bitwise_not(rgb)),
        ("equalize", *same, lambda: luma_equalized(rgb)),
        ("threshold:120", *same, lambda: cv2.threshold(gray, 120, 255, cv2.THRESH_BINARY)[1]),
        ("erode:1", *same, lambda: cv2.erode(rgb, square(1))),
        ("erode:2", *same, lambda: cv2.erode(rgb, square(2))),
        ("dilate:2", *same, lambda: cv2.dilate(rgb, square(2))),
        ("dilate:15", *same, lambda: cv2.dilate(rgb, square(15))),
        ("brightness:40", *close, lambda: cv2.add(rgb, (40, 40, 40, 0))),
        ("contrast:30", *close, lambda: contrasted(rgb, 30)),
        ("blur:0.8", *close, lambda: cv2.GaussianBlur(rgb, (0, 0), 0.8)),
        ("blur:2.5", *close, lambda: cv2.GaussianBlur(rgb, (0, 0), 2.5)),
        ("blur:6", *close, lambda: cv2.GaussianBlur(rgb, (0, 0), 6)),
        ("blur:12", *close, lambda: cv2.GaussianBlur(rgb, (0, 0), 12)),
        ("blur:40", *close, lambda: cv2.GaussianBlur(rgb, (0, 0), 40)),
        ("sharpen:1", *close, lambda: sharpened(rgb, 1)),
        ("sharpen:3", *close, lambda: sharpened(rgb, 3)),
        ("median:1", *close, lambda: cv2.medianBlur(rgb, 3)),
        ("median:2", *close, lambda: cv2.medianBlur(rgb, 5)),
        ("median:5", *close, lambda: cv2.medianBlur(rgb, 11)),
        ("median:20", *close, lambda: cv2.medianBlur(rgb, 41)),
        ("edges:90:180", "F1 within 1 px", 0.95, edge_f1, lambda: cv2.Canny(gray, 90, 180)),
        ("corners", "marked pixels shared, %", 95, lambda a, b: shared_marks(a, rgb, b), lambda: corner_marks(gray)),
        ("denoise:10", "PSNR, dB", 35, psnr, lambda: cv2.fastNlMeansDenoisingColored(rgb[..., ::-1].copy(), None, 10, 10, 7, 21)[..., ::-1]),
    ]


class Table:
    """Values by operation and measure, over all photos."""

    def __init__(self):
        self.rows = {}

    def add(self, operation, measure, bar, value):
        self.rows.setdefault((operation, measure, bar), []).append(value)

    def print(self):
        """Prints the table; returns the number of missed bars."""
        print("| operation | measure | bar | worst | mean |\n|---|---|---|---|---|")
        missed = 0
        for (operation, measure, bar), values in self.rows.items():
            low, high = bar
            worst = max(values) if low is None else min(values)
            fine = (low is None or min(values) >= low) and (high is None or max(values) <= high)
            missed += not fine
            wanted = " to ".join(f"{side:g}" for side in bar if side is not None)
            wanted = wanted if None not in bar else f"{'>=' if high is None else '<='} {wanted}"
            shown = [spelled(value) for value in (worst, np.mean(values))]
            verdict = "" if fine else " **missed**"
            print(f"| {operation} | {measure} | {wanted} | {shown[0]}{verdict} | {shown[1]} |")
        return missed


def spelled(value):
    if np.isinf(value):
        return "identical"
    return f"{value:.3g}" if value < 10 else f"{value:.1f}"


def main():
    global PROGRAM
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=pathlib.Path, help="a folder of JPEGs")
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--only", default="", help="operations to run, by name")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--program", type=pathlib.Path, default=PROGRAM)
    args = parser.parse_args()
    PROGRAM = args.program
    cv2.setNumThreads(1)
    only = set(filter(None, args.only.split(",")))
    table = Table()
    for path in sorted(args.photos.glob("*.jpg")):
        photo = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        height = round(photo.shape[0] * args.width / photo.shape[1])
        rgb = cv2.resize(photo, (args.width, height), interpolation=cv2.INTER_AREA)
        for operation, measure, bar, compare, work in pictures(rgb):
            if only and operation.split(":")[0] not in only:
                continue
            rounds = args.rounds if operation.startswith("denoise") else 1
            result, _, reference, ratio = in_turns(operation, rgb, work, rounds)
            table.add(operation, measure, (bar, None), compare(result, reference))
            if operation.startswith("denoise"):
                table.add(operation, "CPU time by OpenCV's", (None, 1.5), ratio)
        if not only or "sift" in only:
            gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
            detect = lambda: cv2.SIFT_create().detect(gray, None)
            _, said, reference, _ = in_turns("sift", rgb, detect, 1)
            found = key_points(said)
            table.add("sift", "strongest 500 found, %", (85, None), recall_of_strongest(found, reference))
            table.add("sift", "points by OpenCV's", (0.9, 1.1), len(found) / max(1, len(reference)))
    sys.exit(1 if table.print() else 0)


if __name__ == "__main__":
    main()
