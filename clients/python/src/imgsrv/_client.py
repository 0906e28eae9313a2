"""`Client`: blocking calls over kept connections. Threads may share one."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Optional, TypeVar, Union

from ._calls import Call, Calls, Exchange, Image
from ._errors import Broken, Unreachable
from ._http import MalformedAnswer, Request, Response, ResponseParser
from ._options import Options, Unpack
from ._report import Result, Task

T = TypeVar("T")

#: bytes of one read
_READ = 256 << 10


class Client:
    """Calls to one server: `host:port`, `http(s)://host:port`, or `unix:PATH`.

    `tls` is True for the authorities of this machine, the path of a PEM file of others, or an SSLContext. `timeout` is in
    seconds, for one try. A call is tried again up to `retries` times where the server is busy, gone or cut off, after at
    least the time that the server asks for.
    """

    def __init__(
        self,
        server: str = "127.0.0.1:8080",
        *,
        token: Optional[str] = None,
        tls: Union[bool, str, ssl.SSLContext] = False,
        timeout: float = 60.0,
        retries: int = 3,
        backoff: float = 0.1,
        _revive: Optional[Callable[[], None]] = None,
    ) -> None:
        self._calls = Calls(server, token=token, tls=tls, timeout=timeout, retries=retries, backoff=backoff)
        self._revive = _revive
        self._lock = threading.Lock()
        self._idle: list[socket.socket] = []
        self._owner = os.getpid()

    def resize(self, image: Image, **options: Unpack[Options]) -> Result:
        """Resizes, crops, turns and converts, as the options say."""
        return self._run(self._calls.image("/resize", image, options))

    def crop(self, image: Image, **options: Unpack[Options]) -> Result:
        """Fills the box and cuts off the rest: `resize` with fit="cover"."""
        return self._run(self._calls.image("/crop", image, options))

    def thumbnail(self, image: Image, **options: Unpack[Options]) -> Result:
        """Fits within the box, never larger than the source: `resize` with fit="inside"."""
        return self._run(self._calls.image("/thumbnail", image, options))

    def convert(self, image: Image, **options: Unpack[Options]) -> Result:
        """Converts to another format, which has to be named."""
        return self._run(self._calls.image("/convert", image, options))

    def info(self, image: Image) -> dict[str, Any]:
        """Facts about an image, from its header: format, size, orientation, profile, metadata."""
        return self._run(self._calls.info(image))

    def submit(self, image: Image, **options: Unpack[Options]) -> Task:
        """Hands in work that outlives the request and any crash of the server."""
        return self._run(self._calls.submit(image, options))

    def task(self, id: str) -> Task:
        """The state of a task."""
        return self._run(self._calls.task(id))

    def wait(self, id: str, timeout: Optional[float] = None) -> Task:
        """Waits until a task is done, failed or cancelled; TimeoutError after `timeout` seconds."""
        return self._run(self._calls.wait(id, timeout))

    def result(self, id: str) -> Result:
        """The result of a task that is done. A failed task raises its failure."""
        return self._run(self._calls.result(id))

    def cancel(self, id: str) -> Task:
        """Cancels a task, or deletes its result."""
        return self._run(self._calls.cancel(id))

    def tasks(self, *, limit: Optional[int] = None) -> Iterator[Task]:
        """The tasks of the caller, oldest first, page by page of `limit`."""
        after: Optional[str] = None
        while True:
            page, after = self._run(self._calls.page(after, limit))
            yield from page
            if after is None:
                return

    def health(self) -> bool:
        """True if the server answers."""
        return self._run(self._calls.health())

    def close(self) -> None:
        """Closes the connections. The next call opens new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def _run(self, call: Call[T]) -> T:
        outcome: Optional[Response] = None
        failure: Optional[Exception] = None
        while True:
            try:
                step = call.send(outcome) if failure is None else call.throw(failure)
            except StopIteration as end:
                done: T = end.value
                return done
            outcome, failure = None, None
            try:
                if isinstance(step, Exchange):
                    outcome = self._exchange(step.request)
                else:
                    time.sleep(step.seconds)
            except (Unreachable, Broken) as error:
                failure = error

    def _exchange(self, request: Request) -> Response:
        # The server may have closed a kept connection, and a loss does not tell what it has read.
        kept = self._take_idle() if request.is_idempotent else None
        if kept is not None:
            try:
                return self._exchange_on(kept, request)
            except Broken as broken:
                if isinstance(broken.__cause__, socket.timeout):
                    raise
        return self._exchange_on(self._connect(), request)

    def _exchange_on(self, connection: socket.socket, request: Request) -> Response:
        until = time.monotonic() + self._calls.timeout
        parser = ResponseParser()
        try:
            connection.settimeout(self._calls.timeout)
            try:
                connection.sendall(request.head)
                connection.sendall(request.body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # a server that refuses may close early: its answer says more
            while parser.response is None:
                connection.settimeout(max(until - time.monotonic(), 0.001))
                parser.feed(connection.recv(_READ))
        except (OSError, MalformedAnswer) as error:
            connection.close()
            raise Broken(f"the connection to {self._calls.address.text} failed: {error}") from error
        except BaseException:
            connection.close()
            raise
        if parser.response.keeps_alive:
            with self._lock:
                self._idle.append(connection)
        else:
            connection.close()
        return parser.response

    def _take_idle(self) -> Optional[socket.socket]:
        with self._lock:
            if self._owner != os.getpid():
                # A fork shares its connections with its parent: each must have its own.
                self._idle, self._owner = [], os.getpid()
            return self._idle.pop() if self._idle else None

    def _connect(self) -> socket.socket:
        try:
            return self._open()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            if self._revive is None:
                raise self._unreachable(error) from error
        except OSError as error:
            raise self._unreachable(error) from error
        self._revive()
        try:
            return self._open()
        except OSError as error:
            raise self._unreachable(error) from error

    def _open(self) -> socket.socket:
        address, timeout = self._calls.address, self._calls.timeout
        if address.path is not None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(timeout)
                connection.connect(address.path)
            except BaseException:
                connection.close()
                raise
            return connection
        connection = socket.create_connection((address.host, address.port), timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.tls is None:
            return connection
        try:
            return address.tls.wrap_socket(connection, server_hostname=address.host)
        except BaseException:
            connection.close()
            raise

    def _unreachable(self, error: OSError) -> Unreachable:
        return Unreachable(f"cannot connect to {self._calls.address.text}: {error}")
