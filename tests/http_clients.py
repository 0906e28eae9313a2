#!/usr/bin/env python3
"""Real HTTP clients against the real server, in the clear and under TLS: requests, aiohttp, httpx (HTTP/2), curl.

    python3 tests/http_clients.py target/release/imgsrv

Installs the clients into a virtual environment of its own under target/.
"""
import asyncio
import shutil
import subprocess

from clients import PHOTO, main, opened

PACKAGES = ["requests", "aiohttp", "httpx[http2]"]


def size(image):
    return opened(image).size


def with_requests(url, photo):
    import requests

    session = requests.Session()
    answer = session.post(url + "/resize", params={"width": 160}, data=photo)
    assert answer.status_code == 200 and size(answer.content) == (160, 120), answer.headers
    answer = session.post(url + "/resize?width=160", data=photo, headers={"If-None-Match": answer.headers["ETag"]})
    assert answer.status_code == 304, answer.status_code
    answer = session.post(url + "/resize", files={"image": ("a.png", photo, "image/png")}, data={"width": "80"})
    assert size(answer.content) == (80, 60)
    answer = session.post(url + "/resize", data=iter([photo[:1000], photo[1000:]]), params={"height": 30})
    assert size(answer.content) == (40, 30), "chunked"
    answer = session.post(url + "/info", data=photo)
    assert (answer.json()["width"], answer.json()["format"]) == (1600, "png"), answer.text
    answer = session.post(url + "/resize?width=x", data=photo)
    assert answer.status_code == 400 and answer.json()["status"] == "bad_request"


async def with_aiohttp(url, photo):
    import aiohttp

    async with aiohttp.ClientSession() as session:

        async def one(width):
            async with session.post(f"{url}/resize?width={width}", data=photo) as answer:
                return answer.status, size(await answer.read())

        widths = range(40, 200, 20)
        answers = await asyncio.gather(*map(one, widths))
        assert answers == [(200, (width, round(width * 3 / 4))) for width in widths], answers
        form = aiohttp.FormData()
        form.add_field("file", photo, filename='a"b.png')
        async with session.post(url + "/thumbnail?width=100&height=100", data=form) as answer:
            assert size(await answer.read()) == (100, 75)


def with_http2(url, photo):
    import httpx

    with httpx.Client(http1=False, http2=True) as client:
        for width in (100, 200):
            answer = client.post(f"{url}/resize?width={width}", content=photo)
            assert answer.http_version == "HTTP/2" and size(answer.content)[0] == width


def with_curl(url, photo_path):
    if not shutil.which("curl"):
        print("skipped: curl is not installed")
        return

    def curl(*arguments):
        return subprocess.run(["curl", "-sS", "--fail-with-body", *arguments], capture_output=True, check=True).stdout

    assert size(curl("--data-binary", f"@{photo_path}", url + "/resize?width=100")) == (100, 75)
    assert size(curl("-F", f"image=@{photo_path}", url + "/resize?width=100")) == (100, 75)
    assert size(curl("-T", str(photo_path), "-X", "POST", url + "/pipeline/grayscale,blur:2?width=60")) == (60, 45)
    assert curl(url + "/health") == b"ok\n"
    assert b"imgsrv_requests_total" in curl(url + "/metrics")
    assert b"before" in curl(url + "/")
    version = b"HTTP/2" if url.startswith("https") else b"HTTP/1.1"  # whoever can, speaks it under TLS
    head = curl("-I", url + "/health")
    assert head.startswith(version + b" 200"), head


def serve(url):
    photo = PHOTO.read_bytes()
    with_requests(url, photo)
    asyncio.run(with_aiohttp(url, photo))
    with_http2(url, photo)
    with_curl(url, PHOTO)
    print(f"requests, aiohttp, httpx over HTTP/2 and curl are served at {url}")


if __name__ == "__main__":
    main(__file__, PACKAGES, serve)
