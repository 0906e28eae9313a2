#!/usr/bin/env python3
"""CPU time of two builds of the server for the workloads W1 to W10 of docs/benchmarks.md, request by request in turn.

    benches/paired.py PHOTOS BEFORE/imgsrv AFTER/imgsrv [rounds]

Another load on the machine disturbs CPU time less than wall time, and both builds alike. The results have to be the
same bytes.
"""

import hashlib
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from statistics import median

PHONE = "phone_4032x3024.jpg"
WORKLOADS = {
    "W1": ("seed_3000x2000.jpg", "width=800&height=600&quality=85", 20),
    "W2": (PHONE, "width=800&height=600&quality=85", 10),
    "W3": ("sharp_2725x2225.jpg", "width=720&height=588&quality=80", 20),
    "W4": (PHONE, "width=200&height=150&quality=80", 15),
    "W5": ("progressive_4000x6000.jpg", "width=1024&height=1536&quality=85", 3),
    "W6": ("phone.png", "width=800&height=600&quality=85", 3),
    "W7": (PHONE, "width=2016&height=1512&quality=85", 8),
    "W8": ("small_progressive_640x960.jpg", "width=320&height=480&quality=85", 60),
    "W9": ("phone.webp", "width=800&height=600&quality=85", 5),
    "W10": (PHONE, "width=800&height=600&quality=80&format=webp", 5),
}


class Server:
    """One build, with a single worker and everything else by default."""

    def __init__(self, program: str, folder: str):
        flags = ["--bind", "127.0.0.1:0", "--http", "127.0.0.1:0", "--workers", "1", "--data-dir", folder, "-q"]
        self.process = subprocess.Popen([program, *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = ""
        for line in self.process.stdout:
            if " http on " in line:
                self.address = line.split()[-1]
            if " listening on " in line:
                break

    def ask(self, image: bytes, options: str) -> bytes:
        request = urllib.request.Request(f"http://{self.address}/resize?{options}", data=image)
        with urllib.request.urlopen(request, timeout=120) as reply:
            return reply.read()

    def cpu(self) -> float:
        """CPU seconds so far, in user and kernel mode; /proc counts them in nanoseconds by thread."""
        total = 0
        for thread in Path(f"/proc/{self.process.pid}/task").iterdir():
            total += int((thread / "schedstat").read_text().split()[0])
        return total / 1e9


def main() -> None:
    photos, programs = Path(sys.argv[1]), sys.argv[2:4]
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 7
    with tempfile.TemporaryDirectory() as folder:
        servers = [Server(program, f"{folder}/{i}") for i, program in enumerate(programs)]
        try:
            sources = {path.name: path.read_bytes() for path in photos.iterdir() if path.is_file()}
            sources["phone.png"] = servers[0].ask(sources[PHONE], "format=png")
            sources["phone.webp"] = servers[0].ask(sources[PHONE], "format=webp&quality=80")
            print("|  | before, ms | after, ms | after / before | bytes |\n|---|---|---|---|---|")
            for name, (source, options, repeats) in WORKLOADS.items():
                times, digests = ([], []), (set(), set())
                for _ in range(rounds):
                    for i, server in enumerate(servers):
                        began = server.cpu()
                        for _ in range(repeats):
                            digests[i].add(hashlib.sha256(server.ask(sources[source], options)).digest())
                        times[i].append((server.cpu() - began) / repeats * 1e3)
                before, after = map(median, times)
                ratio = median(b / a for a, b in zip(*times))
                same = "same" if digests[0] == digests[1] and len(digests[0]) == 1 else "DIFFERENT"
                print(f"| {name} | {before:.2f} | {after:.2f} | {ratio:.3f} | {same} |", flush=True)
        finally:
            for server in servers:
                server.process.terminate()
                server.process.wait()


if __name__ == "__main__":
    main()
