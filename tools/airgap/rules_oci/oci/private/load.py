"""Loads an OCI image layout into the container engine: docker, or podman's compatible service.

    load --layout DIRECTORY --tag NAME:TAG [--tag ...] [--full | --output ARCHIVE]

Speaks the engine's HTTP interface, so that no client program is needed, and streams: memory does
not grow with the image. Layers that the engine has are left out of the stream: it looks up a
layer's chain before it opens the layer's file, and reads all that it is sent even for those.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import socket
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

BLOCK = 1 << 20


class LoadError(Exception):
    """One sentence for the user."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("engine", timeout=600)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def engine_connection() -> http.client.HTTPConnection:
    """A connection to the engine of DOCKER_HOST, or of the first socket that is there."""
    host = os.environ.get("DOCKER_HOST", "")
    if host.startswith("tcp://"):
        return http.client.HTTPConnection(host.removeprefix("tcp://"), timeout=600)
    runtime = os.environ.get("XDG_RUNTIME_DIR", "/run")
    sockets = ["/run/docker.sock", f"{runtime}/podman/podman.sock", "/run/podman/podman.sock"]
    if host.startswith("unix://"):
        sockets = [host.removeprefix("unix://")]
    for path in sockets:
        if Path(path).exists():
            return _UnixConnection(path)
    raise LoadError(
        f"No container engine was found at {' or '.join(sockets)}: start docker or podman's"
        " service, or name its socket in DOCKER_HOST."
    )


def ask(path: str) -> Any:
    connection = engine_connection()
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        data = response.read()
        if response.status != 200:
            raise LoadError(f"The engine answered {response.status} to {path}: {data[:200]!r}")
        return json.loads(data)
    finally:
        connection.close()


def layers_in_engine(diff_ids: list[str]) -> int:
    """How many layers, from the lowest, some image of the engine has in this order."""
    most = 0
    for image in ask("/images/json?all=1"):
        theirs = ask(f"/images/{image['Id']}/json").get("RootFS", {}).get("Layers") or []
        same = 0
        while same < min(len(theirs), len(diff_ids)) and theirs[same] == diff_ids[same]:
            same += 1
        most = max(most, same)
    return most


class Image:
    """One image of a layout, as docker's archive format wants it."""

    def __init__(self, layout: Path, tags: list[str]) -> None:
        self._blobs = layout / "blobs" / "sha256"
        index = json.loads((layout / "index.json").read_text())
        manifest = self._json(index["manifests"][0]["digest"])
        self.config = manifest["config"]["digest"]
        self.layers: list[str] = [layer["digest"] for layer in manifest["layers"]]
        self.diff_ids: list[str] = self._json(self.config)["rootfs"]["diff_ids"]
        self._tags = tags

    def blob(self, digest: str) -> Path:
        return self._blobs / digest.removeprefix("sha256:")

    def _json(self, digest: str) -> Any:
        return json.loads(self.blob(digest).read_text())

    def archive(self, first_layer: int) -> Iterator[bytes]:
        """The archive's bytes, its layers from `first_layer` on."""
        name = self.config.removeprefix("sha256:") + ".json"
        files = [layer.removeprefix("sha256:") + ".tar" for layer in self.layers]
        description = [{"Config": name, "RepoTags": self._tags, "Layers": files}]
        yield from _member("manifest.json", io.BytesIO(json.dumps(description).encode()))
        with self.blob(self.config).open("rb") as config:
            yield from _member(name, config)
        written = set()
        for digest, file in list(zip(self.layers, files, strict=True))[first_layer:]:
            if file not in written:
                written.add(file)
                with self.blob(digest).open("rb") as layer:
                    yield from _member(file, layer)
        yield b"\0" * 1024


def _member(name: str, content: BinaryIO) -> Iterator[bytes]:
    member = tarfile.TarInfo(name)
    member.size = content.seek(0, os.SEEK_END)
    content.seek(0)
    yield member.tobuf(tarfile.PAX_FORMAT)
    while block := content.read(BLOCK):
        yield block
    yield b"\0" * (-member.size % 512)


def send(image: Image, first_layer: int) -> None:
    """Raises LoadError with the engine's own words when it refuses."""
    connection = engine_connection()
    try:
        connection.request(
            "POST",
            "/images/load?quiet=1",
            body=image.archive(first_layer),
            headers={"Content-Type": "application/x-tar"},
            encode_chunked=True,
        )
        response = connection.getresponse()
        data = response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise LoadError(f"The engine broke off: {why}.") from error
    finally:
        connection.close()
    if response.status != 200 or '"error"' in data:
        raise LoadError(f"The engine refused the image: {data.strip()[:300]}")


def load(image: Image, full: bool) -> int:
    """Load the image; returns how many layers were sent."""
    have = 0 if full else layers_in_engine(image.diff_ids)
    try:
        send(image, have)
        return len(image.layers) - have
    except LoadError as error:
        if not have:
            raise
        print(f"load: {error} Sending all layers instead.", file=sys.stderr)
    send(image, 0)
    return len(image.layers)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="load", description=__doc__)
    parser.add_argument("--layout", type=Path, required=True)
    parser.add_argument("--tag", action="append", required=True)
    parser.add_argument("--full", action="store_true", help="send the layers that are there, too")
    parser.add_argument("--output", type=Path, help="write an archive for `docker load` instead")
    options = parser.parse_args(arguments)
    if options.output:
        with options.output.open("wb") as stream:
            stream.writelines(Image(options.layout, options.tag).archive(0))
        return 0
    started = time.monotonic()
    image = Image(options.layout, options.tag)
    try:
        sent = load(image, options.full)
    except (LoadError, OSError) as error:
        print(f"load: {error}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - started
    print(f"loaded {', '.join(options.tag)}: {sent} of {len(image.layers)} layers, {seconds:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
