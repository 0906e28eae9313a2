"""`local()`: a server of the application's own, on Unix sockets in a private folder.

Processes of one user with the same program and settings share one server, such as the workers of gunicorn. The server's
standard input is a FIFO whose other end each process holds: it stops with the last of them, also after kill -9. The
server's lock beside its socket decides which of two that start at once stays.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Iterator, Optional, Union

from ._async import AsyncClient
from ._client import Client
from ._errors import LocalError

#: seconds that a server may take to start
_PATIENCE = 10.0

Setting = Union[str, int, float, bool]


def local(program: Optional[str] = None, *, timeout: float = 60.0, retries: int = 3, **settings: Setting) -> LocalClient:
    """Starts a server, or joins the one that this user's processes share, and returns a client of it.

    `program` is the path of `imgsrv`; without one it is `$IMGSRV_PROGRAM`, the one that the package carries, or the one
    on the PATH. `settings` are those of the server, such as `workers=4` or `max_body="64MiB"`.
    """
    return LocalClient(LocalServer(program, settings), timeout, retries)


def async_local(
    program: Optional[str] = None, *, timeout: float = 60.0, retries: int = 3, **settings: Setting
) -> AsyncLocalClient:
    """The same for asyncio."""
    return AsyncLocalClient(LocalServer(program, settings), timeout, retries)


class LocalServer:
    """A running program, its private folder, and the hold that this process has on it."""

    def __init__(self, program: Optional[str], settings: dict[str, Setting]) -> None:
        if not hasattr(os, "mkfifo"):
            raise LocalError("this system has no Unix sockets: start imgsrv as a service and use Client")
        self._program = find_program(program)
        self._arguments = _arguments(settings)
        self._folder = _private_folder(self._program, self._arguments)
        self._lock = threading.Lock()
        self._child: Optional[subprocess.Popen[bytes]] = None
        self._life: Optional[int] = self._open_life()
        self.token = self._shared_token()
        self.revive()

    @property
    def address(self) -> str:
        """Address of its HTTP listener."""
        return f"unix:{self._folder / 'http'}"

    @property
    def tcp_address(self) -> str:
        """Address of its TCP listener, for `imgcli --server`."""
        return f"unix:{self._folder / 'tcp'}"

    @property
    def pid(self) -> Optional[int]:
        """The process, if this one started it."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def close(self) -> None:
        """Lets go of the server, which stops once nobody holds it."""
        with self._lock:
            if self._life is not None:
                os.close(self._life)
                self._life = None

    def revive(self) -> None:
        """Starts the program unless it answers. Returns once it does.

        Raises LocalError with the end of its log if it does not.
        """
        with self._lock:
            if self._life is None:
                raise LocalError("this local server was closed")
            until = time.monotonic() + _PATIENCE
            while not self._answers():
                if self._child is None or self._child.poll() is not None:
                    failed = self._child is not None and self._child.returncode not in (None, 0)
                    if failed and time.monotonic() > until - _PATIENCE + 1.0:
                        # It ended by itself, and no other server took its place.
                        raise LocalError(f"{self._program} does not start: {self._log_end()}")
                    self._start()
                if time.monotonic() > until:
                    raise LocalError(f"{self._program} does not answer within {_PATIENCE} s: {self._log_end()}")
                time.sleep(0.02)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(_PATIENCE)
            try:
                probe.connect(str(self._folder / "http"))
            except (FileNotFoundError, ConnectionRefusedError):
                return False
        return True

    def _start(self) -> None:
        # The read end must be open for the server before it starts; the write end is ours.
        stdin = os.open(self._folder / "life", os.O_RDONLY | os.O_NONBLOCK)
        try:
            os.set_blocking(stdin, True)
            with open(self._folder / "log", "wb") as log:
                self._child = subprocess.Popen(
                    [
                        self._program,
                        f"--bind={self.tcp_address}",
                        f"--http={self.address}",
                        f"--token-file={self._folder / 'token'}",
                        "--stop-at-eof",
                        "--quiet",
                        *self._arguments,
                    ],
                    stdin=stdin,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,  # an interrupt at the terminal is for the application, which may still need it
                )
        except OSError as error:
            raise LocalError(f"cannot start {self._program}: {error}") from error
        finally:
            os.close(stdin)

    def _open_life(self) -> int:
        life = self._folder / "life"
        try:
            os.mkfifo(life, 0o600)
        except FileExistsError:
            pass
        # A FIFO can be opened for writing only while somebody reads.
        reader = os.open(life, os.O_RDONLY | os.O_NONBLOCK)
        try:
            return os.open(life, os.O_WRONLY)
        finally:
            os.close(reader)

    def _shared_token(self) -> str:
        """The token of the folder; the first process makes it, whole before it has its name."""
        path = self._folder / "token"
        if not path.exists():
            new = self._folder / f"token.{os.getpid()}.{secrets.token_hex(4)}"
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(f"local:{secrets.token_hex(32)}\n")
            try:
                os.link(new, path)
            except FileExistsError:
                pass
            new.unlink()
        return path.read_text().strip().split(":", 1)[1]

    def _log_end(self) -> str:
        try:
            return (self._folder / "log").read_text(errors="replace")[-500:].strip() or "its log is empty"
        except OSError as error:
            return str(error)


class LocalClient(Client):
    """A client whose server is started again when it has died."""

    def __init__(self, server: LocalServer, timeout: float, retries: int) -> None:
        super().__init__(server.address, token=server.token, timeout=timeout, retries=retries, _revive=server.revive)
        self.server = server

    def close(self) -> None:
        """Closes the connections and lets go of the server, which stops once nobody holds it."""
        super().close()
        self.server.close()

    def __enter__(self) -> LocalClient:
        return self


class AsyncLocalClient(AsyncClient):
    """An asynchronous client whose server is started again when it has died."""

    def __init__(self, server: LocalServer, timeout: float, retries: int) -> None:
        super().__init__(server.address, token=server.token, timeout=timeout, retries=retries, _revive=server.revive)
        self.server = server

    async def close(self) -> None:
        """Closes the connections and lets go of the server, which stops once nobody holds it."""
        await super().close()
        self.server.close()

    async def __aenter__(self) -> AsyncLocalClient:
        return self

    async def __aexit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.close()


def carried_programs() -> Iterator[str]:
    """Places of the program that the package carries: the scripts of this environment, of the user, of pip's --target."""
    yield os.path.join(sysconfig.get_path("scripts"), "imgsrv")
    user = "osx_framework_user" if sys.platform == "darwin" else f"{os.name}_user"
    yield os.path.join(sysconfig.get_path("scripts", user), "imgsrv")
    yield str(Path(__file__).parents[1] / "bin" / "imgsrv")


def is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def find_program(program: Optional[str] = None) -> str:
    """The path of the server's program."""
    named = program or os.environ.get("IMGSRV_PROGRAM")
    if named is not None:
        found = shutil.which(named)
    else:
        found = next(filter(is_program, carried_programs()), None) or shutil.which("imgsrv")
    if found is None:
        raise LocalError(
            f"no program {named or 'imgsrv'}: put imgsrv on the PATH, or name it by program= or IMGSRV_PROGRAM"
        )
    return os.path.realpath(found)


def _arguments(settings: dict[str, Setting]) -> list[str]:
    ours = {"data_dir": "none", "per_ip": 2048}  # without tasks, and all callers come from one address
    merged: dict[str, Any] = {**ours, **settings}
    refused = merged.keys() & {"bind", "http", "token_file"}
    if refused:
        raise ValueError(f"local() sets {', '.join(sorted(refused))} itself")

    def text(value: Setting) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    return [f"--{name.replace('_', '-')}={text(value)}" for name, value in sorted(merged.items())]


def _private_folder(program: str, arguments: list[str]) -> Path:
    """A folder of this user alone, the same for equal programs and settings."""
    facts = os.stat(program)
    # A program that was replaced is another one.
    key = "\0".join([program, str(facts.st_mtime_ns), str(facts.st_size), *arguments])
    parent = Path(tempfile.gettempdir()) / f"imgsrv-{os.getuid()}"
    folder = parent / hashlib.sha256(key.encode()).hexdigest()[:16]
    for one in (parent, folder):
        try:
            one.mkdir(mode=0o700)
        except FileExistsError:
            pass
        found = one.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise LocalError(f"{one} is not a private folder of this user: remove it")
    return folder
