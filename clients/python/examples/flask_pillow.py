"""The twin of flask_upload.py with Pillow: the decoders run in the application's own process."""

import io
from pathlib import Path

from flask import Flask, jsonify, request
from PIL import Image, ImageOps, UnidentifiedImageError

SIZES = (320, 640, 1280)


def create_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 32 << 20

    @app.post("/photos/<name>")
    def upload(name: str):
        widths = []
        try:
            with Image.open(io.BytesIO(request.files["photo"].read())) as image:
                image.draft("RGB", (2 * SIZES[-1], 2 * SIZES[-1]))  # libjpeg may decode it smaller
                upright = ImageOps.exif_transpose(image).convert("RGB")
        except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as refused:
            return jsonify(error=str(refused)), 422
        for width in SIZES:
            small = upright.copy()
            small.thumbnail((width, upright.height), Image.Resampling.LANCZOS)
            small.save(folder / f"{Path(name).name}-{width}.jpg", quality=80)
            widths.append(small.width)
        return jsonify(widths=widths)

    return app
