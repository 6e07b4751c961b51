"""`bazel run //images:release` on the real images: what would be published is whole and true.

Refusals and odd layouts are in tests/unit/tools/test_image_release.py, on made-up images.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.images.artefacts import IMAGES, config, manifest

VERSION: str = tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"]
SUMS = "SHA256SUMS"
INPUTS = [
    f"--{option}={path}"
    for image in IMAGES
    for option, path in (("image", f"images/{image}"), ("sbom", f"images/{image}_sbom.cdx.json"))
]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of half a gigabyte, gone after the tests."""
    folder = tmp_path_factory.mktemp("release") / "files"
    # A tree that somebody works on is not stamped, and what is tested here is no commit then.
    command = [str(Path("images/release").absolute()), "--draft", f"--output={folder}", *INPUTS]
    subprocess.run(command, check=True, timeout=600)
    yield folder
    shutil.rmtree(folder)


def archive_of(folder: Path, image: str) -> Path:
    return folder / f"python-generator-{image}-{VERSION}.tar"


def test_files_are_those_of_the_version_in_pyproject(release: Path) -> None:
    assert {file.name for file in release.iterdir()} == {SUMS} | {
        f"python-generator-{image}-{VERSION}{ending}"
        for image in IMAGES
        for ending in (".tar", ".cdx.json")
    }


def test_checksums_are_right_and_of_every_file(release: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=release, check=True)
    named = {line.split("  ")[1] for line in (release / SUMS).read_text().splitlines()}
    assert named == {file.name for file in release.iterdir()} - {SUMS}


@pytest.mark.parametrize("image", IMAGES)
def test_the_bill_of_materials_is_valid_and_of_this_version(release: Path, image: str) -> None:
    text = (release / f"python-generator-{image}-{VERSION}.cdx.json").read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    described = json.loads(text)["metadata"]["component"]
    assert (described["name"], described["version"]) == (f"python-generator-{image}", VERSION)


@pytest.mark.parametrize("image", IMAGES)
def test_the_archive_holds_the_image_that_was_built(release: Path, image: str) -> None:
    blobs: dict[str, bytes | None] = {}
    with tarfile.open(archive_of(release, image)) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            assert stream is not None, member.name
            if member.name.startswith("blobs/sha256/"):
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                assert member.name == f"blobs/sha256/{digest}"
                blobs[digest] = None
            else:
                blobs[member.name] = stream.read()
    index = json.loads(blobs["index.json"] or b"")
    (described,) = index["manifests"]
    built = json.loads(Path(f"images/{image}/index.json").read_text())["manifests"][0]
    assert described["digest"] == built["digest"]
    parts = [manifest(image)["config"], *manifest(image)["layers"]]
    wanted = {part["digest"] for part in parts} | {built["digest"]}
    assert {f"sha256:{name}" for name, content in blobs.items() if content is None} == wanted
    # What `docker load` of old reads.
    (loaded,) = json.loads(blobs["manifest.json"] or b"")
    assert loaded["RepoTags"] == [f"python-generator-{image}:{VERSION}"]
    layers = [layer["digest"] for layer in manifest(image)["layers"]]
    assert [f"sha256:{layer.rpartition('/')[2]}" for layer in loaded["Layers"]] == layers


@pytest.mark.parametrize("image", IMAGES)
def test_the_image_says_the_version_itself(image: str) -> None:
    labels = config(image)["config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == VERSION


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive"])
def test_another_program_reads_the_archive(
    release: Path, image: str, transport: str, tmp_path: Path
) -> None:
    program = shutil.which("skopeo")
    if program is None:
        pytest.skip("skopeo is not installed")
    # It unpacks the layers, by default where a sandbox may not write.
    command = [program, f"--tmpdir={tmp_path}", "inspect"]
    command.append(f"{transport}:{archive_of(release, image)}")
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["Labels"] == config(image)["config"]["Labels"]
    assert (found["Os"], found["Architecture"]) == ("linux", "amd64")
