"""Which changes are our own. What the server does with tokens: tests/integration."""

from __future__ import annotations

from typing import Any

import pytest

from explanation_service.stores.change_stream import _foreign
from explanation_service.stores.errors import HistoryLost

OUTBOX = {"event_id": "e", "op": "upsert"}


def change(kind: str, template_id: Any = "x", **fields: Any) -> dict[str, Any]:
    return {"operationType": kind, "documentKey": {"_id": template_id}, **fields}


def update(removed: tuple[str, ...] = (), **updated: Any) -> dict[str, Any]:
    description = {"updatedFields": updated, "removedFields": [*removed]}
    return change("update", updateDescription=description)


@pytest.mark.parametrize(
    "own",
    [
        change("insert", fullDocument={"_id": "x", "outbox": OUTBOX}),
        update(body="б", version=2, outbox=OUTBOX),
        update(**{"outbox.event_id": "e2", "body": "б"}),
        update(removed=("outbox",)),
        update(removed=("title", "body"), deleted=True, outbox=OUTBOX),
    ],
)
def test_what_brings_its_own_event_is_not_relayed(own: dict[str, Any]) -> None:
    assert _foreign(own) is None


@pytest.mark.parametrize(
    "foreign",
    [
        change("insert", fullDocument={"_id": "x", "body": "б"}),
        change("replace", fullDocument={"_id": "x", "outbox": OUTBOX}),
        change("delete"),
        update(body="б"),
        update(removed=("topic",)),
        update(updated_at=1),
    ],
)
def test_what_others_write_is_relayed(foreign: dict[str, Any]) -> None:
    assert _foreign(foreign) == "x"


def test_documents_of_other_kinds_of_ids_are_passed_over() -> None:
    assert _foreign(change("delete", template_id=17)) is None


@pytest.mark.parametrize("kind", ["drop", "rename", "dropDatabase", "invalidate"])
def test_a_collection_that_goes_away_takes_its_history_along(kind: str) -> None:
    with pytest.raises(HistoryLost):
        _foreign({"operationType": kind})
