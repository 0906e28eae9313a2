"""Resizes every photo of a folder into a box, with Pillow on all cores: pillow_folder.py FROM TO WIDTH HEIGHT QUALITY."""

import multiprocessing
import sys
from functools import partial
from pathlib import Path

from PIL import Image, ImageOps


def shrink(to: Path, box: tuple[int, int], quality: int, path: Path) -> None:
    with Image.open(path) as image:
        image.thumbnail(box, Image.Resampling.LANCZOS)
        ImageOps.exif_transpose(image).convert("RGB").save(to / path.name, quality=quality)


if __name__ == "__main__":
    source, to, width, height, quality = sys.argv[1:]
    work = partial(shrink, Path(to), (int(width), int(height)), int(quality))
    with multiprocessing.Pool() as pool:
        for _ in pool.imap_unordered(work, sorted(Path(source).glob("*.jpg"))):
            pass
