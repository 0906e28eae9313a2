"""PNG, WebP and 4:4:4 twins of the phone photo, without profile or EXIF, and a tile of it: derive.py PHOTOS FOLDER."""

import sys
from pathlib import Path

from PIL import Image

photos, folder = map(Path, sys.argv[1:])
folder.mkdir(exist_ok=True)
photo = Image.open(photos / "phone_4032x3024.jpg").convert("RGB")
photo.info.clear()


def save(image, name, **options):
    if not (folder / name).exists():
        image.save(folder / name, **options)


save(photo, "phone_4032x3024.png")
save(photo, "phone_4032x3024_q80.webp", quality=80)
save(photo, "phone_4032x3024_444.jpg", quality=90, subsampling=0)
save(photo.crop((1984, 1480, 2048, 1544)), "tile_64x64.jpg", quality=85)
