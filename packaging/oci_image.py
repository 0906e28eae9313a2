#!/usr/bin/env python3
"""Writes the container image of both programs as an OCI layout in a tar file: one image for each target, from scratch.

    oci_image.py VERSION FILE TARGET...

The same programs give the same bytes. Load it with `podman load`, `skopeo copy oci-archive:FILE ...` or containerd.
"""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

ARCHITECTURES = {"x86_64-unknown-linux-musl": "amd64", "aarch64-unknown-linux-musl": "arm64"}
USER = 65532
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
# `PORT` is what hosting platforms set; it loses against a flag and against IMGSRV_HTTP.
ENVIRONMENT = {
    "PATH": "/usr/bin",
    "PORT": "8080",
    "IMGSRV_BIND": "0.0.0.0:65432",
    "IMGSRV_METRICS": "0.0.0.0:9432",
    "IMGSRV_DATA_DIR": "/var/lib/imgsrv",
}
SECOND = 1_000_000_000


class Layout:
    """The blobs of an OCI layout, by their digest."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def add(self, media_type: str, content: bytes, **more: object) -> dict[str, object]:
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content), **more}


def as_json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def put(archive: tarfile.TarFile, name: str, content: bytes | None, mode: int, user: int, date: int) -> None:
    """Adds a file, or a folder where there is no content."""
    entry = tarfile.TarInfo(name)
    entry.mode, entry.uid, entry.gid, entry.mtime = mode, user, user, date
    if content is None:
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
    else:
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


def layer(programs: Path, date: int) -> bytes:
    """The root: programs, authorities for outgoing TLS, the user, and a folder for tasks."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in ("etc", "etc/ssl", "etc/ssl/certs", "usr", "usr/bin", "var", "var/lib"):
            put(archive, folder, None, 0o755, 0, date)
        put(archive, "tmp", None, 0o1777, 0, date)
        put(archive, "var/lib/imgsrv", None, 0o700, USER, date)
        put(archive, "etc/passwd", f"imgsrv:x:{USER}:{USER}::/:/nonexistent\n".encode(), 0o644, 0, date)
        put(archive, "etc/group", f"imgsrv:x:{USER}:\n".encode(), 0o644, 0, date)
        put(archive, str(CA_BUNDLE).lstrip("/"), CA_BUNDLE.read_bytes(), 0o644, 0, date)
        put(archive, "usr/bin/imgsrv", (programs / "imgsrv").read_bytes(), 0o755, 0, date)
        put(archive, "usr/bin/imgcli", (programs / "imgcli").read_bytes(), 0o755, 0, date)
    return file.getvalue()


def image(layout: Layout, target: str, version: str, date: int) -> dict[str, object]:
    """Adds the image for a target. Returns its descriptor."""
    root = layer(Path(f"target/{target}/dist"), date)
    packed = layout.add("application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(root, 9, mtime=0))
    commit = os.environ.get("IMGSRV_COMMIT") or subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()
    labels = {
        "org.opencontainers.image.title": "imgsrv",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.revision": commit,
        "org.opencontainers.image.licenses": "MIT",
    }
    platform = {"os": "linux", "architecture": ARCHITECTURES[target]}
    config = {
        **platform,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(date)),
        "config": {
            "User": f"{USER}:{USER}",
            "Env": [f"{name}={value}" for name, value in ENVIRONMENT.items()],
            "Entrypoint": ["/usr/bin/imgsrv"],
            "ExposedPorts": {"8080/tcp": {}, "65432/tcp": {}, "9432/tcp": {}},
            "Volumes": {"/var/lib/imgsrv": {}},
            "StopSignal": "SIGTERM",
            "Labels": labels,
            # Docker reads it; OCI has no word for it.
            "Healthcheck": {"Test": ["CMD", "/usr/bin/imgsrv", "health"], "Interval": 10 * SECOND, "Timeout": 3 * SECOND},
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(root).hexdigest()}"]},
        "history": [{"created_by": "packaging/oci_image.py"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": layout.add("application/vnd.oci.image.config.v1+json", as_json(config)),
        "layers": [packed],
    }
    return layout.add(str(manifest["mediaType"]), as_json(manifest), platform=platform)


def main() -> None:
    version, out, targets = sys.argv[1], sys.argv[2], sys.argv[3:]
    date = int(os.environ["SOURCE_DATE_EPOCH"])
    layout = Layout()
    index_type = "application/vnd.oci.image.index.v1+json"
    images = [image(layout, target, version, date) for target in targets]
    nested = layout.add(index_type, as_json({"schemaVersion": 2, "mediaType": index_type, "manifests": images}))
    nested["annotations"] = {"org.opencontainers.image.ref.name": version}
    with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as archive:
        put(archive, "oci-layout", as_json({"imageLayoutVersion": "1.0.0"}), 0o644, 0, date)
        put(archive, "index.json", as_json({"schemaVersion": 2, "manifests": [nested]}), 0o644, 0, date)
        put(archive, "blobs", None, 0o755, 0, date)
        put(archive, "blobs/sha256", None, 0o755, 0, date)
        for digest, content in sorted(layout.blobs.items()):
            put(archive, f"blobs/sha256/{digest}", content, 0o644, 0, date)


if __name__ == "__main__":
    main()
