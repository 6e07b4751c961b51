"""Optimistic concurrency: the ETag of a template and conditions on it."""

from __future__ import annotations

import pytest

from explanation_service.api.etags import is_current, write_condition
from explanation_service.stores.write_condition import WriteCondition

DRAFT = {"title": "Частица «не»", "body": "С глаголами пишется раздельно."}
PATH = "/v1/templates/ne"


async def put(client, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.put(PATH, json=DRAFT, headers=named)


async def test_each_answer_bears_the_version_as_its_tag(client):
    created = await put(client)
    assert (created.status_code, created.headers["etag"]) == (201, '"1"')
    assert (await put(client)).headers["etag"] == '"2"'
    read = await client.get(PATH)
    assert read.headers["etag"] == '"2"'
    assert "no-cache" in read.headers["cache-control"]


async def test_a_second_editor_is_told_instead_of_overwriting(client, world):
    tag = (await put(client)).headers["etag"]
    assert (await put(client, If_Match=tag)).status_code == 200
    late = await put(client, If_Match=tag)
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert late.headers["etag"] == '"2"' and "version 2" in late.json()["detail"]
    assert (await client.delete(PATH, headers={"If-Match": tag})).status_code == 412
    assert [event.version for event in world.stream.events] == [1, 2]
    assert (await client.delete(PATH, headers={"If-Match": '"2"'})).status_code == 204


async def test_if_match_never_creates(client, world):
    for condition in ("*", '"1"'):
        answer = await put(client, If_Match=condition)
        assert answer.status_code == 412 and "etag" not in answer.headers
    assert world.repository.stored == {}
    # A deletion of what is not there has nothing to protect.
    assert (await client.delete(PATH, headers={"If-Match": '"1"'})).status_code == 404


async def test_create_only(client):
    assert (await put(client, If_None_Match="*")).status_code == 201
    assert (await put(client, If_None_Match="*")).status_code == 412
    await client.delete(PATH)
    again = await put(client, If_None_Match="*")
    assert (again.status_code, again.headers["etag"]) == (201, '"3"')
    assert (await put(client, If_None_Match='"3"')).status_code == 422


async def test_a_read_of_what_the_caller_has_is_not_sent_again(client):
    tag = (await put(client)).headers["etag"]
    for condition in (tag, f'"7", W/{tag}', "*"):
        answer = await client.get(PATH, headers={"If-None-Match": condition})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
    await put(client)
    assert (await client.get(PATH, headers={"If-None-Match": tag})).status_code == 200


@pytest.mark.parametrize(
    ("if_match", "create_only", "expected"),
    [
        (None, None, WriteCondition()),
        ("*", None, WriteCondition(exists=True)),
        ('"3"', None, WriteCondition(True, frozenset({3}))),
        (' "3" ,"12"', None, WriteCondition(True, frozenset({3, 12}))),
        # Compared strongly, and what is no version of ours matches none.
        ('W/"3"', None, WriteCondition(True, frozenset())),
        ('3, "x", "03", "", "' + "9" * 30 + '"', None, WriteCondition(True, frozenset())),
        (None, "*", WriteCondition(exists=False)),
        ("*", "*", WriteCondition(True, frozenset())),
        ('"3"', "*", WriteCondition(True, frozenset())),
    ],
)
def test_headers_become_conditions(if_match, create_only, expected):
    assert write_condition(if_match, create_only) == expected


@pytest.mark.parametrize("header", [None, "", '"2"', "3", '"33"'])
def test_other_tags_are_not_the_current_one(header):
    assert not is_current(header, 3)
