"""HTTP/1.1 without sockets: addresses, the bytes of a request, and the parser of an answer."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Mapping, Optional, Union
from urllib.parse import urlsplit

#: most bytes of the head of an answer
_MAX_HEAD = 64 << 10


@dataclass(frozen=True)
class Address:
    """Where the server is: a path of a Unix socket, or a host and port."""

    path: Optional[str]
    host: str
    port: int
    #: value of the Host field
    authority: str
    tls: Optional[ssl.SSLContext]
    #: as it was given, for messages
    text: str

    @staticmethod
    def parse(text: str, tls: Union[bool, str, ssl.SSLContext]) -> Address:
        if text.startswith("unix:"):
            return Address(text[5:], "", 0, "imgsrv", None, text)
        url = urlsplit(text if "://" in text else f"//{text}", scheme="https" if tls else "http")
        if url.scheme not in ("http", "https") or not url.hostname or url.path not in ("", "/"):
            raise ValueError(f"{text!r} is no address: give host:port, http(s)://host:port or unix:PATH")
        secure = url.scheme == "https"
        port = url.port or (443 if secure else 80 if "://" in text else 8080)
        context = _context(tls) if secure else None
        host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
        return Address(None, url.hostname, port, f"{host}:{port}", context, text)


def _context(tls: Union[bool, str, ssl.SSLContext]) -> ssl.SSLContext:
    if isinstance(tls, ssl.SSLContext):
        return tls
    return ssl.create_default_context(cafile=tls if isinstance(tls, str) else None)


@dataclass(frozen=True)
class Request:
    """One request; its body is sent as it is."""

    head: bytes
    body: bytes
    #: True if sending it twice changes nothing
    is_idempotent: bool


def request(
    address: Address, method: str, target: str, body: bytes, headers: Mapping[str, str], *, is_idempotent: bool = True
) -> Request:
    """Makes a request of its parts."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {address.authority}"]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if any(sign in line for line in lines for sign in "\r\n\0"):
        raise ValueError("a header or path has a line break")
    return Request(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), body, is_idempotent)


@dataclass(frozen=True)
class Response:
    """A whole answer; names of headers in lower case."""

    code: int
    headers: Mapping[str, str]
    body: bytes
    #: True if another request may follow on the connection
    keeps_alive: bool


class MalformedAnswer(Exception):
    """The peer does not speak HTTP."""


class ResponseParser:
    """Collects the bytes of one answer. Feed it what arrives, and b"" at the end of the stream."""

    def __init__(self) -> None:
        self.response: Optional[Response] = None
        self._buffer = bytearray()
        self._code = 0
        self._headers: dict[str, str] = {}
        #: bytes of the body; None for chunks; -1 up to the end of the stream
        self._length: Optional[int] = -1
        self._has_head = False
        self._body = bytearray()

    def feed(self, data: bytes) -> None:
        """Takes bytes. Sets `response` once it is whole."""
        self._buffer += data
        while not self._has_head:
            if not self._take_head():
                if not data:
                    raise MalformedAnswer("the server closed the connection without an answer")
                return
        if self._length is None:
            self._take_chunks()
        elif self._length >= 0 and len(self._buffer) >= self._length:
            self._finish(bytes(self._buffer[: self._length]), len(self._buffer) == self._length)
        if not data and self.response is None:
            if self._length != -1:
                raise MalformedAnswer("the server closed the connection within its answer")
            self._finish(bytes(self._buffer), False)

    def _take_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_HEAD or (len(self._buffer) >= 5 and self._buffer[:5] != b"HTTP/"):
                raise MalformedAnswer("the answer is not HTTP: is this the TCP port?")
            return False
        status, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        version, _, rest = status.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise MalformedAnswer(f"the answer is not HTTP: {status[:80]!r}")
        self._code = int(rest[:3])
        if 100 <= self._code < 200:
            return self._take_head()
        self._headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            self._headers[name.strip().lower()] = value.strip()
        if self._code in (204, 304):
            self._length = 0
        elif "chunked" in self._headers.get("transfer-encoding", "").lower():
            self._length = None
        elif "content-length" in self._headers:
            self._length = int(self._headers["content-length"])
        self._has_head = True
        return True

    def _take_chunks(self) -> None:
        while True:
            end = self._buffer.find(b"\r\n")
            if end < 0:
                return
            try:
                size = int(self._buffer[:end].split(b";")[0], 16)
            except ValueError:
                raise MalformedAnswer("a chunk of the answer has no length") from None
            if len(self._buffer) < end + 2 + size + 2:
                return
            self._body += self._buffer[end + 2 : end + 2 + size]
            del self._buffer[: end + 2 + size + 2]
            if size == 0:
                return self._finish(bytes(self._body), not self._buffer)

    def _finish(self, body: bytes, is_clean: bool) -> None:
        keeps_alive = is_clean and self._headers.get("connection", "").lower() != "close"
        self.response = Response(self._code, self._headers, body, keeps_alive)
