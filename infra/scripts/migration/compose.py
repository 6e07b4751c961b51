"""Compose, of either generation: what its files say, and what only it can create."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from infra.scripts.migration.engine import CommandFailed, run

API, WORKER, MONOLITH = "python-generator-api", "python-generator-worker", "python-generator"
STORES = ("mongodb", "redis", "qdrant")


@dataclass(frozen=True)
class Declared:
    """A service as the files declare it, variables filled in."""

    image: str
    host: str
    port: int | None


def declared_in_json(text: str, service: str) -> Declared:
    """From `config --format json` of Compose 2."""
    found = json.loads(text)["services"][service]
    for port in found.get("ports", []):
        return Declared(found["image"], port.get("host_ip", ""), int(port["published"]))
    return Declared(found["image"], "", None)


def declared_in_yaml(text: str, service: str) -> Declared:
    """From `config` of docker-compose 1.29, which has no JSON; always written with two blanks a
    level and a port as one string."""
    start = re.search(rf"^  {re.escape(service)}:\n((?:    .*\n?)+)", text, re.MULTILINE)
    if start is None:
        raise KeyError(service)
    block = start.group(1)
    image = re.search(r"^    image: (.+)$", block, re.MULTILINE)
    if image is None:
        raise KeyError(f"{service}: image")
    port = re.search(r"^    - '?\"?(?:([^\s'\"]*):)?(\d+):8000(?:/tcp)?'?\"?$", block, re.MULTILINE)
    name = image.group(1).strip("'\"")
    if port is None:
        return Declared(name, "", None)
    return Declared(name, port.group(1) or "", int(port.group(2)))


def find_compose() -> list[str]:
    """Compose 2 where it is installed, else docker-compose."""
    try:
        run(["docker", "compose", "version"])
    except CommandFailed:
        return ["docker-compose"]
    return ["docker", "compose"]


class Compose:
    """One project: the command with the options that say which."""

    def __init__(self, command: Sequence[str], options: Sequence[str]) -> None:
        # The monolith is in a profile; a service that is named alone is started alone all the same.
        self._command = [*command, *options, "--profile", "legacy"]

    def declared(self) -> dict[str, Declared]:
        """The three services of ours; raises CommandFailed for files that are not valid."""
        try:
            text, reader = run([*self._command, "config", "--format", "json"]), declared_in_json
        except CommandFailed:
            text, reader = run([*self._command, "config"]), declared_in_yaml
        return {name: reader(text, name) for name in (API, WORKER, MONOLITH)}

    def project(self) -> str:
        """The project's name, as the engine's labels have it; raises CommandFailed where there is
        no container of the monolith, running or stopped."""
        ids = run([*self._command, "ps", "--all", "--quiet", MONOLITH]).split()
        if not ids:
            raise CommandFailed("there is no container of python-generator")
        label = '{{index .Config.Labels "com.docker.compose.project"}}'
        return run(["docker", "inspect", "--format", label, ids[0]]).strip()

    def up(self, services: Sequence[str], workers: int = 1) -> None:
        """Create or renew the containers of these services alone, and start them."""
        scale = ["--scale", f"{WORKER}={workers}"] if WORKER in services else []
        command = [*self._command, "up", "--detach", "--no-deps", *scale, *services]
        run(command, seconds=300)
