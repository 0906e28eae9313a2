"""`AsyncClient`: the calls of `Client` for asyncio."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Optional, TypeVar, Union

from ._calls import Call, Calls, Exchange, Image
from ._errors import Broken, Unreachable
from ._http import MalformedAnswer, Request, Response, ResponseParser
from ._options import Options, Unpack
from ._report import Result, Task

T = TypeVar("T")

_READ = 256 << 10

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class AsyncClient:
    """Calls to one server from one event loop; arguments as of `Client`."""

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
        self._idle: list[_Connection] = []
        self._owner = os.getpid()

    async def resize(self, image: Image, **options: Unpack[Options]) -> Result:
        """Resizes, crops, turns and converts, as the options say."""
        return await self._run(self._calls.image("/resize", image, options))

    async def crop(self, image: Image, **options: Unpack[Options]) -> Result:
        """Fills the box and cuts off the rest: `resize` with fit="cover"."""
        return await self._run(self._calls.image("/crop", image, options))

    async def thumbnail(self, image: Image, **options: Unpack[Options]) -> Result:
        """Fits within the box, never larger than the source: `resize` with fit="inside"."""
        return await self._run(self._calls.image("/thumbnail", image, options))

    async def convert(self, image: Image, **options: Unpack[Options]) -> Result:
        """Converts to another format, which has to be named."""
        return await self._run(self._calls.image("/convert", image, options))

    async def info(self, image: Image) -> dict[str, Any]:
        """Facts about an image, from its header: format, size, orientation, profile, metadata."""
        return await self._run(self._calls.info(image))

    async def submit(self, image: Image, **options: Unpack[Options]) -> Task:
        """Hands in work that outlives the request and any crash of the server."""
        return await self._run(self._calls.submit(image, options))

    async def task(self, id: str) -> Task:
        """The state of a task."""
        return await self._run(self._calls.task(id))

    async def wait(self, id: str, timeout: Optional[float] = None) -> Task:
        """Waits until a task is done, failed or cancelled; TimeoutError after `timeout` seconds."""
        return await self._run(self._calls.wait(id, timeout))

    async def result(self, id: str) -> Result:
        """The result of a task that is done. A failed task raises its failure."""
        return await self._run(self._calls.result(id))

    async def cancel(self, id: str) -> Task:
        """Cancels a task, or deletes its result."""
        return await self._run(self._calls.cancel(id))

    async def tasks(self, *, limit: Optional[int] = None) -> AsyncIterator[Task]:
        """The tasks of the caller, oldest first, page by page of `limit`."""
        after: Optional[str] = None
        while True:
            page, after = await self._run(self._calls.page(after, limit))
            for task in page:
                yield task
            if after is None:
                return

    async def health(self) -> bool:
        """True if the server answers."""
        return await self._run(self._calls.health())

    async def close(self) -> None:
        """Closes the connections. The next call opens new ones."""
        idle, self._idle = self._idle, []
        for _, writer in idle:
            writer.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.close()

    async def _run(self, call: Call[T]) -> T:
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
                    outcome = await self._exchange(step.request)
                else:
                    await asyncio.sleep(step.seconds)
            except (Unreachable, Broken) as error:
                failure = error

    async def _exchange(self, request: Request) -> Response:
        if self._owner != os.getpid():
            # A fork shares its connections with its parent: each must have its own.
            self._idle, self._owner = [], os.getpid()
        # The server may have closed a kept connection, and a loss does not tell what it has read.
        if self._idle and request.is_idempotent:
            try:
                return await self._exchange_on(self._idle.pop(), request)
            except Broken as broken:
                if isinstance(broken.__cause__, asyncio.TimeoutError):
                    raise
        return await self._exchange_on(await self._connect(), request)

    async def _exchange_on(self, connection: _Connection, request: Request) -> Response:
        reader, writer = connection
        try:
            response = await asyncio.wait_for(_converse(reader, writer, request), self._calls.timeout)
        except (OSError, MalformedAnswer, asyncio.TimeoutError) as error:
            writer.close()
            why = str(error) or f"no answer within {self._calls.timeout} s"
            raise Broken(f"the connection to {self._calls.address.text} failed: {why}") from error
        except BaseException:
            writer.close()
            raise
        if response.keeps_alive:
            self._idle.append(connection)
        else:
            writer.close()
        return response

    async def _connect(self) -> _Connection:
        try:
            return await self._open()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            if self._revive is None:
                raise self._unreachable(error) from error
        except (OSError, asyncio.TimeoutError) as error:
            raise self._unreachable(error) from error
        await asyncio.get_running_loop().run_in_executor(None, self._revive)
        try:
            return await self._open()
        except (OSError, asyncio.TimeoutError) as error:
            raise self._unreachable(error) from error

    async def _open(self) -> _Connection:
        address = self._calls.address
        if address.path is not None:
            opening = asyncio.open_unix_connection(address.path, limit=_READ)
        else:
            opening = asyncio.open_connection(address.host, address.port, ssl=address.tls, limit=_READ)
        return await asyncio.wait_for(opening, self._calls.timeout)

    def _unreachable(self, error: BaseException) -> Unreachable:
        return Unreachable(f"cannot connect to {self._calls.address.text}: {error}")


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> Response:
    parser = ResponseParser()
    try:
        writer.write(request.head)
        writer.write(request.body)
        await writer.drain()
    except (BrokenPipeError, ConnectionResetError):
        pass  # a server that refuses may close early: its answer says more
    while parser.response is None:
        parser.feed(await reader.read(_READ))
    return parser.response
