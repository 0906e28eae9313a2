#!/usr/bin/env python3
"""Makes the npm packages: one with the programs for each target, and the client, which depends on the fitting one.

    npm.py VERSION OUT TARGET...
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# Words of node for a target: process.platform and process.arch.
PLATFORMS = {"x86_64-unknown-linux-musl": ("linux", "x64"), "aarch64-unknown-linux-musl": ("linux", "arm64")}
LAUNCHER = """#!/usr/bin/env node
// Runs the program of this platform.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { carriedProgram } from "../src/programs.js";

const program = carriedProgram("NAME");
if (program === undefined) {
  console.error(`NAME: no program for ${process.platform} on ${process.arch}; install with optional dependencies`);
  process.exit(69);
}
const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
process.on("SIGINT", () => {}); // a terminal sends it to both
child.on("exit", (status, signal) => process.exit(signal ? 128 + constants.signals[signal] : status));
"""


def pack(folder: Path, facts: dict, out: Path) -> None:
    (folder / "package.json").write_text(json.dumps(facts, indent=2) + "\n")
    command = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", str(out.resolve())]
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)


def main() -> None:
    version, out, targets = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    names = []
    for target in targets:
        system, processor = PLATFORMS[target]
        names.append(f"imgsrv-{system}-{processor}")
        with tempfile.TemporaryDirectory() as folder:
            programs = Path(folder) / "bin"
            programs.mkdir()
            for program in ("imgsrv", "imgcli"):
                shutil.copy2(f"target/{target}/dist/{program}", programs)
            shutil.copy("LICENSE", folder)
            facts = {
                "name": names[-1],
                "version": version,
                "description": f"The programs imgsrv and imgcli for {system} on {processor}.",
                "license": "MIT",
                "os": [system],
                "cpu": [processor],
                "files": ["bin"],
            }
            pack(Path(folder), facts, out)
    with tempfile.TemporaryDirectory() as folder:
        client = Path(folder) / "client"
        shutil.copytree("clients/js", client, ignore=shutil.ignore_patterns("node_modules", "tests", "examples"))
        facts = json.loads((client / "package.json").read_text())
        facts.pop("devDependencies", None)
        facts.pop("scripts", None)
        facts["files"] = ["src", "bin"]
        facts["bin"] = {program: f"bin/{program}.js" for program in ("imgsrv", "imgcli")}
        facts["optionalDependencies"] = {name: version for name in names}
        (client / "bin").mkdir(exist_ok=True)
        for program in ("imgsrv", "imgcli"):
            (client / "bin" / f"{program}.js").write_text(LAUNCHER.replace("NAME", program))
        (client / "package-lock.json").unlink(missing_ok=True)
        pack(client, facts, out)


if __name__ == "__main__":
    main()
