"""The bills of materials list what the images hold, with the hashes of the locks."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from tests.images.artefacts import IMAGES, LAYERS, SITE_PACKAGES, layer, layer_blob

STATUS = "var/lib/dpkg/status.d/"


def sbom(image: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(f"images/{image}_sbom.cdx.json").read_text())
    return found


def components(image: str, kind: str) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in sbom(image)["components"] if one["purl"].startswith(kind)}


def sha256(component: dict[str, Any]) -> str:
    (one,) = component["hashes"]
    assert one["alg"] == "SHA-256"
    content: str = one["content"]
    return content


def names(image: str) -> list[str]:
    return [member.name for name in LAYERS[image] for member in layer(image, name)]


@pytest.mark.parametrize("image", IMAGES)
def test_it_is_valid_cyclonedx(image: str) -> None:
    text = Path(f"images/{image}_sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


@pytest.mark.parametrize("image", IMAGES)
def test_every_wheel_of_the_image_is_listed_and_no_other(image: str) -> None:
    pattern = re.compile(re.escape(SITE_PACKAGES) + r"/([^/]+)-([^-/]+)\.dist-info/METADATA")
    found = [pattern.fullmatch(name) for name in names(image)]
    carried = {(canonicalize_name(one[1]), one[2]) for one in found if one}
    listed = {(name, one["version"]) for name, one in components(image, "pkg:pypi/").items()}
    assert listed == carried


@pytest.mark.parametrize("image", IMAGES)
def test_every_debian_package_of_the_image_is_listed_and_no_other(image: str) -> None:
    carried = {}
    for name in ("base", "interpreter"):
        with tarfile.open(layer_blob(image, name)) as archive:
            for member in archive:
                if member.name.startswith(STATUS) and member.isfile():
                    stream = archive.extractfile(member)
                    assert stream is not None
                    fields = dict(re.findall(r"^(\w+): (.*)$", stream.read().decode(), re.M))
                    carried[fields["Package"]] = fields["Version"]
    listed = {name: one["version"] for name, one in components(image, "pkg:deb/").items()}
    assert listed == carried


@pytest.mark.parametrize("image", IMAGES)
def test_hashes_are_those_of_the_locks(image: str) -> None:
    lock = Path("requirements_lock.txt").read_text()
    for name, component in components(image, "pkg:pypi/").items():
        (block,) = re.findall(rf"^{re.escape(name)}==.*?(?=^\S|\Z)", lock, re.M | re.S)
        assert f"sha256:{sha256(component)}" in block, name
    packages = json.loads(Path("tools/debian/packages.lock.json").read_text())["packages"]["amd64"]
    locked = {package["name"]: package["sha256"] for package in packages}
    for name, component in components(image, "pkg:deb/").items():
        # A mirror may have lost the locked version; the bill says so then.
        newer = any("lock" in one["name"] for one in component["properties"])
        assert newer or sha256(component) == locked[name], name


@pytest.mark.parametrize("image", IMAGES)
def test_every_component_has_a_licence(image: str) -> None:
    assert [one["name"] for one in sbom(image)["components"] if not one.get("licenses")] == []


def test_the_model_is_listed() -> None:
    (model,) = [
        one for one in sbom("worker")["components"] if one["type"] == "machine-learning-model"
    ]
    assert model["version"]
    assert len(sha256(model)) == 64


@pytest.mark.parametrize("image", IMAGES)
def test_dependencies_are_known(image: str) -> None:
    needs = {one["ref"]: one.get("dependsOn", []) for one in sbom(image)["dependencies"]}
    by_name = {one["name"]: one["bom-ref"] for one in sbom(image)["components"]}
    assert by_name["starlette"] in needs[by_name["fastapi"]]
    assert by_name["libc6"] in needs[by_name["libssl3"]]
    top = needs[f"python-generator-{image}"]
    assert by_name["fastapi"] in top
    assert by_name["starlette"] not in top
