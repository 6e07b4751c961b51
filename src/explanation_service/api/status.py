"""GET /v1/rag/status."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends

from explanation_service.api.problems import problem_responses
from explanation_service.api.schemas.status import RagStatus, WorkerStatus
from explanation_service.api.security import require_reader
from explanation_service.api.services import Services, ServicesDep
from explanation_service.stores.errors import StoreUnavailable

router = APIRouter(tags=["index"], dependencies=[Depends(require_reader)])


@router.get(
    "/v1/rag/status",
    summary="State of the index and of the way into it",
    responses=problem_responses(401),
)
async def read_status(services: ServicesDep) -> RagStatus:
    """Answers 200 with what is known when a store is away: that is when it is looked at."""
    status = RagStatus()
    readers = (_read_index, _read_stream, _read_workers)
    lost = await asyncio.gather(*(reader(services, status) for reader in readers))
    status.unavailable = sorted({name for name in lost if name})
    return status


async def _read_index(services: Services, status: RagStatus) -> str | None:
    try:
        status.collection = await services.index.collection_name()
        status.points = await services.index.count()
    except StoreUnavailable as error:
        return error.name
    return None


async def _read_stream(services: Services, status: RagStatus) -> str | None:
    try:
        stream = await services.stream.status()
    except StoreUnavailable as error:
        return error.name
    status.stream_length = stream.length
    status.stream_lag = stream.lag
    status.pending = stream.pending
    status.oldest_pending_seconds = round(stream.oldest_pending_seconds, 3)
    status.dead_letters = stream.dead_letters
    return None


async def _read_workers(services: Services, status: RagStatus) -> str | None:
    try:
        workers = await services.workers.live_workers()
        model = await services.workers.current_model()
    except StoreUnavailable as error:
        return error.name
    status.workers = [
        WorkerStatus(
            consumer=worker.consumer,
            role=worker.role,
            model=worker.model,
            revision=worker.revision,
            ready=worker.ready,
        )
        for worker in sorted(workers, key=lambda worker: worker.consumer)
    ]
    status.live_workers = len(workers)
    if model is not None:
        status.model, status.model_revision = model.name, model.revision
    return None
