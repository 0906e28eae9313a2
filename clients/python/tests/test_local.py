"""Local mode: a server that lives and dies with the processes that use it."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from conftest import program

import imgsrv

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no Unix sockets here")


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Private folders below a folder of the test, and the program of this build."""
    # The path of a socket has at most 107 bytes.
    short = Path(tempfile.mkdtemp(dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(short))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("IMGSRV_PROGRAM", program())
    yield short
    shutil.rmtree(short)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def await_end(pid: int) -> None:
    until = time.monotonic() + 30
    while is_alive(pid):
        assert time.monotonic() < until, f"process {pid} goes on"
        time.sleep(0.02)


def test_it_starts_serves_and_stops(started, photo):
    with imgsrv.local(workers=1, max_body="1MiB") as client:
        pid = client.server.pid
        assert client.resize(photo, width=32).width == 32
        with pytest.raises(imgsrv.TooLarge):
            client.resize(bytes(2 << 20), width=5)
        for path in started.glob("imgsrv-*"), started.glob("imgsrv-*/*"), started.glob("imgsrv-*/*/*"):
            assert all(stat.S_IMODE(one.lstat().st_mode) & 0o077 == 0 or one.name == "log" for one in path)
        with pytest.raises(imgsrv.Unauthorized):
            imgsrv.Client(client.server.address).resize(photo, width=5)
    await_end(pid)
    with pytest.raises(imgsrv.LocalError):
        client.resize(photo, width=5)


def test_it_is_started_again_when_it_dies(started, photo):
    with imgsrv.local() as client:
        first = client.server.pid
        assert client.resize(photo, width=32).width == 32
        os.kill(first, signal.SIGKILL)
        assert client.resize(photo, width=33).width == 33
        assert client.server.pid not in (None, first)


def test_it_stops_with_its_parent_even_after_kill_9(started):
    code = "import imgsrv, time\nc = imgsrv.local()\nprint(c.server.pid, flush=True)\ntime.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
    await_end(pid)


def test_processes_share_one_and_it_stops_with_the_last(started):
    code = (
        "import imgsrv, sys\n"
        "c = imgsrv.local()\n"
        "assert c.health()\n"
        "print(c.server.pid or 0, flush=True)\n"
        "sys.stdin.read()\n"
        "assert c.health()\n"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for worker in workers:
        worker.stdout.readline()
    # All answer now; the losers of the race have ended.
    programs = servers_of(started)
    assert len(programs) == 1
    for worker in workers[:-1]:
        worker.kill()
        worker.communicate()
    assert is_alive(programs[0])
    workers[-1].communicate("")
    assert workers[-1].returncode == 0
    await_end(programs[0])


def servers_of(folder: Path) -> list:
    """Living servers whose sockets are in the folder."""
    time.sleep(0.3)
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if f"--http=unix:{folder}".encode() in line and is_alive(int(entry.name)):
                found.append(int(entry.name))
    return found


def test_a_fork_keeps_it_alive(started, photo):
    client = imgsrv.local()
    pid = client.server.pid
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(writing)
            os.read(reading, 1)  # the parent has let go
            code = 0 if client.resize(photo, width=9).width == 9 else 1
        finally:
            os._exit(code)
    client.close()
    os.close(reading), os.close(writing)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    await_end(pid)


def test_other_settings_are_another_server(started):
    with imgsrv.local(workers=1) as one, imgsrv.local(workers=2) as other:
        assert one.server.address != other.server.address and one.server.pid != other.server.pid


def test_asyncio(started, photo):
    async def main():
        async with imgsrv.async_local() as client:
            assert (await client.resize(photo, width=32)).width == 32
            os.kill(client.server.pid, signal.SIGKILL)
            assert (await client.resize(photo, width=33)).width == 33
            return client.server.pid

    await_end(asyncio.run(main()))


def test_mistakes_are_told(started, monkeypatch):
    with pytest.raises(imgsrv.LocalError, match="unknown|unexpected"):
        imgsrv.local(wrkers=1)
    with pytest.raises(ValueError):
        imgsrv.local(bind="127.0.0.1:1")
    with pytest.raises(imgsrv.LocalError, match="no program"):
        imgsrv.local("/no/such/imgsrv")
    monkeypatch.delenv("IMGSRV_PROGRAM")
    monkeypatch.setenv("PATH", str(Path(program()).parent))
    imgsrv.local().close()
    folder = next(started.glob("imgsrv-*"))
    folder.chmod(0o755)
    with pytest.raises(imgsrv.LocalError, match="private"):
        imgsrv.local()
