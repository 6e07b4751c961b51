"""The commands on the pages name targets, sub-commands and files that there are."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from explanation_service.cli.main import _COMMANDS
from tests.docs.pages import PAGES, code

TARGET = re.compile(r"(?<![\w@])//[\w/.-]*(?::[\w.-]+)?")
BAZEL = re.compile(r"\./bazelw (?:run|test|build) (.*)")
SUB_COMMAND = re.compile(
    r"(?:^|[\s(])(?:explanation|\S+ -m explanation_service\.cli) +([a-z][a-z-]+)"
)
SUB_COMMANDS = {*_COMMANDS, "standalone"}


def build_files() -> dict[str, str]:
    """Package -> its BUILD file. Bazel hands all of them over as one file."""
    if bundle := os.environ.get("BUILD_FILES"):
        contents = json.loads(Path(bundle).read_text(encoding="utf-8"))
    else:
        found = Path().rglob("BUILD.bazel")
        contents = {str(path): path.read_text(encoding="utf-8") for path in found}
    return {
        "" if path == "BUILD.bazel" else path.removesuffix("/BUILD.bazel"): text
        for path, text in contents.items()
        if path.endswith("BUILD.bazel")
    }


PACKAGES = build_files()


def exists(label: str) -> bool:
    """Whether the package has the target, as far as its BUILD file's text tells: a name that a
    comprehension puts together is one if its parts stand there."""
    package, _, name = label.removeprefix("//").partition(":")
    if package == "..." or package.endswith("/..."):
        folder = package.removesuffix("...").removesuffix("/")
        return any(one == folder or one.startswith(folder + "/") for one in PACKAGES)
    if package not in PACKAGES:
        return False
    text = PACKAGES[package]
    if name.startswith("test_"):
        return "test_*.py" in text or "unit_tests(" in text or f'"{name}.py"' in text
    return _is_made(name or package.rpartition("/")[2], set(re.findall(r'"([\w.-]+)"', text)))


def _is_made(name: str, literals: set[str]) -> bool:
    return name in literals or any(
        name.endswith(ending) and _is_made(name.removesuffix(ending), literals)
        for ending in literals
        if ending.startswith("_")
    )


def commands(page: Path, pattern: re.Pattern[str]) -> list[str]:
    return [
        found
        for part in code(page.read_text(encoding="utf-8"))
        for line in part.splitlines()
        for found in pattern.findall(line.partition(" #")[0])
    ]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_targets_exist(page: Path) -> None:
    for command in commands(page, BAZEL):
        arguments = command.partition(" -- ")[0]
        for label in TARGET.findall(arguments):
            assert exists(label), f"{page}: ./bazelw ... {command}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_sub_commands_exist(page: Path) -> None:
    unknown = [name for name in commands(page, SUB_COMMAND) if name not in SUB_COMMANDS]
    assert unknown == []


def test_there_are_commands_to_check() -> None:
    assert sum(len(commands(page, BAZEL)) for page in PAGES) > 30
    assert sum(len(commands(page, SUB_COMMAND)) for page in PAGES) > 3


def test_what_is_not_there_is_noticed() -> None:
    assert exists("//images:api_debug_load")
    assert exists("//images/services:yandexgpt_load")
    assert exists("//tools/lint/...")
    assert exists("//tests/nightly")
    for label in ("//images:api_lode", "//nowhere:api", "//nowhere/...", "//images", "//:apl"):
        assert not exists(label), label
