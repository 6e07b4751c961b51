"""A rule book and an index in memory, with the signatures of the real ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from explanation_service.content.events import ContentEvent
from explanation_service.content.template import Template
from explanation_service.reconciliation.content_hash import content_hash
from explanation_service.stores.mongodb import StoredTemplate
from explanation_service.stores.records import IndexedState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Stores:
    """`repository`, `index` and `stream` in one; `largest` is the most ids of any request."""

    def __init__(self) -> None:
        self.stored: dict[str, StoredTemplate] = {}
        self.states: dict[str, IndexedState] = {}
        self.appended: list[ContentEvent] = []
        self.largest = 0
        self.page = 1000
        self.model = "r1"
        self.before_second_look: Callable[[], None] = lambda: None

    def write(self, template_id: str, body: str = "текст", version: int = 1, **fields: Any) -> None:
        template = Template(
            id=template_id, title="т", body=body, version=version, updated_at=NOW, **fields
        )
        self.stored[template_id] = StoredTemplate(template_id, template, version, False, NOW)

    def index(self, template_id: str, chunks: int = 2, whole: bool = True) -> None:
        """Index the template as it is now."""
        template = self.stored[template_id].template
        assert template is not None
        self.states[template_id] = IndexedState(
            template.version, content_hash(template, "r1"), chunks, whole, whole
        )

    async def iterate_all(self, batch: int) -> AsyncIterator[StoredTemplate]:
        self.largest = max(self.largest, batch)
        for template_id in sorted(self.stored):
            yield self.stored[template_id]

    async def get_many(self, ids: Sequence[str]) -> dict[str, StoredTemplate]:
        self.before_second_look()
        return {one: self.stored[one] for one in ids if one in self.stored}

    async def existing_ids(self, ids: Sequence[str]) -> set[str]:
        self.largest = max(self.largest, len(ids))
        return set(ids) & set(self.stored)

    async def holds_model(self, revision: str) -> bool:
        return revision == self.model

    async def indexed_state(self, ids: Sequence[str]) -> dict[str, IndexedState]:
        self.largest = max(self.largest, len(ids))
        return {one: self.states[one] for one in ids if one in self.states}

    async def template_ids(self) -> AsyncIterator[tuple[set[str], int]]:
        rows = [one for one, held in self.states.items() for _ in range(held.chunks)]
        # As in Qdrant, where the order is that of hashes: not all chunks of one lie together.
        rows = rows[::2] + rows[1::2]
        for start in range(0, len(rows), self.page):
            page = rows[start : start + self.page]
            yield set(page), len(page)

    async def append_many(self, events: Sequence[ContentEvent]) -> list[str]:
        self.largest = max(self.largest, len(events))
        self.appended += events
        return ["1-0"] * len(events)


@pytest.fixture
def stores() -> Stores:
    return Stores()
