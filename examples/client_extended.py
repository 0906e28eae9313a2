#!/usr/bin/env python3
"""An extended client, standard library only: options in, a report and the image out.

    python3 client_extended.py photo.jpg out.webp width=800 format=webp quality=80 [--server 127.0.0.1:65432]

Wire form: as the plain client's, but with bit 31 of the size set and, before the image, a 4-byte length
and form-encoded options. The answer is a size (bit 31 set: a message instead of an image), a report length,
the form-encoded report, and the image."""
import argparse
import socket
import struct
import sys
from urllib.parse import parse_qsl, urlencode

from client import receive

EXTENDED = FAILED = 1 << 31


def request(sock, image, options):
    """One request on an open connection; returns (report, payload). The payload is a message when
    report['status'] is not 'ok'."""
    encoded = urlencode(options).encode()
    sock.sendall(struct.pack("!IIII", len(image) | EXTENDED, 0, 0, len(encoded)) + encoded + image)
    size, report_size = struct.unpack("!II", receive(sock, 8))
    report = dict(parse_qsl(receive(sock, report_size).decode()))
    return report, receive(sock, size & ~FAILED)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image")
    parser.add_argument("output")
    parser.add_argument("option", nargs="*", help="key=value")
    parser.add_argument("--server", default="127.0.0.1:65432")
    args = parser.parse_args()
    host, port = args.server.rsplit(":", 1)
    with open(args.image, "rb") as file:
        image = file.read()
    with socket.create_connection((host.strip("[]"), int(port)), timeout=60) as sock:
        report, payload = request(sock, image, dict(option.split("=", 1) for option in args.option))
    print(" ".join(f"{key}={value}" for key, value in report.items()))
    if report["status"] != "ok":
        print(f"{args.image}: {payload.decode()}", file=sys.stderr)
        return 1
    with open(args.output, "wb") as file:
        file.write(payload)
    return 0


if __name__ == "__main__":
    sys.exit(main())
