"""The shipped images as the build leaves them: OCI image layouts, read without an engine."""

from __future__ import annotations

import json
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

IMAGES = ["api", "worker"]
LAYERS = {
    "api": ["base", "interpreter", "third_party", "library", "application"],
    "worker": ["base", "interpreter", "third_party", "ml", "model", "library", "application"],
}
SITE_PACKAGES = "usr/local/lib/python3.11/dist-packages"


def blob(image: str, digest: str) -> Path:
    return Path("images") / image / "blobs" / "sha256" / digest.removeprefix("sha256:")


@cache
def manifest(image: str) -> dict[str, Any]:
    index = json.loads((Path("images") / image / "index.json").read_text())
    result: dict[str, Any] = json.loads(blob(image, index["manifests"][0]["digest"]).read_text())
    return result


def config(image: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(
        blob(image, manifest(image)["config"]["digest"]).read_text()
    )
    return result


@cache
def members(digest: str, image: str) -> list[tarfile.TarInfo]:
    with tarfile.open(blob(image, digest)) as archive:
        return archive.getmembers()


def layer_blob(image: str, name: str) -> Path:
    return blob(image, manifest(image)["layers"][LAYERS[image].index(name)]["digest"])


def layer(image: str, name: str) -> list[tarfile.TarInfo]:
    digest = manifest(image)["layers"][LAYERS[image].index(name)]["digest"]
    return members(digest, image)


def everything(image: str) -> dict[str, tarfile.TarInfo]:
    return {member.name: member for name in LAYERS[image] for member in layer(image, name)}
