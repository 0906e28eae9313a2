#!/usr/bin/env python3
"""examples/streamlit_bridge.py: the bytes of the app's client replayed, as it sends them and cut anywhere.

    python3 tests/streamlit_bridge.py target/release/imgsrv
"""
import socket
import subprocess
import sys
import urllib.request

from clients import PHOTO, ROOT, server

BUFFER = 4096
MARK, END, ACK = b"###%Image_Sent%", b"###%Image_End%", b"I got the file"
OPERATIONS = ["edges", "invert", "corners", "sift", "denoise:10", "erode", "dilate", "equalize"]


def expected(imgsrv, image, operation):
    request = urllib.request.Request(f"{imgsrv}/pipeline/{operation}?format=jpeg", image, method="POST")
    with urllib.request.urlopen(request) as response:
        return response.read()


class Client:
    """The steps of the app's client, with its buffer and its way to find the mark."""

    def __init__(self, address):
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=60)

    def send_image(self, image):
        for start in range(0, len(image), BUFFER):
            self.socket.sendall(image[start : start + BUFFER])
        self.socket.send(MARK)
        assert self.socket.recv(BUFFER) == ACK

    def result(self):
        received = b""
        while True:
            data = self.socket.recv(BUFFER)
            assert data, "closed before the mark"
            if MARK in data:
                received += data.split(MARK)[0]
                self.socket.send(ACK)
                return received
            received += data


def one_image(address, imgsrv, image):
    """The button of one image: the operation and the end of the batch in a row, all eight on one connection."""
    client = Client(address)
    for number, operation in enumerate(OPERATIONS, 1):
        client.send_image(image)
        client.socket.send(str(number).encode())
        client.socket.send(END)
        assert client.result() == expected(imgsrv, image, operation), operation
    client.socket.send(b"Close_Connection")
    assert client.socket.recv(BUFFER) == b""


def all_images(address, imgsrv, image):
    """The button of all images: one operation, the results in order, an image that is none given back."""
    broken = b"\x89PNG this is no picture"
    images = [image, broken, expected(imgsrv, image, "sepia")]
    client = Client(address)
    for one in images:
        client.send_image(one)
        client.socket.send(b"8")
    client.socket.send(END)
    results = [client.result() for _ in images]
    assert results == [expected(imgsrv, images[0], "equalize"), broken, expected(imgsrv, images[2], "equalize")]


def cut_anywhere(address, imgsrv, image):
    """Marks that arrive in pieces, and the next image together with the operation before it."""
    client = Client(address)
    for piece in [image + MARK[:7], MARK[7:]]:
        client.socket.sendall(piece)
    assert client.socket.recv(BUFFER) == ACK
    client.socket.sendall(b"2" + image + MARK)
    assert client.socket.recv(BUFFER) == ACK
    for byte in b"6" + END:
        client.socket.sendall(bytes([byte]))
    assert client.result() == expected(imgsrv, image, "invert")
    assert client.result() == expected(imgsrv, image, "erode")


def wrong_operation(address, _imgsrv, image):
    """An operation that does not exist closes the connection, and that one alone."""
    client = Client(address)
    client.send_image(image)
    client.socket.send(b"9")
    assert client.socket.recv(BUFFER) == b""


def main():
    with server(sys.argv[1]) as imgsrv:
        imgsrv = f"http://{imgsrv}"
        request = urllib.request.Request(f"{imgsrv}/resize?width=400", PHOTO.read_bytes(), method="POST")
        with urllib.request.urlopen(request) as response:
            image = response.read()
        command = [sys.executable, ROOT / "examples" / "streamlit_bridge.py", "--listen", "127.0.0.1:0", "--server", imgsrv]
        bridge = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            address = bridge.stdout.readline().split()[-1]
            for play in [one_image, all_images, cut_anywhere, wrong_operation]:
                play(address, imgsrv, image)
                print("ok", play.__name__)
        finally:
            bridge.terminate()
            bridge.wait(10)


if __name__ == "__main__":
    main()
