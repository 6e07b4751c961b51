"""Rate limit, time limit, security headers, cross-origin requests."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from explanation_service.settings import SettingsError, load_settings

ORIGIN = "https://school.example"


async def test_a_caller_over_its_limit_is_told_when_to_come_back(connect, world):
    client = await connect(rate_limit_per_minute=60)
    statuses = [(await client.get("/v1/templates")).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    answer = await client.get("/v1/templates")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["code"] == "too_many_requests"
    assert list(world.rate_limits.taken) == ["address:127.0.0.1"]


async def test_each_key_has_a_limit_of_its_own_and_is_not_kept_as_it_is(connect, world):
    client = await connect(api_keys="one,two", admin_api_keys="boss", rate_limit_per_minute=60)
    for key in ("one", "two", "boss"):
        for status in (200, 200, 200, 429):
            answer = await client.get("/v1/templates", headers={"X-API-Key": key})
            assert answer.status_code == status
    assert len(world.rate_limits.taken) == 3
    assert not any(key in str(world.rate_limits.taken) for key in ("one", "two", "boss"))
    # Who has no key is turned away before, and uses up nothing.
    assert (await client.get("/v1/templates")).status_code == 401
    assert len(world.rate_limits.taken) == 3


async def test_the_limit_comes_before_the_body(connect):
    client = await connect(rate_limit_per_minute=60)
    headers = {"content-type": "application/json"}
    statuses = [
        (await client.post("/v1/rag/search", content=b"{", headers=headers)).status_code
        for _ in range(4)
    ]
    assert statuses == [422, 422, 422, 429]


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/metrics", "/", "/openapi.json"])
async def test_probes_and_pages_are_not_limited(connect, world, path):
    client = await connect(rate_limit_per_minute=60)
    assert {(await client.get(path)).status_code for _ in range(6)} == {200}
    assert world.rate_limits.taken == {}


async def test_no_limit_unless_it_is_set(client, world):
    assert {(await client.get("/v1/templates")).status_code for _ in range(6)} == {200}
    assert world.rate_limits.taken == {}


async def test_without_redis_nobody_is_limited_and_the_log_says_so_once(connect, world):
    client = await connect(rate_limit_per_minute=60)
    world.switch.down.add("redis")
    with capture_logs() as lines:
        for _ in range(6):
            assert (await client.get("/v1/templates")).status_code == 200
    assert sum("not limited" in line["event"] for line in lines) == 1


async def test_a_redis_that_hangs_holds_nobody_up(connect, world):
    async def hang(*_args):
        await asyncio.Event().wait()

    world.rate_limits.take = hang
    client = await connect(rate_limit_per_minute=60)
    async with asyncio.timeout(20):
        for _ in range(50):
            assert (await client.get("/v1/templates")).status_code == 200


async def test_answers_bear_security_headers(client):
    for path in ("/v1/templates", "/nowhere", "/health", "/openapi.json"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cache-control"] == "no-store"


async def test_the_console_keeps_its_own_policy(client):
    policy = (await client.get("/")).headers.get_list("content-security-policy")
    assert len(policy) == 1 and "frame-ancestors 'none'" in policy[0]
    assert "script-src" in policy[0]


async def test_a_mistake_of_ours_bears_them_too(client, world):
    async def broken(*_args, **_named):
        raise RuntimeError

    world.search.search = broken
    answer = await client.post("/v1/rag/search", json={"query": "слово"})
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (500, "nosniff")


async def test_pages_of_other_origins_may_not_read_answers(client):
    answer = await client.get("/v1/templates", headers={"Origin": ORIGIN})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}
    assert (await client.options("/v1/templates/a", headers=preflight)).status_code == 405


async def test_origins_of_the_settings_may(connect, monkeypatch):
    monkeypatch.setenv("CORS_ALLOW_ORIGINS", f"{ORIGIN}, http://localhost:3000")
    client = await connect(api_keys="r", admin_api_keys="a")
    preflight = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,if-match,content-type",
    }
    allowed = await client.options("/v1/templates/a", headers=preflight)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in allowed.headers
    # Errors are to be read as well.
    refused = await client.get("/v1/templates", headers={"Origin": ORIGIN})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, ORIGIN)
    assert "X-Request-ID" in refused.headers["access-control-expose-headers"]
    other = await client.get("/v1/templates", headers={"Origin": "https://else.example"})
    assert "access-control-allow-origin" not in other.headers


async def test_a_mistake_of_ours_can_be_read_by_them_too(connect, world, monkeypatch):
    async def broken(*_args, **_named):
        raise RuntimeError

    monkeypatch.setenv("CORS_ALLOW_ORIGINS", ORIGIN)
    world.search.search = broken
    client = await connect()
    query = {"query": "слово"}
    answer = await client.post("/v1/rag/search", json=query, headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


async def test_what_is_refused_at_the_door_is_measured_by_its_route(connect):
    client = await connect(api_keys="r", rate_limit_per_minute=60)
    answers = [await client.get("/v1/templates/a")]
    key = {"X-API-Key": "r"}
    answers += [await client.delete("/v1/templates/a", headers=key) for _ in range(4)]
    assert [answers[0].status_code, answers[-1].status_code] == [401, 429]
    assert (await client.get("/v1/nowhere")).status_code == 401
    text = (await client.get("/metrics")).text
    name = "explain_http_request_duration_seconds_count"
    route = 'route="/v1/templates/{template_id}"'
    assert f'{name}{{method="GET",{route},status="401"}}' in text
    assert f'{name}{{method="DELETE",{route},status="429"}}' in text
    assert f'{name}{{method="GET",route="unmatched",status="401"}}' in text


@pytest.mark.parametrize("origins", ["school.example", "https://a/b", "ftp://a", "null"])
def test_what_is_no_origin_is_refused(monkeypatch, origins):
    monkeypatch.setenv("CORS_ALLOW_ORIGINS", origins)
    with pytest.raises(SettingsError, match="CORS_ALLOW_ORIGINS must be"):
        load_settings()
