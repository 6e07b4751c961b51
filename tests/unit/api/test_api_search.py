"""Search over HTTP."""

from __future__ import annotations

from explanation_service.stores.records import SearchFilters


async def test_hits_have_the_shape_clients_rely_on(client, rule):
    answer = (await client.post("/v1/rag/search", json={"query": "корне"})).json()
    assert answer["mode"] == "hybrid"
    assert answer["degraded"] is False
    (hit,) = answer["hits"]
    assert hit["template_id"] == "vowels"
    assert hit["title"] == rule["title"]
    assert hit["text"] == rule["body"]
    assert isinstance(hit["score"], float)


async def test_the_words_of_the_query_are_shown_where_they_stand(client, rule):
    (hit,) = (await client.post("/v1/rag/search", json={"query": "корне"})).json()["hits"]
    assert [hit["text"][one["start"] : one["end"]] for one in hit["highlights"]] == ["корне"]


async def test_get_and_post_ask_the_same(client, world):
    body = {
        "query": "слово",
        "limit": 3,
        "filters": {"topic": "t", "exam": "e", "tags": ["a", "b"]},
    }
    await client.post("/v1/rag/search", json=body)
    params = {"query": "слово", "limit": 3, "topic": "t", "exam": "e", "tags": ["a", "b"]}
    await client.get("/v1/rag/search", params=params)
    expected = ("слово", 3, SearchFilters("t", "e", ("a", "b")), "hybrid")
    assert world.search.asked == [expected, expected]


async def test_the_limits_of_a_search(client):
    for body in ({"query": "x" * 4001}, {"query": "a", "limit": 0}, {"query": "a", "limit": 51}):
        assert (await client.post("/v1/rag/search", json=body)).status_code == 422
        assert (await client.get("/v1/rag/search", params=body)).status_code == 422
    assert (await client.get("/v1/rag/search")).status_code == 422
    assert (
        await client.post("/v1/rag/search", json={"query": "a", "limit": 50})
    ).status_code == 200


async def test_a_search_without_workers_is_degraded_and_succeeds(client, world):
    world.search.degraded = True
    answer = await client.get("/v1/rag/search", params={"query": "слово"})
    assert (answer.status_code, answer.json()["degraded"]) == (200, True)


async def test_blank_filters_count_as_absent(client, world):
    await client.get("/v1/rag/search", params={"query": "слово", "topic": "", "exam": " "})
    assert world.search.asked[0][2] == SearchFilters()
