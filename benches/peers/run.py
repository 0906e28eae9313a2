#!/usr/bin/env python3
"""Measures imgsrv beside its peers on this machine: CPU time, latency, memory and fidelity.

Ours is the server itself with one worker, asked over the wire; a peer is the library in a process of its own, bytes
to bytes in memory. For each workload all are started at once and take turns, so that a drift of the machine falls
on all alike; ratios are formed within a round. Whoever works has one core to itself, this program keeps to another.

Run it with the Python of setup.sh's folder. It leaves every sample in results.json there.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import fidelity
import report
import served
from contestants import BY_NAME, CONTESTANTS, OURS, Place, Running, Unable
from machine import ALL_CORES, description
from workloads import BY_ID, WORKLOADS, Workload

REPOSITORY = Path(__file__).resolve().parents[2]
SECTIONS = ["speed", "server", "fidelity"]


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    names = lambda text: text.split(",")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}; all unless given")
    parser.add_argument("--photos", type=Path, default=os.environ.get("PHOTOS"), help="folder of the photos; $PHOTOS")
    parser.add_argument("--peers-dir", type=Path, default=os.environ.get("PEERS_DIR", REPOSITORY / "target/peers"))
    parser.add_argument("--server", type=Path, default=REPOSITORY / "target/release/imgsrv", help="our program")
    parser.add_argument("--only", type=names, default=list(BY_ID), metavar="W1,W2", help="workloads")
    parser.add_argument("--peers", type=names, default=list(BY_NAME), metavar="sharp,pillow", help=", ".join(BY_NAME))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.15, help="for one contestant's turn")
    parser.add_argument("--core", type=int, default=ALL_CORES[0], help="of the measured program")
    parser.add_argument("--markdown", action="store_true", help="write the tables into docs/benchmarks.md as well")
    given = parser.parse_args()
    if given.photos is None:
        parser.error("say --photos FOLDER or set PHOTOS")
    for name in set(given.sections) - set(SECTIONS) | set(given.only) - set(BY_ID) | set(given.peers) - set(BY_NAME):
        parser.error(f"there is no {name}")
    return given


def start_all(workload: Workload, given: argparse.Namespace, place: Place) -> dict[str, Running]:
    """All contestants that support the workload, warmed up; ours first."""
    running = {}
    for contestant in CONTESTANTS:
        if (contestant.name not in given.peers and contestant is not OURS) or not contestant.applies(workload):
            continue
        started = None
        try:
            started = contestant.start(workload, place, given.core)
            started.warm_up(given.seconds)
            running[contestant.name] = started
        except Unable as reason:
            say(f"{workload.id}: {contestant.title} is left out: {reason}")
            if started:
                started.worker.close()
    return running


def speed(workload: Workload, given: argparse.Namespace, place: Place) -> dict:
    """Samples of every round, and the peak memory of each process."""
    running = start_all(workload, given, place)
    samples = []
    try:
        for turn in range(given.rounds):
            order = list(running.items())
            for name, one in order if turn % 2 == 0 else reversed(order):
                try:
                    batch = one.batch()
                except Unable as reason:
                    say(f"{workload.id}: {name} is left out: {reason}")
                    running.pop(name).worker.close()
                    samples = [sample for sample in samples if sample["contestant"] != name]
                    continue
                samples.append({"round": turn, "contestant": name, "cpu_ms": batch.cpu_ms, "wall_ms": batch.wall_ms})
        peaks = {name: one.peak_mib() for name, one in running.items()}
    finally:
        for one in running.values():
            one.worker.close()
    return {"samples": samples, "peak_mib": peaks}


def versions(place: Place) -> dict[str, str]:
    """Description of the measured programs and the machine."""

    def output(*argv: str | Path, **env: str) -> str:
        done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, env=os.environ | env)
        return done.stdout.strip()

    def site(folder: str, code: str) -> str:
        return output(place.python, "-c", code, PYTHONPATH=str(place.peers / folder))

    pillow = "import PIL.features as f, PIL; print(PIL.__version__, 'libjpeg-turbo', f.version('libjpeg_turbo') or '?')"
    sharp = f"const v = require('{place.peers}/node_modules/sharp').versions; console.log(v.sharp, 'libvips', v.vips)"
    return {
        "imgsrv": output("git", "-C", REPOSITORY, "describe", "--always", "--dirty"),
        "rustc": output("rustc", "--version").removeprefix("rustc "),
        "sharp": output("node", "-e", sharp),
        "node": output("node", "--version"),
        "libvips (pyvips)": site("pyvips_site", "import pyvips; print(*map(pyvips.version, range(3)), sep='.')"),
        "Pillow": site("", pillow),
        "Pillow-SIMD": site("pillow_simd_site", pillow),
        "OpenCV": site("", "import cv2; print(cv2.__version__)"),
        "simplejpeg": site("", "import simplejpeg; print(simplejpeg.__version__)"),
    }


def main() -> None:
    given = arguments()
    place = Place(given.peers_dir.resolve(), given.photos.resolve(), given.server.resolve())
    os.sched_setaffinity(0, set(ALL_CORES) - {given.core} or {given.core})
    kept = place.peers / "results.json"
    about = {"machine": description(), "versions": versions(place)}
    results = json.loads(kept.read_text()) if kept.exists() else {}
    if not about.items() <= results.items():
        results = about  # samples of another build or machine do not belong in one table
    sections = given.sections or SECTIONS
    workloads = [workload for workload in WORKLOADS if workload.id in given.only]

    if "speed" in sections:
        for workload in workloads:
            say(f"speed: {workload.id}")
            results.setdefault("speed", {})[workload.id] = speed(workload, given, place)
            kept.write_text(json.dumps(results))
    if "server" in sections:
        results["server"] = served.measure(place, given.core, given.rounds, say)
        kept.write_text(json.dumps(results))
    if "fidelity" in sections:
        for workload in workloads:
            say(f"fidelity: {workload.id}")
            results.setdefault("fidelity", {})[workload.id] = fidelity.measure(workload, place)
            kept.write_text(json.dumps(results))

    text = report.markdown(results)
    print(text)
    if given.markdown:
        report.into_document(text, REPOSITORY / "docs/benchmarks.md")


if __name__ == "__main__":
    main()
