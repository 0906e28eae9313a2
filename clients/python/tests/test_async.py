"""The asyncio client against the real server."""

import asyncio

import pytest
from conftest import size
from test_client import BUSY, Scripted, answer

import imgsrv


def test_calls_run_side_by_side(server, photo):
    async def main():
        async with imgsrv.AsyncClient(server.http) as client:
            results = await asyncio.gather(*(client.resize(photo, width=width) for width in range(10, 40)))
            assert [size(result.data)[1][0] for result in results] == list(range(10, 40))
            assert (await client.info(photo))["width"] == 640
            with pytest.raises(imgsrv.BadRequest):
                await client.crop(photo, width=-1)
            assert size((await client.thumbnail(photo, width=9)).data)[1] == (9, 7)
            assert (await client.convert(photo, format="gif")).format == "gif"
            assert await client.health()

    asyncio.run(main())


def test_tasks(server, photo):
    async def main():
        async with imgsrv.AsyncClient(server.http) as client:
            task = await client.submit(photo, width=16)
            assert (await client.wait(task.id, timeout=30)).status == "done"
            assert (await client.task(task.id)).is_finished
            assert (await client.result(task.id)).width == 16
            assert task.id in [one.id async for one in client.tasks(limit=1)]
            assert (await client.cancel(task.id)).status == "cancelled"

    asyncio.run(main())


def test_busy_lost_and_gone():
    async def main():
        server = Scripted(answer(503, BUSY), b"", answer(200, b"x"))
        async with imgsrv.AsyncClient(server.address, backoff=0.001) as client:
            assert (await client.resize(b"i")).data == b"x"
        assert server.times[1] - server.times[0] >= 0.69
        server.listener.close()
        with pytest.raises(imgsrv.Unreachable):
            await imgsrv.AsyncClient(server.address, retries=0).resize(b"i")

    asyncio.run(main())


def test_a_cancelled_call_leaves_no_half_read_connection(server, photo):
    async def main():
        async with imgsrv.AsyncClient(server.http) as client:
            await client.resize(photo, width=8)
            call = asyncio.create_task(client.resize(photo, width=600, format="webp", effort="smallest"))
            await asyncio.sleep(0.005)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert (await client.resize(photo, width=12)).width == 12

    asyncio.run(main())
