"""The tables of docs/benchmarks.md, made from results.json."""

import statistics
from collections.abc import Iterator
from pathlib import Path

from contestants import CONTESTANTS, OURS, OURS_FAST, PILLOW, SHARP
from workloads import LATENCY_BAR, MEAN_BARS, OVERHEAD_BAR, WORKLOADS, Workload

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PEERS = [contestant for contestant in CONTESTANTS if contestant not in (OURS, OURS_FAST)]
TITLES = {contestant.name: contestant.title for contestant in CONTESTANTS} | {"ideal": "ideal"}

PSNR_BAR = 52.0
PSNR_BAR_AT_AN_EIGHTH = 49.0
IDEAL_BAR = 0.3
"""Most SSIMULACRA2 points below the ideal."""
BYTES_BAR = 0.02
"""Most difference to Pillow's bytes with the same Huffman tables, as a part of them."""


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    line = lambda cells: f"| {' | '.join(cells)} |"
    return [line(head), line(["---"] + ["---:"] * (len(head) - 1)), *map(line, rows), ""]


def verdict(value: float, bar: float) -> str:
    return "met" if value >= bar else "**missed**"


class Speed:
    """Samples of one workload."""

    def __init__(self, workload: Workload, raw: dict):
        self.workload, self.peaks = workload, raw["peak_mib"]
        self.cpu: dict[str, dict[int, float]] = {}
        self.wall: dict[str, list[float]] = {}
        for sample in raw["samples"]:
            self.cpu.setdefault(sample["contestant"], {})[sample["round"]] = sample["cpu_ms"]
            self.wall.setdefault(sample["contestant"], []).extend(sample["wall_ms"])

    def cpu_ms(self, name: str) -> float:
        return statistics.median(self.cpu[name].values())

    def ratio(self, peer: str, to: str = OURS.name) -> float | None:
        """CPU(peer) / CPU(ours): the median over the rounds."""
        if peer not in self.cpu or to not in self.cpu:
            return None
        return statistics.median(self.cpu[peer][turn] / cpu for turn, cpu in self.cpu[to].items())

    def best(self, to: str = OURS.name) -> tuple[str, float] | None:
        """The fastest peer, and its CPU time as a multiple of ours."""
        ratios = {peer.name: self.ratio(peer.name, to) for peer in PEERS}
        ratios = {name: ratio for name, ratio in ratios.items() if ratio is not None}
        return min(ratios.items(), key=lambda pair: pair[1], default=None)


def speeds(results: dict) -> list[Speed]:
    measured = results.get("speed", {})
    every = [Speed(workload, measured[workload.id]) for workload in WORKLOADS if workload.id in measured]
    return [speed for speed in every if OURS.name in speed.cpu]  # without ours there is no ratio


def speed_tables(measured: list[Speed]) -> Iterator[str]:
    peers = [peer for peer in PEERS if any(peer.name in speed.cpu for speed in measured)]
    head = [""] + [speed.workload.id for speed in measured]

    yield "### CPU time of each peer, as a multiple of ours"
    yield ""
    rows = [["ours, ms"] + [f"{speed.cpu_ms(OURS.name):.3g}" for speed in measured]]
    bests = [speed.best() for speed in measured]
    for peer in peers:
        ratios = [speed.ratio(peer.name) for speed in measured]
        marks = ["**" if best and best[0] == peer.name else "" for best in bests]
        cells = ["–" if ratio is None else f"{mark}{ratio:.2f}{mark}" for ratio, mark in zip(ratios, marks)]
        rows.append([peer.title] + cells)
    yield from table(head, rows)

    yield "### Bars"
    yield ""
    yield from table(
        ["", "sharp / ours", "at least", "", "best peer / ours", "at least", "", "best peer"],
        list(bar_rows(measured)),
    )

    shown = [one for one in CONTESTANTS if any(one.name in speed.cpu for speed in measured)]
    yield "### Latency of one request, median in ms"
    yield ""
    latency = lambda speed, name: f"{statistics.median(speed.wall[name]):.3g}" if name in speed.wall else "–"
    yield from table(head, [[one.title] + [latency(speed, one.name) for speed in measured] for one in shown])

    yield "### Peak resident memory of the process, in MiB"
    yield ""
    peak = lambda speed, name: f"{speed.peaks[name]:.0f}" if name in speed.peaks else "–"
    yield from table(head, [[one.title] + [peak(speed, one.name) for speed in measured] for one in shown])


def bar_rows(measured: list[Speed]) -> Iterator[list[str]]:
    by_sharp, by_best = [], []
    for speed in measured:
        workload, sharp, best = speed.workload, speed.ratio(SHARP.name), speed.best()
        if workload.bars is None or sharp is None or best is None:
            continue
        by_sharp.append(sharp)
        by_best.append(best[1])
        yield bar_row(workload.id, sharp, workload.bars.sharp, best[1], workload.bars.best, TITLES[best[0]])
        fast = speed.best(to=OURS_FAST.name)
        if workload.fast_bar and fast:
            verdict_fast = verdict(fast[1], workload.fast_bar)
            name = f"{workload.id}, speed=fast"
            yield [name, "", "", "", f"{fast[1]:.2f}", f"{workload.fast_bar}", verdict_fast, TITLES[fast[0]]]
    if by_sharp:
        means = statistics.geometric_mean(by_sharp), statistics.geometric_mean(by_best)
        yield bar_row("geometric mean", means[0], MEAN_BARS.sharp, means[1], MEAN_BARS.best, "")


def bar_row(name: str, sharp: float, sharp_bar: float, best: float, best_bar: float, peer: str) -> list[str]:
    return [
        name,
        f"{sharp:.2f}",
        f"{sharp_bar}",
        verdict(sharp, sharp_bar),
        f"{best:.2f}",
        f"{best_bar}",
        verdict(best, best_bar),
        peer,
    ]


def server_tables(measured: dict) -> Iterator[str]:
    yield "### The server"
    yield ""
    rows = []
    if overhead := measured.get("overhead"):
        rows.append(
            [
                f"CPU of {overhead['workload']} over the wire / in process",
                f"{overhead['served_cpu_ms']:.2f} / {overhead['in_process_cpu_ms']:.2f}",
                f"{overhead['ratio']:.3f}",
                f"at most {OVERHEAD_BAR}",
                verdict(-overhead["ratio"], -OVERHEAD_BAR),
            ]
        )
    if latency := measured.get("latency"):
        rows.append(
            [
                f"latency of {latency['workload']} on two cores / on one",
                f"{latency['two_cores_ms']:.1f} / {latency['one_core_ms']:.1f}",
                f"{latency['ratio']:.3f}",
                f"at most {LATENCY_BAR}",
                verdict(-latency["ratio"], -LATENCY_BAR),
            ]
        )
    yield from table(["", "ms", "ratio", "bar", ""], rows)

    samples = measured.get("throughput", [])
    rows = []
    for clients in sorted({sample["clients"] for sample in samples}):
        rates = {}
        for server in ("ours", "sharp"):
            runs = [sample for sample in samples if (sample["server"], sample["clients"]) == (server, clients)]
            median = lambda key: statistics.median(run[key] for run in runs)
            rates[server] = median("per_second")
            name = f"{clients} client{'s' if clients > 1 else ''}, {server}"
            cells = [name, f"{rates[server]:.1f}", f"{median('p50_ms'):.1f}", f"{median('p99_ms'):.1f}"]
            rows.append(cells + ([""] if server == "ours" else [f"{rates['ours'] / rates['sharp']:.2f}"]))
    if rows:
        yield f"{samples[0]['workload']} served on all cores, which the clients share:"
        yield ""
        yield from table(["", "requests/s", "p50 ms", "p99 ms", "ours / sharp"], rows)


def fidelity_tables(measured: dict) -> Iterator[str]:
    workloads = [workload for workload in WORKLOADS if workload.id in measured]
    names = ["ideal"] + [one.name for one in CONTESTANTS if any(one.name in measured[w.id] for w in workloads)]
    yield "### Fidelity: SSIMULACRA2 / PSNR of luma in dB / bytes"
    yield ""
    rows = []
    for name in names:
        cells = [measured[workload.id].get(name) for workload in workloads]
        shown = [f"{c['ssimulacra2']:.1f} / {c['psnr_y']:.2f} / {c['bytes']}" if c else "–" for c in cells]
        rows.append([TITLES[name]] + shown)
    yield from table([""] + [workload.id for workload in workloads], rows)

    rows = [fidelity_bars(workload, measured[workload.id]) for workload in workloads if workload.bars]
    rows = [row for row in rows if row]
    if rows:
        yield f"At least {PSNR_BAR:g} dB before encoding ({PSNR_BAR_AT_AN_EIGHTH:g} when decoded at 1/8); SSIMULACRA2 at most "
        yield f"{IDEAL_BAR} below the ideal and no lower than sharp's; with the Huffman tables that Pillow has, bytes within "
        yield f"{BYTES_BAR:.0%} of its."
        yield ""
        head = ["", "PSNR before, dB", "", "SSIMULACRA2 to ideal", "", "to sharp", ""]
        yield from table(head + ["bytes to Pillow's, its tables", "", "ours"], rows)


def fidelity_bars(workload: Workload, measured: dict) -> list[str] | None:
    if not {"ideal", OURS.name, SHARP.name, PILLOW.name} <= measured.keys():
        return None
    ours = measured[OURS.name]
    before = ours["psnr_y_before_encoding"]
    to_ideal = ours["ssimulacra2"] - measured["ideal"]["ssimulacra2"]
    to_sharp = ours["ssimulacra2"] - measured[SHARP.name]["ssimulacra2"]
    pillow = measured[PILLOW.name]["bytes"]
    fixed_to_pillow = ours["bytes_with_fixed_tables"] / pillow - 1
    psnr_bar = PSNR_BAR_AT_AN_EIGHTH if workload.id == "W4" else PSNR_BAR
    return [
        workload.id,
        f"{before:.2f}",
        verdict(before, psnr_bar),
        f"{to_ideal:+.2f}",
        verdict(to_ideal, -IDEAL_BAR),
        f"{to_sharp:+.2f}",
        verdict(to_sharp, 0),
        f"{fixed_to_pillow:+.1%}",
        verdict(-abs(fixed_to_pillow), -BYTES_BAR),
        f"{ours['bytes'] / pillow - 1:+.1%}",
    ]


def markdown(results: dict) -> str:
    """All measurements as tables."""
    facts = results["machine"] | results["versions"]
    lines = [", ".join(f"{name} {value}" for name, value in facts.items() if value) + ".", ""]
    if measured := speeds(results):
        lines += speed_tables(measured)
    if measured := results.get("server"):
        lines += server_tables(measured)
    if measured := results.get("fidelity"):
        lines += fidelity_tables(measured)
    return "\n".join(lines)


def into_document(text: str, path: Path) -> None:
    """Writes the tables between the marks of the document."""
    before, rest = path.read_text().split(BEGIN)
    _, after = rest.split(END)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
