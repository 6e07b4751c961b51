from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from explanation_service.content.template import Template
from explanation_service.reconciliation.findings import Kind, compare, orphan
from explanation_service.stores.mongodb import StoredTemplate
from explanation_service.stores.records import IndexedState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def stored(version: int = 2, **fields: Any) -> StoredTemplate:
    template = Template(id="x", title="т", body="б", version=version, updated_at=NOW, **fields)
    return StoredTemplate("x", template, version, False, NOW)


def held(version: int = 2, text: str = "h", whole: bool = True) -> IndexedState:
    return IndexedState(version, text, 3, whole, whole)


TOMBSTONE = StoredTemplate("x", None, 3, True, NOW)
BROKEN = StoredTemplate("x", None, 3, False, NOW, "body: missing")
NO_FIRST = IndexedState(2, "", 0, complete=False, exact=False)


@pytest.mark.parametrize(
    ("document", "state", "wanted", "kind"),
    [
        (stored(), held(), "h", None),
        (stored(), None, "h", Kind.MISSING),
        (stored(), held(text="old"), "h", Kind.STALE),
        (stored(), held(text="old"), None, None),
        (stored(), held(version=1), "h", Kind.STALE),
        (stored(), held(version=9), None, Kind.STALE),
        (stored(), held(whole=False), "h", Kind.INCOMPLETE),
        (stored(), held(text="old", whole=False), "h", Kind.STALE),
        # The highest version may be that of what is there besides.
        (stored(), held(version=9, whole=False), "h", Kind.INCOMPLETE),
        (stored(), NO_FIRST, "h", Kind.INCOMPLETE),
        (stored(status="draft"), held(), "h", Kind.ORPHANED),
        (stored(status="draft"), None, "h", None),
        (TOMBSTONE, held(), None, Kind.ORPHANED),
        (TOMBSTONE, None, None, None),
        (BROKEN, NO_FIRST, None, Kind.ORPHANED),
        (BROKEN, None, None, None),
    ],
)
def test_what_is_wrong(document: Any, state: Any, wanted: Any, kind: Kind | None) -> None:
    finding = compare(document, state, wanted)
    assert (None if finding is None else finding.kind) is kind


@pytest.mark.parametrize(
    ("document", "state", "op"),
    [
        (stored(), None, "upsert"),
        (stored(), held(text="old"), "upsert"),
        (stored(), held(text="old", whole=False), "upsert"),
        (stored(), held(whole=False), "upsert"),
        (TOMBSTONE, NO_FIRST, "delete"),
        (stored(status="draft"), held(), "upsert"),
    ],
)
def test_the_event_that_mends_it(document: Any, state: Any, op: str) -> None:
    finding = compare(document, state, "h")
    assert finding is not None
    event = finding.event()
    assert event is not None
    assert (event.entity_id, event.op) == ("x", op)
    assert event.version == document.version


def test_passages_without_a_document_are_deleted() -> None:
    event = orphan("x").event()
    assert event is not None and event.op == "delete"


def test_no_event_names_what_is_no_id() -> None:
    assert orphan("две запятые").event() is None
