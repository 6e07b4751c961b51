"""Every error leaves as RFC 9457 problem+json with the request id, and no stack trace."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from explanation_service.api.schemas.problem import FieldFault, Problem
from explanation_service.content.rule_book import PreconditionFailed, TemplateNotFound
from explanation_service.stores.errors import StoreRejected, StoreUnavailable
from explanation_service.telemetry import request_context
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

# Seconds. A store that restarts is back within a few of these.
RETRY_AFTER = 2
# One answer need not list every fault of a large body.
_MAX_FAULTS = 20

_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict",
    412: "precondition_failed",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "validation_failed",
    429: "too_many_requests",
    500: "internal_error",
    503: "dependency_unavailable",
}


# For the OpenAPI document.
_EXAMPLES = {
    400: "There was an error parsing the body",
    401: "This API key is not known.",
    403: "This needs one of the keys in ADMIN_API_KEYS.",
    404: "There is no template spelling-checked-root-vowels.",
    408: "The body did not come to its end within 30 s.",
    409: "The first request with this Idempotency-Key is under way.",
    412: "Template spelling-checked-root-vowels is at version 4.",
    413: "A body may have at most 1048576 bytes.",
    415: "The body must be JSON Lines, sent as application/x-ndjson.",
    422: "body.query: String should have at least 1 character.",
    429: "Too many requests; the next one is welcome in 2 s.",
    500: "Something went wrong here; the log has it under this request id.",
    503: "qdrant is unavailable; try again later.",
}


class ProblemResponse(JSONResponse):
    """A problem document."""

    media_type = MEDIA_TYPE


class ApiProblem(Exception):
    """Raised by endpoints and dependencies for an error of their own."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.code, self.headers = status, detail, code, headers


def problem(
    status: int,
    detail: str,
    *,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> ProblemResponse:
    """The answer for an error; `members` are further members of the document."""
    content = {**new_problem(status, detail, code).model_dump(exclude_none=True), **members}
    return ProblemResponse(content, status, dict(headers or {}))


def internal_problem() -> Problem:
    """The document for an error that nobody foresaw; the log has the rest."""
    return new_problem(500, "Something went wrong here; the log has it under this request id.")


def internal_error() -> ProblemResponse:
    """The answer with that document."""
    return ProblemResponse(internal_problem().model_dump(exclude_none=True), 500)


def new_problem(status: int, detail: str, code: str | None = None) -> Problem:
    """The document itself."""
    return Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code or _CODES.get(status, "error"),
        request_id=request_context.request_id.get(),
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Turn what endpoints, routing and validation raise into problems."""
    handlers: dict[type[Exception], Any] = {
        ApiProblem: _on_api_problem,
        HTTPException: _on_http_exception,
        RequestValidationError: _on_invalid_request,
        TemplateNotFound: _on_template_not_found,
        PreconditionFailed: _on_precondition_failed,
        StoreUnavailable: _on_store_unavailable,
        StoreRejected: _on_store_rejected,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


async def _on_api_problem(_request: Request, error: ApiProblem) -> Response:
    return problem(error.status, error.detail, code=error.code, headers=error.headers)


async def _on_http_exception(request: Request, error: HTTPException) -> Response:
    details = {
        404: f"There is nothing at {request.url.path}.",
        405: f"{request.url.path} does not take {request.method}.",
    }
    detail = details.get(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = _allowed_methods(request) or headers.get("Allow", "GET")
    return problem(error.status_code, detail, headers=headers)


def _allowed_methods(request: Request) -> str:
    """The methods of all routes with this path; the router names those of the first alone."""
    routes: list[APIRoute] = request.app.state.routes
    path = request.scope["path"]
    matching = [one for one in routes if one.path_regex.match(path)]
    return ", ".join(sorted({method for one in matching for method in one.methods or ()}))


async def _on_invalid_request(_request: Request, error: RequestValidationError) -> Response:
    faults = [
        FieldFault(field=".".join(str(part) for part in fault["loc"]), message=str(fault["msg"]))
        for fault in cast("list[dict[str, Any]]", error.errors())[:_MAX_FAULTS]
    ]
    first = faults[0]
    return problem(
        422,
        f"{first.field}: {first.message}.",
        errors=[fault.model_dump() for fault in faults],
    )


async def _on_template_not_found(_request: Request, error: TemplateNotFound) -> Response:
    return problem(404, str(error), code="template_not_found")


async def _on_precondition_failed(_request: Request, error: PreconditionFailed) -> Response:
    headers = {} if error.version is None else {"ETag": f'"{error.version}"'}
    return problem(412, str(error), headers=headers)


async def _on_store_unavailable(_request: Request, error: StoreUnavailable) -> Response:
    # The driver's words name hosts and ports: for the log, not for the client.
    log.warning("dependency unavailable", dependency=error.name, why=error.detail)
    return problem(
        503,
        f"{error.name} is unavailable; try again later.",
        headers={"Retry-After": str(RETRY_AFTER)},
        dependency=error.name,
    )


async def _on_store_rejected(_request: Request, error: StoreRejected) -> Response:
    log.error("dependency rejected a request", dependency=error.name, why=error.detail)
    return internal_error()


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can fail with these statuses, for OpenAPI."""
    return {status: problem_response(status) for status in statuses}


def problem_response(status: int, schema: str = "Problem") -> dict[str, Any]:
    """One of them, with an example; `schema` is the name of the document's model."""
    example = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _EXAMPLES[status],
        "code": _CODES[status],
        "request_id": "0b1f6d6f3a6c4f0f9a4f2c6d8e7a5b43",
    }
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    if schema == "Problem":
        content["example"] = example
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: content}}
