"""The workloads: the request to every contestant, and the bars."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bars:
    """Least CPU(peer) / CPU(ours)."""

    sharp: float
    best: float


@dataclass(frozen=True)
class Workload:
    """One picture and the result to make."""

    id: str
    source: str
    width: int
    height: int
    quality: int
    about: str
    format: str = "jpeg"
    bars: Bars | None = None
    fast_bar: float | None = None
    """Least CPU(best peer) / CPU(ours with speed=fast)."""

    def options(self, **extra: object) -> str:
        """The options block of the extended protocol."""
        pairs = dict(width=self.width, height=self.height, quality=self.quality, format=self.format) | extra
        return "&".join(f"{key}={value}" for key, value in pairs.items())

    def source_path(self, photos: Path, derived: Path) -> Path:
        return next((p for p in (photos / self.source, derived / self.source) if p.exists()), photos / self.source)

    @property
    def is_jpeg_to_jpeg(self) -> bool:
        return self.source.endswith(".jpg") and self.format == "jpeg"


PHONE = "phone_4032x3024.jpg"
WORKLOADS = [
    Workload("W1", "seed_3000x2000.jpg", 800, 600, 85, "6 MP JPEG", bars=Bars(2.4, 1.8)),
    Workload("W2", PHONE, 800, 600, 85, "12 MP phone JPEG", bars=Bars(2.7, 2.0)),
    Workload("W3", "sharp_2725x2225.jpg", 720, 588, 80, "the task that sharp publishes", bars=Bars(2.7, 2.0)),
    Workload("W4", PHONE, 200, 150, 80, "thumbnail", bars=Bars(2.6, 2.0)),
    Workload("W5", "progressive_4000x6000.jpg", 1024, 1536, 85, "24 MP progressive JPEG", bars=Bars(4.0, 2.7)),
    Workload("W6", "phone_4032x3024.png", 800, 600, 85, "12 MP PNG"),
    Workload("W7", PHONE, 2016, 1512, 85, "12 MP to exactly half", bars=Bars(2.5, 1.05), fast_bar=1.5),
    Workload("W8", "small_progressive_640x960.jpg", 320, 480, 85, "small progressive JPEG", bars=Bars(3.0, 1.8)),
    Workload("W9", "phone_4032x3024_q80.webp", 800, 600, 85, "12 MP lossy WebP"),
    Workload("W10", PHONE, 800, 600, 80, "JPEG to WebP", format="webp"),
    Workload("X11", "phone_4032x3024_444.jpg", 800, 600, 85, "12 MP JPEG, 4:4:4"),
    Workload("X13", "tile_64x64.jpg", 32, 32, 85, "64 x 64: what each request costs"),
]

BY_ID = {workload.id: workload for workload in WORKLOADS}

MEAN_BARS = Bars(3.0, 1.85)
"""For the geometric mean over the workloads that have bars."""

OVERHEAD_BAR = 1.05
"""Most CPU over the wire / CPU in process, on W3."""

LATENCY_BAR = 0.6
"""Most latency on two idle cores / on one, on W2."""
