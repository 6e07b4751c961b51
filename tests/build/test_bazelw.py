"""bazelw: picks a lane, passes arguments and exit codes on, says in a sentence what is wrong."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.build.bazelw_checkout import Checkout, one_sentence

# Bazel's own exit code for a problem of the local environment.
LOCAL_PROBLEM = 36


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_online_lane_passes_arguments_and_exit_code_through(checkout: Checkout) -> None:
    checkout.command(
        "bazelisk", 'case "$*" in *"mod graph"*) exit 0;; esac; echo "got: $*"; exit 3'
    )
    result = checkout.run("test", "//...", "--", "a b")
    assert result.returncode == 3
    assert result.stdout == f"got: --output_user_root={checkout.cache}/bazel test //... -- a b\n"


def test_a_further_bazelrc_is_read(checkout: Checkout) -> None:
    checkout.command("bazel", 'echo "got: $*"')
    result = checkout.run("info", EXPLANATION_LANE="online", EXPLANATION_BAZELRC="/tmp/ci.bazelrc")
    assert "--bazelrc=/tmp/ci.bazelrc info" in result.stdout


def test_the_online_lane_takes_debian_packages_from_the_mirror_of_apt_too(
    checkout: Checkout,
) -> None:
    checkout.command("bazel", 'echo "mirrors: $DEBIAN_MIRROR $DEBIAN_SECURITY_MIRROR"')
    checkout.command(
        "apt-get",
        "echo http://127.0.0.1:9/others stable Others;"
        # Before the first update nothing says whose it is.
        "echo http://127.0.0.1:9/debian/ bookworm;"
        "echo http://127.0.0.1:9/security bookworm-security Debian",
    )
    result = checkout.run("info", EXPLANATION_LANE="online")
    assert result.stdout == "mirrors: http://127.0.0.1:9/debian http://127.0.0.1:9/security\n"
    result = checkout.run("info", EXPLANATION_LANE="online", DEBIAN_MIRROR="http://127.0.0.1:9/own")
    assert result.stdout.startswith("mirrors: http://127.0.0.1:9/own ")


def test_a_bazel_without_the_registry_gives_way_to_the_airgapped_lane(checkout: Checkout) -> None:
    checkout.command("bazelisk", "exit 1")
    checkout.command("id", "echo 1000")
    result = checkout.run("version", DEBIAN_MIRROR="http://127.0.0.1:9/debian")
    assert "taking the air-gapped lane" in result.stderr
    assert result.returncode == LOCAL_PROBLEM


def test_an_unknown_lane_is_refused(checkout: Checkout) -> None:
    result = checkout.run("version", EXPLANATION_LANE="ofline")
    assert result.returncode == LOCAL_PROBLEM
    assert "EXPLANATION_LANE is 'ofline'" in one_sentence(result.stderr)


def test_first_set_up_without_root_says_what_to_run(checkout: Checkout) -> None:
    checkout.command("id", "echo 1000")
    checkout.command("debootstrap", "exit 1")
    checkout.command("bwrap", "exit 1")
    result = checkout.run(
        "version", EXPLANATION_LANE="airgap", DEBIAN_MIRROR="http://127.0.0.1:9/debian"
    )
    assert result.returncode == LOCAL_PROBLEM
    assert "sudo" in one_sentence(result.stderr)


def test_a_full_disk_is_named(checkout: Checkout) -> None:
    checkout.command("id", "echo 0")
    checkout.command("debootstrap", "exit 1")
    checkout.command("bwrap", "exit 1")
    checkout.command("df", "echo header; echo /dev/x 100 90 3145728 90% /")
    result = checkout.run(
        "version", EXPLANATION_LANE="airgap", DEBIAN_MIRROR="http://127.0.0.1:9/debian"
    )
    assert result.returncode == LOCAL_PROBLEM
    assert "has 3 GB free" in one_sentence(result.stderr)


def test_a_failed_step_shows_the_log_and_leaves_no_finished_root(checkout: Checkout) -> None:
    checkout.command("id", "echo 0")
    checkout.command("debootstrap", "echo E: no such mirror; exit 1")
    checkout.command("bwrap", "exit 1")
    checkout.command("df", "echo header; echo /dev/x 100 1 99999999 1% /")
    result = checkout.run(
        "version", EXPLANATION_LANE="airgap", DEBIAN_MIRROR="http://127.0.0.1:9/debian"
    )
    assert result.returncode == LOCAL_PROBLEM
    assert "E: no such mirror" in result.stderr
    assert not list(checkout.cache.glob("airgap/root-*/.complete"))


def test_a_cache_folder_that_cannot_be_made_is_named(checkout: Checkout) -> None:
    checkout.cache.write_text("a file in the way")
    result = checkout.run("version")
    assert result.returncode == LOCAL_PROBLEM
    assert "EXPLANATION_CACHE" in one_sentence(result.stderr)


def test_arguments_reach_bazel_inside_the_root(checkout: Checkout) -> None:
    """With a finished root nothing is provisioned again; bwrap gets Bazel's command line last."""
    checkout.command("bwrap", 'while [ "$1" != bazel ]; do shift; done; echo "$@"; exit 7')
    packages = (checkout.workspace / "tools/airgap/packages.txt").read_text() + "sid\n"
    sum_ = subprocess.run(["cksum"], input=packages, capture_output=True, text=True, check=True)
    root = checkout.cache / "airgap" / f"root-{sum_.stdout.split()[0]}"
    root.mkdir(parents=True)
    (root / ".complete").touch()
    result = checkout.run(
        "run",
        "//:x",
        "--",
        "--help",
        EXPLANATION_LANE="airgap",
        DEBIAN_MIRROR="http://127.0.0.1:9/debian",
    )
    assert result.returncode == 7
    assert result.stdout.rstrip().endswith("airgap.bazelrc run //:x -- --help")


class Engine:
    """Stand-ins for docker and dockerd: the client answers once the daemon has been started."""

    def __init__(self, checkout: Checkout) -> None:
        self.started = checkout.commands / "started"
        self._checkout = checkout
        checkout.command("bazel", "echo built")
        checkout.command("iptables", "exit 0")
        checkout.command("docker", f"[ -e {self.started} ]")
        checkout.command("dockerd", f'echo "$*" >{self.started}; sleep 1')

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        lane = {"EXPLANATION_LANE": "online", "EXPLANATION_ENGINE": ""}
        return self._checkout.run(*arguments, **lane | environment)


@pytest.fixture
def engine(checkout: Checkout) -> Engine:
    return Engine(checkout)


@pytest.mark.parametrize("target", ["//...", "//tests/...", "//images:api_load"])
def test_a_container_engine_is_started_where_one_is_needed(engine: Engine, target: str) -> None:
    first = engine.run("test", target)
    assert "started a container engine" in one_sentence(first.stderr)
    assert "--data-root" in engine.started.read_text()
    second = engine.run("test", target)
    assert (second.stdout, second.stderr) == ("built\n", "")


def test_no_engine_is_started_for_what_needs_none(engine: Engine) -> None:
    engine.run("run", "//:standalone")
    engine.run("test", "//tests/unit/...")
    engine.run("test", "//...", EXPLANATION_ENGINE="none")
    engine.run("test", "//...", DOCKER_HOST="tcp://127.0.0.1:1")
    assert not engine.started.exists()


def test_an_engine_that_does_not_start_stops_no_build(checkout: Checkout, engine: Engine) -> None:
    checkout.command("dockerd", "echo no kernel support; exit 1")
    result = engine.run("test", "//...")
    assert result.stdout == "built\n"
    assert "no kernel support" in result.stderr
    assert "did not start" in one_sentence(result.stderr)


def test_who_is_not_root_is_told_how_to_get_an_engine(checkout: Checkout, engine: Engine) -> None:
    checkout.command("id", "echo 1000")
    result = engine.run("test", "//...")
    assert result.stdout == "built\n"
    assert "DOCKER_HOST" in one_sentence(result.stderr)
