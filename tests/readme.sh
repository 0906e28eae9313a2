#!/usr/bin/env bash
# Follows README: starts the server with its first command, runs the commands of its console blocks in order, and
# compares what is printed: the first block to the letter but for the time, the others but for their figures.
# `tests/readme.sh --write` puts today's output into README instead.
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
    """What cargo's own commands print beside it goes nowhere. Those run here, the installed ones where nothing is yet."""
    where = "." if command.startswith("cargo") else folder
    done = subprocess.run(command, shell=True, cwd=where, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if done.returncode != 0:
        sys.exit(f"{command} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def follow(block: str, folder: str) -> str:
    commands = re.findall(r"^\$ (.*)\n", block, re.M)
    return "\n".join(f"$ {command}\n{run(command, folder)}" for command in commands)


def without_time(block: str) -> list[str]:
    return [line for line in block.splitlines() if not line.startswith("Total time")]


def without_figures(block: str) -> list[str]:
    """Lines in any order, because images are finished in any order; a bar's place is a figure too."""
    lines = [re.sub(r"[\d.]+( ?(B|kB|MB))?", "N", re.sub("█+", "", line)) for line in block.splitlines()]
    return sorted(" ".join(line.split()) for line in lines)


with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as log:
    (Path(folder) / "docs").mkdir()
    shutil.copy("docs/photo.png", Path(folder) / "docs")
    # `exec` so that the server itself ends when it is told to.
    serving = subprocess.Popen(f"exec {server}", shell=True, stdout=log, stderr=log)
    try:
        for _ in range(900):
            if "listening on" in os.pread(log.fileno(), 1 << 20, 0).decode(errors="replace"):
                break
            if serving.poll() is not None:
                sys.exit(os.pread(log.fileno(), 1 << 20, 0).decode(errors="replace"))
            time.sleep(1)
        said = [follow(block, folder) for block in blocks]
        result = Path("docs/processed_photo.jpg")
        assert result.read_bytes().startswith(b"\xff\xd8\xff")
        result.unlink()
    finally:
        serving.terminate()
        serving.wait()

if sys.argv[1:] == ["--write"]:
    for before, after in zip(blocks, said):
        text = text.replace(before, after)
    readme.write_text(text)
    sys.exit()
for i, (promised, kept) in enumerate(zip(blocks, said)):
    shape = without_time if i == 0 else without_figures
    difference = list(difflib.unified_diff(shape(promised), shape(kept), "README", "today", lineterm="", n=0))
    if difference:
        sys.exit("\n".join(difference))
print("README keeps its promise")
PYTHON
