"""From the monolith to the pair under load, and back: the script, the images and real servers.

One stack for all tests; each begins on the monolith, with a state directory of its own.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest
from docker.errors import ImageNotFound

from infra.scripts.migration import outcomes
from tests.containers.clients import Clients
from tests.containers.compose import Tool, debian_compose, free_ports, installed_compose
from tests.containers.stack import READY_SECONDS, load_image, wait_for

SCRIPT = Path("infra/scripts/migrate_to_split_services.sh")
OURS = ("python-generator-api", "python-generator-worker", "python-generator")
STORES = ["mongodb", "qdrant", "redis"]
PER_SECOND = 20
TAG = f"migration-test-{uuid.uuid4().hex[:8]}"
# Probes each two seconds in place of ten: the tests wait for nine of them. And the stores, slower
# than real ones, go first where cores are few.
OFTEN = """
services:
  python-generator-api: {healthcheck: {interval: 2s}, cpu_shares: 2048}
  python-generator-worker: {healthcheck: {interval: 2s}}
  python-generator: {healthcheck: {interval: 2s}}
  mongodb: {cpu_shares: 8192}
  qdrant: {cpu_shares: 8192}
  redis: {cpu_shares: 8192}
"""
# Short times of all that is waited for by the clock.
QUICK = {
    "baseline": 3,
    "quiet": 2,
    "switch": 60,
    "ready": 300,
    "watch": 10,
    "stall": 60,
    "canary": 60,
}
# On two cores that a model is loaded on, a store may be too slow now and then (clients.Outcome).
ERROR_PERCENT = "20"
# Alive, and nothing else works.
BROKEN = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200 if self.path.startswith("/health") else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()
    do_GET = do_POST = do_PUT = do_DELETE = answer
ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""


class Rig:
    """The compose project, the file with the clients' address, and calls of the script."""

    def __init__(self, engine: docker.DockerClient, tool: Tool, folder: Path) -> None:
        self.engine = engine
        self.name = f"explanation-{TAG}"
        self.address = folder / "address"
        self._folder = folder
        ports = dict(zip(("API", "LEGACY", "PROMETHEUS"), free_ports(3), strict=True))
        self.api, self.monolith = (f"http://127.0.0.1:{ports[name]}" for name in ("API", "LEGACY"))
        often, empty = folder / "often.yaml", folder / "empty.env"
        often.write_text(OFTEN)
        empty.write_text("")
        home = Path("compose.yaml").resolve().parent
        self._options = ["--project-directory", str(home), "--project-name", self.name]
        # A developer's own .env is none of the test's business.
        self._options += ["--env-file", str(empty)]
        for file in ("compose.yaml", "compose.standin.yaml", often):
            self._options += ["--file", str(Path(file).resolve())]
        kept = ("DOCKER_HOST", "HOME", "PATH", "XDG_RUNTIME_DIR")
        self._environment = {name: os.environ[name] for name in kept if name in os.environ}
        self._environment |= {f"PUBLISH_{name}_PORT": port for name, port in ports.items()}
        self._environment |= {"IMAGE_TAG": TAG, "PYTHON": sys.executable}
        self._compose = self._program(tool)

    def _program(self, tool: Tool) -> Path:
        """The tool as one program, with an environment of its own."""
        command, environment = tool
        program = self._folder / "compose"
        exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
        lines = ["#!/bin/sh", "unset PYTHONPATH", *exports, f'exec {shlex.join(command)} "$@"']
        program.write_text("\n".join(lines) + "\n")
        program.chmod(0o755)
        return program

    def compose(self, *arguments: str, **variables: str) -> None:
        subprocess.run(
            [self._compose, *self._options, "--profile", "legacy", *arguments],
            env=self._environment | variables,
            check=True,
            capture_output=True,
            timeout=300,
        )

    def begin(self, state: Path, *options: str, **variables: str) -> subprocess.Popen[str]:
        """A call of the script, under way; what it says is in `output` of the state directory."""
        state.mkdir(exist_ok=True)
        command = [SCRIPT.resolve(), "--compose", self._compose, *self._options]
        command += ["--state-dir", state, "--switch-command", self._switch_command()]
        command += ["--error-percent", ERROR_PERCENT]
        for name, seconds in QUICK.items():
            command += [f"--{name}-seconds", str(seconds)]
        with (state / "output").open("a") as output:
            return subprocess.Popen(
                [*map(str, command), *options],
                env=self._environment | variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                text=True,
            )

    def call(self, state: Path, *options: str, **variables: str) -> int:
        process = self.begin(state, *options, **variables)
        try:
            return process.wait(timeout=500)
        finally:
            process.kill()
            for name in ("output", "journal.jsonl"):
                print((state / name).read_text() if (state / name).exists() else "")

    def _switch_command(self) -> str:
        """As one would replace an upstream file, at once and for all to see."""
        new = shlex.quote(f"{self.address}.new")
        return f'echo "$MIGRATION_URL" > {new} && mv {new} {shlex.quote(str(self.address))}'

    def running(self) -> set[str]:
        labels = [f"com.docker.compose.project={self.name}"]
        found = self.engine.containers.list(filters={"label": labels, "status": "running"})
        services = {one.labels["com.docker.compose.service"] for one in found}
        return services & set(OURS)

    def stores_since(self) -> dict[str, str]:
        """When the container of each store began: a migration does not touch them."""
        labels = [f"com.docker.compose.project={self.name}"]
        return {
            one.id: one.attrs["State"]["StartedAt"]
            for one in self.engine.containers.list(filters={"label": labels})
            if one.labels["com.docker.compose.service"] in STORES
        }

    def on_the_monolith(self) -> None:
        """As before any migration, clients included."""
        self.compose("up", "--detach", "python-generator")
        self.compose("stop", "python-generator-api", "python-generator-worker")
        self.address.write_text(self.monolith)

        def well() -> bool:
            answer = httpx.get(f"{self.monolith}/v1/rag/status", trust_env=False, timeout=10)
            workers = answer.json()["workers"] if answer.status_code == 200 else []
            return len(workers) == 1 and bool(workers[0]["ready"])

        wait_for(well, READY_SECONDS, "monolith")


@pytest.fixture(scope="module")
def compose_tool(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    """Compose 2 where it is there, as operators have it."""
    tool = installed_compose() or debian_compose(tmp_path_factory.mktemp("compose"))
    print("compose:", tool[0][:2])
    return tool


@pytest.fixture(scope="module")
def tagged(engine: docker.DockerClient) -> Iterator[docker.DockerClient]:
    """Our images under a tag of this run's own."""
    for name in ("api", "monolith", "worker"):
        load_image(f"images/{name}_load")
    for name in STORES:
        load_image(f"images/services/{name}_load")
    for name in OURS:
        engine.images.get(f"{name}:latest").tag(name, TAG)
    yield engine
    for name in OURS:
        for kind in ("", "-broken", "-ends", "-idle"):
            with suppress(ImageNotFound):
                engine.images.remove(f"{name}:{TAG}{kind}")


def commit(engine: docker.DockerClient, program: str, tag: str, *names: str) -> None:
    """Images of these names that run a program in place of ours."""
    container = engine.containers.create(f"python-generator-api:{TAG}")
    start = f"ENTRYPOINT {json.dumps(['/usr/bin/python3.11', '-c', program])}"
    try:
        for name in names:
            container.commit(name, tag, changes=[start])
    finally:
        container.remove()


@pytest.fixture(scope="module")
def stack(
    tagged: docker.DockerClient, compose_tool: Tool, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rig]:
    rig = Rig(tagged, compose_tool, tmp_path_factory.mktemp("migration"))
    with ExitStack() as cleanup:
        cleanup.callback(rig.compose, "down", "--volumes", "--timeout", "20")
        rig.compose("up", "--detach", *STORES)
        yield rig


@pytest.fixture
def rig(stack: Rig) -> Iterator[Rig]:
    stack.on_the_monolith()
    before = stack.stores_since()
    assert len(before) == len(STORES)
    yield stack
    assert stack.stores_since() == before


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def journal(state: Path) -> list[dict[str, Any]]:
    path = state / "journal.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def events(state: Path) -> list[tuple[str, str]]:
    return [(entry["step"], entry["event"]) for entry in journal(state)]


def seconds_between(state: Path, first: tuple[str, str], second: tuple[str, str]) -> float:
    at = {
        (entry["step"], entry["event"]): datetime.fromisoformat(entry["at"])
        for entry in journal(state)
    }
    return (at[second] - at[first]).total_seconds()


STEPS = ["baseline", "start_pair", "prove_pair", "switch", "stop_monolith", "watch"]
WHOLE = [
    ("migration", "begun"),
    ("preflight", "done"),
    *((step, event) for step in STEPS for event in ("begun", "done")),
    ("migration", "done"),
]


def everything_indexed(url: str, clients: Clients) -> None:
    """No event is left, none was set aside, and what was written last is found."""

    def settled() -> bool:
        answer = httpx.get(f"{url}/v1/rag/status", trust_env=False, timeout=10)
        status = answer.raise_for_status().json()
        assert status["dead_letters"] == 0
        return bool(status["stream_lag"] == 0 and status["pending"] == 0)

    wait_for(settled, 120, "empty stream")
    assert clients.written
    for name in clients.written:
        word = str(int(name.removeprefix("written-")) * 7919)
        body = {"query": word, "mode": "lexical", "limit": 3}
        answer = httpx.post(f"{url}/v1/rag/search", json=body, trust_env=False, timeout=10)
        found = [hit["template_id"] for hit in answer.raise_for_status().json()["hits"]]
        assert name in found, f"{name} was written and is not in the index"
    left = httpx.get(f"{url}/v1/templates/migration-canary", trust_env=False, timeout=10)
    assert left.status_code == 404


def nobody_failed(clients: Clients) -> None:
    assert clients.failed() == []
    assert len(clients.outcomes) > 5 * clients.seconds, "the load was not what it should be"
    assert clients.slow_stores() < 0.1 * len(clients.outcomes)


def test_a_dry_run_changes_nothing(rig: Rig, tmp_path: Path) -> None:
    state = tmp_path / "nothing"
    assert rig.call(tmp_path, "--dry-run", "--state-dir", str(state)) == outcomes.DONE
    said = (tmp_path / "output").read_text()
    assert "6. stop the monolith" in said
    assert "ok: the monolith is well" in said
    assert not state.exists()
    assert rig.running() == {"python-generator"}


@pytest.mark.parametrize(
    ("kind", "program", "said"),
    [
        ("ends", "raise SystemExit('no such setting')", "no such setting"),
        ("broken", BROKEN, "50 of 50 searches failed"),
    ],
)
def test_a_broken_api_is_never_switched_to(
    rig: Rig, state: Path, kind: str, program: str, said: str
) -> None:
    # As the worker's image too: what is tried is the API, and a model takes its time.
    tag = f"{TAG}-{kind}"
    commit(rig.engine, program, tag, "python-generator-api", "python-generator-worker")
    with Clients(rig.address, PER_SECOND) as clients:
        assert rig.call(state, IMAGE_TAG=tag) == outcomes.ROLLED_BACK
    print(f"broken API ({kind}): {clients.figures()}")
    nobody_failed(clients)
    assert rig.running() == {"python-generator"}
    assert rig.address.read_text() == rig.monolith
    assert ("switch", "begun") not in events(state)
    assert events(state)[-1] == ("rollback", "done")
    begun = next(entry for entry in journal(state) if entry["step"] == "rollback")
    assert begun["automatic"] is True
    assert said in begun["reason"]


def test_a_worker_that_does_nothing_is_found_out(rig: Rig, state: Path) -> None:
    # Healthy and ready, as far as one can ask.
    tag = f"{TAG}-idle"
    commit(rig.engine, BROKEN, tag, "python-generator-worker")
    rig.engine.images.get(f"python-generator-api:{TAG}").tag("python-generator-api", tag)
    options = ("--canary-seconds", "15", "--watch-seconds", "120")
    with Clients(rig.address, PER_SECOND) as clients:
        code = rig.call(state, *options, IMAGE_TAG=tag)
    assert code == outcomes.ROLLED_BACK
    back = seconds_between(state, ("rollback", "begun"), ("rollback", "monolith_serves"))
    whole = seconds_between(state, ("rollback", "begun"), ("rollback", "done"))
    noticed = seconds_between(state, ("stop_monolith", "done"), ("watch", "failed"))
    print(f"worker that does nothing: {clients.figures()}")
    print(
        f"noticed {noticed:.1f} s after the monolith's end; it serves {back:.1f} s later,", end=" "
    )
    print(f"all is done {whole:.1f} s later")
    nobody_failed(clients)
    assert rig.running() == {"python-generator"}
    assert rig.address.read_text().strip() == rig.monolith
    begun = next(entry for entry in journal(state) if entry["step"] == "rollback")
    assert "embeddings do not reach Qdrant" in begun["reason"]
    everything_indexed(rig.monolith, clients)


def test_a_good_migration_under_load_and_back_by_hand(rig: Rig, state: Path) -> None:
    with Clients(rig.address, PER_SECOND) as clients:
        assert rig.call(state) == outcomes.DONE
    print(f"good migration: {clients.figures()}")
    nobody_failed(clients)
    assert events(state) == WHOLE
    assert rig.running() == {"python-generator-api", "python-generator-worker"}
    assert rig.address.read_text().strip() == rig.api
    everything_indexed(rig.api, clients)

    assert rig.call(state) == outcomes.DONE
    assert events(state) == WHOLE, "done is done"

    with Clients(rig.address, PER_SECOND) as clients:
        assert rig.call(state, "--rollback") == outcomes.DONE
    print(f"back by hand: {clients.figures()}")
    nobody_failed(clients)
    assert rig.running() == {"python-generator"}
    assert rig.address.read_text().strip() == rig.monolith
    assert events(state)[-1] == ("rollback", "done")
    everything_indexed(rig.monolith, clients)


def test_killed_twice_it_goes_on_where_it_was(rig: Rig, state: Path) -> None:
    with Clients(rig.address, PER_SECOND) as clients:
        for step in ("start_pair", "watch"):
            process = rig.begin(state)
            wait_for(lambda step=step: (step, "begun") in events(state), 200, step)
            if step == "start_pair":
                # A second one is told so, and does nothing.
                assert rig.call(state) == outcomes.LOCKED
            process.kill()
            process.wait()
        assert rig.running() == {"python-generator-api", "python-generator-worker"}
        started = time.monotonic()
        assert rig.call(state) == outcomes.DONE
    print(
        f"killed twice: {clients.figures()}; the last call took {time.monotonic() - started:.0f} s"
    )
    nobody_failed(clients)
    begun = [step for step, event in events(state) if event == "begun"]
    assert begun == ["migration", *STEPS[:2], *STEPS[1:], "watch"]
    assert events(state)[-1] == ("migration", "done")
    everything_indexed(rig.api, clients)
