"""bazelw: the machine's npm fetches the linter of BUILD files, once, and no build depends on it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.build.bazelw_checkout import Checkout, one_sentence

LOCAL_PROBLEM = 36
PACKED = 'echo "$*" >>"$HOME/calls"; echo content >bazel-buildifier.tgz; echo bazel-buildifier.tgz'


class Npm:
    """A stand-in for npm, and bazelw with what it tells Bazel."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout
        self.cache = checkout.cache
        checkout.command("bazel", 'echo "$*"')
        self.behaves(PACKED)

    def behaves(self, body: str) -> None:
        self._checkout.command("npm", body)

    @property
    def calls(self) -> list[str]:
        calls = self.cache / "calls"
        return calls.read_text().splitlines() if calls.exists() else []

    def run(self, *arguments: str, buildifier: str = "") -> subprocess.CompletedProcess[str]:
        return self._checkout.run(
            *arguments, EXPLANATION_LANE="online", EXPLANATION_BUILDIFIER=buildifier
        )


@pytest.fixture
def npm(tmp_path: Path) -> Npm:
    return Npm(Checkout(tmp_path))


def tarball_named(result: subprocess.CompletedProcess[str]) -> Path | None:
    """The tarball that a bazelrc file of Bazel's command line names."""
    found = re.search(r"--bazelrc=(\S+/npm/\S+)", result.stdout)
    if not found:
        return None
    line = Path(found[1]).read_text()
    named = re.fullmatch(r'common "--repo_env=EXPLANATION_BUILDIFIER=(.+)"\n', line)
    assert named, line
    return Path(named[1])


@pytest.mark.parametrize("target", ["//...", "//tools/lint:buildifier_test", "//tools:format"])
def test_npm_fetches_the_locked_version_once(npm: Npm, target: str) -> None:
    lock = Path("tools/lint/buildifier.lock").read_text().split()
    first = npm.run("test", target)
    assert "with npm" in one_sentence(first.stderr)
    assert npm.calls == [f"pack --loglevel error --fetch-retries 1 {lock[0]}"]
    tarball = tarball_named(first)
    assert tarball is not None
    assert tarball.read_text() == "content\n"
    second = npm.run("test", target)
    assert (tarball_named(second), second.stderr, len(npm.calls)) == (tarball, "", 1)
    assert not list(npm.cache.glob("npm/partial-*"))


def test_what_needs_no_linter_waits_for_no_npm(npm: Npm) -> None:
    result = npm.run("run", "//:standalone")
    assert (tarball_named(result), npm.calls) == (None, [])


def test_a_fetched_one_is_named_to_every_command(npm: Npm) -> None:
    """Else Bazel would fetch the repository again with every other command."""
    fetched = tarball_named(npm.run("test", "//..."))
    assert tarball_named(npm.run("run", "//:standalone")) == fetched is not None


def test_an_npm_that_fails_stops_no_build(npm: Npm) -> None:
    npm.behaves("echo half >bazel-buildifier.tgz; echo no network; exit 1")
    result = npm.run("test", "//...")
    assert result.returncode == 0
    assert tarball_named(result) is None
    assert "no network" in result.stderr
    assert "neither formatted nor linted" in result.stderr
    npm.behaves(PACKED)
    assert tarball_named(npm.run("test", "//...")) is not None


def test_none_leaves_it_out(npm: Npm) -> None:
    npm.run("test", "//...")
    assert tarball_named(npm.run("test", "//...", buildifier="none")) is None


def test_a_tarball_of_ones_own(npm: Npm, tmp_path: Path) -> None:
    own = tmp_path / "my own.tgz"
    missing = npm.run("test", "//...", buildifier=str(own))
    assert missing.returncode == LOCAL_PROBLEM
    assert "is no file" in one_sentence(missing.stderr)
    own.touch()
    assert tarball_named(npm.run("info", buildifier=str(own))) == own
    assert npm.calls == []
