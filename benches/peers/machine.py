"""The machine: CPU clocks and memory of other processes (Linux), cores, and a description for reports."""

import os
import re
import time
from pathlib import Path

ALL_CORES = sorted(os.sched_getaffinity(0))


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process, dead ones included, in seconds at the resolution of the kernel.

    The clock's number is what `clock_getcpuclockid(3)` makes of a process id.
    """
    return time.clock_gettime((~pid << 3) | 2)


def peak_mib(pid: int) -> float:
    """Peak resident size of the process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def pinned(*cores: int):
    """Pins the child to some cores; for `preexec_fn`."""
    return lambda: os.sched_setaffinity(0, cores)


def description() -> dict[str, str]:
    """CPU model, cores and kernel."""
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return {
        "CPU": model[1] if model else "unknown",
        "cores": str(len(ALL_CORES)),
        "kernel": f"{os.uname().sysname} {os.uname().release}",
    }
