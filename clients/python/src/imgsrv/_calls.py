"""The calls of the API, without I/O: each is a generator that yields what to do and gets the outcome.

`Client` and `AsyncClient` run the same generators, so that they differ in sockets alone.
"""

from __future__ import annotations

import json
import os
import random
import ssl
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import IO, Any, Optional, TypeVar, Union
from urllib.parse import quote

from ._errors import Broken, Busy, ImgsrvError, Unreachable, refusal
from ._http import Address, Request, Response, request
from ._options import query_of
from ._report import Report, Result, Task

#: what can be sent: the bytes of a file, a path object, or an open file
Image = Union[bytes, bytearray, memoryview, "os.PathLike[str]", IO[bytes]]

#: longest pause that a server may ask for, in seconds
_LONGEST_PAUSE = 30.0


@dataclass(frozen=True)
class Exchange:
    """Send this request and return its response."""

    request: Request


@dataclass(frozen=True)
class Pause:
    """Wait for so many seconds."""

    seconds: float


T = TypeVar("T")
Call = Generator[Union[Exchange, Pause], Optional[Response], T]


def bytes_of(image: Image) -> bytes:
    """Reads an image as it was given."""
    if isinstance(image, bytes):
        return image
    if isinstance(image, (bytearray, memoryview)):
        return bytes(image)
    if isinstance(image, os.PathLike):
        with open(image, "rb") as file:
            return file.read()
    if hasattr(image, "read"):
        data = image.read()
        if isinstance(data, bytes):
            return data
    raise TypeError(f"an image cannot be of type {type(image).__name__}: give bytes, a Path or a file open for 'rb'")


class Calls:
    """The calls, for one server."""

    def __init__(
        self,
        server: str,
        *,
        token: Optional[str] = None,
        tls: Union[bool, str, ssl.SSLContext] = False,
        timeout: float = 60.0,
        retries: int = 3,
        backoff: float = 0.1,
    ) -> None:
        self.address = Address.parse(server, tls)
        self.timeout = timeout
        self._retries = retries
        self._backoff = backoff
        self._headers = {"User-Agent": "imgsrv-python"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def _send(self, method: str, target: str, body: bytes = b"", *, is_idempotent: bool = True) -> Call[Response]:
        """Sends a request, again where that may help. A refusal is an exception."""
        made = request(self.address, method, target, body, self._headers, is_idempotent=is_idempotent)
        for tried in range(self._retries + 1):
            least = 0.0
            try:
                response = yield Exchange(made)
                assert response is not None
                if response.code < 400:
                    return response
                raise refusal(response.code, response.body)
            except Busy as busy:
                failure: ImgsrvError = busy
                least = min((busy.retry_after_ms or 0) / 1000, _LONGEST_PAUSE)
            except Unreachable as unreachable:
                failure = unreachable
            except Broken as broken:
                if not is_idempotent:
                    raise
                failure = broken
            if tried == self._retries:
                raise failure
            yield Pause(max(least, self._backoff * 2**tried * random.uniform(0.5, 1.0)))
        raise AssertionError("unreachable")

    def image(self, route: str, image: Image, options: Any) -> Call[Result]:
        return _result((yield from self._send("POST", route + query_of(options), bytes_of(image))))

    def info(self, image: Image) -> Call[dict[str, Any]]:
        return _object((yield from self._send("POST", "/info", bytes_of(image))))

    def submit(self, image: Image, options: Any) -> Call[Task]:
        target = "/upload" + query_of(options)
        answer = yield from self._send("POST", target, bytes_of(image), is_idempotent=False)
        return Task.of_json({"status": "queued", **_object(answer)})

    def task(self, id: str) -> Call[Task]:
        return Task.of_json(_object((yield from self._send("GET", f"/status/{quote(id, safe='')}"))))

    def wait(self, id: str, timeout: Optional[float]) -> Call[Task]:
        until = None if timeout is None else time.monotonic() + timeout
        pause = 0.02
        while True:
            task = yield from self.task(id)
            if task.is_finished:
                return task
            if until is not None and time.monotonic() + pause > until:
                raise TimeoutError(f"task {id} is {task.status} after {timeout} s")
            yield Pause(pause)
            pause = min(pause * 1.5, 1.0)

    def result(self, id: str) -> Call[Result]:
        return _result((yield from self._send("GET", f"/result/{quote(id, safe='')}")))

    def cancel(self, id: str) -> Call[Task]:
        return Task.of_json(_object((yield from self._send("DELETE", f"/status/{quote(id, safe='')}"))))

    def page(self, after: Optional[str], limit: Optional[int]) -> Call[tuple[list[Task], Optional[str]]]:
        target = "/tasks" + query_of({"after": after, "limit": limit})
        told = _object((yield from self._send("GET", target)))
        return [Task.of_json(one) for one in told["tasks"]], told.get("next")

    def health(self) -> Call[bool]:
        try:
            yield from self._send("GET", "/health")
        except ImgsrvError:
            return False
        return True


def _result(response: Response) -> Result:
    return Result(response.body, Report.of_headers(response.headers), response.headers.get("content-type", ""))


def _object(response: Response) -> dict[str, Any]:
    told = json.loads(response.body)
    if not isinstance(told, dict):
        raise Broken("the answer is no JSON object: is this an imgsrv server?")
    return told
