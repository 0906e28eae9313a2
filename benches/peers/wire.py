"""A client of the extended protocol, as docs/PROTOCOL.md describes it."""

import socket
import struct
from urllib.parse import parse_qsl

HIGH_BIT = 1 << 31


class Refused(Exception):
    """Message of the server."""


class Connection:
    def __init__(self, address: str):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, image: bytes, options: str) -> tuple[dict[str, str], bytes]:
        """Report and picture. Raises `Refused`."""
        encoded = options.encode()
        self.socket.sendall(struct.pack("!IIII", len(image) | HIGH_BIT, 0, 0, len(encoded)) + encoded)
        self.socket.sendall(image)
        size, report_len = struct.unpack("!II", self.read(8))
        report = dict(parse_qsl(self.read(report_len).decode()))
        payload = self.read(size & ~HIGH_BIT)
        if size & HIGH_BIT:
            raise Refused(payload.decode())
        return report, payload

    def request_plain(self, image: bytes, width: int, height: int) -> bytes:
        """A picture by the plain form. Raises `Refused`."""
        self.socket.sendall(struct.pack("!III", len(image), width, height))
        self.socket.sendall(image)
        size = struct.unpack("!I", self.read(4))[0]
        if size == 0:
            raise Refused("the server gave no reason")
        return self.read(size)

    def read(self, count: int) -> bytes:
        data = bytearray(count)
        room = memoryview(data)
        while room:
            got = self.socket.recv_into(room)
            if got == 0:
                raise ConnectionError("the server closed the connection")
            room = room[got:]
        return bytes(data)

    def close(self) -> None:
        self.socket.close()
