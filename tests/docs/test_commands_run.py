"""Commands of the pages, executed as they stand there, before the service that the pages start.

Only ports differ (tests/docs/stage.py). A missing model or curl skips them on a laptop and fails
them where CI is set.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
import redis

from tests.docs.fates import Command, Run, Serve, Service, commands_of, fate_of
from tests.docs.pages import PAGES
from tests.docs.stage import Stage

# Seconds; the model is loaded on cores that are shared.
_READY = 300.0
STREAM = "content:changes"


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason)
    pytest.skip(reason)


def _cases(kind: type) -> list[Any]:
    """One of each command, though several pages have it."""
    found: dict[tuple[str, ...], Command] = {}
    for page in PAGES:
        for command in commands_of(page):
            if isinstance(fate_of(command.text), kind):
                found.setdefault((*command.before, command.text), command)
    return [
        pytest.param(command, id=f"{command.page.name}-{command.text[:60]}")
        for command in found.values()
    ]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    model = Path(os.environ.get("EXPLANATION_TEST_MODEL", "model")).absolute()
    if not (model / "modules.json").is_file():
        _missing("EXPLANATION_TEST_MODEL names no directory of an embedding model")
    if shutil.which("curl") is None:
        _missing("no curl on PATH")
    stage = Stage(tmp_path_factory.mktemp("machine"), model)
    (case,) = _cases(Service)
    (command,) = case.values
    with stage.serving("http://localhost:8080/health/ready", command.text, seconds=_READY):
        stage.use_stores()
        settled(stage)
        yield stage


def settled(stage: Stage) -> None:
    """Waits until the workers have nothing more to do, so that rule book and index agree."""
    deadline = time.monotonic() + _READY
    while True:
        url = f"{stage.environment['API']}/v1/rag/status"
        status = httpx.get(url, timeout=10, trust_env=False).raise_for_status().json()
        if status["points"] and not status["stream_lag"] and not status["pending"]:
            return
        assert time.monotonic() < deadline, status
        time.sleep(0.2)


def dead_letter(stage: Stage) -> str:
    """The id of one; a malformed event makes it."""
    with redis.Redis.from_url(stage.environment["REDIS_URL"], decode_responses=True) as client:
        dead = f"{STREAM}:dead"
        if not client.xlen(dead):
            client.xadd(STREAM, {"op": "no such operation"})
        deadline = time.monotonic() + _READY
        while not (entries := client.xrange(dead, count=1)):
            assert time.monotonic() < deadline, "the worker made no dead letter of it"
            time.sleep(0.1)
        return str(entries[0][0])


@pytest.mark.parametrize("command", _cases(Run))
def test_it_ends_well(command: Command, stage: Stage) -> None:
    settled(stage)
    text = command.text
    if re.search(r"\bID\b", text):
        text = re.sub(r"\bID\b", dead_letter(stage), text)
    stage.run(*command.before, text)


@pytest.mark.parametrize("command", _cases(Serve))
def test_it_serves(command: Command, stage: Stage) -> None:
    fate = fate_of(command.text)
    assert isinstance(fate, Serve)
    with stage.serving(fate.url, *command.before, command.text, seconds=_READY):
        pass


@pytest.mark.parametrize(
    "wrong",
    [
        "curl -s localhost:PORT/v1/rag/serch",
        "curl -s localhost:PORT/v1/rag/search -H 'content-type: application/json' -d '{}'",
        "explanation dead-letters show 1-1",
        "./bazelw run //:explanation -- doktor",
        "docker compose exec python-generator-worker /usr/bin/python3.11 -m explanation_service.li",
    ],
)
def test_what_is_wrong_is_noticed(wrong: str, stage: Stage) -> None:
    with pytest.raises(AssertionError):
        stage.run(wrong)
