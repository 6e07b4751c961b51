"""Who may ask and who may write."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

DRAFT = {"title": "Правило", "body": "Текст."}


async def statuses(client, key=None, header="Authorization"):
    """(status of a read, status of a write) with a key."""
    value = f"Bearer {key}" if header == "Authorization" else key
    headers = {} if key is None else {header: value}
    read = await client.get("/v1/templates", headers=headers)
    write = await client.put("/v1/templates/a", json=DRAFT, headers=headers)
    return read.status_code, write.status_code


@pytest.mark.parametrize(
    ("keys", "admin", "presented", "expected"),
    [
        ("", "", None, (200, 201)),
        ("", "", "anything", (200, 201)),
        ("r", "", None, (401, 401)),
        ("r", "", "wrong", (401, 401)),
        # Keys for asking never become keys for editing.
        ("r", "", "r", (200, 403)),
        ("", "a", None, (200, 401)),
        ("", "a", "wrong", (200, 401)),
        ("", "a", "a", (200, 201)),
        ("r,r2", "a", "r2", (200, 403)),
        ("r", "a", "a", (200, 201)),
        ("r", "a", "", (401, 401)),
    ],
)
async def test_access(connect, monkeypatch, keys, admin, presented, expected):
    monkeypatch.setenv("API_KEYS", keys)
    monkeypatch.setenv("ADMIN_API_KEYS", admin)
    assert await statuses(await connect(), presented) == expected


async def test_the_other_header_does_as_well(connect):
    client = await connect(api_keys="ключ", admin_api_keys="a")
    assert await statuses(client, "a", "X-API-Key") == (200, 201)
    assert await statuses(client, "b", "X-API-Key") == (401, 401)


async def test_401_says_how_to_authenticate(connect):
    answer = await (await connect(api_keys="r")).get("/v1/rag/status")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "unauthorized"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/explanations"),
        ("POST", "/v1/rag/search"),
        ("GET", "/v1/rag/search"),
        ("GET", "/v1/rag/status"),
        ("POST", "/v1/rag/reindex"),
        ("GET", "/v1/templates"),
        ("GET", "/v1/templates/a"),
        ("PUT", "/v1/templates/a"),
        ("DELETE", "/v1/templates/a"),
        ("POST", "/v1/templates:import"),
    ],
)
async def test_every_v1_route_asks_for_a_key_before_it_looks_at_the_request(connect, method, path):
    client = await connect(api_keys="r", admin_api_keys="a")
    assert (await client.request(method, path)).status_code == 401


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/metrics", "/", "/openapi.json"])
async def test_what_is_open_stays_open(connect, path):
    assert (await (await connect(api_keys="r")).get(path)).status_code == 200


async def test_an_open_service_says_so_once(connect):
    with capture_logs() as lines:
        client = await connect()
        await client.get("/v1/templates")
    assert [each["log_level"] for each in lines if "no API keys are set" in each["event"]] == [
        "warning"
    ]
