"""Many templates as JSON Lines."""

from __future__ import annotations

import json

import pytest

from explanation_service.api import template_import
from explanation_service.api.body_limit_middleware import MAX_BODY
from explanation_service.api.body_lines import body_lines
from explanation_service.stores.errors import StoreRejected, StoreUnavailable

PATH = template_import.IMPORT_PATH


def line(template_id, **more):
    row = {"id": template_id, "title": "Правило", "body": "Текст.", **more}
    return json.dumps(row, ensure_ascii=False)


async def send(client, body, content_type="application/x-ndjson", **query):
    content = body if isinstance(body, bytes) else body.encode()
    headers = {"Content-Type": content_type} if content_type else {}
    return await client.post(PATH, content=content, headers=headers, params=query)


def outcomes(report):
    return [(one["line"], one["id"], one["outcome"]) for one in report["lines"]]


async def test_every_line_is_reported(client, world):
    await client.put("/v1/templates/same", json=json.loads(line("same")))
    await client.put("/v1/templates/other", json=json.loads(line("other")))
    rows = [line("new"), line("same"), "", "{", line("other", body="Иначе."), line("new")]
    answer = await send(client, "\r\n".join(rows))
    assert answer.status_code == 200
    report = answer.json()
    assert outcomes(report) == [
        (1, "new", "created"),
        (2, "same", "unchanged"),
        (4, None, "failed"),
        (5, "other", "updated"),
        (6, None, "failed"),
    ]
    counts = {name: report[name] for name in ("created", "updated", "unchanged", "failed")}
    assert counts == {"created": 1, "updated": 1, "unchanged": 1, "failed": 2}
    reasons = [one["reason"] for one in report["lines"] if one["outcome"] == "failed"]
    assert reasons[0].startswith("is no JSON") and reasons[1] == "repeats the id of line 1"
    assert world.repository.stored["other"].version == 2
    # The events of what was written, and of nothing else.
    assert [event.entity_id for event in world.stream.events] == ["same", "other", "new", "other"]


async def test_lines_that_fail_stop_no_other_one(client, world):
    rows = [
        line("ж"),
        line("a", title=""),
        line("b", status="secret"),
        '{"title": "t", "body": "b"}',
        "[" * 100_000,
        "[1]",
        '"text"',
        "null",
        "\\ud800",
        line("good"),
    ]
    report = (await send(client, "\n".join(rows).encode() + b"\n\xff\n")).json()
    assert (report["created"], report["failed"]) == (1, 10)
    assert [one["line"] for one in report["lines"]] == list(range(1, 12))
    assert list(world.repository.stored) == ["good"]
    assert all(one["reason"] for one in report["lines"] if one["outcome"] == "failed")


async def test_a_dry_run_says_the_same_and_writes_nothing(client, world):
    await client.put("/v1/templates/same", json=json.loads(line("same")))
    body = "\n".join([line("new"), line("same"), "{"])
    dry = (await send(client, body, dry_run="true")).json()
    assert dry["dry_run"] and list(world.repository.stored) == ["same"]
    wet = (await send(client, body)).json()
    assert outcomes(dry) == outcomes(wet)


async def test_more_lines_than_one_batch_in_chunks_that_cut_anywhere(client, world):
    body = "\n".join(line(f"t{number:03}") for number in range(100)).encode()

    async def pieces():
        for start in range(0, len(body), 77):
            yield body[start : start + 77]

    headers = {"Content-Type": "application/x-ndjson"}
    answer = await client.post(PATH, content=pieces(), headers=headers)
    assert answer.json()["created"] == 100
    assert [one["line"] for one in answer.json()["lines"]] == list(range(1, 101))
    assert len(world.repository.stored) == 100


async def test_a_store_that_goes_away_leaves_a_report_of_what_was_done(client, world, monkeypatch):
    put = world.repository.put

    async def failing(template_id, *rest, **named):
        if template_id >= "t020":
            raise StoreUnavailable("mongodb", "refused")
        return await put(template_id, *rest, **named)

    monkeypatch.setattr(world.repository, "put", failing)
    answer = await send(client, "\n".join(line(f"t{number:03}") for number in range(50)))
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    problem = answer.json()
    assert problem["dependency"] == "mongodb" and problem["report"]["created"] == 20
    assert set(world.repository.stored) == {one["id"] for one in problem["report"]["lines"]}
    monkeypatch.undo()
    again = (await send(client, "\n".join(line(f"t{number:03}") for number in range(50)))).json()
    assert (again["unchanged"], again["created"]) == (20, 30)


async def test_a_template_that_mongodb_refuses_is_reported(client, world, monkeypatch):
    async def refusing(*_args, **_named):
        raise StoreRejected("mongodb", "secret words of the driver")

    monkeypatch.setattr(world.repository, "put", refusing)
    answer = await send(client, line("a"))
    assert answer.json()["failed"] == 1 and "secret" not in answer.text


async def test_a_line_that_is_too_long_is_not_kept(client):
    rows = [line("a", body="x" * MAX_BODY), line("b")]
    report = (await send(client, "\n".join(rows))).json()
    assert outcomes(report) == [(1, None, "failed"), (2, "b", "created")]
    assert "longer" in report["lines"][0]["reason"]


async def test_a_body_over_the_cap(client, world, monkeypatch):
    announced = await client.post(
        PATH, content=b"", headers={"Content-Length": str(template_import.MAX_IMPORT_BODY + 1)}
    )
    assert announced.status_code == 413

    async def pieces():
        yield line("first").encode() + b"\n"
        for number in range(9):
            yield line(f"t{number}").encode() + b"\n"
        for _ in range(template_import.MAX_IMPORT_BODY // 2**20 + 1):
            yield b"\n" * 2**20

    headers = {"Content-Type": "application/x-ndjson"}
    streamed = await client.post(PATH, content=pieces(), headers=headers)
    assert streamed.status_code == 413
    written = {one["id"] for one in streamed.json()["report"]["lines"]}
    assert written == set(world.repository.stored) and "first" in written


async def test_too_many_lines(client, world, monkeypatch):
    monkeypatch.setattr(template_import, "MAX_LINES", 10)
    answer = await send(client, "\n".join(line(f"t{number:02}") for number in range(12)))
    assert answer.status_code == 413
    assert [one["id"] for one in answer.json()["report"]["lines"]] == sorted(
        world.repository.stored
    )
    assert len(world.repository.stored) == 10


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/x-ndjson; charset=utf-8", 200),
        ("application/jsonl", 200),
        ("text/plain", 200),
        (None, 200),
    ],
)
async def test_other_media_types_are_refused(client, content_type, status):
    assert (await send(client, line("a"), content_type)).status_code == status


async def test_it_takes_an_admin_key(connect):
    client = await connect(api_keys="r", admin_api_keys="a")
    for key, status in (("r", 403), ("x", 401), ("a", 200)):
        answer = await client.post(PATH, content=line("a").encode(), headers={"X-API-Key": key})
        assert answer.status_code == status


@pytest.mark.parametrize("body", ["", "\n \r\n"])
async def test_a_body_without_a_line(client, body):
    assert (await send(client, body)).status_code == 422


async def test_lines_of_a_body_as_it_comes_in():
    async def chunks():
        for chunk in (b"a\n\n  \nlon", b"g", b"er\nb", b"", b"c"):
            yield chunk

    assert [each async for each in body_lines(chunks(), 5)] == [
        (1, b"a"),
        (4, None),
        (5, b"bc"),
    ]
