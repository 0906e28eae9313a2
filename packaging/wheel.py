#!/usr/bin/env python3
"""Makes the Python wheel that carries the programs: the client's wheel, and both programs as scripts.

    wheel.py PROGRAMS TARGET OUT
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

# Static programs run with any C library; pip of a system accepts one of the two tags.
PLATFORMS = {
    "x86_64-unknown-linux-musl": "manylinux_2_17_x86_64.musllinux_1_1_x86_64",
    "aarch64-unknown-linux-musl": "manylinux_2_17_aarch64.musllinux_1_1_aarch64",
}


def client_wheel(folder: Path) -> Path:
    """Builds the client alone, from a copy: a build leaves folders beside its sources."""
    source = folder / "source"
    shutil.copytree("clients/python", source, ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.whl"))


def record_line(name: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"


def main() -> None:
    programs, platform, out = Path(sys.argv[1]), PLATFORMS[sys.argv[2]], Path(sys.argv[3])
    date = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))[:6]
    with tempfile.TemporaryDirectory() as folder:
        plain = client_wheel(Path(folder))
        package = "-".join(plain.name.split("-")[:2])
        with zipfile.ZipFile(plain) as wheel:
            contents = {name: wheel.read(name) for name in wheel.namelist() if not name.endswith("/RECORD")}
    facts = contents[f"{package}.dist-info/WHEEL"].decode().splitlines()
    facts = [line for line in facts if line and not line.startswith(("Tag:", "Root-Is-Purelib:"))]
    tags = [f"Tag: py3-none-{one}" for one in platform.split(".")]
    contents[f"{package}.dist-info/WHEEL"] = "\n".join([*facts, "Root-Is-Purelib: false", *tags, ""]).encode()
    for program in ("imgsrv", "imgcli"):
        contents[f"{package}.data/scripts/{program}"] = (programs / program).read_bytes()
    record = f"{package}.dist-info/RECORD"
    lines = "".join(record_line(name, content) for name, content in contents.items())
    contents[record] = f"{lines}{record},,\n".encode()
    with zipfile.ZipFile(out / f"{package}-py3-none-{platform}.whl", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as wheel:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, date)
            entry.external_attr = (0o100755 if "/scripts/" in name else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, content)


if __name__ == "__main__":
    main()
