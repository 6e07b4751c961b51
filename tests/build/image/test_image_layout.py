"""What oci_image writes, in either lane: a standard layout that independent tools accept."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent


def blob(image: str, digest: str) -> bytes:
    data = (FOLDER / image / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == digest
    return data


def manifest(image: str) -> dict[str, Any]:
    index = json.loads((FOLDER / image / "index.json").read_text())
    result: dict[str, Any] = json.loads(blob(image, index["manifests"][0]["digest"]))
    return result


def config(image: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(blob(image, manifest(image)["config"]["digest"]))
    return result


def test_layers_are_the_base_s_and_then_the_image_s_own() -> None:
    layers = manifest("image")["layers"]
    assert layers[0] == manifest("base")["layers"][0]
    names = []
    for layer, diff_id in zip(layers, config("image")["rootfs"]["diff_ids"], strict=True):
        data = blob("image", layer["digest"])
        plain = gzip.decompress(data) if layer["mediaType"].endswith("gzip") else data
        assert f"sha256:{hashlib.sha256(plain).hexdigest()}" == diff_id
        with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
            names += archive.getnames()
    assert names == ["lower.txt", "upper.txt"]


def test_settings_are_laid_over_the_base_s() -> None:
    settings = config("image")["config"]
    assert sorted(settings["Env"]) == ["LANG=C.UTF-8", "TZ=Europe/Moscow"]
    assert settings["User"] == "65532"
    assert settings["WorkingDir"] == "/app"
    assert settings["Entrypoint"] == ["/bin/x"]
    assert "Cmd" not in settings
    assert settings["ExposedPorts"] == {"8080/tcp": {}}


def test_the_digest_file_names_the_manifest() -> None:
    digests = [path.read_text().strip() for path in FOLDER.glob("image*.sha256")]
    index = json.loads((FOLDER / "image" / "index.json").read_text())
    assert digests == [index["manifests"][0]["digest"]]


def test_skopeo_reads_it() -> None:
    skopeo = shutil.which("skopeo", path="/usr/bin:/bin")
    if skopeo is None:
        # The air-gapped lane brings skopeo along; CI runs that lane.
        assert os.environ.get("CI") != "true", "skopeo is missing"
        pytest.skip("skopeo is not installed")
    output = subprocess.run(
        [skopeo, "inspect", "--config", f"oci:{(FOLDER / 'image').resolve()}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert json.loads(output)["config"]["WorkingDir"] == "/app"
