"""Writes a release: an archive and a bill of materials for each image, and SHA256SUMS.

    release --output DIRECTORY [--draft] --image LAYOUT... --sbom FILE...

An archive is an OCI layout and docker's archive in one, as newer `docker save` writes it:
docker, podman, skopeo and containerd read it. Equal images make equal archives. The version is the
images' own.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tqdm import tqdm

BLOCK = 1 << 20
SUMS = "SHA256SUMS"
_LABEL = "org.opencontainers.image."


class ReleaseError(Exception):
    """One sentence for the user."""


@dataclass(frozen=True)
class Image:
    """The one image of an OCI layout; `blobs` are digests: manifest, configuration, layers."""

    layout: Path
    descriptor: dict[str, Any]
    blobs: list[str]
    labels: dict[str, str]

    @property
    def name(self) -> str:
        return self.labels[_LABEL + "title"]

    @property
    def version(self) -> str:
        return self.labels[_LABEL + "version"]

    @property
    def revision(self) -> str:
        """The commit that it was built from; empty where nobody asked for it (--config=release)."""
        return self.labels.get(_LABEL + "revision", "")

    def path(self, digest: str) -> Path:
        return self.layout / _place(digest)

    @property
    def size(self) -> int:
        return sum(self.path(digest).stat().st_size for digest in self.blobs)


def read_image(layout: Path) -> Image:
    descriptor = json.loads((layout / "index.json").read_bytes())["manifests"][0]
    manifest = json.loads((layout / _place(descriptor["digest"])).read_bytes())
    config = manifest["config"]["digest"]
    layers = [layer["digest"] for layer in manifest["layers"]]
    labels = json.loads((layout / _place(config)).read_bytes())["config"].get("Labels", {})
    # A layer that stands there twice is one blob.
    blobs = list(dict.fromkeys([descriptor["digest"], config, *layers]))
    return Image(layout, descriptor, blobs, labels)


def write_archive(image: Image, target: BinaryIO, bar: tqdm[Any]) -> None:
    """Streams the archive. Raises ReleaseError when a blob is not what its digest says."""
    manifest = json.loads(image.path(image.descriptor["digest"]).read_bytes())
    tag = f"{image.name}:{image.version}"
    annotations = {
        "io.containerd.image.name": f"docker.io/library/{tag}",
        "org.opencontainers.image.ref.name": image.version,
    }
    texts = {
        "oci-layout": {"imageLayoutVersion": "1.0.0"},
        "index.json": {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{**image.descriptor, "annotations": annotations}],
        },
        "manifest.json": [
            {
                "Config": _place(manifest["config"]["digest"]),
                "RepoTags": [tag],
                "Layers": [_place(layer["digest"]) for layer in manifest["layers"]],
            }
        ],
    }
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name, content in texts.items():
            data = json.dumps(content, sort_keys=True).encode()
            archive.addfile(_member(name, len(data)), io.BytesIO(data))
        for digest in image.blobs:
            path = image.path(digest)
            with path.open("rb") as blob:
                checked = _Hashed(blob, bar)
                archive.addfile(_member(_place(digest), path.stat().st_size), checked)
            if digest != f"sha256:{checked.hexdigest()}":
                raise ReleaseError(f"{path} is not what its name says: build it again.")


class _Hashed(io.RawIOBase):
    """What is read through it is hashed and moves the bar on."""

    def __init__(self, stream: BinaryIO, bar: tqdm[Any]) -> None:
        self._stream, self._bar, self._hash = stream, bar, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self._hash.update(block)
        self._bar.update(len(block))
        return block

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def check(images: Sequence[Image], sboms: Sequence[Path], draft: bool) -> str:
    """The version of all. Raises ReleaseError when they are no release together."""
    described = {}
    for sbom in sboms:
        component = json.loads(sbom.read_bytes())["metadata"]["component"]
        described[component["name"]] = component["version"]
    if described != {image.name: image.version for image in images}:
        raise ReleaseError("The bills of materials are of other images or of another version.")
    versions, revisions = ({one.version for one in images}, {one.revision for one in images})
    if len(versions) != 1 or len(revisions) != 1:
        raise ReleaseError("The images are of several versions or commits: build them together.")
    (revision,) = revisions
    if not draft and (not revision or revision.endswith("-dirty")):
        why = "has changes that are in no commit" if revision else "is not named in the images"
        raise ReleaseError(
            f"The tree that was built {why}: commit, and run with --config=release;"
            " --draft writes the files all the same."
        )
    return versions.pop()


def write_release(images: Sequence[Image], sboms: Sequence[Path], output: Path) -> list[Path]:
    """Writes the files, SHA256SUMS last: a folder without it is unfinished."""
    if output.exists() and any(output.iterdir()):
        raise ReleaseError(f"{output} is not empty: name another folder.")
    output.mkdir(parents=True, exist_ok=True)
    files = []
    with tqdm(total=sum(image.size for image in images), unit="B", unit_scale=True) as bar:
        for image in images:
            bar.set_description(image.name)
            files.append(output / f"{image.name}-{image.version}.tar")
            with files[-1].open("wb") as target:
                write_archive(image, target, bar)
    for sbom in sboms:
        component = json.loads(sbom.read_bytes())["metadata"]["component"]
        files.append(output / f"{component['name']}-{component['version']}.cdx.json")
        files[-1].write_bytes(sbom.read_bytes())
    files.sort()
    lines = [f"{_sha256(file)}  {file.name}\n" for file in files]
    (output / SUMS).write_text("".join(lines), encoding="ascii")
    return [*files, output / SUMS]


def _place(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/", 1)


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="release", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="a folder to be made")
    parser.add_argument("--draft", action="store_true", help="of a tree that is no commit")
    parser.add_argument("--image", type=Path, action="append", required=True)
    parser.add_argument("--sbom", type=Path, action="append", required=True)
    options = parser.parse_args(arguments)
    # `bazel run` starts programs elsewhere than where it was called.
    output = Path(os.environ.get("BUILD_WORKING_DIRECTORY", "."), options.output)
    try:
        images = [read_image(layout) for layout in options.image]
        version = check(images, options.sbom, options.draft)
        files = write_release(images, options.sbom, output)
    except (ReleaseError, OSError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    print(f"Version {version} in {output}:")
    for file in files:
        print(f"{file.stat().st_size / 1e6:10.1f} MB  {file.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
