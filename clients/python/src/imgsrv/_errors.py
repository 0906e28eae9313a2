"""Errors, by who has to act."""

from __future__ import annotations

import json
from typing import Optional


class ImgsrvError(Exception):
    """Any failure of a call."""


class Unreachable(ImgsrvError, ConnectionError):
    """Nothing answers at the address: the server is not running, or the address is wrong."""


class Broken(ImgsrvError, ConnectionError):
    """The connection ended or took too long before the whole answer came."""


class LocalError(ImgsrvError):
    """The program of `local()` is missing or does not start."""


class Refused(ImgsrvError):
    """The server's refusal. Its subclasses tell who has to act."""

    def __init__(
        self, message: str, *, status: str, code: int, id: Optional[str] = None, retry_after_ms: Optional[int] = None
    ) -> None:
        super().__init__(message)
        #: word of the refusal, such as `too_large`
        self.status = status
        #: HTTP status
        self.code = code
        #: id of the request, as in the server's log
        self.id = id
        #: milliseconds after which trying again may help
        self.retry_after_ms = retry_after_ms


class BadRequest(Refused, ValueError):
    """An option that does not exist, or a value that it does not take."""


class Unauthorized(Refused):
    """The token is missing or wrong."""


class Forbidden(Refused):
    """The caller may not do this."""


class NotFound(Refused, LookupError):
    """No such task, or one of another owner."""


class NotReady(Refused):
    """The task is not done yet."""


class TooLarge(Refused):
    """More bytes or pixels than the server takes."""


class Unsupported(Refused):
    """Not an image, or of a format that the server lacks."""


class Damaged(Refused):
    """An image whose data is broken."""


class Busy(Refused):
    """The server has no room now; see `retry_after_ms`."""


class TimedOut(Refused, TimeoutError):
    """A deadline passed within the server."""


class StorageFull(Refused):
    """The server has no room on disk for a task."""


class InternalError(Refused):
    """A defect of the server."""


_BY_STATUS = {
    "bad_request": BadRequest,
    "unauthorized": Unauthorized,
    "not_found": NotFound,
    "too_large": TooLarge,
    "unsupported": Unsupported,
    "damaged": Damaged,
    "busy": Busy,
    "timeout": TimedOut,
    "storage_full": StorageFull,
    "internal": InternalError,
}
_BY_CODE = {403: Forbidden, 404: NotFound, 409: NotReady, 429: Busy}


def refusal(code: int, body: bytes) -> Refused:
    """Makes the error of an answer that is not a success."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        told = {"status": "internal", "message": f"HTTP {code}: {body[:200].decode('utf-8', 'replace')}"}
    status = str(told.get("status", "internal"))
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, Refused)
    return kind(
        str(told.get("message", status)),
        status=status,
        code=code,
        id=told.get("id"),
        retry_after_ms=told.get("retry_after_ms"),
    )
