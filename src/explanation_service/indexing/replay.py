"""Puts every template into the stream anew, where the stream or its group was lost."""

from __future__ import annotations

from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.mongodb import StoredTemplate, TemplateRepository
from explanation_service.stores.records import IndexedState
from explanation_service.stores.vector_index import VectorIndex
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

_BATCH = 500


async def restore_group(
    stream: EventStream, repository: TemplateRepository, index: VectorIndex
) -> None:
    """Make the group, after events for all templates that the index does not hold as they are.

    The events come first: who dies in between leaves the group missing, and the next worker starts
    over. Raises StoreUnavailable.
    """
    await replay_differences(stream, repository, index)
    made = await stream.ensure_group()
    log.info("consumer group is there", group=stream.group, made=made)


async def replay_differences(
    stream: EventStream, repository: TemplateRepository, index: VectorIndex
) -> int:
    """Append an event for each template that the index does not hold as it is; how many.

    An event too many costs a look at the index, no embedding. Raises StoreUnavailable.
    """
    appended = 0
    batch: list[StoredTemplate] = []
    async for stored in repository.iterate_all(_BATCH):
        batch.append(stored)
        if len(batch) == _BATCH:
            appended += await _append(stream, index, batch)
            batch = []
    appended += await _append(stream, index, batch)
    if appended:
        log.info("templates were put into the stream anew", events=appended)
    return appended


async def _append(stream: EventStream, index: VectorIndex, batch: list[StoredTemplate]) -> int:
    if not batch:
        return 0
    states = await index.indexed_state([stored.id for stored in batch])
    events = [stored.event() for stored in batch if _differs(stored, states.get(stored.id))]
    if events:
        await stream.append_many(events)
    return len(events)


def _differs(stored: StoredTemplate, state: IndexedState | None) -> bool:
    searchable = stored.template is not None and stored.template.status == "published"
    if state is None:
        return searchable
    return not searchable or state.version != stored.version
