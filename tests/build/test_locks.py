"""The locks: complete, wheels only, no CUDA, no host names."""

from __future__ import annotations

import json
import re
import tomllib
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

LOCK = Path("requirements_lock.txt").read_text()
PACKAGES = dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", LOCK, re.MULTILINE))
DEBIAN = json.loads(Path("tools/debian/packages.lock.json").read_text())


def test_no_cuda_and_no_triton() -> None:
    assert not [name for name in PACKAGES if name.startswith(("nvidia-", "cuda-", "triton"))]
    assert PACKAGES["torch"].endswith("+cpu")


def test_every_package_has_one_wheel_a_machine_and_no_sdist() -> None:
    blocks = re.split(r"^(?=[a-z0-9.-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(PACKAGES)
    for block in blocks:
        # One wheel for x86-64 and at most another for arm64; a source archive would be a third.
        assert 1 <= len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", block)) <= 2, block


def test_every_requirement_of_pyproject_is_locked_within_its_range() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    texts = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    for requirement in map(Requirement, texts):
        version = PACKAGES[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(Version(version), prereleases=True), requirement


def test_debian_lock_holds_what_is_asked_for() -> None:
    wanted = json.loads(Path("tools/debian/packages.json").read_text())
    assert DEBIAN["release"] == wanted["release"]
    for architecture in wanted["architectures"]:
        locked = DEBIAN["packages"][architecture]
        groups = [wanted[name] for name in wanted if name not in ("architectures", "release")]
        assert [package["name"] for package in locked] == sorted(chain(*groups))
        for package in locked:
            assert re.fullmatch(r"[0-9a-f]{64}", package["sha256"])
            assert package["path"].startswith("pool/")
            assert package["architecture"] in (architecture, "all")


def test_no_lock_names_a_host() -> None:
    for text in (LOCK, json.dumps(DEBIAN)):
        assert "://" not in text
