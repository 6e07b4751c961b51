"""Each command on the pages is executed by a test, or stands in a list with the reason why not; and
what commands name is there: targets, sub-commands, services, files, options."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from explanation_service.cli.main import _COMMANDS
from tests.docs.fates import ROWS, Elsewhere, Run, commands_of, fate_of, row_of
from tests.docs.pages import PAGES, code, hidden_commands, shell_blocks

TARGET = re.compile(r"(?<![\w@])//[\w/.-]*(?::[\w.-]+)?")
BAZEL = re.compile(r"\./bazelw (?:run|test|build) (.*)")
SUB_COMMAND = re.compile(
    r"(?:^|[\s(])(?:explanation|\S+ -m explanation_service\.cli) +([a-z][a-z-]+)"
)
SUB_COMMANDS = {*_COMMANDS, "standalone"}
BENCH = re.compile(r"\./bazelw run //bench:(\w+) -- (.*)")
COMPOSE = re.compile(r"(?:^|\s)docker compose (.*)")
# Options of compose that have a value, and its commands; neither is a service.
WITH_VALUE = {"-e", "-f", "--entrypoint", "--name", "--profile", "--scale"}
SUB_COMMANDS_OF_COMPOSE = {"down", "exec", "logs", "ps", "restart", "rm", "run", "up"}


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


ALL = [command for page in PAGES for command in commands_of(page)]


def test_each_command_is_in_the_table() -> None:
    unknown = [f"{one.page}: {one.text}" for one in ALL if fate_of(one.text) is None]
    assert unknown == [], "tests/docs/fates.py has no row for these"


def test_each_row_of_the_table_is_needed() -> None:
    used = {row_of(command.text) for command in ALL}
    assert [row for number, row in enumerate(ROWS) if number not in used] == []


def test_commands_are_where_they_are_looked_for() -> None:
    hidden = {str(page): hidden_commands(page.read_text(encoding="utf-8")) for page in PAGES}
    assert {page: lines for page, lines in hidden.items() if lines} == {}, "mark the block with sh"


@pytest.mark.parametrize(
    "fate", [fate for _, fate in ROWS if isinstance(fate, Elsewhere)], ids=lambda fate: fate.test
)
def test_the_other_test_executes_it(fate: Elsewhere) -> None:
    assert exists(fate.test), fate
    source = Path(fate.test.removeprefix("//").replace(":", "/") + ".py")
    assert fate.words in source.read_text(encoding="utf-8"), fate


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_blocks_are_of_a_shell(page: Path) -> None:
    for block in shell_blocks(page.read_text(encoding="utf-8")):
        done = subprocess.run(["bash", "-n", "-c", block], capture_output=True, text=True)
        assert done.returncode == 0, f"{block}{done.stderr}"


def test_compose_has_the_services_profiles_and_files() -> None:
    services = yaml.safe_load(Path("compose.yaml").read_text(encoding="utf-8"))["services"]
    profiles = {name for service in services.values() for name in service.get("profiles", ())}
    checked = 0
    for command in ALL:
        if not (found := COMPOSE.search(command.text.partition(" -m ")[0].replace("'", ""))):
            continue
        words = shlex.split(found[1].partition("|")[0])
        for option, word in zip(["", *words], words, strict=False):
            checked += 1
            if option == "--profile":
                assert word in profiles, command
            elif option == "-f":
                assert Path(word).is_file(), command
            elif option == "--scale":
                assert word.partition("=")[0] in services, command
            elif option not in WITH_VALUE and word[0] not in "-/":
                assert word in {*services, *SUB_COMMANDS_OF_COMPOSE, "SERVICE"}, command
    assert checked > 30


def test_benches_have_the_options() -> None:
    given = [found for page in PAGES for found in BENCH.findall(page.read_text(encoding="utf-8"))]
    for name, arguments in given:
        source = Path("bench", f"{name}.py").read_text(encoding="utf-8")
        for option in re.findall(r"--[a-z-]+", arguments.partition("`")[0]):
            assert f'"{option}"' in source, f"//bench:{name} {option}"


def test_folders_and_files_exist() -> None:
    words = [word for one in ALL for word in re.split(r"[\s='\"]+", one.text)]
    paths = {word for word in words if re.match(r"(bench|deploy|tests|tools)/", word)}
    # Made by the command before the one that names it.
    paths -= {"deploy/kubernetes/overlays/mine"}
    assert len(paths) > 5
    assert [path for path in sorted(paths) if not Path(path).exists()] == []


def test_most_commands_of_the_http_interface_and_the_command_line_are_executed() -> None:
    executed = {one.text for one in ALL if isinstance(fate_of(one.text), Run)}
    assert sum(text.startswith("curl") for text in executed) >= 12
    assert sum("reconcile" in text or "dead-letters" in text for text in executed) >= 9
    assert fate_of("redis-cli ping") is None


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
