"""The fake keeps to what is known of the service."""

from __future__ import annotations

import asyncio
import itertools
import json

import httpx
import pytest

KEY = "AQVN-very-secret-key"
PATH = "/foundationModels/v1/completion"
HEADERS = {"Authorization": f"Api-Key {KEY}", "x-folder-id": "f"}
PATIENCE = 60.0


def body(stream: bool = False, **options):
    return {
        "modelUri": "gpt://f/yandexgpt-lite/latest",
        "completionOptions": {
            "stream": stream,
            "temperature": 0.2,
            "maxTokens": "700",
            **options,
        },
        "messages": [{"role": "user", "text": "Почему «о»?"}],
    }


@pytest.fixture
async def client(world):
    async with httpx.AsyncClient(
        base_url=world.url, timeout=PATIENCE, headers=HEADERS, verify=False, trust_env=False
    ) as client:
        yield client


async def test_an_answer_has_the_wrapper_and_integers_as_strings(client):
    answer = (await client.post(PATH, json=body())).json()
    usage = answer["result"]["usage"]
    assert all(isinstance(usage[name], str) for name in ("inputTextTokens", "totalTokens"))
    assert answer["result"]["alternatives"][0]["status"] == "ALTERNATIVE_STATUS_FINAL"


async def test_a_stream_is_cumulative_and_its_lines_come_in_several_writes(client, world):
    world.script(pieces=4, chunk=50)
    chunks = []
    async with client.stream("POST", PATH, json=body(True)) as answer:
        async for chunk in answer.aiter_raw():
            chunks.append(chunk)
    lines = [json.loads(line) for line in b"".join(chunks).splitlines()]
    assert len(chunks) > len(lines) == 5
    texts = [line["result"]["alternatives"][0]["message"]["text"] for line in lines]
    assert all(after.startswith(before) for before, after in itertools.pairwise(texts))
    statuses = [line["result"]["alternatives"][0]["status"][19:] for line in lines]
    assert statuses == ["PARTIAL"] * 4 + ["FINAL"]


async def test_the_eleventh_generation_at_a_time_gets_the_error_of_the_quota(client, world):
    world.script(kind="hang")
    tasks = [asyncio.create_task(client.post(PATH, json=body())) for _ in range(10)]
    async with asyncio.timeout(PATIENCE):
        while world.fake.journal.running < 10:
            await asyncio.sleep(0.01)
    answer = await client.post(PATH, json=body())
    assert answer.status_code == 429
    assert answer.json() == {
        "error": {
            "grpcCode": 8,
            "httpCode": 429,
            "message": "ai.textGenerationCompletionSessionsCount.count gauge quota limit exceed: "
            "allowed 10 requests",
            "httpStatus": "Too Many Requests",
            "details": [],
        }
    }
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(PATIENCE):
        while world.fake.journal.running:
            await asyncio.sleep(0.01)
    world.script()
    assert (await client.post(PATH, json=body())).status_code == 200
    assert (world.fake.journal.most_running, world.fake.journal.turned_away) == (10, 1)


@pytest.mark.parametrize(
    ("headers", "given", "status", "grpc"),
    [
        ({"Authorization": ""}, body(), 401, 16),
        ({"Authorization": "Api-Key wrong"}, body(), 401, 16),
        ({"Authorization": f"Basic {KEY}"}, body(), 401, 16),
        ({"x-folder-id": "other"}, body(), 403, 7),
        ({}, {}, 400, 3),
        ({}, body(maxTokens=700), 400, 3),
        ({}, body(temperature=2), 400, 3),
        ({}, {**body(), "messages": []}, 400, 3),
        ({}, {**body(), "modelUri": "yandexgpt-lite"}, 400, 3),
    ],
)
async def test_what_is_turned_away(client, headers, given, status, grpc):
    answer = await client.post(PATH, json=given, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"]["grpcCode"] == grpc


async def test_the_script_by_its_route(client, world):
    script = {"then": [{"kind": "error", "status": 503, "times": 2}], "default": {"text": "Да."}}
    assert (await client.post("/_control/script", json=script)).status_code == 200
    statuses = [(await client.post(PATH, json=body())).status_code for _ in range(3)]
    assert statuses == [503, 503, 200]
    journal = (await client.get("/_control/journal")).json()
    assert [one["behaviour"] for one in journal["requests"]] == ["error", "error", "answer"]
    assert journal["most_running"] == 1 and journal["running"] == 0
    assert KEY not in json.dumps(journal)
    assert (await client.post("/_control/reset")).status_code == 200
    assert (await client.get("/_control/journal")).json()["requests"] == []


@pytest.mark.parametrize("script", [b"no json", b'{"default": {"kind": "magic"}}', b"[]"])
async def test_a_script_that_is_none(client, script):
    assert (await client.post("/_control/script", content=script)).status_code == 422


async def test_a_connection_serves_one_request_after_the_other(client):
    for _ in range(20):
        assert (await client.get("/health")).status_code == 200
    assert (await client.get("/nowhere")).status_code == 404
