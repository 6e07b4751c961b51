"""Explanations over HTTP: JSON, streams, repeated requests."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from explanation_service.explanations.language_model import (
    Completion,
    DisabledLanguageModel,
)
from explanation_service.explanations.records import Usage

ASK = {
    "question": "Какую букву писать в корне?",
    "student_answer": "вада",
    "correct_answer": "вода",
}
EVENTS = {"Accept": "text/event-stream"}


def events(text: str) -> list[tuple[str, dict]]:
    blocks = [block.split("\n") for block in text.split("\n\n") if block]
    return [(name.removeprefix("event: "), json.loads(data[6:])) for name, data in blocks]


async def test_an_explanation_from_the_rules(client, rule):
    answer = await client.post("/v1/explanations", json=ASK)
    assert answer.status_code == 200
    body = answer.json()
    assert body["source"] == "rules"
    assert body["degraded"] is False
    assert rule["title"] in body["explanation"]
    assert body["passages"][0] == {
        "template_id": "vowels",
        "title": rule["title"],
        "text": rule["body"],
        "score": 0.5,
    }
    assert body["model"] is None and body["usage"] is None
    assert set(body["timings_ms"]) == {"search", "phrase", "total"}


@pytest.mark.parametrize(("seconds", "counted"), [(0.2, 0.2), (3600, 0.25)])
async def test_the_time_counts_from_when_the_request_came_in(client, rule, seconds, counted):
    app = client._transport.app

    async def kept_waiting(scope, receive, send):
        scope["state"] = {"received": time.monotonic() - seconds}
        await app(scope, receive, send)

    transport = httpx.ASGITransport(kept_waiting)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as late:
        answer = await late.post("/v1/explanations", json=ASK)
    assert 1000 * counted <= answer.json()["timings_ms"]["total"] < 100_000


async def test_degraded_when_a_model_was_expected(connect, rule):
    client = await connect(model=DisabledLanguageModel(expected=True))
    body = (await client.post("/v1/explanations", json=ASK)).json()
    assert (body["source"], body["degraded"]) == ("rules", True)


async def test_degraded_when_the_search_was(client, rule, world):
    world.search.degraded = True
    body = (await client.post("/v1/explanations", json=ASK)).json()
    assert body["degraded"] is True
    assert body["search"] == {"mode": "lexical", "degraded": True}


async def test_a_language_model_phrases_it(connect, rule):
    class Model(DisabledLanguageModel):
        async def complete(self, prompt, deadline):
            assert rule["body"] in prompt.user
            return Completion("Пиши «о».", "yandexgpt-lite", "23.10", Usage(15, 10))

    client = await connect(model=Model(expected=True))
    body = (await client.post("/v1/explanations", json=ASK)).json()
    assert (body["explanation"], body["source"], body["degraded"]) == ("Пиши «о».", "llm", False)
    assert (body["model"], body["model_version"]) == ("yandexgpt-lite", "23.10")
    assert body["usage"]["total_tokens"] == 25


@pytest.mark.parametrize(
    "how", [{"headers": EVENTS, "json": ASK}, {"json": {**ASK, "stream": True}}]
)
async def test_a_stream(client, rule, how):
    answer = await client.post("/v1/explanations", **how)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    (first, found), *deltas, (last, done) = events(answer.text)
    assert (first, last) == ("passages", "done")
    assert found["passages"] == done["passages"]
    assert {name for name, _ in deltas} == {"delta"} and len(deltas) > 1
    assert "".join(data["text"] for _, data in deltas) == done["explanation"]


async def test_a_stream_that_cannot_begin_is_a_problem(client, world):
    world.switch.down.add("qdrant")
    answer = await client.post("/v1/explanations", json=ASK, headers=EVENTS)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("headers", [{}, EVENTS])
async def test_a_mistake_in_the_model_fails_nobody(connect, rule, headers):
    class Model(DisabledLanguageModel):
        async def complete(self, *_):
            raise RuntimeError("secret")

        stream = complete

    client = await connect(model=Model(expected=True))
    answer = await client.post("/v1/explanations", json=ASK, headers=headers)
    assert answer.status_code == 200
    body = events(answer.text)[-1][1] if headers else answer.json()
    assert (body["source"], body["degraded"]) == ("rules", True)
    assert "secret" not in answer.text


async def test_a_stream_that_breaks_off_says_so(client, rule, monkeypatch):
    def broken(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr("explanation_service.explanations.answer_chain.compose", broken)
    answer = await client.post("/v1/explanations", json=ASK, headers=EVENTS)
    (first, _), (last, problem) = events(answer.text)
    assert (first, last, problem["status"]) == ("passages", "error", 500)
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text


async def test_the_template_that_was_named_comes_first(client, rule):
    await client.put("/v1/templates/ne", json={"title": "Не в корне", "body": "Раздельно."})
    body = (await client.post("/v1/explanations", json={**ASK, "template_id": "ne"})).json()
    assert [one["template_id"] for one in body["passages"]] == ["ne", "vowels"]


async def test_a_template_of_nothing(client):
    answer = await client.post("/v1/explanations", json={**ASK, "template_id": "nothing"})
    assert (answer.status_code, answer.json()["code"]) == (404, "template_not_found")


async def test_a_topic_that_nobody_uses_does_not_hide_the_rule(client, rule):
    body = (await client.post("/v1/explanations", json={**ASK, "topic": "другая"})).json()
    assert [one["template_id"] for one in body["passages"]] == ["vowels"]


@pytest.mark.parametrize(
    ("down", "ask", "status", "degraded"),
    [
        ({"mongodb"}, {}, 200, False),
        ({"redis"}, {}, 200, False),
        ({"qdrant"}, {}, 503, None),
        ({"qdrant"}, {"template_id": "vowels"}, 200, True),
        ({"mongodb"}, {"template_id": "vowels"}, 200, True),
        ({"mongodb", "qdrant"}, {"template_id": "vowels"}, 503, None),
    ],
)
async def test_with_stores_away(client, rule, world, down, ask, status, degraded):
    world.switch.down.update(down)
    headers = {"Idempotency-Key": "k"}
    answer = await client.post("/v1/explanations", json={**ASK, **ask}, headers=headers)
    assert answer.status_code == status
    assert answer.json().get("degraded") == degraded


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"question": ""},
        {"question": " \n"},
        {"question": "x" * 4001},
        {"question": "x", "template_id": "../etc"},
        {"question": "x", "student_answer": "x" * 4001},
    ],
)
async def test_bad_questions(client, body):
    assert (await client.post("/v1/explanations", json=body)).status_code == 422


async def test_what_was_left_blank_counts_as_absent(client, rule):
    blank = {"student_answer": "", "correct_answer": " ", "topic": "", "exam": ""}
    answer = await client.post("/v1/explanations", json={**ASK, **blank})
    assert answer.status_code == 200
    assert "Дан ответ" not in answer.json()["explanation"]


async def test_a_repeated_request_gets_the_first_answer(client, rule, world):
    headers = {"Idempotency-Key": "k1"}
    first = await client.post("/v1/explanations", json=ASK, headers=headers)
    world.switch.down.add("qdrant")
    again = await client.post("/v1/explanations", json=ASK, headers=headers)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    streamed = await client.post("/v1/explanations", json=ASK, headers={**headers, **EVENTS})
    assert events(streamed.text)[-1] == ("done", first.json())


async def test_a_streamed_answer_is_kept_too(client, rule, world):
    headers = {"Idempotency-Key": "k1"}
    first = await client.post("/v1/explanations", json=ASK, headers={**headers, **EVENTS})
    again = await client.post("/v1/explanations", json=ASK, headers=headers)
    assert again.json() == events(first.text)[-1][1]
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_key_belongs_to_one_request(client, rule):
    headers = {"Idempotency-Key": "k1"}
    await client.post("/v1/explanations", json=ASK, headers=headers)
    other = {**ASK, "question": "Что такое корень?"}
    answer = await client.post("/v1/explanations", json=other, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_request_under_way_is_not_made_twice(client, rule, world):
    headers = {"Idempotency-Key": "k1"}
    await client.post("/v1/explanations", json=ASK, headers=headers)
    (name, (request, _)) = world.idempotency.kept.popitem()
    world.idempotency.kept[name] = (request, None)
    answer = await client.post("/v1/explanations", json=ASK, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "request_in_progress")
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("more", [{}, EVENTS])
async def test_a_failure_leaves_the_key_free(client, rule, world, more):
    headers = {"Idempotency-Key": "k1", **more}
    world.switch.down.add("qdrant")
    assert (await client.post("/v1/explanations", json=ASK, headers=headers)).status_code == 503
    world.switch.down.clear()
    assert (await client.post("/v1/explanations", json=ASK, headers=headers)).status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 256, "a b"])
async def test_a_bad_key_is_refused(client, rule, key):
    headers = {"Idempotency-Key": key}
    assert (await client.post("/v1/explanations", json=ASK, headers=headers)).status_code == 422
