"""The rule book over HTTP."""

from __future__ import annotations

import pytest

from explanation_service.stores.mongodb import StoredTemplate

DRAFT = {"title": "Частица «не»", "body": "С глаголами пишется раздельно."}


async def test_a_template_is_created_replaced_read_and_deleted(client, world):
    created = await client.put("/v1/templates/ne", json=DRAFT)
    assert created.status_code == 201
    assert created.json()["version"] == 1
    assert created.json()["status"] == "published"
    replaced = await client.put("/v1/templates/ne", json={**DRAFT, "status": "draft"})
    assert (replaced.status_code, replaced.json()["version"]) == (200, 2)
    read = await client.get("/v1/templates/ne")
    assert read.json() == replaced.json()
    deleted = await client.delete("/v1/templates/ne")
    assert (deleted.status_code, deleted.content) == (204, b"")
    for method in (client.get, client.delete):
        gone = await method("/v1/templates/ne")
        assert gone.status_code == 404
        assert gone.json()["code"] == "template_not_found"
    assert [event.op for event in world.stream.events] == ["upsert", "upsert", "delete"]


async def test_an_event_carries_the_trace_of_the_request(client, world):
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    await client.put("/v1/templates/ne", json=DRAFT, headers={"traceparent": traceparent})
    assert world.stream.events[0].traceparent == traceparent


async def test_a_write_succeeds_while_redis_is_away(client, world):
    world.switch.down.add("redis")
    assert (await client.put("/v1/templates/ne", json=DRAFT)).status_code == 201


async def test_pages_hold_every_template_once(client):
    ids = [f"t{number:02}" for number in range(7)]
    for template_id in ids:
        await client.put(f"/v1/templates/{template_id}", json=DRAFT)
    seen, cursor = [], None
    for _ in range(10):
        page = (
            await client.get(
                "/v1/templates", params={"limit": 3, **({"cursor": cursor} if cursor else {})}
            )
        ).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ids


async def test_a_page_that_is_exactly_full_is_the_last(client):
    for template_id in ("a", "b"):
        await client.put(f"/v1/templates/{template_id}", json=DRAFT)
    page = (await client.get("/v1/templates", params={"limit": 2})).json()
    assert page["next_cursor"] is None


@pytest.mark.parametrize("cursor", ["%%%", "a", "ж", "/w"])
async def test_a_foreign_cursor_is_refused(client, cursor):
    answer = await client.get("/v1/templates", params={"cursor": cursor})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "change",
    [
        {"title": ""},
        {"title": " "},
        {"title": "x" * 301},
        {"body": "x" * 100_001},
        {"status": "secret"},
        {"tags": ["x"] * 33},
    ],
)
async def test_a_bad_draft_is_refused(client, change):
    answer = await client.put("/v1/templates/ne", json={**DRAFT, **change})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith("body.")


@pytest.mark.parametrize("template_id", ["-x", "x" * 129, "a b", "ж"])
async def test_a_bad_id_is_refused(client, template_id):
    assert (await client.put(f"/v1/templates/{template_id}", json=DRAFT)).status_code == 422


async def test_the_largest_template_fits(client):
    draft = {"title": "ж" * 300, "body": "ж" * 100_000}
    assert (await client.put("/v1/templates/big", json=draft)).status_code == 201


async def test_links_lead_through_the_list(client):
    for template_id in ("a", "b", "c"):
        await client.put(f"/v1/templates/{template_id}", json=DRAFT)
    first = await client.get("/v1/templates?limit=2")
    second = await client.get(first.links["next"]["url"])
    assert first.links["next"]["url"].startswith("/v1/templates?")
    assert [item["id"] for item in second.json()["items"]] == ["c"]
    assert "link" not in second.headers


async def test_a_document_that_is_no_template_does_not_end_the_list(client, world):
    for template_id in ("a", "c"):
        await client.put(f"/v1/templates/{template_id}", json=DRAFT)
    world.repository.stored["b"] = StoredTemplate("b", None, 1, False, None, "body: missing")
    page = (await client.get("/v1/templates", params={"limit": 2})).json()
    assert [item["id"] for item in page["items"]] == ["a"]
    rest = await client.get("/v1/templates", params={"cursor": page["next_cursor"]})
    assert [item["id"] for item in rest.json()["items"]] == ["c"]
