"""POST /v1/rag/reindex."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Depends

from explanation_service.api.problems import problem_responses
from explanation_service.api.schemas.status import ReindexRequest, ReindexResponse
from explanation_service.api.security import require_writer
from explanation_service.api.services import Services, ServicesDep
from explanation_service.content.events import ContentEvent
from explanation_service.stores.mongodb import StoredTemplate
from explanation_service.telemetry import request_context

router = APIRouter(tags=["index"], dependencies=[Depends(require_writer)])

# Events a round trip to Redis.
_BATCH = 500


REINDEX_PATH = "/v1/rag/reindex"


@router.post(
    REINDEX_PATH,
    summary="Let the workers look at templates again",
    status_code=202,
    responses=problem_responses(401, 403, 413, 422, 503),
)
async def reindex(body: ReindexRequest, services: ServicesDep) -> ReindexResponse:
    """Enqueues an event per template. What is indexed already as it should be is not embedded
    again; deleted templates leave the index if they are still in it."""
    if body.template_ids is None:
        return ReindexResponse(enqueued=await _enqueue(services, services.repository.iterate_all()))
    wanted = list(dict.fromkeys(body.template_ids))
    found = await services.repository.get_many(wanted)
    enqueued = await _enqueue(services, _each(list(found.values())))
    return ReindexResponse(enqueued=enqueued, unknown=[one for one in wanted if one not in found])


async def _enqueue(services: Services, stored: AsyncIterator[StoredTemplate]) -> int:
    count = 0
    batch: list[ContentEvent] = []
    async for one in stored:
        batch.append(one.event(request_context.traceparent.get()))
        count += 1
        if len(batch) == _BATCH:
            await services.stream.append_many(batch)
            batch = []
    if batch:
        await services.stream.append_many(batch)
    return count


async def _each(stored: list[StoredTemplate]) -> AsyncIterator[StoredTemplate]:
    for one in stored:
        yield one
