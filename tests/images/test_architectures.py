"""The API's image for arm64: the same contents, built of arm64's packages."""

from __future__ import annotations

import json
import re
import struct
import tarfile
from pathlib import Path

from tests.images.artefacts import LAYERS, SITE_PACKAGES, blob, config, layer, manifest

LAYERS["api_arm64"] = LAYERS["api"]
# ELF header (elf(5)): e_machine at byte 18.
AARCH64 = 183


def machines(image: str) -> set[int]:
    """The machine of every ELF file of the image."""
    found = set()
    for one in manifest(image)["layers"]:
        with tarfile.open(blob(image, one["digest"])) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() else None
                head = stream.read(20) if stream else b""
                if head.startswith(b"\x7fELF"):
                    found.add(struct.unpack_from("<H", head, 18)[0])
    return found


def distributions(image: str) -> set[str]:
    pattern = re.compile(re.escape(SITE_PACKAGES) + r"/([^/]+)\.dist-info/METADATA")
    found = [pattern.fullmatch(member.name) for member in layer(image, "third_party")]
    return {one[1] for one in found if one}


def debian_packages(image: str) -> set[str]:
    return {
        Path(member.name).name
        for name in ("base", "interpreter")
        for member in layer(image, name)
        if member.name.startswith("var/lib/dpkg/status.d/") and member.isfile()
    }


def test_no_file_is_for_another_machine() -> None:
    assert machines("api_arm64") == {AARCH64}


def test_both_have_the_same_packages() -> None:
    assert distributions("api_arm64") == distributions("api")
    assert debian_packages("api_arm64") == debian_packages("api")


def test_our_own_layers_are_the_same_blobs() -> None:
    ours = [
        [one["digest"] for one in manifest(image)["layers"][-2:]] for image in ("api", "api_arm64")
    ]
    assert ours[0] == ours[1]


def test_the_platform_is_said() -> None:
    assert (config("api_arm64")["architecture"], config("api_arm64")["variant"]) == ("arm64", "v8")
    assert config("api")["architecture"] == "amd64"
    assert "variant" not in config("api")


def test_the_index_names_both() -> None:
    layout = Path("images/api_index")
    (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
    blobs = layout / "blobs" / "sha256"
    index = json.loads((blobs / entry["digest"].removeprefix("sha256:")).read_text())
    named = {one["platform"]["architecture"]: one["digest"] for one in index["manifests"]}
    for image, architecture in (("api", "amd64"), ("api_arm64", "arm64")):
        (one,) = json.loads((Path("images") / image / "index.json").read_text())["manifests"]
        assert named[architecture] == one["digest"]
        for layer_of in manifest(image)["layers"]:
            assert (blobs / layer_of["digest"].removeprefix("sha256:")).is_file()
