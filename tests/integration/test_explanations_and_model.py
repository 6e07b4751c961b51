"""Explanations over HTTP with the fake YandexGPT misbehaving: API processes, real stores."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from explanation_service.retrieval.lexical import encode_document
from explanation_service.settings import Settings
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.probes import http_ok
from explanation_service.standalone.process import running
from explanation_service.standalone.program import Program, python_environment, python_module
from explanation_service.stores.records import EmbeddingModelInfo, PassagePoint
from explanation_service.stores.vector_index import connect_vector_index

KEY = "AQVN-integration-secret"
RULE = {
    "title": "Безударные гласные в корне",
    "body": "Букву в корне проверяют ударением. Например: вода — воды.",
}
# Seconds. The budget of a request here; and what a test allows, where without a bound it would be
# minutes or for ever: the cores are shared.
BUDGET = 3.0
PATIENCE = 60.0
EVENTS = {"Accept": "text/event-stream"}


class Fake:
    """The fake's control routes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False)

    def script(self, *then: dict[str, Any], **default: Any) -> None:
        body = {"then": list(then), "default": default}
        self._client.post("/_control/script", json=body).raise_for_status()

    def journal(self) -> dict[str, Any]:
        journal: dict[str, Any] = self._client.get("/_control/journal").json()
        return journal

    def requests(self) -> list[dict[str, Any]]:
        requests: list[dict[str, Any]] = self.journal()["requests"]
        return requests


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Fake]:
    (port,) = free_ports(1)
    arguments = ["--port", str(port), "--api-key", KEY, "--delay", "0", "--interval", "0"]
    program = Program(
        name="yandexgpt",
        command=python_module("yandexgpt_fake", *arguments),
        log=tmp_path / "yandexgpt.log",
        working_directory=tmp_path,
        ready=http_ok(port, "/health"),
        environment=python_environment(),
    )
    with running(program):
        yield Fake(f"http://127.0.0.1:{port}")


Start = Callable[..., str]


@pytest.fixture
def start(settings: Settings, fake: Fake, tmp_path: Path) -> Iterator[Start]:
    """Starts an API and gives its address. No log of any has the key in it."""
    logs: list[Path] = []
    with ExitStack() as stack:

        def start(**more: str) -> str:
            (port,) = free_ports(1)
            logs.append(tmp_path / f"api-{port}.log")
            program = Program(
                name="api",
                command=python_module("explanation_service.api"),
                log=logs[-1],
                working_directory=tmp_path,
                ready=http_ok(port, "/health"),
                environment=_environment(settings, port, fake.url) | more,
                stop_seconds=PATIENCE,
            )
            stack.enter_context(running(program))
            return f"http://127.0.0.1:{port}"

        yield start
    for log in logs:
        text = log.read_text()
        assert KEY not in text
        assert not [line for line in text.splitlines() if '"level":"error"' in line], text


def _environment(settings: Settings, port: int, fake_url: str) -> dict[str, str]:
    names = ["mongodb_uri", "mongodb_db", "redis_url", "redis_stream_name", "redis_stream_group"]
    names += ["qdrant_url", "qdrant_collection"]
    return {
        **python_environment(),
        **{name.upper(): str(getattr(settings, name)) for name in names},
        **dict.fromkeys(["API_KEYS", "ADMIN_API_KEYS", "QDRANT_API_KEY"], ""),
        "API_HOST": "127.0.0.1",
        "API_PORT": str(port),
        "LOG_LEVEL": "DEBUG",
        "YANDEXGPT_API_KEY": KEY,
        # Slots of its own for each test.
        "YANDEXGPT_FOLDER_ID": settings.qdrant_collection,
        "YANDEXGPT_BASE_URL": fake_url,
        "YANDEXGPT_TIMEOUT_SECONDS": str(BUDGET),
    }


@pytest.fixture
async def rule(settings: Settings) -> None:
    """The rule in the index, as a worker would put it there."""
    vectors = connect_vector_index(settings)
    await vectors.ensure_collection(EmbeddingModelInfo("test", "rev1", 4, 512))
    title, body = RULE["title"], RULE["body"]
    lexical = encode_document(title, body)
    dense = [1.0, 0.0, 0.0, 0.0]
    point = PassagePoint("vowels", 0, 1, 1, "hash", title, body, None, None, (), dense, lexical)
    await vectors.upsert([point])
    await vectors.close()


def question() -> dict[str, Any]:
    """Another one each time."""
    return {"question": f"Какую букву писать в корне? {uuid4().hex}", "correct_answer": "вода"}


def ask(url: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The explanation, which is never an error and never later than the budget."""
    started = time.monotonic()
    answer = httpx.post(
        f"{url}/v1/explanations", json=body, timeout=PATIENCE, trust_env=False, **more
    )
    assert answer.status_code == 200, answer.text
    assert time.monotonic() - started < BUDGET + 15
    if "headers" in more:
        names, data = events(answer.text)
        assert (names[0], names[-1]) == ("passages", "done")
        told = "".join(
            one["text"] for name, one in zip(names, data, strict=True) if name == "delta"
        )
        done: dict[str, Any] = data[-1]
        assert told == done["explanation"]
        return done
    explanation: dict[str, Any] = answer.json()
    return explanation


def events(text: str) -> tuple[list[str], list[Any]]:
    blocks = [block.split("\n") for block in text.split("\n\n") if block.startswith("event: ")]
    return (
        [name.removeprefix("event: ") for name, _ in blocks],
        [json.loads(data.removeprefix("data: ")) for _, data in blocks],
    )


def summary(explanation: dict[str, Any]) -> tuple[str, bool]:
    return explanation["source"], explanation["degraded"]


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


HOW = pytest.mark.parametrize("more", [{}, {"headers": EVENTS}], ids=["json", "events"])


@pytest.mark.parametrize("protocol", ["native", "openai"])
async def test_the_model_then_the_cache_of_all_replicas(
    start: Start, fake: Fake, rule: None, protocol: str
) -> None:
    more = {"YANDEXGPT_PROTOCOL": protocol, "YANDEXGPT_TIMEOUT_SECONDS": str(PATIENCE)}
    first, second = start(**more), start(**more)
    body = question()
    made = ask(first, body)
    assert summary(made) == ("llm", True)  # No worker: the search is degraded.
    assert made["search"]["degraded"] is True
    assert made["model"] == "yandexgpt-lite" and made["usage"]["completion_tokens"] > 0
    kept = ask(second, body)
    assert (kept["source"], kept["explanation"]) == ("cache", made["explanation"])
    streamed = ask(second, question(), headers=EVENTS)
    assert streamed["source"] == "llm"
    requests = fake.requests()
    assert len(requests) == 2 and {one["status"] for one in requests} == {200}


FAULTS: dict[str, dict[str, Any]] = {
    "drip": {"kind": "drip", "interval": 0.05},
    "hang": {"kind": "hang"},
    "hang in the body": {"kind": "hang", "after": 30},
    "429": {"kind": "error", "status": 429},
    "500": {"kind": "error", "status": 500},
    "401": {"kind": "error", "status": 401},
    "reset": {"kind": "reset"},
    "reset in the body": {"kind": "reset", "after": 30},
    "html": {"kind": "html", "status": 502},
    "cut": {"kind": "cut", "after": 30},
    "refusal": {"kind": "refusal"},
    "slow": {"kind": "answer", "delay": 30},
}


@HOW
async def test_whatever_the_model_does_the_rules_answer_in_time(
    start: Start, fake: Fake, rule: None, more: dict[str, Any]
) -> None:
    url = start(EXPLANATION_BACKGROUND_SECONDS="3")
    for name, fault in FAULTS.items():
        attempts = 2 if name in ("429", "500") else 1
        # Healthy again after it, so that the circuit breaker stays closed.
        fake.script({**fault, "times": attempts})
        before = len(fake.requests())
        explanation = ask(url, question(), **more)
        assert summary(explanation) == ("rules", True), name
        assert RULE["title"] in explanation["explanation"]
        # A second attempt that does not fit into the budget is made behind it.
        until(lambda expected=before + attempts: len(fake.requests()) == expected)
        until(lambda: ask(url, question())["source"] == "llm")


async def test_what_comes_too_late_serves_the_next_pupil(
    start: Start, fake: Fake, rule: None
) -> None:
    url = start(EXPLANATION_BACKGROUND_SECONDS="60")
    fake.script(delay=4.5)
    body = question()
    assert summary(ask(url, body)) == ("rules", True)
    kept = until(lambda: (one := ask(url, body))["source"] == "cache" and one)
    assert "подставной модели" in kept["explanation"]
    assert len(fake.requests()) == 1


async def test_a_stream_that_runs_out_of_time_ends_in_the_rules(
    start: Start, fake: Fake, rule: None
) -> None:
    url = start(EXPLANATION_BACKGROUND_SECONDS="3")
    fake.script(kind="hang", after=900, pieces=8)
    explanation = ask(url, question(), headers=EVENTS)
    assert summary(explanation) == ("llm", True)
    assert explanation["truncated"] is True
    assert explanation["explanation"].startswith("Найдите корень")
    assert RULE["title"] in explanation["explanation"]


async def test_a_stale_explanation_stands_in(start: Start, fake: Fake, rule: None) -> None:
    url = start(EXPLANATION_CACHE_SECONDS="0", YANDEXGPT_TIMEOUT_SECONDS=str(PATIENCE))
    body = question()
    made = ask(url, body)
    fake.script(kind="html", status=502)
    stale = ask(url, body)
    assert (stale["source"], stale["explanation"]) == ("stale-cache", made["explanation"])
    assert stale["degraded"] is True and stale["usage"] is None


@pytest.mark.parametrize("healthy", [True, False])
async def test_an_edited_rule_never_serves_an_old_explanation(
    start: Start, fake: Fake, rule: None, healthy: bool
) -> None:
    """Not even before a worker has seen the edit; here there is none."""
    url = start(EXPLANATION_CACHE_SECONDS="100", YANDEXGPT_TIMEOUT_SECONDS=str(PATIENCE))
    with httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client:
        assert client.put("/v1/templates/vowels", json=RULE).json()["version"] == 1
        body = question()
        assert ask(url, body)["source"] == "llm"
        assert ask(url, body)["source"] == "cache"
        edited = {**RULE, "body": "Правило стало другим."}
        assert client.put("/v1/templates/vowels", json=edited).json()["version"] == 2
        if not healthy:
            fake.script(kind="html", status=502)
        explanation = ask(url, body)
        assert explanation["source"] == ("llm" if healthy else "rules")
        assert [one["text"] for one in explanation["passages"]] == ["Правило стало другим."]
        assert "Правило стало другим." in json.dumps(
            fake.requests()[-1]["body"], ensure_ascii=False
        )
        client.delete("/v1/templates/vowels")
        assert ask(url, body)["passages"] == []


async def test_a_client_that_leaves_a_stream_cancels_the_model(
    start: Start, fake: Fake, rule: None
) -> None:
    url = start(YANDEXGPT_TIMEOUT_SECONDS="100")
    fake.script(kind="hang", after=900, pieces=8)
    with httpx.stream(
        "POST",
        f"{url}/v1/explanations",
        json=question(),
        headers=EVENTS,
        timeout=PATIENCE,
        trust_env=False,
    ) as answer:
        lines = answer.iter_lines()
        while next(lines) != "event: delta":
            continue
        # The model hangs now; the connection is kept alive.
        while next(lines) != ": keep-alive":
            continue
        assert fake.journal()["running"] == 1
    until(lambda: fake.journal()["running"] == 0)
    assert fake.requests()[0]["outcome"] == "client_gone"


@contextlib.contextmanager
def black_hole() -> Iterator[str]:
    """An address that accepts connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@HOW
@pytest.mark.parametrize("fault", ["away", "silent"])
async def test_redis_away_or_silent(
    start: Start, fake: Fake, rule: None, fault: str, more: dict[str, Any]
) -> None:
    with black_hole() as address:
        where = address if fault == "silent" else f"127.0.0.1:{free_ports(1)[0]}"
        url = start(REDIS_URL=f"redis://{where}/0", YANDEXGPT_TIMEOUT_SECONDS="8")
        headers = {**more.get("headers", {}), "Idempotency-Key": uuid4().hex}
        given = {"headers": headers} if more else {}
        explanation = ask(url, question(), **given)
        assert explanation["source"] == "llm"
        fake.script(kind="hang")
        answer = httpx.post(
            f"{url}/v1/explanations",
            json=question(),
            headers={"Idempotency-Key": uuid4().hex},
            timeout=PATIENCE,
            trust_env=False,
        )
        assert answer.json()["source"] == "rules"


@contextlib.asynccontextmanager
async def clients(urls: list[str]) -> AsyncIterator[list[httpx.AsyncClient]]:
    limits = httpx.Limits(max_connections=None)
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=url, timeout=120, trust_env=False, limits=limits)
            )
            for url in urls
        ]


async def test_the_same_question_is_generated_once_over_all_replicas(
    start: Start, fake: Fake, rule: None
) -> None:
    more = {"YANDEXGPT_TIMEOUT_SECONDS": "100", "EXPLANATION_BACKGROUND_SECONDS": "100"}
    urls = [start(**more) for _ in range(3)]
    fake.script(delay=3)
    body = question()
    async with clients(urls) as replicas:
        answers = await asyncio.gather(
            *(one.post("/v1/explanations", json=body) for one in replicas for _ in range(5))
        )
    bodies = [answer.json() for answer in answers]
    assert len(fake.requests()) == 1
    assert {one["source"] for one in bodies} == {"llm", "cache"}
    assert len({one["explanation"] for one in bodies}) == 1


async def test_never_an_eleventh_request_from_three_replicas(
    start: Start, fake: Fake, rule: None
) -> None:
    # So long that a slow machine finds the rules for 200 questions at once.
    urls = [start(YANDEXGPT_TIMEOUT_SECONDS="60") for _ in range(3)]
    fake.script(delay=0.3)
    async with clients(urls) as replicas:
        answers = await asyncio.gather(
            *(replicas[n % 3].post("/v1/explanations", json=question()) for n in range(200))
        )
    assert {answer.status_code for answer in answers} == {200}
    sources = [answer.json()["source"] for answer in answers]
    assert set(sources) <= {"llm", "rules"} and sources.count("llm") >= 100
    journal = fake.journal()
    assert journal["most_running"] <= 10 and journal["turned_away"] == 0
