"""Every error is a problem document with the request id."""

from __future__ import annotations

import json

import httpx
import pytest

from explanation_service.api.body_limit_middleware import MAX_BODY


def check(answer: httpx.Response, status: int) -> dict:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["title"] and problem["detail"] and problem["code"]
    return problem


async def test_no_such_route(client):
    check(await client.get("/nowhere"), 404)


async def test_wrong_method(client):
    answer = await client.delete("/v1/rag/search")
    check(answer, 405)
    assert answer.headers["allow"] == "GET, POST"


async def test_a_wrong_method_learns_of_all_the_right_ones(client):
    for path, allowed in {
        "/v1/templates/a": "DELETE, GET, PUT",
        "/v1/explanations": "POST",
        "/health": "GET",
        "/openapi.json": "GET, HEAD",
    }.items():
        answer = await client.patch(path)
        check(answer, 405)
        assert ", ".join(sorted(answer.headers["allow"].split(", "))) == allowed


async def test_an_address_with_a_slash_too_many(client):
    check(await client.get("/v1/templates/"), 404)


async def test_invalid_body_names_the_field_and_does_not_repeat_the_value(client):
    answer = await client.post("/v1/rag/search", json={"query": "", "limit": "secret-value"})
    problem = check(answer, 422)
    assert {fault["field"] for fault in problem["errors"]} == {"body.query", "body.limit"}
    assert "secret-value" not in answer.text


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b"null", b"\xff\xfe", b'{"query": "\\ud800"}'])
async def test_a_body_that_is_no_request(client, body):
    headers = {"content-type": "application/json"}
    answer = await client.post("/v1/rag/search", content=body, headers=headers)
    check(answer, answer.status_code)
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize("depth", [50, 500, 5_000, 200_000])
@pytest.mark.parametrize("wrap", [b"%b", b'{"query": %b}', b'{"query": "a", "more": %b}'])
async def test_a_deeply_nested_body(client, depth, wrap):
    body = wrap % (b"[" * depth + b"]" * depth)
    headers = {"content-type": "application/json"}
    answer = await client.post("/v1/rag/search", content=body, headers=headers)
    # A field that nobody knows is not looked at, as long as it can be parsed at all.
    assert answer.status_code in ((200, 400) if b"more" in wrap else (400, 422))
    assert answer.status_code == 400 or depth < 5_000


async def test_an_announced_body_that_is_too_large(client, world):
    answer = await client.put("/v1/templates/a", content=b"x" * (MAX_BODY + 1))
    check(answer, 413)
    assert world.repository.stored == {}


async def test_a_body_that_turns_out_too_large(client):
    async def pieces():
        for _ in range(3):
            yield b"x" * (MAX_BODY // 2)

    headers = {"content-type": "application/json"}
    check(await client.put("/v1/templates/a", content=pieces(), headers=headers), 413)


async def test_a_mistake_of_ours_shows_nothing_of_itself(client, world):
    async def broken(*_args, **_named):
        raise RuntimeError("secret detail")

    world.search.search = broken
    answer = await client.post("/v1/rag/search", json={"query": "слово"})
    check(answer, 500)
    assert "secret" not in answer.text and "Traceback" not in answer.text


async def test_a_store_that_is_away_is_named_but_not_its_address(client, world):
    world.switch.down.add("qdrant")
    answer = await client.post("/v1/rag/search", json={"query": "слово"})
    problem = check(answer, 503)
    assert problem["dependency"] == "qdrant"
    assert "secret-host" not in answer.text
    assert int(answer.headers["retry-after"]) > 0


async def test_a_well_formed_request_id_is_kept(client):
    answer = await client.get("/nowhere", headers={"X-Request-ID": "abc-1"})
    assert check(answer, 404)["request_id"] == "abc-1"


@pytest.mark.parametrize("raw", ["a b", "x" * 65, "a\tb", '"'])
async def test_a_malformed_request_id_is_replaced(client, raw):
    answer = await client.get("/health", headers={"X-Request-ID": raw})
    assert answer.headers["x-request-id"] != raw
    assert len(answer.headers.get_list("x-request-id")) == 1


async def test_problems_are_json_without_nulls(client):
    assert None not in json.loads((await client.get("/nowhere")).text).values()
