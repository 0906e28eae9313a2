#!/usr/bin/env python3
"""Sends every image of a corpus to a running server with the plain protocol, one request a connection and then many
on one, and counts the JPEGs.

    python3 tests/corpus_client.py CORPUS --server 127.0.0.1:65432

CORPUS/INDEX.tsv names each file and the verdict of two other readers: both_ok, both_err or split."""
import argparse
import collections
import pathlib
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))
from client import resize  # noqa: E402

FORMATS = {"jpeg", "png", "webp", "gif", "bmp", "tiff", "qoi", "pnm", "ico"}


def is_jpeg(data, width, height):
    """Returns true if the bytes are a JPEG of that size by its first frame header."""
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 < len(data):
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])[0]
        if marker in (0xC0, 0xC1, 0xC2):
            return struct.unpack(">HH", data[at + 5 : at + 9]) == (height, width) and data[-2:] == b"\xff\xd9"
        at += 2 + length
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("--server", default="127.0.0.1:65432")
    args = parser.parse_args()
    host, port = args.server.rsplit(":", 1)
    connect = lambda: socket.create_connection((host.strip("[]"), int(port)), timeout=60)  # noqa: E731
    counts, failed, slow = collections.Counter(), [], []
    rows = [line.split("\t") for line in (args.corpus / "INDEX.tsv").read_text().splitlines()[1:]]
    for name, _, verdict in rows:
        image = (args.corpus / name).read_bytes()
        started = time.monotonic()
        try:
            with connect() as sock:
                ok = is_jpeg(resize(sock, image, 32, 24), 32, 24)
        except ConnectionError:
            ok = False
        if time.monotonic() - started > 2:
            slow.append(name)
        enabled = "enabled" if name.split("/")[1] in FORMATS else "other"
        counts[verdict, enabled, ok] += 1
        if verdict == "both_ok" and enabled == "enabled" and not ok:
            failed.append(name)
    good = [name for name, _, verdict in rows if verdict == "both_ok" and name.split("/")[1] in FORMATS]
    with connect() as sock:  # many on one connection; a refusal ends it, so only those that succeeded alone
        again = sum(is_jpeg(resize(sock, (args.corpus / name).read_bytes(), 32, 24), 32, 24)
                    for name in good if name not in set(failed))
    for key, count in sorted(counts.items()):
        print("%-9s %-8s %s %d" % (key[0], key[1], "jpeg   " if key[2] else "refused", count))
    print(f"both_ok in an enabled format: {len(good) - len(failed)} of {len(good)}; {again} again on one connection")
    print("slower than 2 s:", slow or "none")
    print("\n".join(f"refused: {name}" for name in failed))
    return 0 if len(failed) <= 0.01 * len(good) and again == len(good) - len(failed) else 1


if __name__ == "__main__":
    sys.exit(main())
