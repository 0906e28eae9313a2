#!/usr/bin/env python3
"""Resizes images over one WebSocket, in parallel; needs the package 'websockets'.

    ws_client.py width=320 format=webp --out small --images *.jpg
"""
import asyncio
import json
import pathlib
import sys
import urllib.parse

import websockets

from arguments import headers, pairs, parser


async def resize(server, options, images, out):
    failed = 0
    address = "ws" + server.removeprefix("http") + "/ws"  # wss:// for https://
    async with websockets.connect(address, additional_headers=headers(), max_size=None) as socket:

        async def send():
            for number, image in enumerate(images):
                await socket.send(urllib.parse.urlencode({**options, "id": number}))
                await socket.send(image.read_bytes())

        sending = asyncio.create_task(send())  # results arrive meanwhile; a client that does not read is not sent more
        for _ in images:
            report = json.loads(await socket.recv())
            while report["id"] is None:  # options that were refused
                print(report["message"], file=sys.stderr)
                report = json.loads(await socket.recv())
            image = images[int(report["id"])]
            if report["type"] == "error":
                failed += 1
                print(f"{image}: {report['message']}", file=sys.stderr)
                continue
            result = await socket.recv()  # the frame after a report is its result
            assert len(result) == report["bytes"]
            path = out / f"{image.stem}.{report['format']}"
            path.write_bytes(result)
            print(f"{image} -> {path}: {report['width']}x{report['height']}, {report['bytes']} bytes")
        await sending
    return failed


def main():
    arguments = parser(__doc__)
    arguments.add_argument("options", nargs="*", metavar="KEY=VALUE")
    arguments.add_argument("--images", nargs="+", type=pathlib.Path, required=True)
    arguments.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    arguments = arguments.parse_args()
    failed = asyncio.run(resize(arguments.server, pairs(arguments.options), arguments.images, arguments.out))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
