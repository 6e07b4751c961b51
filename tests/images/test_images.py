"""What is in the shipped images, read from the artefacts themselves; no engine is needed."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from tests.images.artefacts import (
    IMAGES,
    LAYERS,
    SITE_PACKAGES,
    config,
    everything,
    layer,
    manifest,
)

ML_PACKAGES = {
    "onnxruntime",
    "safetensors",
    "scipy",
    "sentence_transformers",
    "sklearn",
    "tokenizers",
    "torch",
    "transformers",
}
WRITING_PACKAGES = {"grpc", "numpy", "qdrant_client"}
# Bytes, compressed: what a registry keeps and a client pulls.
COMPRESSED_LIMIT = {"api": 40_000_000, "worker": 460_000_000}
# As an engine counts the files on its disk; the worker's without the model.
PLAIN_LIMIT = {"api": 110_000_000, "worker": 950_000_000}
MODEL_LIMIT = 250_000_000
# The application layer with the image's configuration and manifest.
EDIT_LIMIT = {"api": 150_000, "worker": 250_000}


@pytest.mark.parametrize("image", IMAGES)
def test_layers_are_those_that_are_meant(image: str) -> None:
    assert len(manifest(image)["layers"]) == len(LAYERS[image])


def test_both_images_share_what_both_need() -> None:
    digests = [[one["digest"] for one in manifest(image)["layers"]] for image in IMAGES]
    assert digests[0][:3] == digests[1][:3]
    assert digests[0][-2] == digests[1][-2], "the library"


@pytest.mark.parametrize("image", IMAGES)
def test_no_shell_and_no_package_manager(image: str) -> None:
    names = {Path(name).name for name in everything(image) if "/bin/" in f"/{name}"}
    assert "python3.11" in names
    assert not names & {"sh", "bash", "dash", "busybox", "apt", "apt-get", "dpkg", "pip", "pip3"}


@pytest.mark.parametrize("image", IMAGES)
def test_owners_and_modes(image: str) -> None:
    for name, member in everything(image).items():
        assert not member.mode & 0o6000, f"{name} is setuid or setgid"
        assert member.mtime == 0, name
        if name == "home/nonroot":
            assert (member.uid, member.gid, member.mode) == (65532, 65532, 0o700)
        else:
            assert (member.uid, member.gid) == (0, 0), name
        if name != "tmp" and not member.issym():
            assert not member.mode & 0o022, f"{name} can be written by others"
    assert everything(image)["tmp"].mode == 0o1777


@pytest.mark.parametrize("image", IMAGES)
def test_links_stay_in_the_image_and_lead_somewhere(image: str) -> None:
    files = everything(image)
    # Of packages that are left out on purpose.
    dangling = {"usr/bin/pdb3.11", "usr/share/bug"}
    for name, member in files.items():
        if not member.issym() or name in dangling or name.startswith("usr/share/"):
            continue
        start = Path("/") if member.linkname.startswith("/") else Path("/", name).parent
        target = Path(start, member.linkname).as_posix()
        parts: list[str] = []
        for part in target.strip("/").split("/"):
            if part == "..":
                parts.pop()
            else:
                parts.append(part)
        assert "/".join(parts) in files, f"{name} -> {member.linkname}"


def packages(members_of_layer: list[tarfile.TarInfo]) -> set[str]:
    prefix = SITE_PACKAGES + "/"
    return {
        member.name.removeprefix(prefix).split("/")[0]
        for member in members_of_layer
        if member.name.startswith(prefix)
    }


def test_the_api_has_no_ml_and_no_client_for_writing_vectors() -> None:
    carried = packages(layer("api", "third_party"))
    assert {"fastapi", "httpx", "redis"} <= carried
    assert not carried & (ML_PACKAGES | WRITING_PACKAGES)


def test_the_ml_layer_has_what_the_worker_adds() -> None:
    carried = packages(layer("worker", "ml"))
    assert {"torch", "sentence_transformers", "tokenizers"} <= carried
    assert carried >= WRITING_PACKAGES
    assert not {name for name in carried if name.startswith(("nvidia", "triton"))}


@pytest.mark.parametrize("image", IMAGES)
def test_all_sources_are_compiled(image: str) -> None:
    names = {member.name for part in ("library", "application") for member in layer(image, part)}
    sources = {name for name in names if name.endswith(".py")}
    assert f"app/explanation_service/{'api' if image == 'api' else 'indexing'}/__main__.py" in names
    assert "app/explanation_service/healthcheck.py" in names
    for source in sources:
        path = Path(source)
        assert f"{path.parent}/__pycache__/{path.stem}.cpython-311.pyc" in names


@pytest.mark.parametrize("image", IMAGES)
def test_scanners_find_the_packages(image: str) -> None:
    status = "var/lib/dpkg/status.d/"
    found = {name.removeprefix(status) for name in everything(image) if name.startswith(status)}
    assert {"libc6", "libssl3", "python3.11-minimal", "ca-certificates"} <= found


@pytest.mark.parametrize("image", IMAGES)
def test_started_as_nobody_without_a_shell(image: str) -> None:
    settings = config(image)["config"]
    assert settings["User"] == "65532"
    assert settings["Entrypoint"][:2] == ["/usr/bin/python3.11", "-m"]
    assert "Cmd" not in settings


@pytest.mark.parametrize("image", IMAGES)
def test_size(image: str) -> None:
    sizes = [one["size"] for one in manifest(image)["layers"]]
    assert sum(sizes) < COMPRESSED_LIMIT[image]
    plain = {name: sum(member.size for member in layer(image, name)) for name in LAYERS[image]}
    assert plain.pop("model", 0) < MODEL_LIMIT
    assert sum(plain.values()) < PLAIN_LIMIT[image]
    around = manifest(image)["config"]["size"] + len(json.dumps(manifest(image)))
    assert sizes[-1] + around < EDIT_LIMIT[image], "what an edit makes a registry's clients pull"
