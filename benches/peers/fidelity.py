"""Measures the distance of the results to the ideal: a full decode, Lanczos3 in floating point, and the same encoder quality.

PSNR of luma in dB and SSIMULACRA2 in points, both against the float result rounded to 8 bits for the latter, of what
`run.py speed` left behind. Ours is also asked for PNG, which shows the resized pixels before the JPEG encoder.
"""

import io
import subprocess
from pathlib import Path

import numpy
from PIL import Image

from contestants import CONTESTANTS, OURS, Place, our_server
from machine import ALL_CORES
from wire import Connection
from workloads import Workload

LUMA = numpy.array([0.299, 0.587, 0.114], numpy.float32)


class Metric:
    """SSIMULACRA2 by the program in `metric/`."""

    def __init__(self, place: Place):
        program = place.peers / "metric/release/metric"
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def score(self, reference: numpy.ndarray, other: numpy.ndarray) -> float:
        height, width = reference.shape[:2]
        size = width.to_bytes(4, "little") + height.to_bytes(4, "little")
        self.process.stdin.write(size + rounded(reference).tobytes() + other.tobytes())
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def rounded(pixels: numpy.ndarray) -> numpy.ndarray:
    return numpy.rint(pixels).astype(numpy.uint8)


def ideal(source: Path, workload: Workload) -> numpy.ndarray:
    """The reference, as float levels: every channel of the full decode resampled with 32-bit floats."""
    size = workload.width, workload.height
    bands = Image.open(source).convert("RGB").split()
    resized = [band.convert("F").resize(size, Image.Resampling.LANCZOS) for band in bands]
    return numpy.stack([numpy.asarray(band) for band in resized], axis=2).clip(0, 255)


def psnr_luma(reference: numpy.ndarray, other: numpy.ndarray) -> float:
    error = numpy.mean((reference @ LUMA - other.astype(numpy.float32) @ LUMA) ** 2, dtype=numpy.float64)
    return float(10 * numpy.log10(255**2 / error))


def encoded_ideal(reference: numpy.ndarray, workload: Workload) -> bytes:
    """The reference encoded by Pillow (libjpeg-turbo, libwebp) with the quality of the workload."""
    encoded = io.BytesIO()
    Image.fromarray(rounded(reference)).save(encoded, workload.format.upper(), quality=workload.quality)
    return encoded.getvalue()


def ours(workload: Workload, place: Place, **options: object) -> bytes:
    """Our result with other options."""
    server = our_server(place, (ALL_CORES[0],), workers=1)
    try:
        image = place.source(workload).read_bytes()
        return Connection(server.address).request(image, workload.options(**options))[1]
    finally:
        server.close()


def measure(workload: Workload, place: Place) -> dict:
    """`ideal`, and every contestant with a result: PSNR of luma, SSIMULACRA2, bytes."""
    reference = ideal(place.source(workload), workload)
    files = {"ideal": encoded_ideal(reference, workload)}
    for contestant in CONTESTANTS:
        path = place.result(contestant.name, workload)
        if path.exists():
            files[contestant.name] = path.read_bytes()
    metric = Metric(place)
    rows = {}
    for name, file in files.items():
        pixels = numpy.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
        rows[name] = {
            "psnr_y": psnr_luma(reference, pixels),
            "ssimulacra2": metric.score(reference, pixels),
            "bytes": len(file),
        }
    metric.close()
    if OURS.name in rows:
        before = ours(workload, place, format="png", effort="fast")
        pixels = numpy.asarray(Image.open(io.BytesIO(before)).convert("RGB"))
        rows[OURS.name]["psnr_y_before_encoding"] = psnr_luma(reference, pixels)
        if workload.format == "jpeg":
            # Pillow's tables are those of Annex K, which costs up to a fifth on smooth pictures.
            rows[OURS.name]["bytes_with_fixed_tables"] = len(ours(workload, place, effort="fast"))
    return rows
