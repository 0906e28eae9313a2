"""What the server tells: the report of a result, the state of a task."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from typing import Any, Mapping, Optional, Union


@dataclass(frozen=True)
class Report:
    """Facts about a result and its source; None where they are not known."""

    width: Optional[int] = None
    height: Optional[int] = None
    format: Optional[str] = None
    #: quality that it was encoded with; None where nothing was encoded
    quality: Optional[int] = None
    source_width: Optional[int] = None
    source_height: Optional[int] = None
    source_format: Optional[str] = None
    source_bytes: Optional[int] = None
    #: milliseconds by stage
    queue_ms: Optional[float] = None
    decode_ms: Optional[float] = None
    resize_ms: Optional[float] = None
    encode_ms: Optional[float] = None
    #: encodes that `max_bytes` or `target` took
    tries: Optional[int] = None
    #: SSIMULACRA2 score, where it was measured
    score: Optional[float] = None
    #: words for what was lost or changed
    warnings: tuple[str, ...] = ()
    id: Optional[str] = None
    etag: Optional[str] = None

    @staticmethod
    def of_headers(headers: Mapping[str, str]) -> Report:
        def number(name: str) -> Optional[int]:
            return int(headers[name]) if name in headers else None

        stages = dict(part.strip().split(";dur=", 1) for part in headers.get("server-timing", "").split(",") if part)

        def stage(name: str) -> Optional[float]:
            return float(stages[name]) if name in stages else None

        score = headers.get("x-result-score")
        warnings = headers.get("x-result-warnings", "")
        return Report(
            width=number("x-result-width"),
            height=number("x-result-height"),
            format=headers.get("x-result-format"),
            quality=number("x-result-quality"),
            source_width=number("x-origin-width"),
            source_height=number("x-origin-height"),
            source_format=headers.get("x-origin-format"),
            source_bytes=number("x-origin-bytes"),
            queue_ms=stage("queue"),
            decode_ms=stage("decode"),
            resize_ms=stage("resize"),
            encode_ms=stage("encode"),
            tries=number("x-result-tries"),
            score=float(score) if score is not None else None,
            warnings=tuple(warnings.split(",")) if warnings else (),
            id=headers.get("x-request-id"),
            etag=headers.get("etag"),
        )


@dataclass(frozen=True)
class Result:
    """A picture, with its report. `bytes(result)` is the file."""

    data: bytes = field(repr=False)
    report: Report
    #: such as `image/webp`
    content_type: str

    @property
    def width(self) -> Optional[int]:
        """Width in pixels."""
        return self.report.width

    @property
    def height(self) -> Optional[int]:
        """Height in pixels."""
        return self.report.height

    @property
    def format(self) -> Optional[str]:
        """Name of the format, such as `jpeg`."""
        return self.report.format

    def __bytes__(self) -> bytes:
        return self.data

    def __len__(self) -> int:
        return len(self.data)

    def save(self, path: Union[str, os.PathLike[str]]) -> None:
        """Writes the file."""
        with open(path, "wb") as file:
            file.write(self.data)


@dataclass(frozen=True)
class Task:
    """The state of work that outlives its request."""

    id: str
    #: queued, processing, done, failed or cancelled
    status: str
    submitted: Optional[str] = None
    started: Optional[str] = None
    finished: Optional[str] = None
    #: place in the queue, 1 is next
    position: Optional[int] = None
    step: Optional[str] = None
    #: percent of the steps
    progress: Optional[int] = None
    source_bytes: Optional[int] = None
    result_bytes: Optional[int] = None
    width: Optional[int] = None
    height: Optional[int] = None
    format: Optional[str] = None
    quality: Optional[int] = None
    #: word, number and text of a failure, as `Refused` has them
    error: Optional[str] = None
    code: Optional[int] = None
    message: Optional[str] = None

    @property
    def is_finished(self) -> bool:
        """True if the state does not change any more."""
        return self.status in ("done", "failed", "cancelled")

    @staticmethod
    def of_json(told: Mapping[str, Any]) -> Task:
        known = {one.name for one in fields(Task)}
        return Task(id=told["task_id"], **{key: value for key, value in told.items() if key in known - {"id"}})
