"""An upload handler of Flask: three sizes of each photo, worked outside of this process. flask_pillow.py is its twin."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flask import Flask, jsonify, request

import imgsrv

SIZES = (320, 640, 1280)

images = imgsrv.local()  # shared among the workers of gunicorn; or imgsrv.Client("imgsrv.internal:8080")
pool = ThreadPoolExecutor(max_workers=8)  # the threads only wait


def create_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 32 << 20

    @app.post("/photos/<name>")
    def upload(name: str):
        photo = request.files["photo"].read()
        try:
            results = list(pool.map(lambda width: images.thumbnail(photo, width=width, quality=80), SIZES))
        except (imgsrv.Unsupported, imgsrv.Damaged, imgsrv.TooLarge) as refused:
            return jsonify(error=str(refused)), 422
        for width, result in zip(SIZES, results):
            result.save(folder / f"{Path(name).name}-{width}.jpg")
        return jsonify(widths=[result.width for result in results])

    return app
