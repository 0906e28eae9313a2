#!/usr/bin/env python3
"""Lets the client of the distributed image processing app (Streamlit, raw socket) work unchanged against imgsrv.

    streamlit_bridge.py --listen 127.0.0.1:55548 --server http://127.0.0.1:8080

The client sends, for each image of a batch, its bytes and MARK; it is answered ACK and sends the number of an operation as one
digit. END closes the batch. Then it takes each result: bytes and MARK, to which it answers ACK. BYE closes the connection.
"""
import argparse
import os
import socket
import socketserver
import sys
import time
import urllib.error
import urllib.request

MARK = b"###%Image_Sent%"
END = b"###%Image_End%"
BYE = b"Close_Connection"
ACK = b"I got the file"
OPERATIONS = {1: "edges", 2: "invert", 3: "corners", 4: "sift", 5: "denoise:10", 6: "erode", 7: "dilate", 8: "equalize"}
MAX_IMAGE = 32 << 20
MAX_BATCH = 256 << 20
# The client finds MARK only within one recv, so it must not arrive together with a part of the image.
PAUSE = 0.05


class Gone(Exception):
    """The client left, or broke the protocol."""


class Bridge(socketserver.BaseRequestHandler):
    """One connection: batches of images, one after another."""

    def setup(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()

    def handle(self):
        try:
            while True:
                for image, operation in self.batch():
                    self.give(process(self.server.imgsrv, image, operation))
        except (Gone, OSError) as reason:
            print(f"{self.client_address[0]}: closed: {reason}", file=sys.stderr)

    def batch(self):
        """Receives images and operations up to END."""
        jobs, size = [], 0
        while True:
            self.need(min(len(END), len(BYE)))
            if self.starts_with(END):
                return jobs
            if self.starts_with(BYE):
                raise Gone("by the client")
            image = self.until_mark()
            size += len(image)
            if size > MAX_BATCH:
                raise Gone(f"a batch of more than {MAX_BATCH} bytes")
            self.request.sendall(ACK)
            self.need(1)
            digit = self.take(1)
            if not digit.isdigit() or int(digit) not in OPERATIONS:
                raise Gone(f"operation {digit!r}, expected 1 to 8")
            jobs.append((image, OPERATIONS[int(digit)]))

    def starts_with(self, word):
        """Takes a word from the buffer, waiting for the rest of it."""
        if not word.startswith(self.buffer[: len(word)]):
            return False
        self.need(len(word))
        if not self.buffer.startswith(word):
            return False
        self.take(len(word))
        return True

    def until_mark(self):
        searched = 0
        while (place := self.buffer.find(MARK, searched)) < 0:
            searched = max(0, len(self.buffer) - len(MARK))
            if len(self.buffer) > MAX_IMAGE:
                raise Gone(f"an image of more than {MAX_IMAGE} bytes")
            self.receive()
        image = self.take(place)
        self.take(len(MARK))
        return image

    def give(self, result):
        self.request.sendall(result)
        time.sleep(PAUSE)
        self.request.sendall(MARK)
        self.need(len(ACK))
        if self.take(len(ACK)) != ACK:
            raise Gone("no acknowledgement of a result")

    def need(self, size):
        while len(self.buffer) < size:
            self.receive()

    def take(self, size):
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    def receive(self):
        data = self.request.recv(1 << 16)
        if not data:
            raise Gone("by the client")
        self.buffer += data


def process(imgsrv, image, operation):
    """The result as JPEG; the image itself if the server refuses it, because the client waits for one."""
    headers = {"Content-Type": "application/octet-stream"}
    if token := os.environ.get("IMGSRV_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"{imgsrv}/pipeline/{operation}?format=jpeg", image, headers, method="POST")
    for attempt in range(5):
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.read()
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace").strip()
            if error.code not in (429, 503) or attempt == 4:
                print(f"{operation}: given back unchanged: {said}", file=sys.stderr)
                return image
            time.sleep(float(error.headers.get("Retry-After") or 1))
    return image


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--listen", default="127.0.0.1:55548", help="address for the app's client; port 0 takes a free one")
    arguments.add_argument("--server", default="http://127.0.0.1:8080", help="address of imgsrv")
    arguments = arguments.parse_args()
    host, _, port = arguments.listen.rpartition(":")
    with Server((host, int(port)), Bridge) as server:
        server.imgsrv = arguments.server.rstrip("/")
        print(f"streamlit_bridge on {server.server_address[0]}:{server.server_address[1]}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
