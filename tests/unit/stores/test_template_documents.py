from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from explanation_service.content.template import Template
from explanation_service.stores.template_documents import outbox_of, read_document, read_outbox

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def document(**more: Any) -> dict[str, Any]:
    return {"_id": "a", "title": "Т", "body": "Б", "version": 3, "updated_at": NOW, **more}


def test_a_whole_document() -> None:
    stored = read_document(document(tags=["x"], topic="т", status="draft", deleted=False, more=1))
    assert stored.template == Template(
        id="a",
        title="Т",
        body="Б",
        version=3,
        updated_at=NOW,
        tags=("x",),
        topic="т",
        status="draft",
    )
    assert (stored.version, stored.deleted, stored.updated_at, stored.fault) == (
        3,
        False,
        NOW,
        None,
    )


def test_a_tombstone() -> None:
    stored = read_document({"_id": "a", "version": 4, "updated_at": NOW, "deleted": True})
    assert (stored.template, stored.version, stored.deleted, stored.fault) == (None, 4, True, None)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"body": 5}, "body: "),
        ({"title": ""}, "title: "),
        ({"status": "hidden"}, "status: "),
        ({"_id": "a b"}, "id: "),
        ({"version": "3"}, "version: "),
        ({"version": 0}, "version: "),
        ({"updated_at": "yesterday"}, "updated_at: "),
    ],
)
def test_a_document_that_is_no_template_says_why(change: dict[str, Any], fault: str) -> None:
    stored = read_document(document(**change))
    assert stored.template is None and not stored.deleted
    assert stored.fault is not None and stored.fault.startswith(fault)


def test_a_document_without_bookkeeping_counts_as_version_1() -> None:
    stored = read_document({"_id": "a", "title": "Т", "body": "Б"})
    assert stored.template is not None
    assert (stored.version, stored.updated_at) == (1, None)


def test_the_event_in_an_outbox_has_the_version_of_its_document() -> None:
    event = read_outbox(document(outbox=outbox_of("e", "delete", NOW, "tp")))
    assert event is not None
    assert (event.event_id, event.entity_id, event.op, event.version) == ("e", "a", "delete", 3)
    assert (event.occurred_at, event.traceparent) == (NOW, "tp")


@pytest.mark.parametrize("outbox", [None, "x", {}, {"event_id": "e", "op": "burn"}])
def test_an_outbox_that_cannot_be_read_is_none(outbox: Any) -> None:
    assert read_outbox(document(outbox=outbox)) is None
