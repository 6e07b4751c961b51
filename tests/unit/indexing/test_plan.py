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


def test_other_labels_alone_are_no_reason_to_embed() -> None:
    found = "t" * 24 + "l" * 8
    state = IndexedState(1, found, 1)
    assert decide(Work("x"), stored(), state, "t" * 24 + "m" * 8) is Action.RELABEL
    assert decide(Work("x"), stored(), state, "u" * 24 + "l" * 8) is Action.EMBED


def test_the_whole_template_is_looked_at_not_its_first_chunk() -> None:
    half = IndexedState(2, "h", 3, complete=False, exact=False)
    assert decide(Work("x"), stored(), half, "h") is Action.EMBED
    with_strays = IndexedState(2, "h", 3, complete=True, exact=False)
    assert decide(Work("x"), stored(), with_strays, "h") is Action.NOTE_VERSION
    strays_alone = IndexedState(2, "", 0, complete=False, exact=False)
    assert decide(Work("x"), TOMBSTONE, strays_alone, "") is Action.REMOVE
    assert decide(Work("x"), stored(), strays_alone, "h") is Action.EMBED


def test_a_plan_replaces_no_higher_version_than_it_knows_of() -> None:
    assert Plan(Work("x"), stored(2), Action.EMBED, []).up_to == 2
    behind = Plan(Work("x"), stored(2), Action.EMBED, [], before=IndexedState(9, "h", 1))
    assert (behind.up_to, behind.behind) == (9, True)
    ahead = Plan(Work("x"), stored(2), Action.EMBED, [], before=IndexedState(1, "h", 1))
    assert (ahead.up_to, ahead.behind) == (2, False)


def test_a_plan_sees_that_its_template_moved() -> None:
    plan = Plan(Work("x"), stored(2), Action.EMBED, [])
    assert plan.is_still(stored(2))
    assert not plan.is_still(stored(3))
    assert not plan.is_still(None)
    assert not plan.is_still(StoredTemplate("x", None, 2, True, NOW))
    assert Plan(Work("x"), None, Action.REMOVE, []).is_still(None)


def test_trimming_is_due_after_a_longer_version_and_whenever_in_doubt() -> None:
    def plan(action: Action, before: IndexedState | None, careful: bool = False) -> Plan:
        return Plan(Work("x", careful=careful), stored(), action, [], before=before)

    assert not plan(Action.NOTE_VERSION, IndexedState(1, "h", 3)).must_trim()
    assert plan(Action.NOTE_VERSION, IndexedState(1, "h", 3), careful=True).must_trim()
    assert plan(Action.NOTE_VERSION, IndexedState(1, "h", 3, exact=False)).must_trim()
    assert plan(Action.EMBED, IndexedState(1, "h", 2)).must_trim()
    assert not plan(Action.EMBED, None).must_trim()


def test_a_plan_is_carried_out_when_the_index_shows_nothing_else() -> None:
    kept = Plan(Work("x"), stored(2), Action.NOTE_VERSION, [], "h", IndexedState(1, "h", 3))
    assert kept.is_carried_out(IndexedState(2, "h", 3))
    for other in (
        None,
        IndexedState(1, "h", 3),
        IndexedState(3, "h", 3),
        IndexedState(2, "g", 3),
        IndexedState(2, "h", 3, exact=False),
    ):
        assert not kept.is_carried_out(other)
    removed = Plan(Work("x"), TOMBSTONE, Action.REMOVE, [])
    assert removed.is_carried_out(None) and not removed.is_carried_out(IndexedState(2, "h", 3))


def test_an_edit_that_leaves_version_and_time_as_they_are_is_seen() -> None:
    plan = Plan(Work("x"), stored(2), Action.EMBED, [])
    before = stored(2)
    assert before.template is not None
    edited = before.template.model_copy(update={"body": "другое"})
    assert not plan.is_still(StoredTemplate("x", edited, 2, False, NOW))
