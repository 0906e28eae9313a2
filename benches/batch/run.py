#!/usr/bin/env python3
"""A folder of photos into a box of 800 x 600 at quality 85: imgcli beside its peers, wall clock, on all cores.

All contestants get the same files, read them from the disk cache and write into an empty folder. Turns alternate,
every other round in reverse, and a ratio is formed within a round. Run it by run.sh, which installs the peers.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

import make_photos

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
PEERS = Path(os.environ.get("PEERS_DIR", REPOSITORY / "target/peers"))
sys.path.insert(0, str(HERE.parent / "peers"))
from machine import ALL_CORES, cpu_seconds, description  # noqa: E402
from report import table  # noqa: E402

BOX, QUALITY = (800, 600), 85
BEGIN, END = "<!-- folder: begin -->", "<!-- folder: end -->"


@dataclass(frozen=True)
class Contestant:
    title: str
    command: str
    """Shell command with {source} and {to}."""
    served: bool = False
    """True if a server does its work, whose CPU time counts."""


SIZE = f"{BOX[0]}x{BOX[1]}"
NUMBERS = f"{BOX[0]} {BOX[1]} {QUALITY}"
PROGRAMS = REPOSITORY / "target/release"
# Neither side given: 800 x 600 is the box, and 85 the quality.
OURS = Contestant("imgcli --local", f"{PROGRAMS}/imgcli {{source}} --out {{to}} --local")
CONTESTANTS = [
    OURS,
    Contestant("imgcli and a server", f"{PROGRAMS}/imgcli {{source}} --out {{to}} --server {{server}}", served=True),
    Contestant("vipsthumbnail", f"vipsthumbnail {{source}}/*.jpg --size {SIZE} -o '{{to}}/%s.jpg[Q={QUALITY}]'"),
    Contestant(
        "vipsthumbnail, a process a core (xargs -P)",
        f"ls {{source}}/*.jpg | VIPS_CONCURRENCY=1 xargs -P {len(ALL_CORES)} -n 10 "
        f"vipsthumbnail --size {SIZE} -o '{{to}}/%s.jpg[Q={QUALITY}]'",
    ),
    Contestant("sharp", f"node {HERE}/sharp_folder.mjs {{source}} {{to}} {NUMBERS}"),
    Contestant("Pillow, multiprocessing", f"{sys.executable} {HERE}/pillow_folder.py {{source}} {{to}} {NUMBERS}"),
]


@dataclass(frozen=True)
class Turn:
    wall: float
    """Seconds."""
    cpu: float
    """Seconds of all its processes."""
    bytes: int
    """Bytes of all results."""


@contextmanager
def server() -> Iterator[subprocess.Popen]:
    """A running imgsrv; the attribute `address` is its address."""
    environment = os.environ | {"RUST_LOG": "warn"}
    process = subprocess.Popen(
        [PROGRAMS / "imgsrv", "--bind", "127.0.0.1:0", "--http", "none"], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        process.address = process.stdout.readline().split()[-1]
        yield process
    finally:
        process.terminate()
        process.wait()


def turn(contestant: Contestant, source: Path, count: int, serving: subprocess.Popen) -> Turn:
    to = Path(tempfile.mkdtemp(prefix="folder-", dir=source.parent))
    command = contestant.command.format(source=source, to=to, server=serving.address)

    def cpu() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return children.ru_utime + children.ru_stime + (cpu_seconds(serving.pid) if contestant.served else 0)

    try:
        cpu_before, began = cpu(), time.perf_counter()
        done = subprocess.run(command, shell=True, capture_output=True, text=True)
        took, used = time.perf_counter() - began, cpu() - cpu_before
        assert done.returncode == 0, f"{contestant.title}: {done.stderr}"
        results = sorted(to.glob("*.jpg"))
        assert len(results) == count, f"{contestant.title} made {len(results)} of {count}"
        for path in results:
            with Image.open(path) as image:
                short_of = [side - limit for side, limit in zip(image.size, BOX)]
                # It touches the box on one side and stays within it on the other.
                assert max(short_of) == 0, f"{contestant.title} made {path.name} {image.size}"
        return Turn(took, used, sum(path.stat().st_size for path in results))
    finally:
        shutil.rmtree(to)


def versions() -> str:
    def said(*argv: str | Path) -> str:
        return subprocess.run([str(word) for word in argv], capture_output=True, text=True).stdout.strip()

    sharp = f"const v = require('{PEERS}/node_modules/sharp').versions; console.log('sharp', v.sharp, 'libvips', v.vips)"
    parts = [f"{name} {value}" for name, value in description().items()]
    parts += ["imgsrv " + said("git", "-C", REPOSITORY, "describe", "--always", "--dirty")]
    parts += [said("vipsthumbnail", "--version").replace("vips-", "vipsthumbnail "), said("node", "-e", sharp)]
    parts += [said(sys.executable, "-c", "import PIL; print('Pillow', PIL.__version__)")]
    return ", ".join(parts) + "."


def markdown(turns: dict[str, list[Turn]], count: int, source: Path) -> str:
    bytes_in = sum(path.stat().st_size for path in source.iterdir())
    lines = [versions(), ""]
    rows = []
    for contestant in CONTESTANTS:
        own = turns[contestant.title]
        median = lambda value: statistics.median(map(value, own))
        ratio = statistics.median(one.wall / ours.wall for one, ours in zip(own, turns[OURS.title]))
        rows.append(
            [
                contestant.title,
                f"{median(lambda one: one.wall):.2f}",
                f"{ratio:.2f}",
                f"{count / median(lambda one: one.wall):.0f}",
                f"{median(lambda one: one.cpu):.2f}",
                f"{own[0].bytes / 1e6:.1f}",
            ]
        )
    lines += [f"{count} photos, {bytes_in / 1e6:.0f} MB, {len(turns[OURS.title])} rounds; medians.", ""]
    lines += table(["", "seconds", "times ours", "photos/s", "CPU seconds", "results, MB"], rows)
    return "\n".join(lines)


def into_document(text: str, path: Path) -> None:
    before, rest = path.read_text().split(BEGIN)
    _, after = rest.split(END)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of the photos that the others are cut from")
    parser.add_argument("--count", type=int, default=200, help="photos in the folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", action="store_true", help="write the table into docs/benchmarks.md as well")
    given = parser.parse_args()

    source = PEERS / f"folder/{given.count}"
    make_photos.make(given.photos, source, given.count)
    turns: dict[str, list[Turn]] = {contestant.title: [] for contestant in CONTESTANTS}
    with server() as serving:
        for contestant in CONTESTANTS:
            turn(contestant, source, given.count, serving)  # programs and photos into the cache
        for i in range(given.rounds):
            for contestant in CONTESTANTS if i % 2 == 0 else reversed(CONTESTANTS):
                one = turn(contestant, source, given.count, serving)
                turns[contestant.title].append(one)
                print(f"round {i + 1}: {contestant.title}: {one.wall:.2f} s", file=sys.stderr, flush=True)
    samples = {title: [vars(one) for one in own] for title, own in turns.items()}
    (PEERS / "folder.json").write_text(json.dumps(samples))
    text = markdown(turns, given.count, source)
    print(text)
    if given.markdown:
        into_document(text, REPOSITORY / "docs/benchmarks.md")


if __name__ == "__main__":
    main()
