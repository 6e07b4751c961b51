"""The container engine through its command line: what every operator's machine has."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Where the images have their interpreter; they have no shell.
PYTHON = "/usr/bin/python3.11"
INNER_PORT = "8000/tcp"


class CommandFailed(Exception):
    """A command of the engine ended with another code than 0, or not in time."""


def run(command: Sequence[str], seconds: float = 60) -> str:
    """Its standard output; raises CommandFailed with the last line of its complaint."""
    shown = " ".join(command[:6])
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds
        )
    except FileNotFoundError:
        raise CommandFailed(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise CommandFailed(f"`{shown} ...` did not end within {seconds:.0f} s") from None
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
        raise CommandFailed(f"`{shown} ...` ended with {done.returncode}: {lines[-1]}")
    return done.stdout


@dataclass(frozen=True)
class Container:
    """What the engine says of a container of the project."""

    id: str
    status: str
    health: str
    exit_code: int
    restarts: int
    environment: Mapping[str, str]
    url: str | None

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def healthy(self) -> bool:
        return self.running and self.health == "healthy"

    @classmethod
    def of(cls, inspected: Mapping[str, Any]) -> Container:
        state = inspected["State"]
        variables = (line.partition("=") for line in inspected["Config"]["Env"] or [])
        return cls(
            id=inspected["Id"],
            status=state["Status"],
            health=(state.get("Health") or {}).get("Status", "none"),
            exit_code=state["ExitCode"],
            restarts=inspected["RestartCount"],
            environment={name: value for name, _, value in variables},
            url=_published(inspected["NetworkSettings"]["Ports"] or {}),
        )


def _published(ports: Mapping[str, Any]) -> str | None:
    for binding in ports.get(INNER_PORT) or []:
        # All addresses of this machine are reached through its loopback.
        host = binding["HostIp"]
        host = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{binding['HostPort']}"
    return None


class Engine:
    """The containers of one compose project."""

    def __init__(self, project: str) -> None:
        self._project = project

    def containers(self, service: str) -> list[Container]:
        """Those of the service, stopped ones too, without those of `compose run`."""
        labels = {"project": self._project, "service": service, "oneoff": "False"}
        command = ["docker", "ps", "--all", "--quiet", "--no-trunc"]
        for name, value in labels.items():
            command += ["--filter", f"label=com.docker.compose.{name}={value}"]
        ids = run(command).split()
        if not ids:
            return []
        return [Container.of(one) for one in json.loads(run(["docker", "inspect", *ids]))]

    def start(self, container: Container) -> None:
        run(["docker", "start", container.id])

    def stop(self, container: Container) -> None:
        """SIGTERM, and after the container's own grace period SIGKILL."""
        run(["docker", "stop", container.id], seconds=120)

    def last_words(self, container: Container) -> str:
        """The last line that it logged, for a sentence about its end."""
        command = ["docker", "logs", "--tail", "1", container.id]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return (done.stdout + done.stderr).strip()[-300:]

    def get(self, container: Container, address: str) -> str | None:
        """The body of an address that is not published, asked from within the container; None when
        it does not answer 200."""
        program = (
            "import sys, urllib.request as r; "
            "print(r.build_opener(r.ProxyHandler({})).open(sys.argv[1], timeout=5).read().decode())"
        )
        try:
            return run(["docker", "exec", container.id, PYTHON, "-c", program, address], seconds=20)
        except CommandFailed:
            return None


def engine_fault() -> str | None:
    """Why no engine can be used, in a sentence."""
    try:
        run(["docker", "version", "--format", "{{.Server.Version}}"], seconds=30)
    except CommandFailed as error:
        return f"No container engine answers ({error}): start it, or set DOCKER_HOST."
    return None


def image_present(name: str) -> bool:
    try:
        run(["docker", "image", "inspect", "--format", "{{.Id}}", name])
    except CommandFailed:
        return False
    return True


def data_folder() -> str:
    """Where the engine keeps images and volumes, as the engine's machine calls it."""
    return run(["docker", "info", "--format", "{{.DockerRootDir}}"]).strip()
