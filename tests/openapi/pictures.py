"""A picture, and what another program says of a result."""

import io

from PIL import Image


def picture(width: int = 320, height: int = 240) -> bytes:
    image = Image.radial_gradient("L").resize((width, height)).convert("RGB")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def size(data: bytes) -> tuple:
    image = Image.open(io.BytesIO(bytes(data)))
    image.load()
    return image.format, image.size
