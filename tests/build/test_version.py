"""The version stands in pyproject.toml; where else it has to be written out, it is the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

VERSION = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

# file -> what captures the version in it, as often as it stands there
PLACES = {
    "MODULE.bazel": r'^module\(\n    name = "explanation_service",\n    version = "(.+)",$',
    "images/config.bzl": r'^VERSION = "(.+)"$',
    "src/explanation_service/__init__.py": r'^__version__ = "(.+)"$',
    "deploy/kubernetes/overlays/example/kustomization.yaml": r"^    newTag: (.+)$",
}


@pytest.mark.parametrize("file", PLACES)
def test_every_place_has_the_version_of_pyproject(file: str) -> None:
    text = Path(file).read_text(encoding="utf-8")
    found = set(re.findall(PLACES[file], text, re.MULTILINE))
    assert found == {VERSION}, f"{file}: write {VERSION}, as in pyproject.toml"


def test_the_changelog_knows_it() -> None:
    text = Path("CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(.+?)\](?: - \d{4}-\d\d-\d\d)?\n\n(.*)$", text, re.MULTILINE)
    assert newest
    if newest[1] == "Unreleased":
        assert f"Becomes {VERSION}" in newest[2]
    else:
        assert newest[1] == VERSION
