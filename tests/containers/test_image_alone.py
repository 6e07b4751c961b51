"""Each image by itself: hardened, probed and stopped as an orchestrator does it, no server near."""

from __future__ import annotations

import time
from typing import Any

import docker
import pytest
from testcontainers.core.container import DockerContainer

from tests.containers.stack import API, WORKER, client_of, says, service, wait_for

PYTHON = "/usr/bin/python3.11"
PROBE = [PYTHON, "-m", "explanation_service.healthcheck", "http://127.0.0.1:8000/health"]
# An orchestrator's patience is 10 s; then it kills.
STOP_SECONDS = 10


def alive(container: DockerContainer) -> None:
    def answers() -> bool:
        inner = container.get_wrapped_container()
        inner.reload()
        assert inner.status == "running", says(container)
        with client_of(container) as client:
            return client.get("/health").status_code == 200

    wait_for(answers, 90, "answer of /health")


@pytest.mark.parametrize("image", [API, WORKER])
def test_runs_hardened_and_answers_while_every_server_is_away(images: Any, image: str) -> None:
    with service(image) as container:
        alive(container)
        with client_of(container) as client:
            unready = client.get("/health/ready")
        assert unready.status_code == 503
        assert "redis" in unready.text
        inner = container.get_wrapped_container()
        assert inner.exec_run(PROBE).exit_code == 0
        assert inner.exec_run([PYTHON, "-c", "import os; print(os.getuid())"]).output == b"65532\n"
        processes = inner.top(ps_args="-o pid,args")["Processes"]
        assert [process[1].split()[0] for process in processes] == [PYTHON], "no shell, no wrapper"


@pytest.mark.parametrize("image", [API, WORKER])
def test_sigterm_ends_it_cleanly(images: Any, image: str) -> None:
    with service(image) as container:
        alive(container)
        inner = container.get_wrapped_container()
        begun = time.monotonic()
        inner.stop(timeout=STOP_SECONDS)
        assert time.monotonic() - begun < STOP_SECONDS
        assert inner.wait()["StatusCode"] == 0, says(container)


@pytest.mark.parametrize("image", [API, WORKER])
def test_a_wrong_setting_stops_the_start_in_one_sentence(images: Any, image: str) -> None:
    with service(image, REDIS_URL="not-an-address") as container:
        assert container.get_wrapped_container().wait(timeout=60)["StatusCode"] not in (0, 137)
        lines = says(container).strip().splitlines()
        assert len(lines) == 1, lines
        assert "REDIS_URL" in lines[0]


def test_the_probe_says_no_when_nothing_listens(images: docker.DockerClient) -> None:
    output = images.containers.run(API, entrypoint=[*PROBE], remove=False, detach=True)
    try:
        assert output.wait(timeout=60)["StatusCode"] == 1
        assert b"does not answer" in output.logs()
    finally:
        output.remove(force=True)


@pytest.mark.parametrize("image", [API, WORKER])
def test_there_is_no_shell(images: docker.DockerClient, image: str) -> None:
    container = images.containers.create(image, entrypoint=["sh"])
    try:
        with pytest.raises(docker.errors.APIError, match="sh"):
            container.start()
    finally:
        # What never ran is not removed by itself.
        container.remove()
