"""Measures the server itself: overhead of the wire, latency on two cores, requests a second beside a sharp server."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from contestants import HERE, OURS, Place, Running, ServedWorker, Server, Worker, our_server
from machine import ALL_CORES
from wire import Connection
from workloads import BY_ID, Workload


def in_turns(running: list[Running], rounds: int, value) -> list[list[float]]:
    """The values of all in alternating batches, every other round in reverse: a row a round."""
    rows = []
    for turn in range(rounds):
        values = {id(one): value(one.batch()) for one in (running if turn % 2 == 0 else running[::-1])}
        rows.append([values[id(one)] for one in running])
    return rows


def paired(first: Running, second: Running, rounds: int, value) -> tuple[float, float, float]:
    """Medians of both and of their ratio, first to second, in alternating batches."""
    pairs = in_turns([first, second], rounds, value)
    firsts, seconds = zip(*pairs)
    ratios = [a / b for a, b in pairs]
    return statistics.median(firsts), statistics.median(seconds), statistics.median(ratios)


def overhead(workload: Workload, place: Place, core: int, rounds: int) -> dict:
    """CPU of the server process over the wire beside `codec::process` in a process of its own."""
    source = place.source(workload)
    served = OURS.start(workload, place, core)
    in_process = Running(Worker([place.in_process, source, workload.options()], (core,)))
    try:
        for one in (served, in_process):
            one.warm_up(0.5)
        wire, bare, ratio = paired(served, in_process, rounds, lambda batch: batch.cpu_ms)
    finally:
        served.worker.close()
        in_process.worker.close()
    return {"workload": workload.id, "served_cpu_ms": wire, "in_process_cpu_ms": bare, "ratio": ratio}


def latency(workload: Workload, place: Place, rounds: int) -> dict:
    """Wall time of one request at a time: a server that has two cores against servers that have one of these each, since two
    cores are seldom equally fast at the same time."""
    image = place.source(workload).read_bytes()
    cores = tuple(ALL_CORES[:2])

    def start(*cores: int) -> Running:
        server = our_server(place, cores, workers=len(cores))
        return Running(ServedWorker(server, image, workload.options()))

    running = [start(*cores)] + [start(core) for core in cores]
    try:
        for one in running:
            one.warm_up(0.5)
        rows = in_turns(running, rounds, lambda batch: statistics.median(batch.wall_ms))
        turns = [(two, statistics.mean(ones)) for two, *ones in rows]
    finally:
        for one in running:
            one.worker.close()
    two_ms, one_ms = (statistics.median(column) for column in zip(*turns))
    ratio = statistics.median(two / one for two, one in turns)
    return {"workload": workload.id, "two_cores_ms": two_ms, "one_core_ms": one_ms, "ratio": ratio}


def load(address: str, image: bytes, workload: Workload, clients: int, seconds: float) -> dict:
    """Requests a second of a server for some clients, each on its own connection."""

    def client(_: int) -> list[float]:
        connection = Connection(address)
        connection.request_plain(image, workload.width, workload.height)
        times, until = [], time.perf_counter() + seconds
        while (started := time.perf_counter()) < until:
            connection.request_plain(image, workload.width, workload.height)
            times.append(time.perf_counter() - started)
        connection.close()
        return times

    with ThreadPoolExecutor(clients) as pool:
        began = time.perf_counter()
        times = sorted(sum(pool.map(client, range(clients)), []))
        took = time.perf_counter() - began
    return {
        "clients": clients,
        "per_second": len(times) / took,
        "p50_ms": statistics.median(times) * 1e3,
        "p99_ms": times[min(len(times) - 1, len(times) * 99 // 100)] * 1e3,
    }


def throughput(workload: Workload, place: Place, rounds: int, seconds: float = 2.0) -> list[dict]:
    """Our server and a sharp server, alternating, on all cores, which the clients share."""
    image = place.source(workload).read_bytes()
    sharp_env = {"PEERS_DIR": str(place.peers), "UV_THREADPOOL_SIZE": "4"}
    servers = {
        "ours": our_server(place, tuple(ALL_CORES), workers=len(ALL_CORES)),
        "sharp": Server(["node", HERE / "sharp_server.mjs"], tuple(ALL_CORES), sharp_env),
    }
    try:
        samples = [
            {"server": name, "workload": workload.id} | load(server.address, image, workload, clients, seconds)
            for clients in (1, 8)
            for _ in range(rounds)
            for name, server in servers.items()
        ]
    finally:
        for server in servers.values():
            server.close()
    return samples


def measure(place: Place, core: int, rounds: int, say) -> dict:
    say("server: overhead of the wire")
    results = {"overhead": overhead(BY_ID["W3"], place, core, 2 * rounds)}
    if len(ALL_CORES) > 1:
        say("server: latency on two cores")
        results["latency"] = latency(BY_ID["W2"], place, 2 * rounds)
    say("server: throughput")
    results["throughput"] = throughput(BY_ID["W1"], place, max(1, rounds // 2))
    return results
