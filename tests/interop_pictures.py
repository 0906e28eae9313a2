"""Compares our pictures with Pillow's, file by file: turned upright, colour profile applied.

usage: interop_pictures.py SOURCES RESULTS KNOWN

SOURCES holds files of any format, RESULTS the PNG that imgcli made of each (`--name '{dir}/{name}.png'`), KNOWN the files
that may differ, with the reason. What Pillow or imgcli does not read is left out. A mean difference of more than two
levels is printed, and fails the run unless KNOWN has the file.
"""

import io
import multiprocessing
import pathlib
import sys
import warnings

import numpy
from PIL import Image, ImageCms, ImageFile, ImageOps

LEVELS = 2
SRGB = ImageCms.createProfile("sRGB")


def converted(image):
    """Applies the profile as lcms does, with black-point compensation; an unusable one is ignored."""
    profile = image.info.get("icc_profile")
    spaces = {"RGB": b"RGB ", "RGBA": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}
    if not profile or spaces.get(image.mode) != profile[16:20]:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
        return ImageCms.profileToProfile(image, source, SRGB, outputMode=mode, flags=flags) or image
    except ImageCms.PyCMSError:
        return image


def samples(image, signed=False):
    """Returns straight RGBA of 8 bits; the colour of clear pixels is black."""
    if image.mode in ("I;16", "I;16B", "I;16L"):
        wide = numpy.asarray(image).astype(numpy.float64)
        image = Image.fromarray((wide / 257 + 0.5).astype(numpy.uint8))
    elif image.mode == "I":
        wide = numpy.asarray(image).astype(numpy.float64)
        wide += 32768 if signed else 0
        image = Image.fromarray((numpy.clip(wide, 0, 65535) / 257 + 0.5).astype(numpy.uint8))
    elif image.mode == "F":
        wide = numpy.asarray(image).astype(numpy.float64)
        largest = numpy.nanmax(wide) if wide.size else 0
        white = 1 if largest <= 16 else 255 if largest <= 255 else 65535
        image = Image.fromarray((numpy.clip(numpy.nan_to_num(wide) / white, 0, 1) * 255 + 0.5).astype(numpy.uint8))
    rgba = numpy.asarray(image.convert("RGBA")).astype(numpy.float64)
    rgba[..., :3] *= rgba[..., 3:] / 255
    return rgba


def difference(job):
    source, result = job
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with Image.open(source) as image:
            image.load()
            signed = getattr(image, "tag_v2", {}).get(339) == (2,)
            theirs = samples(converted(ImageOps.exif_transpose(image)), signed)
        with Image.open(result) as image:
            ours = samples(image)
    except Exception:  # whatever a decoder raises at an odd file
        return source, None
    if ours.shape != theirs.shape:
        return source, f"size {ours.shape[1]}x{ours.shape[0]}, Pillow {theirs.shape[1]}x{theirs.shape[0]}"
    mean = float(numpy.abs(ours - theirs).mean())
    return source, mean


def main():
    sources, results, known = map(pathlib.Path, sys.argv[1:4])
    lines = [line for line in known.read_text().splitlines() if line and not line.startswith("#")]
    explained = dict(line.split("\t", 1) for line in lines)
    jobs = []
    for source in sorted(sources.rglob("*")):
        result = results / (str(source.relative_to(sources)) + ".png")
        if source.is_file() and result.is_file():
            jobs.append((source, result))
    compared, new = 0, []
    with multiprocessing.Pool() as pool:
        for source, found in pool.imap(difference, jobs, chunksize=8):
            if found is None:
                continue
            compared += 1
            if isinstance(found, str) or found > LEVELS:
                name = str(source.relative_to(sources))
                told = found if isinstance(found, str) else f"mean difference {found:.1f}"
                print(f"{name}\t{told}\t{explained.get(name, 'NEW')}")
                if name not in explained:
                    new.append(name)
    print(f"{compared} pictures compared with Pillow, {len(new)} differ without a reason in {known}")
    if compared < 100:
        sys.exit("too few pictures were compared")
    sys.exit(bool(new))


if __name__ == "__main__":
    main()
