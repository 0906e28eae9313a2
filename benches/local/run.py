"""Three photos of 12 megapixels are posted at once to an upload handler, which makes three sizes of each.

Compares handlers that differ in one line: sharp beside local mode in Express, Pillow beside local mode in Flask. The rounds of
all are interleaved, so that other load of the machine meets all alike. See run.sh.
"""

import http.client
import io
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from PIL import Image, ImageOps

ROOT = Path(__file__).parents[2]
SIDES = (4000, 3000)
TICK = os.sysconf("SC_CLK_TCK")


def photos(folder: Path) -> list:
    """Three different photos of 12 megapixels, from the largest of the folder."""
    largest = max(folder.glob("*.jpg"), key=lambda path: path.stat().st_size)
    photo = ImageOps.exif_transpose(Image.open(largest)).convert("RGB")
    made = []
    for turn, quality in [(None, 92), (Image.Transpose.FLIP_LEFT_RIGHT, 88), (Image.Transpose.ROTATE_180, 95)]:
        one = ImageOps.fit(photo if turn is None else photo.transpose(turn), SIDES)
        file = io.BytesIO()
        one.save(file, "JPEG", quality=quality)
        made.append(file.getvalue())
    return made


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    if not pid:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Handler:
    """A running upload handler, and what its rounds took."""

    def __init__(self, name: str, command: list) -> None:
        self.name = name
        # A folder of its own: processes of one user share the server of a folder.
        self.folder = tempfile.TemporaryDirectory()
        environment = {**os.environ, "TMPDIR": self.folder.name}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        self.port, self.server = (int(word) for word in self.process.stdout.readline().split())
        self.wall, self.own, self.all = [], [], []

    def post(self, number: int, photo: bytes) -> None:
        head = b'--cut\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        kind = {"Content-Type": "multipart/form-data; boundary=cut"}
        connection.request("POST", f"/photos/{number}", head + photo + b"\r\n--cut--\r\n", kind)
        response = connection.getresponse()
        told = response.read()
        assert response.status == 200 and b"1280" in told, told
        connection.close()

    def round(self, uploads: list, *, counts: bool) -> None:
        own, server, began = cpu(self.process.pid), cpu(self.server), time.perf_counter()
        threads = [threading.Thread(target=self.post, args=pair) for pair in enumerate(uploads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if counts:
            self.wall.append(time.perf_counter() - began)
            self.own.append(cpu(self.process.pid) - own)
            self.all.append(self.own[-1] + cpu(self.server) - server)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


def main() -> None:
    uploads = photos(Path(sys.argv[1]))
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 15
    with tempfile.TemporaryDirectory() as folder:
        node = ["node", ROOT / "clients/js/examples/serve.js"]
        python = [sys.executable, Path(__file__).with_name("serve.py")]
        handlers = [
            Handler("Express, sharp", [*node, "express_sharp", folder]),
            Handler("Express, local()", [*node, "express_upload", folder]),
            Handler("Flask, Pillow", [*python, "flask_pillow", folder]),
            Handler("Flask, imgsrv.local()", [*python, "flask_upload", folder]),
        ]
        try:
            for number in range(rounds + 2):
                for handler in handlers:
                    handler.round(uploads, counts=number >= 2)
        finally:
            for handler in handlers:
                handler.stop()
    sizes = ", ".join(f"{len(photo) / 1e6:.1f}" for photo in uploads)
    print(f"three JPEGs of {SIDES[0]}x{SIDES[1]} ({sizes} MB) to 320, 640 and 1280, {rounds} rounds, {os.cpu_count()} cores\n")
    print("| handler | wall, median | of its twin | CPU of the application | of its twin | CPU in all |")
    print("|---|---|---|---|---|---|")
    for twin, handler in zip(handlers[:1] * 2 + handlers[2:3] * 2, handlers):
        # CPU is counted in ticks of 10 ms: the mean of all rounds is finer than their median.
        wall, own, both = statistics.median(handler.wall), statistics.fmean(handler.own), statistics.fmean(handler.all)
        of_wall, of_own = wall / statistics.median(twin.wall), own / statistics.fmean(twin.own)
        print(
            f"| {handler.name} | {wall * 1e3:.0f} ms | {of_wall:.2f} | {own * 1e3:.0f} ms | {of_own:.2f} | {both * 1e3:.0f} ms |"
        )


if __name__ == "__main__":
    main()
