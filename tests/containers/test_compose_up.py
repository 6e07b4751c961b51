"""The service as operators start it: compose.yaml, brought up for real with the stand-in servers.

Both generations of the tool: docker-compose 1.29 of Debian 12 (locked, under the locked
interpreter) and Compose 2 of the machine.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest
import yaml

from tests.containers.compose import Tool, debian_compose, free_ports, installed_compose
from tests.containers.stack import READY_SECONDS, load_image, wait_for
from tests.monitoring.rules import DASHBOARDS, alerts, questions, recorded

STANDINS = ["mongodb", "prometheus", "qdrant", "redis"]
RULE = {
    "title": "Безударные гласные в корне слова",
    "body": "Букву в безударном слоге корня проверяют однокоренным словом, где она под ударением.",
    "exam": "oge",
}
QUESTION = {"query": "как проверить букву в корне", "mode": "dense"}
GIB = 1 << 30


@pytest.fixture(scope="session")
def compose_1(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    return debian_compose(tmp_path_factory.mktemp("compose"))


@pytest.fixture(scope="session")
def compose_2() -> Tool:
    if found := installed_compose():
        return found
    assert os.environ.get("CI") != "true", "Compose 2 is missing"
    pytest.skip("Compose 2 is not installed")


@pytest.fixture(params=["compose_1", "compose_2"])
def tool(request: pytest.FixtureRequest) -> Tool:
    found: Tool = request.getfixturevalue(request.param)
    return found


class Project:
    """One compose project with a name and ports of its own."""

    def __init__(self, tool: Tool, files: list[str], empty: Path, **variables: str) -> None:
        command, environment = tool
        # The engine looks for mounted files under the names that they have outside of the sandbox.
        folder = Path("compose.yaml").resolve().parent
        self.name = f"explanation-test-{uuid.uuid4().hex[:8]}"
        self._command = [*command, "--project-name", self.name, "--project-directory", str(folder)]
        # A developer's own .env is none of the test's business.
        self._command += ["--env-file", str(empty)]
        for file in files:
            self._command += ["--file", str(Path(file).resolve())]
        kept = ("DOCKER_HOST", "HOME", "PATH", "XDG_RUNTIME_DIR")
        self._environment = {name: os.environ[name] for name in kept if name in os.environ}
        self._environment |= environment | variables

    def __call__(self, *arguments: str, seconds: float = 300) -> str:
        done = subprocess.run(
            [*self._command, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("env") / "empty.env"
    path.write_text("")
    return path


@pytest.fixture(scope="module")
def loaded(engine: docker.DockerClient) -> docker.DockerClient:
    for name in ("api", "monolith", "worker"):
        load_image(f"images/{name}_load")
    for name in STANDINS:
        load_image(f"images/services/{name}_load")
    return engine


@contextmanager
def project(tool: Tool, empty: Path) -> Iterator[tuple[Project, Callable[[str], httpx.Client]]]:
    """A project with the stand-ins, and clients for what it publishes; nothing of it is left."""
    names = ["API", "LEGACY", "PROMETHEUS"]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    published = {f"PUBLISH_{name}_PORT": port for name, port in ports.items()}
    run = Project(tool, ["compose.yaml", "compose.standin.yaml"], empty, **published)
    with ExitStack() as stack:
        stack.callback(run, "--profile", "legacy", "down", "--volumes", "--timeout", "20")

        def client(name: str) -> httpx.Client:
            url = f"http://127.0.0.1:{ports[name]}"
            return stack.enter_context(httpx.Client(base_url=url, timeout=10, trust_env=False))

        yield run, client


def ready(client: httpx.Client, run: Project) -> None:
    try:
        wait_for(lambda: client.get("/health/ready").status_code == 200, READY_SECONDS, "readiness")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{run('logs', '--tail=20')[-6000:]}") from error


def search(client: httpx.Client) -> dict[str, Any] | None:
    """The answer of a search by meaning, once there is one with a hit."""
    answer: dict[str, Any] = client.post("/v1/rag/search", json=QUESTION).raise_for_status().json()
    return answer if answer["hits"] and not answer["degraded"] else None


def dashboard_questions() -> list[str]:
    """What Grafana's panels ask Prometheus."""
    asked = [question for path in DASHBOARDS for question in questions(path)]
    assert len(asked) > 50
    return asked


def containers(engine: docker.DockerClient, run: Project, service: str) -> list[Any]:
    labels = [
        f"com.docker.compose.project={run.name}",
        f"com.docker.compose.service={service}",
    ]
    return list(engine.containers.list(filters={"label": labels}))


@pytest.mark.parametrize("files", [["compose.yaml"], ["compose.yaml", "compose.standin.yaml"]])
@pytest.mark.parametrize("profile", [None, "split", "legacy"])
def test_both_generations_accept_it(
    tool: Tool, files: list[str], profile: str | None, empty: Path
) -> None:
    run = Project(tool, files, empty)
    selected = ["--profile", profile] if profile else []
    services = set(run(*selected, "config", "--services").split())
    assert {"python-generator-api", "python-generator-worker", "mongodb", "redis"} <= services
    configuration = yaml.safe_load(run(*selected, "config"))
    api = configuration["services"]["python-generator-api"]
    assert api["environment"]["REDIS_URL"] == "redis://redis:6379/0"
    if profile == "legacy":
        monolith = configuration["services"]["python-generator"]["environment"]
        assert monolith["START_EMBEDDING_WORKER"] == "true"
    images = {name: one["image"] for name, one in configuration["services"].items()}
    standin = images["redis"].startswith("explanation-service-standin/")
    assert standin == ("compose.standin.yaml" in files)


def test_up_with_three_workers_and_up_again(
    compose_2: Tool, loaded: docker.DockerClient, empty: Path
) -> None:
    with project(compose_2, empty) as (run, client):
        run("up", "--detach", "--scale", "python-generator-worker=3")
        api = client("API")
        ready(api, run)
        api.put("/v1/templates/vowels", json=RULE).raise_for_status()
        found = wait_for(lambda: search(api), READY_SECONDS, "hit by meaning")
        assert found["hits"][0]["template_id"] == "vowels"

        workers = containers(loaded, run, "python-generator-worker")
        assert len(workers) == 3
        for worker in workers:
            limits = worker.attrs["HostConfig"]
            assert (limits["Memory"], limits["MemoryReservation"]) == (2 * GIB, GIB)
            assert limits["RestartPolicy"]["Name"] == "unless-stopped"

        prometheus = client("PROMETHEUS")

        def scraped() -> bool:
            answer = prometheus.get("/api/v1/query", params={"query": "sum by (job) (up)"})
            if answer.status_code != 200:
                return False
            values = {
                row["metric"]["job"]: row["value"][1] for row in answer.json()["data"]["result"]
            }
            return values == {"python-generator-api": "1", "python-generator-worker": "3"}

        wait_for(scraped, 90, "scrape of the API and all three workers")
        for question in dashboard_questions():
            answer = prometheus.get("/api/v1/query", params={"query": question})
            assert answer.json()["status"] == "success", answer.text

        # The rules are loaded, work on what was scraped, and find nothing to call anybody for.
        groups = prometheus.get("/api/v1/rules").raise_for_status().json()["data"]["groups"]
        rules = {rule["name"]: rule for group in groups for rule in group["rules"]}
        assert set(rules) == set(alerts()) | recorded()
        lag = {"query": "service:stream_lag:max"}
        wait_for(
            lambda: prometheus.get("/api/v1/query", params=lag).json()["data"]["result"],
            90,
            "figure that a rule records",
        )
        states = {name: rules[name].get("state") for name in alerts()}
        assert "firing" not in states.values(), states

        for service in ("python-generator-api", "mongodb", "redis", "qdrant", "prometheus"):

            def healthy(name: str = service) -> bool:
                (one,) = containers(loaded, run, name)
                return bool(one.attrs["State"]["Health"]["Status"] == "healthy")

            wait_for(healthy, 60, f"healthy {service}")

        # The operator's commands are in the images.
        command = ["/usr/bin/python3.11", "-m", "explanation_service.cli"]
        for service in ("python-generator-api", "python-generator-worker"):
            run("exec", "-T", service, *command, "dead-letters", "list")
            assert "vowels" in run("exec", "-T", service, *command, "templates", "export")

        # All containers go, the volumes stay: so must the rule and its vectors.
        run("down", "--timeout", "20")
        run("up", "--detach")
        ready(api, run)
        assert api.get("/v1/templates/vowels").json()["title"] == RULE["title"]
        found = wait_for(lambda: search(api), READY_SECONDS, "hit after the restart")
        assert found["hits"][0]["template_id"] == "vowels"


def test_the_monolith_in_place_of_the_two(
    compose_1: Tool, loaded: docker.DockerClient, empty: Path
) -> None:
    with project(compose_1, empty) as (run, client):
        run("--profile", "legacy", "up", "--detach", "python-generator")
        assert not containers(loaded, run, "python-generator-worker")
        monolith = client("LEGACY")
        ready(monolith, run)
        monolith.put("/v1/templates/vowels", json=RULE).raise_for_status()
        found = wait_for(lambda: search(monolith), READY_SECONDS, "hit by meaning")
        assert found["hits"][0]["template_id"] == "vowels"
        (one,) = containers(loaded, run, "python-generator")
        assert one.attrs["HostConfig"]["Memory"] == 2 * GIB
