"""What can be wrong between one template and its passages, and the event that puts it right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from uuid import uuid4

from explanation_service.content.events import ContentEvent
from explanation_service.content.template import is_template_id
from explanation_service.stores.mongodb import StoredTemplate
from explanation_service.stores.records import IndexedState


class Kind(Enum):
    """The values are the label of embed_reconcile_findings_total."""

    MISSING = "missing"
    """Published, and not in the index."""
    STALE = "stale"
    """The index holds another text or version, or what an older program or model made of it."""
    ORPHANED = "orphaned"
    """In the index, and not published: a draft, deleted, removed, or no template any more."""
    INCOMPLETE = "incomplete"
    """Some of its passages are missing, left over from an older text, or no passages of ours."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One template that differs; `stored` is None where MongoDB has nothing under its id."""

    kind: Kind
    template_id: str
    stored: StoredTemplate | None = None

    def event(self) -> ContentEvent | None:
        """The event upon which a worker puts it right; None where no event can name the id."""
        if not is_template_id(self.template_id):
            return None
        if self.stored is not None:
            return self.stored.event()
        return ContentEvent(
            event_id=uuid4().hex,
            entity_id=self.template_id,
            op="delete",
            version=1,
            occurred_at=datetime.now(UTC),
        )


def compare(
    stored: StoredTemplate, state: IndexedState | None, wanted_hash: str | None
) -> Finding | None:
    """What is wrong between a document and what the index holds of it; None where they agree.

    `wanted_hash` is what a worker would note as its content hash now; None where that cannot be
    told, then versions are compared alone.
    """
    if not stored.searchable:
        return None if state is None else orphan(stored.id, stored)
    if state is None:
        return Finding(Kind.MISSING, stored.id, stored)
    # The hash is the first chunk's, where there is one; the version that of all only if all agree.
    other_text = wanted_hash is not None and state.content_hash not in ("", wanted_hash)
    if other_text or (state.exact and state.version != stored.version):
        return Finding(Kind.STALE, stored.id, stored)
    return None if state.exact else Finding(Kind.INCOMPLETE, stored.id, stored)


def orphan(template_id: str, stored: StoredTemplate | None = None) -> Finding:
    """Passages that should not be there."""
    return Finding(Kind.ORPHANED, template_id, stored)
