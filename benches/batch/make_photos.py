"""Makes a folder of camera photos: different crops of a few real ones, in several qualities."""

import random
from pathlib import Path

from PIL import Image, ImageOps

LEAST_SIDE = 1000
"""Shortest side of a source photo in pixels."""


def make(photos: Path, folder: Path, count: int) -> None:
    """Writes `count` JPEG files, the same at every call. Keeps a folder that already has them."""
    folder.mkdir(parents=True, exist_ok=True)
    if len(list(folder.glob("*.jpg"))) == count:
        return
    for old in folder.iterdir():
        old.unlink()
    chance = random.Random(200)
    originals = [upright(path) for path in sorted(photos.glob("*.jpg"))]
    originals = [photo for photo in originals if min(photo.size) >= LEAST_SIDE]
    for i in range(count):
        photo = originals[i % len(originals)]
        width, height = (round(side * chance.uniform(0.6, 1)) for side in photo.size)
        left, top = chance.randint(0, photo.width - width), chance.randint(0, photo.height - height)
        photo.crop((left, top, left + width, top + height)).save(
            folder / f"photo-{i:03}.jpg",
            quality=chance.choice([80, 85, 90, 93, 95]),
            subsampling=chance.choice(["4:2:0", "4:2:0", "4:2:2", "4:4:4"]),
            progressive=chance.random() < 0.1,
        )


def upright(path: Path) -> Image.Image:
    photo = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    photo.info.clear()
    return photo
