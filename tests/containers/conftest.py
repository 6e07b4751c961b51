"""An engine, and the shipped images in it. Without an engine the tests skip on a laptop and fail
where CI is set."""

from __future__ import annotations

import os
from collections.abc import Iterator

import docker
import pytest
from docker.errors import DockerException

from tests.containers.stack import Servers, load_image, started_servers


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        reason = f"no container engine answers: {error}"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(reason)
        pytest.skip(reason)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture(scope="session")
def images(engine: docker.DockerClient) -> docker.DockerClient:
    load_image("images/api_load")
    load_image("images/worker_load")
    return engine


@pytest.fixture(scope="module")
def servers(images: docker.DockerClient) -> Iterator[Servers]:
    with started_servers() as servers:
        yield servers
