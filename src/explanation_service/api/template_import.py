"""POST /v1/templates:import: many templates as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.exceptions import HTTPException

from explanation_service.api.body_limit_middleware import MAX_BODY
from explanation_service.api.body_lines import body_lines
from explanation_service.api.problems import (
    RETRY_AFTER,
    ApiProblem,
    problem,
    problem_responses,
)
from explanation_service.api.schemas.template_import import (
    LINE_EXAMPLE,
    ImportedLine,
    ImportReport,
)
from explanation_service.api.security import require_writer
from explanation_service.api.services import ServicesDep
from explanation_service.content.importer import (
    IMPORT_CONCURRENCY,
    Outcome,
    bring_templates,
    outcome_of,
)
from explanation_service.content.rule_book import RuleBook
from explanation_service.content.template import TemplateDraft
from explanation_service.content.template_lines import LineFault, TemplateLines
from explanation_service.stores.errors import StoreError, StoreUnavailable

router = APIRouter(tags=["templates"], dependencies=[Depends(require_writer)])

IMPORT_PATH = "/v1/templates:import"
# Each line is in the report, which is one answer; 300 templates of the longest body fit in.
MAX_IMPORT_BODY = 32 * 2**20
MAX_LINES = 10_000

MEDIA_TYPE = "application/x-ndjson"
_ACCEPTED = {MEDIA_TYPE, "application/jsonl", "application/json-lines", "text/plain", ""}

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One template a line, its `id` among the fields",
        "content": {
            MEDIA_TYPE: {
                # binary: a file to generators of clients, and not a text that they would quote.
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "minLength": 1,
                    "pattern": r"\S",
                },
                "example": json.dumps(LINE_EXAMPLE, ensure_ascii=False) + "\n",
            }
        },
    }
}

# A line that can be brought: its number, the id and the draft.
_Item = tuple[int, str, TemplateDraft]


@router.post(
    IMPORT_PATH,
    summary="Write many templates, sent as JSON Lines",
    responses=problem_responses(401, 403, 413, 415, 422, 503),
    openapi_extra=_BODY,
    response_model=ImportReport,
)
async def import_templates(
    request: Request,
    services: ServicesDep,
    dry_run: Annotated[bool, Query(description="Only say what would become of each line")] = False,
) -> ImportReport | Response:
    """Every line is looked at and reported. A line that is no template stops no other; a template
    that is stored as it is sent is not written again, so sending a file twice does no harm.

    When it breaks off (a store goes away, the body is too long), the problem has the same `report`
    about the lines that were done."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type not in _ACCEPTED:
        raise ApiProblem(415, f"The body must be JSON Lines, sent as {MEDIA_TYPE}.")
    report = ImportReport(dry_run=dry_run)
    try:
        async for items in _batches(request, report):
            await _bring(services.rule_book, items, report)
    except StoreUnavailable as error:
        return problem(
            503,
            f"{error.name} is unavailable; what is not in the report was perhaps not written. "
            "Sending everything again does no harm.",
            headers={"Retry-After": str(RETRY_AFTER)},
            dependency=error.name,
            report=report.in_order().model_dump(),
        )
    except HTTPException as error:
        # A cap, which is noticed while the body is read.
        return problem(
            error.status_code,
            error.detail,
            headers=error.headers,
            report=report.in_order().model_dump(),
        )
    if not report.lines:
        raise ApiProblem(422, "body: holds no line.")
    return report.in_order()


async def _batches(request: Request, report: ImportReport) -> AsyncIterator[list[_Item]]:
    """Lines that can be brought, some at a time; the others go into the report."""
    reader = TemplateLines()
    batch: list[_Item] = []
    count = 0
    async for number, raw in body_lines(request.stream(), MAX_BODY):
        count += 1
        if count > MAX_LINES:
            break
        try:
            batch.append((number, *_parse(reader, number, raw)))
        except LineFault as fault:
            report.add(ImportedLine(line=number, id=None, outcome="failed", reason=str(fault)))
        if len(batch) == IMPORT_CONCURRENCY:
            yield batch
            batch = []
    if batch:
        yield batch
    if count > MAX_LINES:
        raise HTTPException(
            413,
            f"An import may have at most {MAX_LINES} lines; what comes after them was not read.",
            {"Connection": "close"},
        )


def _parse(reader: TemplateLines, number: int, raw: bytes | None) -> tuple[str, TemplateDraft]:
    if raw is None:
        raise LineFault(f"is longer than {MAX_BODY} bytes")
    return reader.parse(number, raw)


async def _bring(rule_book: RuleBook, items: list[_Item], report: ImportReport) -> None:
    """Write them and report them; raises StoreUnavailable after what was written is reported."""
    stored = await rule_book.get_many([template_id for _, template_id, _ in items])
    if report.dry_run:
        outcomes: Sequence[Outcome | StoreError] = [
            outcome_of(draft, stored.get(key)) for _, key, draft in items
        ]
    else:
        wanted = [(key, draft) for _, key, draft in items]
        outcomes = await bring_templates(rule_book, wanted, stored)
    away: StoreUnavailable | None = None
    for (number, key, _), outcome in zip(items, outcomes, strict=True):
        if isinstance(outcome, StoreUnavailable):
            away = outcome
        elif isinstance(outcome, StoreError):
            reason = "the store refused it"
            report.add(ImportedLine(line=number, id=key, outcome="failed", reason=reason))
        else:
            report.add(ImportedLine(line=number, id=key, outcome=outcome))
    if away is not None:
        raise away
