#!/usr/bin/env python3
"""Real WebSocket and XML-RPC clients against the real server, in the clear and under TLS: websockets, aiohttp and
xmlrpc.client.

    python3 tests/socket_clients.py target/release/imgsrv

Installs the clients into a virtual environment of its own under target/.
"""
import asyncio
import base64
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import xmlrpc.client

from clients import PHOTO, ROOT, main, opened

PACKAGES = ["websockets", "aiohttp"]


def socket_at(url, path):
    """The address of a WebSocket: ws:// for http://, wss:// for https://."""
    return "ws" + url.removeprefix("http") + path


async def images_and_done(url, photo):
    """A program that sends all images, says 'done', and reads only then."""
    import websockets

    async with websockets.connect(socket_at(url, "/upload"), max_size=None) as socket:
        for _ in range(40):
            await socket.send(photo)
        await socket.send("done")
        results = [result async for result in socket]
    assert socket.close_code == 1000, socket.close_code
    assert len(results) == 40 and all(isinstance(result, bytes) for result in results), len(results)
    assert opened(results[-1]).size == (1600, 1200)


async def base64_and_gray(url, photo):
    """A program that sends a base64 text and shows the one that it gets."""
    import websockets

    async with websockets.connect(socket_at(url, "/"), max_size=None) as socket:
        for text in [base64.b64encode(photo).decode(), "data:image/png;base64," + base64.encodebytes(photo).decode()]:
            await socket.send(text)
            image = opened(base64.b64decode(await socket.recv()))
            assert (image.size, image.mode, image.format) == ((1600, 1200), "L", "JPEG"), image


async def reports_and_results(url, photo):
    """A larger photo than other servers' frames, fragments, pings, and many images at once."""
    import websockets

    from PIL import Image

    large = io.BytesIO()
    Image.effect_noise((2000, 1500), 90).save(large, "PNG")
    assert large.tell() > 1 << 20
    async with websockets.connect(socket_at(url, "/ws?format=webp&width=64"), max_size=None) as socket:
        await socket.send(large.getvalue())
        await socket.send([photo[:1000], photo[1000:5000], photo[5000:]])
        await (await socket.ping())
        seen = set()
        for _ in range(2):
            report = json.loads(await socket.recv())
            result = await socket.recv()
            assert report["type"] == "report" and report["bytes"] == len(result), report
            assert opened(result).size == (64, 48), report
            seen.add(report["id"])
        assert seen == {"1", "2"}, seen
        await socket.send(json.dumps({"width": 10, "format": "png", "mode": "sequential"}))
        for number in range(20):
            await socket.send(photo)
        for number in range(3, 23):
            assert json.loads(await socket.recv())["id"] == str(number)
            assert opened(await socket.recv()).format == "PNG"


async def with_aiohttp(url, photo):
    import aiohttp

    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{url}/ws", max_msg_size=0, compress=15) as socket:
            await socket.send_json({"width": 32, "id": "one"})
            await socket.send_bytes(photo)
            report = await socket.receive_json()
            assert (report["id"], report["width"]) == ("one", 32), report
            assert opened(await socket.receive_bytes()).size == (32, 24)
        try:
            await session.ws_connect(f"{url}/ws", origin="https://evil.example")
            sys.exit("a foreign page was let in")
        except aiohttp.WSServerHandshakeError as error:
            assert error.status == 403, error


def with_xmlrpc(url, photo):
    for path in ["/RPC2", "/"]:
        server = xmlrpc.client.ServerProxy(f"{url}{path}")
        text = base64.b64encode(photo)
        image = opened(base64.b64decode(server.preto_branco(text.decode())))
        assert (image.size, image.mode) == ((1600, 1200), "L"), image
        assert opened(server.preto_branco(xmlrpc.client.Binary(photo)).data).mode == "L"
        assert opened(base64.b64decode(server.preto_branco(text).data)).mode == "L", "bytes that are base64 already"
        answer = server.process(xmlrpc.client.Binary(photo), {"width": 40, "ops": ["invert"], "progressive": True})
        assert opened(answer["image"].data).size == (40, 30) and answer["report"]["source_width"] == 1600, answer
        assert "preto_branco" in server.system.listMethods()
        assert "gray" in server.system.methodHelp("preto_branco")
    for call, code in [(lambda: server.process("AAAA"), 415), (lambda: server.nothing(), 404)]:
        try:
            call()
            sys.exit("no fault")
        except xmlrpc.client.Fault as fault:
            assert fault.faultCode == code, fault


def examples(url, photo):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        images = [folder / f"{name}.png" for name in "abc"]
        for image in images:
            image.write_bytes(photo)
        (folder / "d.png").write_bytes(b"no image")
        client = [sys.executable, ROOT / "examples" / "ws_client.py", "width=20", "--server", url, "--out", folder]
        subprocess.run([*client, "--images", *images], check=True, stdout=subprocess.DEVNULL)
        assert all(opened((folder / f"{name}.jpeg").read_bytes()).size == (20, 15) for name in "abc")
        failed = subprocess.run([*client, "--images", folder / "d.png"], capture_output=True, text=True)
        assert failed.returncode == 1 and "this is no image" in failed.stderr, failed


def serve(url):
    photo = PHOTO.read_bytes()
    for check in [images_and_done, base64_and_gray, reports_and_results, with_aiohttp]:
        asyncio.run(asyncio.wait_for(check(url, photo), 300))
    with_xmlrpc(url, photo)
    examples(url, photo)
    print(f"websockets, aiohttp and xmlrpc.client are served at {url}")


if __name__ == "__main__":
    main(__file__, PACKAGES, serve)
