"""Compose projects with names and ports of their own, by either generation of the tool."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tools.image.debian_package import unpack_package

# A command, and what its environment has to have.
Tool = tuple[list[str], dict[str, str]]


def debian_compose(root: Path) -> Tool:
    """docker-compose 1.29 of Debian 12 (locked), unpacked below `root`, under this interpreter."""
    for package in os.environ["COMPOSE_PACKAGES"].split():
        unpack_package(Path(package), root)
    # Debian keeps half of distutils in a package of its own, which the locked interpreter lacks.
    start = f"""
import distutils
distutils.__path__.append({str(root / "usr/lib/python3.11/distutils")!r})
from compose.cli.main import main
main()
"""
    return [sys.executable, "-c", start], {
        "PYTHONPATH": str(root / "usr/lib/python3/dist-packages"),
        # What it asks for by itself is older than what engines of today answer.
        "COMPOSE_API_VERSION": "auto",
    }


def installed_compose() -> Tool | None:
    """Compose 2 of this machine, in either form; None where neither does what it is called for."""
    for command in (["docker-compose"], ["docker", "compose"]):
        if shutil.which(command[0]) and _is_compose_2(command):
            return command, {}
    return None


def free_ports(count: int) -> list[str]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [str(one.getsockname()[1]) for one in sockets]


def _is_compose_2(command: list[str]) -> bool:
    # `docker compose` needs a plugin, and docker-compose is 1.29 in Debian 12.
    version = [*command, "version", "--short"]
    done = subprocess.run(version, capture_output=True, text=True, timeout=60)
    return done.returncode == 0 and done.stdout.strip().lstrip("v").startswith("2.")
