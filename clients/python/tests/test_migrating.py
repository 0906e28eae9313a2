"""Each line of docs/migrating.md for Pillow and imaginary: both sides run and their results are alike."""

import http.client
import io
import re
from pathlib import Path

import pytest
from conftest import picture
from PIL import Image, ImageChops, ImageFilter, ImageOps, ImageStat

TABLES = Path(__file__).parents[3] / "docs" / "migrating.md"

#: most that two results may differ, as the mean of all samples: what codecs, filters and rounding make of a picture
MOST = 6.0


def rows(heading: str) -> list:
    text = TABLES.read_text()
    section = text.split(f"## {heading}\n", 1)[1].split("\n## ")[0]
    found = re.findall(r"^\| ([^|]+) \| `([^|]+)` \| `([^|]+)` \|$", section, re.MULTILINE)
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(found) == len(lines), "a line of the table does not have the form of the others"
    return found


def as_image(value) -> Image.Image:
    image = Image.open(io.BytesIO(value)) if isinstance(value, bytes) else value
    return image.convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def compare(theirs, ours, untouched=None) -> None:
    theirs, ours = as_image(theirs), as_image(ours)
    # Sides that follow from the other may be rounded up or down.
    assert all(abs(a - b) <= 1 for a, b in zip(theirs.size, ours.size)), (theirs.size, ours.size)
    if theirs.size != ours.size:
        ours = ours.resize(theirs.size)
    differ = difference(theirs, ours)
    assert differ <= MOST, f"the results differ by {differ:.1f}"
    if untouched is not None:
        assert differ < difference(theirs, as_image(untouched)) / 2, "the operation has no effect"


def detailed() -> bytes:
    """A picture whose checks and specks every filter changes."""
    smooth = Image.open(io.BytesIO(picture(400, 300, "PNG")))
    checks = Image.linear_gradient("L").resize((400, 300)).point(lambda v: 0)
    checks.putdata([40 * ((x // 8 + y // 8) % 2) + 100 * (x % 9 == y % 7 == 0) for y in range(300) for x in range(400)])
    file = io.BytesIO()
    ImageChops.add(smooth.point(lambda v: v * 0.7), Image.merge("RGB", [checks] * 3)).save(file, "JPEG", quality=98, subsampling=0)
    return file.getvalue()


PILLOW = rows("From Pillow")
IMAGINARY = rows("From imaginary")


@pytest.mark.parametrize("what, theirs, ours", PILLOW, ids=[what for what, *_ in PILLOW])
def test_pillow(client, what, theirs, ours):
    photo, out = detailed(), io.BytesIO()
    im = Image.open(io.BytesIO(photo))
    names = {"Image": Image, "ImageFilter": ImageFilter, "ImageOps": ImageOps, "im": im, "io": io, "out": out}
    expected = eval(theirs, names)
    result = eval(ours, {"images": client, "photo": photo})
    if isinstance(expected, (int, str)):
        assert result == expected
    elif out.tell():
        compare(out.getvalue(), result.data)
        assert Image.open(out).format.lower() == result.format
    else:
        compare(im if expected is None else expected, result.data, photo if "ops=" in ours else None)


@pytest.mark.parametrize("what, theirs, ours", IMAGINARY, ids=[what for what, *_ in IMAGINARY])
def test_imaginary(server, what, theirs, ours):
    photo = picture(400, 300)

    def ask(target: str):
        connection = http.client.HTTPConnection(server.http)
        connection.request("POST", target, photo)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        assert response.status == 200, body
        return response.headers["content-type"], body

    assert ask(theirs) == ask(ours)
