"""A real registry (Debian's docker-registry) on a port of this machine's loopback."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.containers.stack import wait_for
from tools.image.debian_package import unpack_package

SETTINGS = """\
version: 0.1
log: {{level: info, accesslog: {{disabled: false}}}}
storage: {{filesystem: {{rootdirectory: {data}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
REQUEST = re.compile(r'"(GET|HEAD|POST|PUT|PATCH|DELETE) (\S+) HTTP')


class Registry:
    """The registry's address and what it was asked for."""

    def __init__(self, port: int, log: Path) -> None:
        self.host = f"127.0.0.1:{port}"
        self.url = f"http://{self.host}"
        self._log = log

    def requests(self) -> list[tuple[str, str]]:
        """Method and path of each request that was answered, oldest first."""
        return [(found[1], found[2]) for found in REQUEST.finditer(self._log.read_text())]

    def uploads(self) -> int:
        """How many blobs have been sent to it."""
        return sum(
            method == "PUT" and "/blobs/uploads/" in path for method, path in self.requests()
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tool(name: str) -> str:
    """An independent reader; the air-gapped lane, which CI runs, brings them along."""
    program = shutil.which(name)
    if program is None:
        assert os.environ.get("CI") != "true", f"{name} is missing"
        pytest.skip(f"{name} is not installed")
    return program


def push(target: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    tool("crane")
    return subprocess.run(
        [Path(target).absolute(), *arguments], capture_output=True, text=True, timeout=600
    )


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("registry")
    unpack_package(Path(os.environ["DOCKER_REGISTRY_PACKAGE"]), folder)
    port = free_port()
    settings = folder / "config.yml"
    settings.write_text(SETTINGS.format(data=folder / "data", port=port))
    log = folder / "log.txt"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [folder / "usr/bin/docker-registry", "serve", settings],
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            with httpx.Client(trust_env=False) as client:

                def answers() -> bool:
                    assert process.poll() is None, log.read_text()
                    return client.get(f"http://127.0.0.1:{port}/v2/").status_code == 200

                wait_for(answers, 30, "registry")
            yield Registry(port, log)
        finally:
            process.terminate()
            process.wait()
