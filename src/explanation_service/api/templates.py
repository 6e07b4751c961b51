"""PUT, GET and DELETE /v1/templates/{id}, GET /v1/templates."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Response

from explanation_service.api import cursors
from explanation_service.api.problems import ApiProblem, problem_responses
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


@router.get(
    "",
    summary="List the rule book by id, drafts included",
    dependencies=_READ,
    responses=problem_responses(401, 422, 503),
)
async def list_templates(
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before")] = None,
) -> TemplatePage:
    try:
        after = None if cursor is None else cursors.decode(cursor)
    except ValueError:
        raise ApiProblem(422, "query.cursor: is none that was given out.") from None
    # One more than asked for tells whether there is a next page.
    found = await services.rule_book.list(after, limit + 1)
    items = found[:limit]
    more = len(found) > limit
    return TemplatePage(items=items, next_cursor=cursors.encode(items[-1].id) if more else None)


@router.get(
    "/{template_id}",
    summary="Read a template",
    dependencies=_READ,
    responses=problem_responses(401, 404, 422, 503),
)
async def read_template(template_id: TemplateIdPath, services: ServicesDep) -> Template:
    return await services.rule_book.get(template_id)


@router.put(
    "/{template_id}",
    summary="Create or replace a template",
    dependencies=_WRITE,
    responses={
        201: {"model": Template, "description": "Created"},
        **problem_responses(401, 403, 413, 422, 503),
    },
)
async def write_template(
    template_id: TemplateIdPath,
    draft: Annotated[TemplateDraft, Body(examples=[DRAFT_EXAMPLE])],
    services: ServicesDep,
    response: Response,
) -> Template:
    template, created = await services.rule_book.put(template_id, draft)
    response.status_code = 201 if created else 200
    return template


@router.delete(
    "/{template_id}",
    summary="Delete a template",
    status_code=204,
    dependencies=_WRITE,
    responses=problem_responses(401, 403, 404, 422, 503),
)
async def delete_template(template_id: TemplateIdPath, services: ServicesDep) -> None:
    await services.rule_book.delete(template_id)
