#!/usr/bin/env python3
"""A plain client, standard library only: sends an image, saves the resized JPEG.

    python3 client.py photo.png [--width 800] [--height 600] [--server 127.0.0.1:65432]

Wire form: struct '!III' of image size, width and height, then the image. The answer is a 4-byte length
and that many bytes of JPEG; a length of 0 means that the server refused (its log says why)."""
import argparse
import os
import socket
import struct
import sys


def receive(sock, count):
    """Exactly `count` bytes, or ConnectionError."""
    data = bytearray()
    while len(data) < count:
        chunk = sock.recv(min(65536, count - len(data)))
        if not chunk:
            raise ConnectionError(f"the server closed after {len(data)} of {count} bytes")
        data += chunk
    return bytes(data)


def resize(sock, image, width, height):
    """One request on an open connection; returns JPEG bytes, or b'' when the server refuses."""
    sock.sendall(struct.pack("!III", len(image), width, height) + image)
    (size,) = struct.unpack("!I", receive(sock, 4))
    return receive(sock, size)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image_path", nargs="+")
    parser.add_argument("--width", type=int, default=800)
    parser.add_argument("--height", type=int, default=600)
    parser.add_argument("--server", default="127.0.0.1:65432")
    args = parser.parse_args()
    host, port = args.server.rsplit(":", 1)
    with socket.create_connection((host.strip("[]"), int(port)), timeout=60) as sock:
        for path in args.image_path:
            with open(path, "rb") as file:
                image = file.read()
            result = resize(sock, image, args.width, args.height)
            if not result:
                print(f"{path}: the server refused the image", file=sys.stderr)
                return 1
            folder, name = os.path.split(path)
            output = os.path.join(folder, f"processed_{os.path.splitext(name)[0]}.jpg")
            with open(output, "wb") as file:
                file.write(result)
            print(f"{path}: {len(image)} -> {len(result)} bytes, saved as {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
