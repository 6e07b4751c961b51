"""Real servers for the tests: embedded ones on free ports, or those that TEST_*_URL names.

A missing package or model skips a test on a laptop and fails it where CI is set. Nothing global is
changed: no environment variable, no working directory.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import httpx
import pytest

from explanation_service.settings import Settings, load_settings
from explanation_service.standalone import embedded_stores, ports
from explanation_service.standalone.faults import CannotStart
from explanation_service.standalone.process import running
from explanation_service.standalone.program import Program, python_environment, python_module

_START_SECONDS = 60.0
# The two cores are shared with whatever else runs there.
_READY_SECONDS = 240.0
_CHILDREN = {
    "redis": r"(valkey|redis)-server",
    "mongodb": r"-m\0secantus\0",
    "qdrant": r"standalone\.qdrant_server\0",
    "api": r"-m\0explanation_service\.api\0",
    "worker": r"-m\0explanation_service\.indexing\0",
}


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def _running(build: Callable[[int], Program]) -> Iterator[int]:
    """The port of a program that answers."""
    port = ports.free_ports(1)[0]
    try:
        program = build(port)
    except CannotStart as reason:
        _missing(str(reason))
    with running(program):
        yield port


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if given := os.environ.get("TEST_REDIS_URL"):
        yield given
        return
    folder = tmp_path_factory.mktemp("redis")

    def build(port: int) -> Program:
        executable = embedded_stores.find_redis(folder)
        return embedded_stores.redis_program(executable, port, folder, folder / "log")

    with _running(build) as port:
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture(scope="session")
def mongodb_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if given := os.environ.get("TEST_MONGODB_URI"):
        yield given
        return
    folder = tmp_path_factory.mktemp("mongodb")

    def build(port: int) -> Program:
        embedded_stores.require_package("secantus", "TEST_MONGODB_URI")
        data, log = folder / "data", folder / "log"
        return embedded_stores.mongodb_program(port, data, folder, log, python_environment())

    with _running(build) as port:
        yield f"mongodb://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def qdrant_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if given := os.environ.get("TEST_QDRANT_URL"):
        yield given
        return
    folder = tmp_path_factory.mktemp("qdrant")

    def build(port: int) -> Program:
        embedded_stores.require_package("qdrant_edge", "TEST_QDRANT_URL")
        return embedded_stores.qdrant_program(port, folder, folder / "log", python_environment())

    with _running(build) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def settings(redis_url: str, mongodb_uri: str, qdrant_url: str) -> Settings:
    """Settings of a test of its own: nothing in the stores is shared with another one."""
    mark = uuid4().hex[:12]
    return load_settings(
        app_env="test",
        redis_url=redis_url,
        redis_stream_name=f"test:{mark}:changes",
        redis_stream_group=f"test-{mark}",
        redis_consumer_name=f"consumer-{mark}",
        mongodb_uri=mongodb_uri,
        mongodb_db=f"test_{mark}",
        qdrant_url=qdrant_url,
        qdrant_collection=f"test_{mark}",
        qdrant_api_key=None,
        yandexgpt_api_key=None,
        api_keys=(),
        admin_api_keys=(),
    )


def environment_of(settings: Settings, **more: str) -> dict[str, str]:
    """The environment of a process with these settings and no key of the machine's own."""
    kept = {name: value for name, value in os.environ.items() if "KEY" not in name}
    names = ("mongodb_uri", "mongodb_db", "redis_url", "redis_stream_name", "redis_stream_group")
    names += ("qdrant_url", "qdrant_collection")
    return {**kept, **{name.upper(): str(getattr(settings, name)) for name in names}, **more}


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    return environment_of(settings)


@dataclass
class Api:
    """A running API; its log is in `folder`."""

    process: subprocess.Popen[bytes]
    url: str
    settings: Settings
    folder: Path

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_START_SECONDS)

    def errors(self) -> str:
        return (self.folder / "err").read_text()

    def log(self) -> list[dict[str, Any]]:
        # Up to the last line break: what follows may still be written.
        return [json.loads(line) for line in self.errors().split("\n")[:-1]]


@contextlib.contextmanager
def _running_api(settings: Settings, folder: Path, **more: str) -> Iterator[Api]:
    folder.mkdir(exist_ok=True)
    port = ports.free_ports(1)[0]
    where = {"API_HOST": "127.0.0.1", "API_PORT": str(port)}
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "explanation_service.api"],
            stdout=out,
            stderr=err,
            env=environment_of(settings, **where, **more),
        )
    api = Api(process, f"http://127.0.0.1:{port}", settings, folder)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _is_alive(api):
            assert process.poll() is None, api.errors()
            assert time.monotonic() < deadline, api.errors()
            time.sleep(0.02)
        yield api
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _is_alive(api: Api) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{api.url}/health", timeout=5, trust_env=False).status_code == 200
    return False


@pytest.fixture
def run_api() -> Callable[..., contextlib.AbstractContextManager[Api]]:
    """`with run_api(settings, folder, NAME="value") as api`: a process of its own."""
    return _running_api


@pytest.fixture
def api(settings: Settings, tmp_path: Path) -> Iterator[Api]:
    """One that nothing was asked of besides its stores."""
    with _running_api(settings, tmp_path) as api:
        yield api


@pytest.fixture(scope="session")
def model_directory() -> Path:
    """The directory of a real embedding model."""
    given = os.environ.get("EXPLANATION_TEST_MODEL")
    if not given or not (Path(given) / "modules.json").is_file():
        _missing("EXPLANATION_TEST_MODEL names no directory of an embedding model")
    return Path(given).absolute()


class Standalone:
    """`explanation standalone` as a user starts it, on one data directory."""

    def __init__(self, folder: Path, model: Path, *options: str) -> None:
        self.data_dir = folder / "data"
        self._errors = folder / "stderr"
        self._model = model
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.examples: list[str] = []
        self.seconds_to_ready = 0.0

    def launch(self) -> subprocess.Popen[str]:
        """Only starts it; `start` waits too."""
        arguments = ["--data-dir", str(self.data_dir), "--model-path", str(self._model)]
        with self._errors.open("w") as errors:
            return subprocess.Popen(
                python_module("explanation_service.standalone", *arguments, *self._options),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **python_environment(), "API_KEYS": "", "ADMIN_API_KEYS": ""},
            )

    def start(self) -> None:
        begun = time.monotonic()
        self._process = self.launch()
        assert self._process.stdout is not None
        watch = _deadline(self._process, _READY_SECONDS)
        try:
            ready = self._process.stdout.readline()
            assert ready.startswith("READY "), f"{ready}{self.says()}"
            self.examples = [self._process.stdout.readline().strip() for _ in range(3)]
        finally:
            watch.terminate()
        self.url = ready.split()[1]
        self.seconds_to_ready = time.monotonic() - begun

    def stop(self, number: signal.Signals = signal.SIGINT) -> tuple[int, float]:
        """The exit status, and how many seconds the end took."""
        assert self._process is not None
        begun = time.monotonic()
        self._process.send_signal(number)
        status = self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None
        return status, time.monotonic() - begun

    def close(self) -> None:
        if self._process is not None:
            self.stop(signal.SIGTERM)

    def says(self) -> str:
        """What stands on the terminal."""
        return self._errors.read_text()

    def family(self) -> set[int]:
        """Process ids of everything below the supervisor, and of itself."""
        assert self._process is not None
        parents = dict(_parents())
        family = {self._process.pid}
        while more := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= more
        return family

    def child(self, name: str) -> int:
        """The process id of one program; waits while it is being started again."""
        pattern = re.compile(_CHILDREN[name])
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            for pid in self.family():
                if pattern.search(command_of(pid)):
                    return pid
            time.sleep(0.05)
        raise AssertionError(f"no process {name}\n{self.says()}")

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=10, trust_env=False)


def command_of(pid: int) -> str:
    """The command line, each word ended by a NUL; empty when the process has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _parents() -> Iterator[tuple[int, int]]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # A process may go away between the listing and the reading.
        with contextlib.suppress(OSError, ValueError):
            text = stat.read_text()
            state, parent = text[text.rindex(")") + 2 :].split()[:2]
            if state != "Z":
                yield int(stat.parent.name), int(parent)


def _deadline(process: subprocess.Popen[str], seconds: float) -> subprocess.Popen[bytes]:
    """Ends `process` after `seconds`, so that a read from it cannot wait for ever."""
    script = f"import os,signal,time; time.sleep({seconds}); os.kill({process.pid}, signal.SIGTERM)"
    return subprocess.Popen([sys.executable, "-c", script])


@pytest.fixture(scope="module")
def standalone_on(
    tmp_path_factory: pytest.TempPathFactory, model_directory: Path
) -> Iterator[Callable[..., Standalone]]:
    """Makes instances; whatever still runs at the end of the module is ended."""
    made: list[Standalone] = []

    def make(*options: str) -> Standalone:
        instance = Standalone(tmp_path_factory.mktemp("standalone"), model_directory, *options)
        made.append(instance)
        return instance

    yield make
    for instance in made:
        instance.close()
