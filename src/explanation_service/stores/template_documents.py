"""How a template lies in MongoDB: the document, and what is read back from it.

    {_id, title, body, topic, exam, tags, status, version, updated_at, event_at, deleted: false,
     outbox?: {event_id, op, occurred_at, traceparent}}
    {_id, version, updated_at, event_at, deleted: true, outbox?}                a tombstone

The version of the outbox is that of the document: both are set by the same write. So is `event_at`,
which stays when the outbox is cleared: where it equals `updated_at`, the last write that moved the
time brought its own event, and the change relay need not make one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pydantic import ValidationError

from explanation_service.content.events import ContentEvent
from explanation_service.content.template import Template, TemplateDraft

DRAFT_FIELDS = tuple(TemplateDraft.model_fields)


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """What MongoDB holds under one id.

    `template` is None for a tombstone (`deleted`) and for a document that somebody else wrote
    and that is no valid template; then `fault` says why.
    """

    id: str
    template: Template | None
    version: int
    deleted: bool
    updated_at: datetime | None = None
    fault: str | None = None

    @property
    def searchable(self) -> bool:
        """Drafts, tombstones and documents that are no templates stay out of the index."""
        return self.template is not None and self.template.status == "published"

    def event(self, traceparent: str | None = None) -> ContentEvent:
        """A new event that makes a worker look at this template, whoever wrote it and when."""
        return ContentEvent(
            event_id=uuid4().hex,
            entity_id=self.id,
            op="delete" if self.deleted else "upsert",
            version=self.version,
            occurred_at=datetime.now(UTC),
            traceparent=traceparent,
        )


@dataclass(frozen=True, slots=True)
class StoredWrite:
    """The outcome of a write: what is stored now, the event to publish, and whether the id was
    free before (absent or deleted)."""

    template: Template
    event: ContentEvent
    created: bool


def outbox_of(
    event_id: str, op: str, occurred_at: datetime, traceparent: str | None
) -> dict[str, Any]:
    """The part of a document that says which event is still to be published."""
    return {
        "event_id": event_id,
        "op": op,
        "occurred_at": occurred_at,
        "traceparent": traceparent,
    }


def read_document(document: Mapping[str, Any]) -> StoredTemplate:
    """The stored template in a document; never fails, see `StoredTemplate.fault`.

    A document without a version was written past this service and counts as version 1.
    """
    template_id = str(document["_id"])
    version = document.get("version", 1)
    updated_at = document.get("updated_at")
    if not isinstance(updated_at, datetime):
        updated_at = None
    if isinstance(version, float) and version.is_integer():
        # The old mongo shell and JavaScript importers write every number so.
        version = int(version)
    if not isinstance(version, int) or version < 1:
        return StoredTemplate(template_id, None, 1, False, updated_at, "version: no whole number")
    if document.get("deleted") is True:
        return StoredTemplate(template_id, None, version, True, updated_at)
    fields = {name: document[name] for name in DRAFT_FIELDS if name in document}
    try:
        template = Template.model_validate(
            {
                **fields,
                "id": template_id,
                "version": version,
                "updated_at": updated_at or document.get("updated_at", datetime.min),
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        fault = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        return StoredTemplate(template_id, None, version, False, updated_at, fault)
    return StoredTemplate(template_id, template, version, False, updated_at)


def read_outbox(document: Mapping[str, Any]) -> ContentEvent | None:
    """The event that waits in a document; None when there is none or it cannot be read."""
    outbox = document.get("outbox")
    if not isinstance(outbox, Mapping):
        return None
    try:
        return ContentEvent.model_validate(
            {**outbox, "entity_id": document["_id"], "version": document.get("version", 1)}
        )
    except ValidationError:
        return None
