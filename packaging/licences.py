#!/usr/bin/env python3
"""Prints the licences of every crate that is linked into the programs, and each text once: MIT and BSD ask for them
beside a binary."""

import json
import subprocess
from pathlib import Path

NAMES = ("licen", "copying", "notice", "copyright", "unlicense", "patents")


def linked() -> set[str]:
    """`name version` of all crates of a normal build, for every target that is published."""
    tree = ["cargo", "tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"]
    found = set()
    for target in ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"]:
        lines = subprocess.run([*tree, "--target", target], check=True, capture_output=True, text=True).stdout
        found |= {" ".join(line.split()[:2]) for line in lines.splitlines()}
    return found


def texts(folder: Path) -> list[Path]:
    """Licence files of a crate, and those of the C library that it carries."""
    roots = [folder, folder / "vendor", *folder.glob("c_src/*/*"), *folder.glob("c_src/*")]
    files = (file for root in roots if root.is_dir() for file in root.iterdir() if file.is_file())
    return sorted(file for file in files if file.name.lower().startswith(NAMES))


def main() -> None:
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    packages = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["packages"]
    wanted = linked()
    carriers: dict[str, list[str]] = {}  # by the words of a text
    originals: dict[str, str] = {}
    for package in sorted(packages, key=lambda package: (package["name"], package["version"])):
        if package["source"] is None or f"{package['name']} v{package['version']}" not in wanted:
            continue
        name = f"{package['name']} {package['version']}"
        print(f"{name}: {package['license']}, {package['repository'] or 'no repository'}")
        for file in texts(Path(package["manifest_path"]).parent):
            text = file.read_text(errors="replace").strip()
            words = " ".join(text.split())
            originals.setdefault(words, text)
            carriers.setdefault(words, []).append(name)
    for words, names in carriers.items():
        print(f"\n{'=' * 100}\n{', '.join(dict.fromkeys(names))}\n\n{originals[words]}")


if __name__ == "__main__":
    main()
