"""Stand-ins for the model and the stores: the real signatures, and a chance to be interrupted at
every call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from explanation_service.content.events import ContentEvent
from explanation_service.content.template import Template
from explanation_service.indexing.embedder import Embedder
from explanation_service.indexing.encode_thread import EncodeThread
from explanation_service.indexing.failures import Failures
from explanation_service.indexing.finisher import Finisher
from explanation_service.indexing.hand_back import HandBack
from explanation_service.indexing.in_hand import InHand
from explanation_service.indexing.intake import Intake
from explanation_service.indexing.leases import Leases
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.preparer import Preparer
from explanation_service.stores.errors import GroupMissing, StoreRejected
from explanation_service.stores.mongodb import StoredTemplate
from explanation_service.stores.records import (
    Delivery,
    EmbeddingModelInfo,
    IndexedState,
    LabelChange,
    PassagePoint,
)
from explanation_service.stores.suspicion import together
from explanation_service.stores.vector_layout import point_id
from explanation_service.stores.vector_pages import Point
from explanation_service.stores.vector_states import STATE_FIELDS, to_states

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


class Steps:
    """Where a call can be interrupted: before and after each thing that a store does."""

    async def pause(self) -> None:
        await asyncio.sleep(0)


class Repository:
    def __init__(self, steps: Steps) -> None:
        self.stored: dict[str, StoredTemplate] = {}
        self._steps = steps
        self.reads = 0

    def write(
        self, template_id: str, body: str | None, status: str = "published", **labels: Any
    ) -> int:
        """Store the next version; None deletes."""
        before = self.stored.get(template_id)
        version = 1 if before is None else before.version + 1
        now = datetime.now(UTC)
        template = None
        if body is not None:
            template = Template(
                id=template_id,
                title="т",
                body=body,
                status=status,
                version=version,
                updated_at=now,
                **labels,
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

    async def iterate_all(self, batch: int) -> AsyncIterator[StoredTemplate]:
        await self._steps.pause()
        for template_id in sorted(self.stored):
            if template_id in self.stored:
                yield self.stored[template_id]
        await self._steps.pause()

    async def existing_ids(self, template_ids: Sequence[str]) -> set[str]:
        await self._steps.pause()
        found = {one for one in template_ids if one in self.stored}
        await self._steps.pause()
        return found


class Index:
    """Guards as Qdrant does: what is there is replaced by no lower version, what is not is
    inserted. A point lies in the place that its id says, whatever its payload says."""

    def __init__(self, steps: Steps, points_per_request: int = 2) -> None:
        self.points: dict[tuple[str, int], PassagePoint] = {}
        self.upserts = 0
        self.refused: set[str] = set()
        self._steps = steps
        self._points_per_request = points_per_request

    async def indexed_state(self, template_ids: Sequence[str]) -> dict[str, IndexedState]:
        await self._steps.pause()
        states = to_states(
            Point(point_id(*place), {name: getattr(point, name) for name in STATE_FIELDS})
            for place, point in self.points.items()
            if point.template_id in template_ids
        )
        await self._steps.pause()
        return states

    async def holds_model(self, revision: str) -> bool:
        return revision == INFO.revision

    async def template_ids(self) -> AsyncIterator[tuple[set[str], int]]:
        await self._steps.pause()
        ids = {point.template_id for point in self.points.values()}
        await self._steps.pause()
        yield ids, len(self.points)

    async def upsert(
        self, points: Sequence[PassagePoint], up_to: Mapping[str, int] | None = None
    ) -> None:
        if any(point.template_id in self.refused for point in points):
            raise StoreRejected("qdrant", "refused")
        ordered = sorted(points, key=lambda point: -point.chunk_index)
        for start in range(0, len(ordered), self._points_per_request):
            await self._steps.pause()
            for point in ordered[start : start + self._points_per_request]:
                there = self.points.get((point.template_id, point.chunk_index))
                limit = (up_to or {}).get(point.template_id, point.version)
                if there is None or not _newer(there, limit):
                    self.points[point.template_id, point.chunk_index] = point
                self.upserts += 1
        await self._steps.pause()

    async def trim(self, template_id: str, keep_chunks: int, up_to: int | None = None) -> None:
        await self._steps.pause()
        self._drop(template_id, keep_chunks, up_to)
        await self._steps.pause()

    async def relabel(self, changes: Sequence[LabelChange]) -> None:
        await self._steps.pause()
        for change in changes:
            for key, point in self.points.items():
                if (
                    point.template_id == change.template_id
                    and point.content_hash == change.found_hash
                    and not _newer(point, change.up_to)
                ):
                    self.points[key] = replace(
                        point,
                        version=change.version,
                        content_hash=change.content_hash,
                        topic=change.topic,
                        exam=change.exam,
                        tags=change.tags,
                    )
        await self._steps.pause()

    async def delete(
        self, template_ids: Sequence[str], up_to: Mapping[str, int] | None = None
    ) -> None:
        await self._steps.pause()
        for template_id in template_ids:
            self._drop(template_id, 0, (up_to or {}).get(template_id))
        await self._steps.pause()

    def _drop(self, template_id: str, keep_chunks: int, up_to: int | None) -> None:
        for key, point in list(self.points.items()):
            goes = point.template_id == template_id and not (
                key in [(template_id, index) for index in range(keep_chunks)]
                or (up_to is not None and _newer(point, up_to))
            )
            if goes:
                del self.points[key]

    def texts(self) -> dict[str, str]:
        """By template: the texts of its chunks in order, with the version of each."""
        found: dict[str, list[str]] = {}
        for key in sorted(self.points):
            point = self.points[key]
            found.setdefault(key[0], []).append(f"{point.version}:{point.text}")
        return {template_id: "|".join(parts) for template_id, parts in found.items()}


def _newer(point: PassagePoint, version: int) -> bool:
    """As Qdrant compares: a point that says nothing of its version is not newer."""
    return isinstance(point.version, int) and point.version > version


@dataclass
class Pending:
    """A pending entry; `stale`: its lease has run out."""

    fields: Mapping[str, str]
    owner: str
    times_delivered: int = 1
    stale: bool = False


class Stream:
    """One stream and its group, with the meaning of EventStream's scripts. `missing`: the group is
    gone."""

    group = "g"

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.waiting: list[Delivery] = []
        self.pending: dict[str, Pending] = {}
        self.dead: list[tuple[str, str]] = []
        self.dead_templates: list[str] = []
        self.acked: list[str] = []
        self.failures: dict[str, str] = {}
        self.handed_back: list[str] = []
        self.count = 0
        self.missing = False

    def publish(self, template_id: str, op: str = "upsert", version: int = 1) -> None:
        """Append an event."""
        self.add(
            ContentEvent(
                event_id=f"e{self.count}",
                entity_id=template_id,
                op=op,
                version=version,
                occurred_at=datetime.now(UTC),
            )
        )

    def add(self, event: ContentEvent) -> None:
        self.count += 1
        self.waiting.append(Delivery(f"{self.count}-0", event.to_fields(), 1))

    def hand_out(self, count: int, consumer: str = "c") -> list[Delivery]:
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        self.pending.update({one.entry_id: Pending(one.fields, consumer) for one in taken})
        return taken

    def lose(self) -> None:
        """The stream is gone, and its group with it."""
        self.waiting, self.pending, self.missing = [], {}, True

    async def append(self, event: ContentEvent) -> str:
        await self._steps.pause()
        self.add(event)
        await self._steps.pause()
        return f"{self.count}-0"

    async def append_many(self, events: Sequence[ContentEvent]) -> list[str]:
        return [await self.append(event) for event in events]

    async def read_new(self, consumer: str, count: int, block_ms: int) -> list[Delivery]:
        await self._need_group()
        taken = self.hand_out(count, consumer)
        if taken:
            await self._steps.pause()
        return taken

    async def unread_each(self, active_ms: int) -> int:
        """There are two workers."""
        await self._need_group()
        return len(self.waiting) // 2

    async def read_own_pending(self, consumer: str, after: str, count: int) -> list[Delivery]:
        await self._need_group()
        own = [one for one, entry in self.pending.items() if entry.owner == consumer]
        ids = [one for one in sorted(own, key=_number) if _number(one) > _number(after)]
        return await self._deliver(ids[:count], consumer)

    async def claim_stale(self, consumer: str, min_idle_ms: int, count: int) -> list[Delivery]:
        await self._need_group()
        ids = sorted((one for one, entry in self.pending.items() if entry.stale), key=_number)
        return await self._deliver(ids[:count], consumer)

    async def _deliver(self, ids: Sequence[str], consumer: str) -> list[Delivery]:
        again = []
        for one in ids[: together(self.pending[one].times_delivered for one in ids)]:
            entry = self.pending[one]
            times = entry.times_delivered + 1
            self.pending[one] = Pending(entry.fields, consumer, times)
            again.append(Delivery(one, entry.fields, times))
        if again:
            await self._steps.pause()
        return again

    async def renew(self, consumer: str, ids: Sequence[str]) -> list[str]:
        await self._need_group()
        kept = self._owned(consumer, ids)
        for one in kept:
            self.pending[one].stale = False
        await self._steps.pause()
        return kept

    async def ack_own(self, consumer: str, ids: Sequence[str]) -> int:
        await self._steps.pause()
        done = self._owned(consumer, ids)
        self.acked += done
        for one in done:
            del self.pending[one]
        await self._steps.pause()
        return len(done)

    async def hand_back(self, consumer: str, ids: Sequence[str], forgive: bool) -> int:
        await self._need_group()
        handed = self._owned(consumer, ids)
        for one in handed:
            entry = self.pending[one]
            self.pending[one] = Pending(entry.fields, consumer, entry.times_delivered, stale=True)
            self.pending[one].times_delivered -= forgive
        self.handed_back += handed
        await self._steps.pause()
        return len(handed)

    async def note_failure(self, ids: Sequence[str], trace: str) -> None:
        await self._steps.pause()
        self.failures.update(dict.fromkeys(ids, trace))

    async def dead_letter(
        self, delivery: Delivery, reason: str, detail: str, no_trace: str = ""
    ) -> str | None:
        await self._need_group()
        entry = self.pending.pop(delivery.entry_id, None)
        if entry is not None:
            self.dead.append((delivery.entry_id, reason))
            self.dead_templates.append(entry.fields.get("entity_id", ""))
        await self._steps.pause()
        return None if entry is None else "1-0"

    async def _need_group(self) -> None:
        await self._steps.pause()
        if self.missing:
            raise GroupMissing("gone")

    def _owned(self, consumer: str, ids: Sequence[str]) -> list[str]:
        return [one for one in ids if one in self.pending and self.pending[one].owner == consumer]


def _number(entry_id: str) -> int:
    return int(entry_id.partition("-")[0])


class Life:
    """The stages of one worker between its start and its death; `work` plays the reader."""

    def __init__(
        self, repository: Repository, index: Index, stream: Stream, name: str = "c"
    ) -> None:
        self.encoder = ToyEncoder()
        self.stream = stream
        self.in_hand = InHand()
        self.patience = Patience()
        self.leases = Leases(stream, name, self.in_hand)
        self.failures = Failures(stream, name, self.in_hand)
        self.intake = Intake(stream, self.patience)
        self.thread = InThisThread(self.encoder)
        self.preparer = Preparer(repository, index, self.encoder, self.patience)
        self.embedder = Embedder(self.thread, 64)
        self.finisher = Finisher(
            repository,
            index,
            stream,
            self.preparer,
            self.embedder,
            self.in_hand,
            self.patience,
            self.leases,
            self.failures,
        )
        self.hand_back = HandBack(stream, name, self.in_hand)

    async def work(self, count: int) -> bool:
        """Bring up to date what the next `count` entries ask for."""
        deliveries = self.stream.hand_out(count)
        works = self.in_hand.admit(await self.intake.sort_out(deliveries))
        plans = await self.preparer.prepare(works)
        async for group in self.embedder.embed(plans):
            await self.finisher.finish(group, lambda: False)
        return bool(deliveries)


class InThisThread(EncodeThread):
    """No thread, so that a test sees the same order each time."""

    async def embed_passages(self, ids: Any) -> Any:
        await asyncio.sleep(0)
        return self._encoder.embed(ids)


@pytest.fixture
def toys() -> SimpleNamespace:
    """The classes above; a test makes what it needs."""
    return SimpleNamespace(
        Encoder=ToyEncoder,
        Steps=Steps,
        Repository=Repository,
        Index=Index,
        Stream=Stream,
        Life=Life,
        Delivery=Delivery,
        info=INFO,
    )
