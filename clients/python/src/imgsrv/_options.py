"""The options of a picture as keyword arguments, and their text for the server."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, Literal, TypedDict, Union
from urllib.parse import urlencode

if sys.version_info >= (3, 11):
    from typing import Unpack as Unpack
else:
    # Only type checkers look into it: annotations are not evaluated.
    class Unpack:
        def __class_getitem__(cls, item: Any) -> Any:
            return item


class Options(TypedDict, total=False):
    """Every option; docs/options.md tells what each does. One that is None is not sent."""

    width: Union[int, None]
    height: Union[int, None]
    scale: Union[float, None]
    fit: Union[Literal["fill", "cover", "contain", "inside", "outside"], None]
    #: a word such as `north` or `smart`, or a focal point (x, y) from 0 to 1
    gravity: Union[str, tuple[float, float], None]
    enlarge: Union[bool, None]
    #: x, y, width, height within the upright picture
    crop: Union[tuple[int, int, int, int], str, None]
    rotate: Union[Literal["auto", 0, 90, 180, 270], None]
    flip: Union[bool, None]
    flop: Union[bool, None]
    kernel: Union[Literal["lanczos3", "catmullrom", "mitchell", "bilinear", "box", "nearest"], None]
    speed: Union[Literal["normal", "fast"], None]
    linear: Union[bool, None]
    #: #rrggbb or #rrggbbaa
    background: Union[str, None]
    #: jpeg, png, webp, gif, tiff, bmp, qoi, source or auto
    format: Union[str, None]
    quality: Union[int, str, None]
    progressive: Union[bool, None]
    subsampling: Union[Literal["auto", "444", "422", "420"], None]
    effort: Union[Literal["fast", "balanced", "smallest"], None]
    lossless: Union[bool, None]
    dither: Union[bool, None]
    #: bytes, or a text such as 200k
    max_bytes: Union[int, str, None]
    allow_smaller: Union[bool, None]
    target: Union[float, None]
    passthrough: Union[bool, None]
    metadata: Union[Literal["strip", "copyright", "keep"], None]
    icc: Union[Literal["srgb", "keep", "ignore"], None]
    strict: Union[bool, None]
    #: of an animation: all, first, a number from 0, or a range such as 2-9
    frames: Union[int, str, None]
    #: operations in order, such as ["grayscale", "blur:2"]
    ops: Union[Iterable[str], str, None]
    #: a preset of the server, from which the other options start
    preset: Union[str, None]
    #: echoed in the report and the log
    id: Union[str, None]
    #: give up after so many milliseconds
    deadline_ms: Union[int, None]


def query_of(options: Any) -> str:
    """The options as a query string, with its question mark; empty without any."""
    pairs = [(name, _text(value)) for name, value in options.items() if value is not None]
    return "?" + urlencode(pairs) if pairs else ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, Iterable):
        return ",".join(_text(one) for one in value)
    raise TypeError(f"an option cannot be {value!r}: give a text, a number, true or false, or a list of them")
