"""The contestants: how each is started and driven. Each runs in a process of its own."""

import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from machine import cpu_seconds, peak_mib, pinned
from wire import Connection, Refused
from workloads import Workload

HERE = Path(__file__).resolve().parent
ONE_THREAD = {"VIPS_CONCURRENCY": "1", "OMP_NUM_THREADS": "1", "UV_THREADPOOL_SIZE": "1", "RAYON_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Place:
    """Paths of photos, peers and results."""

    peers: Path
    photos: Path
    server: Path

    @property
    def derived(self) -> Path:
        return self.peers / "derived"

    @property
    def python(self) -> Path:
        return self.peers / "venv/bin/python"

    @property
    def in_process(self) -> Path:
        return self.server.parent / "examples/in_process"

    def source(self, workload: Workload) -> Path:
        return workload.source_path(self.photos, self.derived)

    def result(self, contestant: str, workload: Workload) -> Path:
        folder = self.peers / "results" / contestant
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{workload.id}.{workload.format}"


class Unable(Exception):
    """A contestant that is not installed, or that cannot do a workload."""


@dataclass(frozen=True)
class Batch:
    """Times of some repeats of one workload."""

    cpu_ms: float
    """CPU time of the whole process for each picture."""
    wall_ms: list[float]
    """Wall time from request to result, for each picture."""


class Worker:
    """A process that reads a number of repeats from its standard input and answers with their wall times."""

    def __init__(self, argv: list[str | Path], cores: tuple[int, ...], env: dict[str, str] = {}):
        self.process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | ONE_THREAD | env,
            preexec_fn=pinned(*cores),
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def repeat(self, count: int) -> list[float]:
        try:
            self.process.stdin.write(f"{count}\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            raise Unable(self.process.stderr.read().strip().rsplit("\n", 1)[-1]) from None

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass


class Server:
    """A server that prints its address at the end of its first line, and one client that requests
    pictures from another core."""

    def __init__(self, argv: list[str | Path], cores: tuple[int, ...], env: dict[str, str] = {}):
        self.process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | env,
            preexec_fn=pinned(*cores),
        )
        line = self.process.stdout.readline().split()
        if not line:
            raise Unable(f"{argv[0]} did not start")
        self.address = line[-1]

    @property
    def pid(self) -> int:
        return self.process.pid

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class ServedWorker:
    """Our server, called with one request repeatedly; has the interface of `Worker`."""

    def __init__(self, server: Server, image: bytes, options: str, result: Path | None = None):
        self.server, self.image, self.options, self.result = server, image, options, result
        self.connection = Connection(server.address)

    @property
    def pid(self) -> int:
        return self.server.pid

    def repeat(self, count: int) -> list[float]:
        times = []
        for _ in range(count):
            started = time.perf_counter()
            try:
                _, payload = self.connection.request(self.image, self.options)
            except (Refused, OSError) as failure:
                raise Unable(str(failure)) from None
            times.append((time.perf_counter() - started) * 1e3)
        if self.result:
            self.result.write_bytes(payload)
        return times

    def close(self) -> None:
        self.connection.close()
        self.server.close()


def our_server(place: Place, cores: tuple[int, ...], workers: int) -> Server:
    return Server([place.server, "--bind", "127.0.0.1:0", "--http", "none", "--workers", str(workers)], cores)


@dataclass
class Running:
    """A contestant at work on one workload, and how many pictures fill a batch of it."""

    worker: Worker | ServedWorker
    repeats: int = 1

    def warm_up(self, seconds: float) -> None:
        """Runs until caches, allocators and compilers have settled; decides the size of a batch."""
        first = self.worker.repeat(1)[0] / 1e3
        again = self.worker.repeat(max(1, min(50, int(0.2 / first))))
        self.repeats = max(3, min(2000, round(seconds * 1e3 / min(again))))

    def batch(self) -> Batch:
        before = cpu_seconds(self.worker.pid)
        wall = self.worker.repeat(self.repeats)
        return Batch((cpu_seconds(self.worker.pid) - before) * 1e3 / len(wall), wall)

    def peak_mib(self) -> float:
        return peak_mib(self.worker.pid)


@dataclass(frozen=True)
class Contestant:
    """One library in one mode."""

    name: str
    title: str

    def applies(self, workload: Workload) -> bool:
        return True

    def start(self, workload: Workload, place: Place, core: int) -> Running:
        raise NotImplementedError


@dataclass(frozen=True)
class Ours(Contestant):
    extra: dict[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()

    def applies(self, workload: Workload) -> bool:
        return not self.only or workload.id in self.only

    def start(self, workload: Workload, place: Place, core: int) -> Running:
        server = our_server(place, (core,), workers=1)
        image = place.source(workload).read_bytes()
        result = place.result(self.name, workload)
        return Running(ServedWorker(server, image, workload.options(**self.extra), result))


@dataclass(frozen=True)
class Library(Contestant):
    """A mode of `worker.py` or `worker.mjs`."""

    mode: str = ""
    site: str = ""
    """Folder of packages that precede those of the virtual environment."""
    jpeg_only: bool = False

    def applies(self, workload: Workload) -> bool:
        return workload.is_jpeg_to_jpeg or not self.jpeg_only

    def start(self, workload: Workload, place: Place, core: int) -> Running:
        env = {"PEERS_DIR": str(place.peers)}
        if self.site:
            if not (place.peers / self.site).is_dir():
                raise Unable(f"{self.site} is not installed")
            env["PYTHONPATH"] = str(place.peers / self.site)
        program = ["node", HERE / "worker.mjs"] if self.mode.startswith("sharp") else [place.python, HERE / "worker.py"]
        task = json.dumps(
            {
                "source": str(place.source(workload)),
                "width": workload.width,
                "height": workload.height,
                "format": workload.format,
                "quality": workload.quality,
                "result": str(place.result(self.name, workload)),
            }
        )
        return Running(Worker([*program, self.mode, task], (core,), env))


OURS = Ours("ours", "ours")
OURS_FAST = Ours("ours-fast", "ours, speed=fast", extra={"speed": "fast"}, only=("W7",))
SHARP = Library("sharp", "sharp", mode="sharp")
PILLOW = Library("pillow", "Pillow", mode="pillow:full")

CONTESTANTS: list[Contestant] = [
    OURS,
    OURS_FAST,
    SHARP,
    Library("sharp-no-icc", "sharp, ICC ignored", mode="sharp:no-icc"),
    Library("vips-thumbnail", "libvips thumbnail", mode="vips:thumbnail", site="pyvips_site"),
    Library("vips-imgproxy", "libvips as imgproxy", mode="vips:imgproxy", site="pyvips_site"),
    PILLOW,
    Library("pillow-draft", "Pillow draft", mode="pillow:draft"),
    Library("pillow-simd", "Pillow-SIMD", mode="pillow:full", site="pillow_simd_site"),
    Library("pillow-simd-draft", "Pillow-SIMD draft", mode="pillow:draft", site="pillow_simd_site"),
    Library("opencv-area", "OpenCV", mode="opencv:full"),
    Library("opencv-reduced", "OpenCV reduced", mode="opencv:reduced"),
    Library("turbo-opencv", "libjpeg-turbo + OpenCV", mode="turbo", jpeg_only=True),
]

BY_NAME = {contestant.name: contestant for contestant in CONTESTANTS}
