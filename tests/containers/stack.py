"""The shipped images as containers, with the servers that they need, through testcontainers.

The servers are the stand-ins of images/services, or with --config=upstream-services the images that
compose.yaml names.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

# Its reaper is an image of its own, which a machine without a registry cannot have; every container
# here is ended by its `with` block.
os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"

import httpx
import yaml
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

API = "python-generator-api:latest"
WORKER = "python-generator-worker:latest"
UPSTREAM = os.environ.get("SERVICE_IMAGES") == "upstream"
STORES = {"mongodb": 27017, "qdrant": 6333, "redis": 6379}
# Nothing more than this may the images need.
HARDENED: dict[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
}
ENVIRONMENT = {
    "APP_ENV": "test",
    "MONGODB_URI": "mongodb://mongodb:27017",
    "REDIS_URL": "redis://redis:6379/0",
    "QDRANT_URL": "http://qdrant:6333",
}
# The model is read and warmed up on cores that others use, too.
READY_SECONDS = 180.0

Answer = TypeVar("Answer")


def load_image(target: str) -> None:
    """Load an image into the engine with the program that `bazel run` starts."""
    subprocess.run([Path(target).absolute()], check=True, timeout=600)


def service_image(name: str) -> str:
    """The image of a server; a stand-in is loaded first."""
    if UPSTREAM:
        services = yaml.safe_load(Path("compose.yaml").read_text())["services"]
        image: str = services[name]["image"]
        return image
    load_image(f"images/services/{name}_load")
    return f"explanation-service-standin/{name}:latest"


def wait_for(what: Callable[[], Answer | None], seconds: float, waiting_for: str) -> Answer:
    """The first true answer; a server that is not up yet has none."""
    end = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < end:
        try:
            if answer := what():
                return answer
        except httpx.TransportError as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"no {waiting_for} within {seconds:.0f} s; last: {last}")


def url_of(container: DockerContainer, port: int = 8000) -> str:
    host = container.get_container_host_ip()
    return f"http://{host}:{container.get_exposed_port(port)}"


def client_of(container: DockerContainer) -> httpx.Client:
    return httpx.Client(base_url=url_of(container), timeout=10, trust_env=False)


def says(container: DockerContainer) -> str:
    """What the container wrote, both streams."""
    return container.get_wrapped_container().logs().decode(errors="replace")


def service(image: str, network: Network | None = None, **environment: str) -> DockerContainer:
    """A container of ours: hardened, its port 8000 published, not started yet."""
    container = DockerContainer(image).with_kwargs(**HARDENED).with_exposed_ports(8000)
    for name, value in (ENVIRONMENT | environment).items():
        container = container.with_env(name, value)
    if network is not None:
        container = container.with_network(network)
    return container


def ready(container: DockerContainer) -> None:
    """Wait until the readiness probe answers 200."""
    with client_of(container) as client:
        try:
            wait_for(
                lambda: client.get("/health/ready").status_code == 200, READY_SECONDS, "readiness"
            )
        except AssertionError as error:
            raise AssertionError(f"{error}\n{says(container)[-3000:]}") from error


class Servers:
    """The servers on a network of their own, under the names that compose.yaml gives them."""

    def __init__(self, network: Network, containers: dict[str, DockerContainer]) -> None:
        self.network = network
        self._containers = containers

    def address(self, name: str, port: int) -> tuple[str, int]:
        """Where this machine reaches the server that listens on `port` in its container."""
        container = self._containers[name]
        return container.get_container_host_ip(), container.get_exposed_port(port)

    def url(self, name: str, port: int) -> str:
        host, published = self.address(name, port)
        return f"http://{host}:{published}"


@contextmanager
def started_servers() -> Iterator[Servers]:
    """All servers, accepting connections."""
    with ExitStack() as stack:
        network = stack.enter_context(Network())
        containers = {}
        for name, port in STORES.items():
            container = DockerContainer(service_image(name)).with_exposed_ports(port)
            container.with_network(network).with_network_aliases(name)
            containers[name] = stack.enter_context(container)
        yield Servers(network, containers)
