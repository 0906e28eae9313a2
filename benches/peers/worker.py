"""A peer in Python; standard input has the number of repeats of its task.

    worker.py MODE TASK

MODE is library:way, TASK a JSON object (source, width, height, format, quality, result). Each line of standard
input is a number of repeats; each is answered by a JSON list of wall times in ms. Everything is bytes to bytes
in memory, on one thread, each library with its fastest and its most faithful settings as separate modes.
"""

import io
import json
import sys
import time
from pathlib import Path


def pillow(way, task):
    from PIL import Image

    size = task["width"], task["height"]
    options = {"format": task["format"].upper(), "quality": task["quality"]}

    def run(data):
        image = Image.open(io.BytesIO(data))
        box = None
        if way == "draft":  # the strongest DCT scaling that still leaves enough pixels
            drafted = image.draft(None, size)
            box = drafted and drafted[1]
        image = image.resize(size, Image.Resampling.LANCZOS, box=box)
        if image.mode != "RGB":
            image = image.convert("RGB")
        encoded = io.BytesIO()
        image.save(encoded, **options)
        return encoded.getvalue()

    return run


def opencv(way, task):
    import cv2
    import numpy
    from PIL import Image

    cv2.setNumThreads(1)
    size = task["width"], task["height"]
    extension, key = {
        "jpeg": (".jpg", cv2.IMWRITE_JPEG_QUALITY),
        "webp": (".webp", cv2.IMWRITE_WEBP_QUALITY),
    }[task["format"]]
    flag = cv2.IMREAD_COLOR
    if way == "reduced" and task["source"].endswith(".jpg"):
        width, height = Image.open(task["source"]).size
        scales = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
        fitting = [scale for scale in scales if width // scale >= size[0] and height // scale >= size[1]]
        flag = scales[max(fitting)] if fitting else flag

    def run(data):
        image = cv2.imdecode(numpy.frombuffer(data, numpy.uint8), flag)
        if image.shape[1::-1] != size:
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return cv2.imencode(extension, image, [key, task["quality"]])[1].tobytes()

    return run


def turbo(_way, task):
    """libjpeg-turbo at the best n/8 that leaves enough pixels, OpenCV's area filter, libjpeg-turbo."""
    import cv2
    import simplejpeg

    cv2.setNumThreads(1)
    size = task["width"], task["height"]

    def run(data):
        image = simplejpeg.decode_jpeg(data, "RGB", min_width=size[0], min_height=size[1], min_factor=1)
        if image.shape[1::-1] != size:
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return simplejpeg.encode_jpeg(image, quality=task["quality"], colorspace="RGB", colorsubsampling="420")

    return run


def vips(way, task):
    import pyvips

    pyvips.cache_set_max(0)
    width, height, quality = task["width"], task["height"], task["quality"]

    def save(image, optimise):
        if task["format"] == "webp":
            return image.webpsave_buffer(Q=quality, keep="none")
        return image.jpegsave_buffer(Q=quality, keep="none", optimize_coding=optimise)

    def thumbnail(data):
        return save(pyvips.Image.thumbnail_buffer(data, width, height=height, size="force"), optimise=False)

    def imgproxy(data):
        """The steps of imgproxy 4 with its defaults: shrink on load, Lanczos3, optimised Huffman codes."""
        image = pyvips.Image.new_from_buffer(data, "", access="sequential")
        loader, shrink = image.get("vips-loader"), min(image.width / width, image.height / height)
        power = max(scale for scale in (1, 2, 4, 8) if scale <= max(shrink, 1))
        if loader.startswith("jpeg") and power > 1:
            image = pyvips.Image.jpegload_buffer(data, access="sequential", shrink=power)
        elif loader.startswith("webp") and shrink > 1:
            image = pyvips.Image.webpload_buffer(data, access="sequential", scale=1 / shrink)
        if (image.width, image.height) != (width, height):
            image = image.resize(width / image.width, vscale=height / image.height)
        return save(image, optimise=True)

    return {"thumbnail": thumbnail, "imgproxy": imgproxy}[way]


def main():
    library, _, way = sys.argv[1].partition(":")
    task = json.loads(sys.argv[2])
    run = {"pillow": pillow, "opencv": opencv, "turbo": turbo, "vips": vips}[library](way, task)
    data = Path(task["source"]).read_bytes()
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            started = time.perf_counter()
            result = run(data)
            times.append((time.perf_counter() - started) * 1e3)
        Path(task["result"]).write_bytes(result)
        print(json.dumps(times), flush=True)


main()
