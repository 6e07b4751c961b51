"""PUT, GET and DELETE /v1/templates/{id}, GET /v1/templates."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response

from explanation_service.api import cursors
from explanation_service.api.etags import (
    CreateOnly,
    IfMatch,
    IfNoneMatch,
    etag,
    is_current,
    write_condition,
)
from explanation_service.api.problems import problem_responses
from explanation_service.api.schemas.templates import DRAFT_EXAMPLE, TemplatePage
from explanation_service.api.security import require_reader, require_writer
from explanation_service.api.services import ServicesDep
from explanation_service.content.template import TEMPLATE_ID_PATTERN, Template, TemplateDraft

router = APIRouter(prefix="/v1/templates", tags=["templates"])

TemplateIdPath = Annotated[
    str, Path(pattern=TEMPLATE_ID_PATTERN, examples=["spelling-checked-root-vowels"])
]
_READ = [Depends(require_reader)]
_WRITE = [Depends(require_writer)]

_ETAG = {"ETag": {"description": "The version in quotes", "schema": {"type": "string"}}}
_LINK = {"Link": {"description": 'The next page, rel="next"', "schema": {"type": "string"}}}
# Kept by clients, but asked about each time: an edit must show.
_REVALIDATE = "private, no-cache"


@router.get(
    "",
    summary="List the rule book by id, drafts included",
    dependencies=_READ,
    responses={200: {"headers": _LINK}, **problem_responses(401, 422, 503)},
)
async def list_templates(
    services: ServicesDep,
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[
        str | None,
        Query(pattern=cursors.PATTERN, max_length=3000, description="next_cursor of a page"),
    ] = None,
) -> TemplatePage:
    """A page can be shorter than `limit` without being the last; the last has no `next_cursor`."""
    after = None if cursor is None else cursors.decode(cursor)
    items, following = await services.rule_book.page(after, limit)
    next_cursor = None if following is None else cursors.encode(following)
    if next_cursor is not None:
        # Relative: what this service is called from outside, only the proxy before it knows.
        address = request.url.include_query_params(limit=limit, cursor=next_cursor)
        response.headers["Link"] = f'<{address.path}?{address.query}>; rel="next"'
    return TemplatePage(items=items, next_cursor=next_cursor)


@router.get(
    "/{template_id}",
    summary="Read a template",
    dependencies=_READ,
    response_model=Template,
    responses={
        200: {"headers": _ETAG},
        304: {"description": "If-None-Match names the current version", "headers": _ETAG},
        **problem_responses(401, 404, 422, 503),
    },
)
async def read_template(
    template_id: TemplateIdPath,
    services: ServicesDep,
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> Template | Response:
    template = await services.rule_book.get(template_id)
    headers = {"ETag": etag(template.version), "Cache-Control": _REVALIDATE}
    if is_current(if_none_match, template.version):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return template


@router.put(
    "/{template_id}",
    summary="Create or replace a template",
    dependencies=_WRITE,
    responses={
        200: {"headers": _ETAG},
        201: {"model": Template, "description": "Created", "headers": _ETAG},
        **problem_responses(401, 403, 412, 413, 422, 503),
    },
)
async def write_template(
    template_id: TemplateIdPath,
    draft: Annotated[TemplateDraft, Body(examples=[DRAFT_EXAMPLE])],
    services: ServicesDep,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: CreateOnly = None,
) -> Template:
    """Without a condition the last writer wins. With `If-Match` a template that somebody else has
    written meanwhile is left alone (412), with `If-None-Match: *` one that exists."""
    condition = write_condition(if_match, if_none_match)
    template, created = await services.rule_book.put(template_id, draft, condition)
    response.status_code = 201 if created else 200
    response.headers["ETag"] = etag(template.version)
    return template


@router.delete(
    "/{template_id}",
    summary="Delete a template",
    status_code=204,
    dependencies=_WRITE,
    responses=problem_responses(401, 403, 404, 412, 422, 503),
)
async def delete_template(
    template_id: TemplateIdPath, services: ServicesDep, if_match: IfMatch = None
) -> None:
    await services.rule_book.delete(template_id, write_condition(if_match))
