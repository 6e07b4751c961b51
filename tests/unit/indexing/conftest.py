"""Stand-ins for the model and the stores: the real signatures, and a chance to be interrupted at
every call."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest

from explanation_service.content.events import ContentEvent
from explanation_service.content.template import Template
from explanation_service.stores.errors import StoreRejected
from explanation_service.stores.mongodb import StoredTemplate
from explanation_service.stores.records import (
    Delivery,
    EmbeddingModelInfo,
    IndexedState,
    PassagePoint,
)

INFO = EmbeddingModelInfo("toy", "r1", 2, 64, "query: ", "passage: ")


class ToyEncoder:
    """A token is a word; a text with the word ЯД fails. Counts what it embeds."""

    def __init__(self) -> None:
        self.info = INFO
        self.embedded: list[list[int]] = []
        self.batches: list[int] = []

    def passage_ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [self._ids(f"passage: {text}") for text in texts]

    def query_ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [self._ids(f"query: {text}") for text in texts]

    def _ids(self, text: str) -> list[int]:
        return [0, *(666 if word == "ЯД" else 7 for word in text.split())][: INFO.max_tokens]

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        spans, at = [], 0
        for word in text.split():
            start = text.index(word, at)
            at = start + len(word)
            spans.append((start, at))
        return spans

    def embed(
        self,
        ids: Sequence[Sequence[int]],
        between_layers: Callable[[], None] | None = None,
    ) -> np.ndarray:
        if between_layers is not None:
            between_layers()
        if any(666 in row for row in ids):
            raise RuntimeError("poison")
        self.batches.append(len(ids))
        self.embedded += [list(row) for row in ids]
        return np.tile(np.array([1.0, 0.0], dtype=np.float32), (len(ids), 1))


@dataclass
class Steps:
    """Yields to the other tasks a random number of times, so that calls interleave."""

    seed: int = 0
    most: int = 0

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)

    async def pause(self) -> None:
        for _ in range(self._draw.randint(0, self.most)):
            await asyncio.sleep(0)


class Repository:
    def __init__(self, steps: Steps) -> None:
        self.stored: dict[str, StoredTemplate] = {}
        self._steps = steps
        self.reads = 0

    def write(self, template_id: str, body: str | None, status: str = "published") -> int:
        """Store the next version; None deletes."""
        before = self.stored.get(template_id)
        version = 1 if before is None else before.version + 1
        now = datetime.now(UTC)
        template = None
        if body is not None:
            template = Template(
                id=template_id, title="т", body=body, status=status, version=version, updated_at=now
            )
        self.stored[template_id] = StoredTemplate(template_id, template, version, body is None, now)
        return version

    def edit_directly(self, template_id: str, body: str) -> bool:
        """As with mongosh: version and time stay. False where there is nothing to edit."""
        before = self.stored.get(template_id)
        if before is None or before.template is None:
            return False
        edited = before.template.model_copy(update={"body": body})
        self.stored[template_id] = replace(before, template=edited)
        return True

    async def get_many(self, template_ids: Sequence[str]) -> dict[str, StoredTemplate]:
        await self._steps.pause()
        self.reads += 1
        found = {one: self.stored[one] for one in template_ids if one in self.stored}
        await self._steps.pause()
        return found


class Index:
    def __init__(self, steps: Steps, points_per_request: int = 2) -> None:
        self.points: dict[tuple[str, int], PassagePoint] = {}
        self.upserts = 0
        self.refused: set[str] = set()
        self._steps = steps
        self._points_per_request = points_per_request

    async def indexed_state(self, template_ids: Sequence[str]) -> dict[str, IndexedState]:
        await self._steps.pause()
        found = {}
        for template_id in template_ids:
            point = self.points.get((template_id, 0))
            if point is not None:
                found[template_id] = IndexedState(
                    point.version, point.content_hash, point.chunks_total
                )
        await self._steps.pause()
        return found

    async def upsert(self, points: Sequence[PassagePoint]) -> None:
        if any(point.template_id in self.refused for point in points):
            raise StoreRejected("qdrant", "refused")
        ordered = sorted(points, key=lambda point: -point.chunk_index)
        for start in range(0, len(ordered), self._points_per_request):
            await self._steps.pause()
            for point in ordered[start : start + self._points_per_request]:
                self.points[point.template_id, point.chunk_index] = point
                self.upserts += 1
        await self._steps.pause()

    async def trim(self, template_id: str, keep_chunks: int) -> None:
        await self._steps.pause()
        for key in [k for k in self.points if k[0] == template_id and k[1] >= keep_chunks]:
            del self.points[key]
        await self._steps.pause()

    async def set_version(self, template_id: str, version: int) -> None:
        await self._steps.pause()
        for key in [k for k in self.points if k[0] == template_id]:
            self.points[key] = replace(self.points[key], version=version)
        await self._steps.pause()

    async def delete(self, template_ids: Sequence[str]) -> None:
        await self._steps.pause()
        for key in [k for k in self.points if k[0] in template_ids]:
            del self.points[key]
        await self._steps.pause()

    def texts(self) -> dict[str, str]:
        """By template: the texts of its chunks in order, with the version of each."""
        found: dict[str, list[str]] = {}
        for key in sorted(self.points):
            point = self.points[key]
            found.setdefault(key[0], []).append(f"{point.version}:{point.text}")
        return {template_id: "|".join(parts) for template_id, parts in found.items()}


@dataclass
class Stream:
    """The pending entries of a group; `hand_out` plays Redis."""

    steps: Steps
    waiting: list[Delivery] = field(default_factory=list)
    pending: dict[str, Delivery] = field(default_factory=dict)
    dead: list[tuple[str, str]] = field(default_factory=list)
    acked: list[str] = field(default_factory=list)
    count: int = 0

    def append(
        self, template_id: str, op: str = "upsert", version: int = 1, repair: bool = False
    ) -> None:
        self.count += 1
        event = ContentEvent(
            event_id=f"e{self.count}",
            entity_id=template_id,
            op=op,
            version=version,
            occurred_at=datetime.now(UTC),
            repair=repair,
        )
        self.waiting.append(Delivery(f"{self.count}-0", event.to_fields(), 1))

    def hand_out(self, count: int) -> list[Delivery]:
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        self.pending.update({one.entry_id: one for one in taken})
        return taken

    def give_back(self, entry_ids: Sequence[str]) -> None:
        """Their worker died: what is still pending will be delivered once more."""
        for entry_id in entry_ids:
            one = self.pending.pop(entry_id, None)
            if one is not None:
                again = Delivery(one.entry_id, one.fields, one.times_delivered + 1)
                self.waiting.append(again)

    async def ack(self, ids: Sequence[str]) -> int:
        await self.steps.pause()
        self.acked += ids
        done = [self.pending.pop(one, None) for one in ids]
        await self.steps.pause()
        return sum(one is not None for one in done)

    async def dead_letter(self, delivery: Delivery, reason: str, detail: str) -> str | None:
        self.pending.pop(delivery.entry_id, None)
        self.dead.append((delivery.entry_id, reason))
        return "1-0"


@pytest.fixture
def toys() -> SimpleNamespace:
    """The classes above; a test makes what it needs."""
    return SimpleNamespace(
        Encoder=ToyEncoder,
        Steps=Steps,
        Repository=Repository,
        Index=Index,
        Stream=Stream,
        info=INFO,
    )
