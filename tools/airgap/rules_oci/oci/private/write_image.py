"""Writes an OCI image layout (image-spec 1.1) from a base layout and layer tars.

    write_image describe TAR DESCRIPTION_JSON
    write_image REQUEST_JSON OUTPUT_DIRECTORY DIGEST_FILE
    write_image index OUTPUT_DIRECTORY DIGEST_FILE LAYOUT...

A layer is described by an action of its own, so that an edit in another layer does not read it
again (5 s for 460 MB). Deterministic: no clock, no host facts; `created` is the epoch, as rules_oci
has it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any, BinaryIO

EPOCH = "1970-01-01T00:00:00Z"
LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
GZIP_MAGIC = b"\x1f\x8b"
BLOCK = 1 << 20

Json = dict[str, Any]


def sha256_of(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := stream.read(BLOCK):
        digest.update(block)
    return f"sha256:{digest.hexdigest()}"


class Layout:
    """An image layout under construction: blobs by digest below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = folder / "blobs" / "sha256"
        self.blobs.mkdir(parents=True, exist_ok=True)

    def blob(self, digest: str) -> Path:
        return self.blobs / digest.removeprefix("sha256:")

    def add_json(self, value: Json, media_type: str) -> Json:
        data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blob(digest).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def finish(self, descriptor: Json) -> None:
        """The files that make the folder a layout, with the descriptor as its one entry."""
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor]}
        (self.folder / "index.json").write_text(json.dumps(index, sort_keys=True))
        (self.folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def describe(tar: Path) -> Json:
    """The descriptor of a layer, taken as it is, and its diff id (of the plain tar)."""
    with tar.open("rb") as stream:
        compressed = stream.read(2) == GZIP_MAGIC
        stream.seek(0)
        digest = sha256_of(stream)
    diff_id = digest
    if compressed:
        with gzip.open(tar) as stream:
            diff_id = sha256_of(stream)  # type: ignore[arg-type]
    media_type = LAYER + ("+gzip" if compressed else "")
    descriptor = {"mediaType": media_type, "digest": digest, "size": tar.stat().st_size}
    return {"descriptor": descriptor, "diff_id": diff_id}


def read_base(base: Path, layout: Layout) -> tuple[Json, Json]:
    """Copies a base layout's layers; returns its manifest and config."""
    source = Layout.__new__(Layout)
    source.folder, source.blobs = base, base / "blobs" / "sha256"
    manifests = json.loads((base / "index.json").read_text())["manifests"]
    if len(manifests) != 1:
        raise SystemExit(f"the base {base} must hold one image, it holds {len(manifests)}")
    manifest = json.loads(source.blob(manifests[0]["digest"]).read_text())
    for layer in manifest["layers"]:
        shutil.copyfile(source.blob(layer["digest"]), layout.blob(layer["digest"]))
    return manifest, json.loads(source.blob(manifest["config"]["digest"]).read_text())


def merged_config(base: Json, new: Json) -> Json:
    """The base's run-time settings with the image's own laid over them; empty ones are left out."""
    merged = {**base, **{key: value for key, value in new.items() if value}}
    for key in ("Labels", "ExposedPorts"):
        merged[key] = {**base.get(key, {}), **new[key]}
    variables = dict(entry.split("=", 1) for entry in [*base.get("Env", []), *new["Env"]])
    merged["Env"] = [f"{key}={value}" for key, value in variables.items()]
    if new["Entrypoint"] and not new["Cmd"]:
        # A new entrypoint must not inherit the old one's arguments.
        merged.pop("Cmd", None)
    return {key: value for key, value in merged.items() if value}


def write_image(request: Json, output: Path) -> str:
    """Writes the layout; returns the manifest's digest."""
    layout = Layout(output)
    manifest: Json = {"layers": []}
    config: Json = {"config": {}, "rootfs": {"diff_ids": []}, "history": []}
    if request["base"]:
        manifest, config = read_base(Path(request["base"]), layout)
    request["config"]["Labels"] = {}
    for file in request["labels"]:
        lines = Path(file).read_text().splitlines()
        request["config"]["Labels"] |= dict(line.split("=", 1) for line in lines if line)
    layers, diff_ids = list(manifest["layers"]), list(config["rootfs"]["diff_ids"])
    history = list(config.get("history", []))
    platform = {
        name: config.get(name) or request[name] for name in ("architecture", "os", "variant")
    }
    platform = {name: value for name, value in platform.items() if value}
    for tar, description in request["layers"]:
        layer = json.loads(Path(description).read_text())
        shutil.copyfile(tar, layout.blob(layer["descriptor"]["digest"]))
        layers.append(layer["descriptor"])
        diff_ids.append(layer["diff_id"])
        history.append({"created": EPOCH, "created_by": request["created_by"]})
    config_descriptor = layout.add_json(
        {
            **platform,
            "created": EPOCH,
            "config": merged_config(config.get("config", {}), request["config"]),
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": history,
        },
        CONFIG,
    )
    body: Json = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config_descriptor,
        "layers": layers,
    }
    if request["annotations"]:
        body["annotations"] = request["annotations"]
    descriptor = layout.add_json(body, MANIFEST)
    descriptor["platform"] = platform
    layout.finish(descriptor)
    return str(descriptor["digest"])


def write_index(images: list[Path], output: Path) -> str:
    """Writes a layout whose one entry is an index of the images; returns the index's digest."""
    layout = Layout(output)
    manifests = []
    for image in images:
        for source in sorted((image / "blobs" / "sha256").iterdir()):
            if not layout.blob(source.name).exists():
                shutil.copyfile(source, layout.blob(source.name))
        manifests += json.loads((image / "index.json").read_text())["manifests"]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
    descriptor = layout.add_json(index, INDEX)
    layout.finish(descriptor)
    return str(descriptor["digest"])


def main() -> int:
    if sys.argv[1] == "describe":
        tar, description = Path(sys.argv[2]), Path(sys.argv[3])
        description.write_text(json.dumps(describe(tar), sort_keys=True))
        return 0
    if sys.argv[1] == "index":
        output, digest, *images = (Path(argument) for argument in sys.argv[2:])
        digest.write_text(write_index(images, output) + "\n")
        return 0
    request, output, digest = (Path(argument) for argument in sys.argv[1:4])
    digest.write_text(write_image(json.loads(request.read_text()), output) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
