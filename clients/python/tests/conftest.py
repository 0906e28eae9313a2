"""A real server for each module, and pictures."""

import io
import os
import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image

import imgsrv

ROOT = Path(__file__).parents[3]


def program() -> str:
    """The server: $IMGSRV_PROGRAM, or the build of this repository."""
    named = os.environ.get("IMGSRV_PROGRAM")
    builds = [Path(named)] if named else [ROOT / "target" / kind / "imgsrv" for kind in ("release", "debug")]
    for build in builds:
        if build.exists():
            return str(build)
    if os.environ.get("CI"):
        pytest.fail("no server: build it, or set IMGSRV_PROGRAM")
    pytest.skip("no server: build it, or set IMGSRV_PROGRAM")


class Server:
    """A running server on free ports."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [program(), "--bind=127.0.0.1:0", "--http=127.0.0.1:0", "--quiet", *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "IMGSRV_DATA_DIR": "none"},
        )
        lines = [self.process.stdout.readline() for _ in range(2)]
        self.http, self.tcp = (re.search(r"on (\S+)", line).group(1) for line in lines)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(f"--data-dir={tmp_path_factory.mktemp('tasks')}") as running:
        yield running


@pytest.fixture(scope="module")
def client(server):
    with imgsrv.Client(server.http) as client:
        yield client


def picture(width: int = 640, height: int = 480, format: str = "JPEG") -> bytes:
    """A picture with gradients."""
    image = Image.radial_gradient("L").resize((width, height))
    image = Image.merge("RGB", [image, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), image])
    file = io.BytesIO()
    image.save(file, format, **({"quality": 92} if format == "JPEG" else {}))
    return file.getvalue()


def size(data: bytes) -> tuple:
    """Format and size by another decoder."""
    image = Image.open(io.BytesIO(bytes(data)))
    image.load()
    return image.format, image.size


@pytest.fixture(scope="session")
def photo() -> bytes:
    return picture()
