"""The API as a process of its own, before real stores and with no worker at all."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from explanation_service.retrieval.lexical import encode_document
from explanation_service.settings import Settings
from explanation_service.standalone.ports import free_ports
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.records import EmbeddingModelInfo, PassagePoint
from explanation_service.stores.redis import close, connect_redis
from explanation_service.stores.vector_index import connect_vector_index
from recorded_spans.collector import running_collector

RULE = {
    "title": "Безударные гласные в корне",
    "body": "Букву в корне проверяют ударением. Например: вода — воды.",
    "exam": "oge",
}
ASK = {
    "question": "Какую букву писать в корне?",
    "student_answer": "вада",
    "correct_answer": "вода",
}
# Bytes; measured 85 MiB.
MEMORY = 110 * 2**20


async def index(settings: Settings, template_id: str) -> None:
    """What a worker does, with a vector of nothing in particular."""
    vectors = connect_vector_index(settings)
    await vectors.ensure_collection(EmbeddingModelInfo("test", "rev1", 4, 512))
    title, body = RULE["title"], RULE["body"]
    lexical = encode_document(title, body)
    point = PassagePoint(
        template_id, 0, 1, 1, "hash", title, body, None, "oge", (), [1.0, 0.0, 0.0, 0.0], lexical
    )
    await vectors.upsert([point])
    await vectors.close()


async def test_from_a_write_to_an_explanation_without_any_worker(api: Any) -> None:
    with api.client() as client:
        empty = client.post("/v1/rag/search", json={"query": "корень"})
        assert (empty.status_code, empty.json()["hits"]) == (200, [])
        assert client.put("/v1/templates/vowels", json=RULE).status_code == 201
        await index(api.settings, "vowels")

        ready = client.get("/health/ready")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        found = client.get("/v1/rag/search", params={"query": "гласная в корне"}).json()
        assert [hit["template_id"] for hit in found["hits"]] == ["vowels"]
        assert (found["mode"], found["degraded"]) == ("lexical", True)

        explained = client.post("/v1/explanations", json=ASK)
        assert explained.status_code == 200
        assert explained.json()["source"] == "rules"
        assert RULE["title"] in explained.json()["explanation"]

        status = client.get("/v1/rag/status").json()
        assert (status["points"], status["live_workers"], status["unavailable"]) == (1, 0, [])
        assert status["stream_lag"] == 1


async def test_an_event_follows_each_write_with_the_trace_of_its_request(api: Any) -> None:
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    headers = {"traceparent": traceparent, "X-Request-ID": "from-outside"}
    with api.client() as client:
        client.put("/v1/templates/a", json=RULE, headers=headers)
        client.delete("/v1/templates/a", headers=headers)
        client.post("/v1/rag/reindex", json={"all": True})
    redis = connect_redis(api.settings, blocking=True)
    stream = EventStream(redis, api.settings.redis_stream_name, api.settings.redis_stream_group)
    await stream.ensure_group()
    fields = [each.fields for each in await stream.read_new("c", 10, 100)]
    await close(redis)
    assert [(one["op"], one["version"]) for one in fields] == [
        ("upsert", "1"),
        ("delete", "2"),
        ("delete", "2"),
    ]
    assert [one["traceparent"] for one in fields[:2]] == [traceparent] * 2
    assert api.stop() == 0
    access = [line for line in api.log() if line["event"] == "request"]
    written = [line for line in access if line["route"] == "/v1/templates/{template_id}"]
    assert [line["request_id"] for line in written] == ["from-outside"] * 2
    assert written[0]["traceparent"] == traceparent


async def test_repeated_requests_over_real_redis(api: Any) -> None:
    await index(api.settings, "vowels")
    headers = {"Idempotency-Key": f"key-{api.settings.qdrant_collection}"}
    with api.client() as client:

        def ask(_: int) -> httpx.Response:
            return client.post("/v1/explanations", json=ASK, headers=headers)

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(8)))
        assert {answer.status_code for answer in answers} <= {200, 409}
        made = [each for each in answers if each.status_code == 200]
        assert len({answer.content for answer in made}) == 1
        fresh = [each for each in made if "idempotency-replayed" not in each.headers]
        assert len(fresh) == 1
        other = client.post("/v1/explanations", json={**ASK, "question": "?"}, headers=headers)
        assert other.status_code == 422


async def test_a_stream_over_the_wire(api: Any) -> None:
    await index(api.settings, "vowels")
    headers = {"Accept": "text/event-stream"}
    with (
        api.client() as client,
        client.stream("POST", "/v1/explanations", json=ASK, headers=headers) as answer,
    ):
        lines = [line for line in answer.iter_lines() if line.startswith("event: ")]
    assert (lines[0], lines[-1]) == ("event: passages", "event: done")
    assert set(lines[1:-1]) == {"event: delta"}


def test_a_body_that_is_too_large_is_refused_over_the_wire(api: Any) -> None:
    with api.client() as client:
        answer = client.put("/v1/templates/a", content=b"x" * (2 * 2**20))
        assert answer.status_code == 413

        def pieces() -> Iterator[bytes]:
            for _ in range(8):
                yield b"x" * 2**18

        headers = {"Content-Type": "application/json"}
        assert client.put("/v1/templates/a", content=pieces(), headers=headers).status_code == 413


def test_the_process_is_lean_quiet_and_stops_in_order(api: Any) -> None:
    pages = int(Path(f"/proc/{api.process.pid}/statm").read_text().split()[1])
    assert pages * os.sysconf("SC_PAGESIZE") < MEMORY
    with api.client() as client:
        client.get("/nowhere")
    assert api.stop() == 0
    assert (api.folder / "out").read_bytes() == b""
    events = [line["event"] for line in api.log()]
    assert "api started" in events and "api stopped" in events


def test_it_starts_and_says_so_while_every_store_is_away(
    tmp_path: Path, settings: Settings, run_api: Any
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"127.0.0.1:{taken.getsockname()[1]}"
        away = settings.model_copy(
            update={
                "mongodb_uri": f"mongodb://{nowhere}",
                "redis_url": f"redis://{nowhere}",
                "qdrant_url": f"http://{nowhere}",
            }
        )
        with run_api(away, tmp_path) as api, api.client() as client:
            ready = client.get("/health/ready")
            assert ready.status_code == 503
            states = {name: one["status"] for name, one in ready.json()["dependencies"].items()}
            assert states == {
                "mongodb": "down",
                "redis": "down",
                "qdrant": "down",
                "workers": "none",
            }
            expected = {
                "/v1/templates": "mongodb",
                "/v1/rag/search?query=a": "qdrant",
            }
            for path, name in expected.items():
                answer = client.get(path)
                assert (answer.status_code, answer.json()["dependency"]) == (503, name)
                assert nowhere not in answer.text
            assert client.get("/v1/rag/status").status_code == 200
            assert api.stop() == 0


def run_command(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "explanation_service.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )


def test_templates_come_in_and_out_by_the_command(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    first = run_command(environment, "templates", "import", "sample")
    assert first.returncode == 0, first.stderr
    count = int(first.stdout.split()[0])
    assert count > 50
    again = run_command(environment, "templates", "import", "sample")
    assert again.stdout == f"0 created, 0 updated, {count} unchanged, 0 failed\n"
    exported = run_command(environment, "templates", "export")
    assert len(exported.stdout.splitlines()) == count
    path = tmp_path / "out.jsonl"
    path.write_text(exported.stdout)
    back = run_command(environment, "templates", "import", str(path))
    assert back.stdout == again.stdout


async def test_dead_letters_by_the_command(settings: Settings, environment: dict[str, str]) -> None:
    redis = connect_redis(settings)
    dead = f"{settings.redis_stream_name}:dead"
    notes = {"reason": "malformed", "detail": "op: field is missing", "source_id": "1-1"}
    for name in ("a", "b", "c"):
        await redis.xadd(dead, {"entity_id": name, **notes})
    listed = run_command(environment, "dead-letters", "list").stdout.splitlines()
    ids = [line.split("\t")[0] for line in listed]
    assert [line.split("\t")[2:] for line in listed] == [["malformed", name] for name in "abc"]
    shown = json.loads(run_command(environment, "dead-letters", "show", ids[0]).stdout)
    assert (shown["detail"], shown["fields"]) == (notes["detail"], {"entity_id": "a"})

    assert run_command(environment, "dead-letters", "drop", ids[0]).stdout == "1 dropped\n"
    replayed = run_command(environment, "dead-letters", "replay", "--all")
    assert replayed.stdout == "2 put back into the stream\n"
    assert run_command(environment, "dead-letters", "list").stdout == ""
    rows = await redis.xrange(settings.redis_stream_name)
    assert [fields for _, fields in rows] == [{"entity_id": "b"}, {"entity_id": "c"}]
    await close(redis)

    missing = run_command(environment, "dead-letters", "show", "1-1")
    assert (missing.returncode, missing.stderr) == (1, "There is no dead letter 1-1.\n")
    malformed = run_command(environment, "dead-letters", "show", "x")
    assert malformed.returncode == 1
    assert len(malformed.stderr.splitlines()) == 1


def test_the_doctor_finds_nothing_wrong(environment: dict[str, str]) -> None:
    done = run_command(environment, "doctor")
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    assert "mongodb answers" in done.stdout and "no worker is ready" in done.stdout


async def test_the_worker_inside_of_the_api(
    settings: Settings, tmp_path: Path, model_directory: Path, run_api: Any
) -> None:
    """START_EMBEDDING_WORKER=true: the old monolith."""
    more = {
        "START_EMBEDDING_WORKER": "true",
        "EMBEDDING_MODEL_PATH": str(model_directory),
        "WORKER_PORT": str(free_ports(1)[0]),
        "WORKER_HOST": "127.0.0.1",
    }
    with run_api(settings, tmp_path, **more) as api, api.client() as client:
        assert client.put("/v1/templates/vowels", json=RULE).status_code == 201
        query = {"query": "какую букву писать без ударения"}
        deadline = time.monotonic() + 120
        while True:
            answer = client.post("/v1/rag/search", json=query)
            assert answer.status_code == 200, (answer.text, (tmp_path / "err").read_text())
            found = answer.json()
            if found["mode"] == "hybrid" and found["hits"]:
                break
            assert time.monotonic() < deadline, (tmp_path / "err").read_text()
            time.sleep(0.5)
        assert found["degraded"] is False
        assert client.get("/v1/rag/status").json()["live_workers"] == 1
        assert api.stop() == 0


def test_a_model_that_is_not_there_leaves_the_api_serving(
    settings: Settings, tmp_path: Path, run_api: Any
) -> None:
    pytest.importorskip("torch")
    more = {
        "START_EMBEDDING_WORKER": "true",
        "EMBEDDING_MODEL_PATH": "/nowhere",
        "WORKER_PORT": str(free_ports(1)[0]),
        "WORKER_HOST": "127.0.0.1",
    }
    with run_api(settings, tmp_path, **more) as api, api.client() as client:
        deadline = time.monotonic() + 60
        while not any(line["level"] == "error" for line in api.log()):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        (line,) = [line for line in api.log() if line["level"] == "error"]
        assert "exception" not in line
        assert client.post("/v1/rag/search", json={"query": "корень"}).status_code == 200
        assert api.stop() == 0


async def test_a_request_and_its_event_are_one_trace_at_the_collector(
    settings: Settings, tmp_path: Path, run_api: Any
) -> None:
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    with running_collector() as collector:
        tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "NO_PROXY": "*"}
        with run_api(settings, tmp_path, **tracing) as api:
            with api.client() as client:
                client.put("/v1/templates/a", json=RULE, headers={"traceparent": traceparent})
            assert api.stop() == 0
            log = api.log()
        (sent,) = collector.spans()
    of_span = f"00-{sent.trace_id.hex()}-{sent.span_id.hex()}-01"
    assert (sent.trace_id.hex(), sent.parent_span_id.hex()) == ("a" * 32, "b" * 16)
    (written,) = [line for line in log if line.get("route") == "/v1/templates/{template_id}"]
    assert written["traceparent"] == of_span
    redis = connect_redis(settings, blocking=True)
    stream = EventStream(redis, settings.redis_stream_name, settings.redis_stream_group)
    await stream.ensure_group()
    (event,) = [each.fields for each in await stream.read_new("c", 10, 100)]
    await close(redis)
    assert event["traceparent"] == of_span


def test_a_collector_that_is_away_costs_no_answer_and_no_orderly_stop(
    settings: Settings, tmp_path: Path, run_api: Any
) -> None:
    tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_ports(1)[0]}"}
    with run_api(settings, tmp_path, **tracing, NO_PROXY="*") as api:
        with api.client() as client:
            assert client.put("/v1/templates/a", json=RULE).status_code == 201
        assert api.stop() == 0
