from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from explanation_service.content.template import Template
from explanation_service.indexing.in_hand import Work
from explanation_service.indexing.plan import Action, Plan, decide
from explanation_service.stores.mongodb import StoredTemplate
from explanation_service.stores.records import IndexedState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def stored(version: int = 2, **fields: Any) -> StoredTemplate:
    template = Template(id="x", title="т", body="б", version=version, updated_at=NOW, **fields)
    return StoredTemplate("x", template, version, False, NOW)


TOMBSTONE = StoredTemplate("x", None, 3, True, NOW)
BROKEN = StoredTemplate("x", None, 3, False, NOW, "body: missing")


@pytest.mark.parametrize(
    ("found", "state", "action"),
    [
        (stored(), None, Action.EMBED),
        (stored(), IndexedState(2, "h", 1), Action.KEEP),
        (stored(), IndexedState(1, "h", 1), Action.NOTE_VERSION),
        (stored(), IndexedState(9, "h", 1), Action.NOTE_VERSION),
        (stored(), IndexedState(2, "old", 1), Action.EMBED),
        (stored(status="draft"), IndexedState(1, "h", 1), Action.REMOVE),
        (stored(status="draft"), None, Action.KEEP),
        (TOMBSTONE, IndexedState(1, "h", 1), Action.REMOVE),
        (BROKEN, IndexedState(1, "h", 1), Action.REMOVE),
        (None, IndexedState(1, "h", 1), Action.REMOVE),
        (None, None, Action.KEEP),
    ],
)
def test_the_decision(found: Any, state: Any, action: Action) -> None:
    assert decide(Work("x"), found, state, "h") is action


def test_a_careful_work_trusts_no_missing_first_chunk() -> None:
    careful = Work("x", careful=True)
    assert decide(careful, TOMBSTONE, None, "") is Action.REMOVE
    assert decide(careful, stored(), IndexedState(2, "h", 1), "h") is Action.NOTE_VERSION


def test_who_overwrote_another_writes_every_chunk_again() -> None:
    work = Work("x", careful=True, overwrote=True)
    assert decide(work, stored(), IndexedState(2, "h", 1), "h") is Action.EMBED
    assert decide(work, TOMBSTONE, None, "") is Action.REMOVE


def test_a_plan_sees_that_its_template_moved() -> None:
    plan = Plan(Work("x"), stored(2), Action.EMBED, [])
    assert plan.is_still(stored(2))
    assert not plan.is_still(stored(3))
    assert not plan.is_still(None)
    assert not plan.is_still(StoredTemplate("x", None, 2, True, NOW))
    assert Plan(Work("x"), None, Action.REMOVE, []).is_still(None)


def test_trimming_is_due_after_a_longer_version_and_whenever_in_doubt() -> None:
    def plan(before: int, careful: bool = False) -> Plan:
        work = Work("x", careful=careful)
        return Plan(work, stored(), Action.NOTE_VERSION, [], chunks_before=before)

    assert not plan(3).must_trim()
    assert plan(3, careful=True).must_trim()
    shorter = Plan(Work("x"), stored(), Action.EMBED, [], chunks_before=2)
    assert shorter.must_trim()


def test_an_edit_that_leaves_version_and_time_as_they_are_is_seen() -> None:
    plan = Plan(Work("x"), stored(2), Action.EMBED, [])
    before = stored(2)
    assert before.template is not None
    edited = before.template.model_copy(update={"body": "другое"})
    assert not plan.is_still(StoredTemplate("x", edited, 2, False, NOW))
