"""Status and reindexing over HTTP."""

from __future__ import annotations

from explanation_service.stores.records import WorkerState


async def test_status_shows_the_way_into_the_index(client, world):
    world.workers.live = [WorkerState("w1", "all", "rev1", "e5", 384, True)]
    status = (await client.get("/v1/rag/status")).json()
    assert status["collection"] == "templates_rev1"
    assert status["points"] == 7
    assert (status["stream_lag"], status["pending"], status["dead_letters"]) == (2, 1, 4)
    assert status["oldest_pending_seconds"] == 3.5
    assert status["live_workers"] == 1
    assert status["workers"][0]["consumer"] == "w1"
    assert status["unavailable"] == []


async def test_status_shows_what_is_known_while_stores_are_away(client, world):
    world.switch.down.update({"redis"})
    answer = await client.get("/v1/rag/status")
    assert answer.status_code == 200
    assert answer.json()["unavailable"] == ["redis"]
    assert answer.json()["points"] == 7
    assert answer.json()["stream_lag"] is None


async def test_reindex_of_all_includes_tombstones(client, rule, world):
    await client.put("/v1/templates/gone", json={"title": "Т", "body": "Т"})
    await client.delete("/v1/templates/gone")
    world.stream.events.clear()
    answer = await client.post("/v1/rag/reindex", json={"all": True})
    assert (answer.status_code, answer.json()["enqueued"]) == (202, 2)
    events = {event.entity_id: (event.op, event.version) for event in world.stream.events}
    assert events == {"vowels": ("upsert", 1), "gone": ("delete", 2)}


async def test_reindex_of_some_names_those_it_does_not_know(client, rule, world):
    world.stream.events.clear()
    body = {"template_ids": ["vowels", "vowels", "never"]}
    answer = await client.post("/v1/rag/reindex", json=body)
    assert answer.json() == {"enqueued": 1, "unknown": ["never"]}
    assert len(world.stream.events) == 1


async def test_reindex_wants_one_of_both(client):
    for body in ({}, {"all": False}, {"all": True, "template_ids": ["a"]}, {"template_ids": []}):
        assert (await client.post("/v1/rag/reindex", json=body)).status_code == 422


async def test_reindex_needs_redis(client, rule, world):
    world.switch.down.add("redis")
    answer = await client.post("/v1/rag/reindex", json={"all": True})
    assert (answer.status_code, answer.json()["dependency"]) == (503, "redis")
