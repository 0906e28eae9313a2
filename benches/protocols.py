#!/usr/bin/env python3
"""Measures the server's CPU time for a picture over HTTP and over TCP, in alternating pairs.

    python3 benches/protocols.py target/release/imgsrv photo.jpg [rounds] [requests]
"""
import http.client
import os
import socket
import statistics
import struct
import subprocess
import sys

WIDTH, HEIGHT = 800, 600


def start(program):
    server = subprocess.Popen(
        [program, "--bind", "127.0.0.1:0", "--http", "127.0.0.1:0", "--workers", "1", "-qq"],
        stdout=subprocess.PIPE,
        text=True,
    )
    return server, *[server.stdout.readline().split()[-1].rsplit(":", 1) for _ in range(2)]


def cpu(pid):
    """Returns user and system time of all threads, in seconds."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def over_tcp(address, photo, requests):
    with socket.create_connection((address[0], int(address[1]))) as connection:
        file = connection.makefile("rwb")
        for _ in range(requests):
            file.write(struct.pack("!III", len(photo), WIDTH, HEIGHT) + photo)
            file.flush()
            (length,) = struct.unpack("!I", file.read(4))
            assert len(file.read(length)) == length > 0


def over_http(address, photo, requests):
    connection = http.client.HTTPConnection(address[0], int(address[1]))
    for _ in range(requests):
        connection.request("POST", f"/resize?width={WIDTH}&height={HEIGHT}&passthrough=false", photo)
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read()
    connection.close()


def main():
    program, path = sys.argv[1:3]
    rounds, requests = (int(n) for n in (sys.argv[3:5] + ["15", "40"])[:2])
    with open(path, "rb") as file:
        photo = file.read()
    server, http_address, tcp_address = start(program)
    protocols = [("tcp", over_tcp, tcp_address), ("http", over_http, http_address)]
    costs = {"tcp": [], "http": []}
    try:
        for round in range(rounds + 1):
            for name, send, address in protocols if round % 2 else reversed(protocols):
                before = cpu(server.pid)
                send(address, photo, requests)
                if round > 0:  # the first round warms up
                    costs[name].append((cpu(server.pid) - before) / requests * 1e3)
    finally:
        server.terminate()
        server.wait()
    ratios = [http / tcp for http, tcp in zip(costs["http"], costs["tcp"])]
    for name, cost in costs.items():
        print(f"{name}: {statistics.median(cost):.2f} ms of CPU a picture")
    print(f"http / tcp: {statistics.median(ratios):.3f} (median of {rounds} pairs, {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
