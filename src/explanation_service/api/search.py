"""POST and GET /v1/rag/search."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from explanation_service.api.problems import problem_responses
from explanation_service.api.schemas.fields import Mode, OptionalLabel, Tags, Text
from explanation_service.api.schemas.search import Filters, SearchRequest, SearchResponse
from explanation_service.api.security import require_reader
from explanation_service.api.services import Services, ServicesDep

router = APIRouter(
    tags=["search"],
    dependencies=[Depends(require_reader)],
    responses=problem_responses(401, 422, 503),
)


@router.post("/v1/rag/search", summary="Search the rule book")
async def search(body: SearchRequest, services: ServicesDep) -> SearchResponse:
    return await _search(body, services)


@router.get("/v1/rag/search", summary="Search the rule book")
async def search_by_address(
    services: ServicesDep,
    query: Annotated[Text, Query(examples=["безударная гласная"])],
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
    topic: Annotated[OptionalLabel, Query()] = None,
    exam: Annotated[OptionalLabel, Query()] = None,
    tags: Annotated[Tags, Query(description="May be repeated: tags=a&tags=b")] = [],  # noqa: B006
    mode: Mode = "hybrid",
) -> SearchResponse:
    filters = Filters(topic=topic, exam=exam, tags=tags)
    request = SearchRequest(query=query, limit=limit, filters=filters, mode=mode)
    return await _search(request, services)


async def _search(request: SearchRequest, services: Services) -> SearchResponse:
    result = await services.search.search(
        request.query, request.limit, request.filters.to_filters(), mode=request.mode
    )
    return SearchResponse.of(result, request.query)
