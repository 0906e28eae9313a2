#!/usr/bin/env bash
# Follows README: starts the server with its first command, runs the commands of its console blocks in order, and
# compares the output with the text. Sizes, dimensions and statuses are compared exactly; times, rates and the figures of
# a load test are not, as they belong to the machine. The speed table is compared with docs/benchmarks.md, and the curl
# lines of docs/tasks.md have to succeed.
# `tests/readme.sh --write` puts the output of today into README instead.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 - "$@" <<'PYTHON'
import difflib, os, re, shutil, subprocess, sys, tempfile, time
from pathlib import Path

readme = Path("README.md")
text = readme.read_text()
server = re.search(r"^```sh\n(.*)\n", text, re.M)[1]
blocks = [match[1] for match in re.finditer(r"^```console\n(.*?)^```$", text, re.M | re.S)]
programs = Path(os.environ.get("CARGO_TARGET_DIR", "target")).resolve() / "release"
environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}


def run(command: str, folder: str) -> str:
    """Runs cargo in the clone and installed programs in an empty folder; drops what they write to standard error."""
    where = "." if command.startswith("cargo") else folder
    done = subprocess.run(command, shell=True, cwd=where, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if done.returncode != 0:
        sys.exit(f"{command} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def follow(block: str, folder: str) -> str:
    commands = re.findall(r"^\$ (.*)\n", block, re.M)
    return "".join(f"$ {command}\n{run(command, folder)}" for command in commands)


def follow_shell(page: str, folder: str) -> None:
    """Runs the shell blocks of a document that call curl; every command has to succeed."""
    for block in re.findall(r"^```sh\n(.*?)^```$", Path(page).read_text(), re.M | re.S):
        if "curl" in block:
            done = subprocess.run(["bash", "-ec", block], cwd=folder, env=environment, capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"{page}: a block ended with {done.returncode}\n{block}\n{done.stdout}{done.stderr}")


def comparable(block: str) -> list[str]:
    """Sorts the lines, because parallel work ends in any order, and masks what the machine decides."""
    masked = r"[\d.]+( ?([kM]?B|ms))?" if "imgcli bench" in block else r"[\d.]+( ?(ms|s|seconds|images/s|MB/s)\b| times\b)"
    lines = [" ".join(re.sub(masked, "N", line.replace("█", "")).split()) for line in block.splitlines()]
    return sorted(filter(None, lines))


def table(text: str, heading: str) -> dict[str, list[str]]:
    """The rows of the first table behind a heading, by their first cell."""
    lines = text[text.index(heading) :].split("\n|", 1)[1].split("\n\n")[0].split("\n")
    rows = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in rows}


def check_speed_table() -> None:
    shown, benchmarks = table(text, "## How fast"), Path("docs/benchmarks.md").read_text()
    measured = table(benchmarks, "### CPU time of each peer")
    columns = ["sharp", "libvips thumbnail", "Pillow", "Pillow-SIMD draft", "OpenCV reduced"]
    for row, workload in zip(list(shown)[2:5], ["W1", "W2", "W5"]):
        at = measured[""].index(workload)
        expected = [float(measured[peer][at]) for peer in columns]
        if any(abs(float(cell) - figure) > 0.051 for cell, figure in zip(shown[row], expected, strict=True)):
            sys.exit(f"README's row {row!r} says {shown[row]}, docs/benchmarks.md {expected}")


check_speed_table()
with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as log:
    (Path(folder) / "docs").mkdir()
    shutil.copy("docs/photo.png", Path(folder) / "docs")
    # `exec` replaces the shell, so that terminate() reaches the server itself.
    # A folder of its own for tasks, as another server of this user may hold the default one.
    state = environment | {"XDG_STATE_HOME": f"{folder}/state"}
    serving = subprocess.Popen(f"exec {server}", shell=True, stdout=log, stderr=log, env=state)
    try:
        for _ in range(900):
            if "listening on" in os.pread(log.fileno(), 1 << 20, 0).decode(errors="replace"):
                break
            if serving.poll() is not None:
                sys.exit(os.pread(log.fileno(), 1 << 20, 0).decode(errors="replace"))
            time.sleep(1)
        outputs = [follow(block, folder) for block in blocks]
        for page in ["docs/tasks.md"]:
            follow_shell(page, folder)
        assert Path("docs/processed_photo.jpg").read_bytes().startswith(b"\xff\xd8\xff")
        for name, magic in [("small.jpg", b"\xff\xd8\xff"), ("square.webp", b"RIFF"), ("grey.jpg", b"\xff\xd8\xff"), ("half.jpg", b"\xff\xd8\xff")]:
            assert (Path(folder) / name).read_bytes().startswith(magic), name
    finally:
        serving.terminate()
        serving.wait()
        Path("docs/processed_photo.jpg").unlink(missing_ok=True)

if sys.argv[1:] == ["--write"]:
    for before, after in zip(blocks, outputs):
        text = text.replace(before, after)
    readme.write_text(text)
    sys.exit()
for written, printed in zip(blocks, outputs):
    difference = list(difflib.unified_diff(comparable(written), comparable(printed), "README", "today", lineterm="", n=0))
    if difference:
        sys.exit("\n".join(difference))
print(f"README: {len(blocks)} blocks print what they show, and the speed table is that of docs/benchmarks.md")
PYTHON
