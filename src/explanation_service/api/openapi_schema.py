"""What FastAPI leaves out of the OpenAPI document."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from explanation_service.api.schemas.problem import Problem

_DESCRIPTION = """\
Explains answers to exam tasks, in Russian, from the platform's own rule book.

Every error is a problem document (RFC 9457, `application/problem+json`) with the request id, which
is also the header `X-Request-ID` of every answer; a well-formed one of the caller's is kept.
Where keys are set, they are sent as `Authorization: Bearer KEY` or `X-API-Key: KEY`.
"""
_TAGS = [
    {"name": "explanations", "description": "Explain an answer"},
    {"name": "search", "description": "Search the rule book"},
    {"name": "templates", "description": "The rule book itself"},
    {"name": "index", "description": "The index and the way into it"},
    {"name": "health", "description": "For probes; no key is needed"},
]


def configure_openapi(app: FastAPI) -> None:
    """Give the application its document, made once, on the first request for it."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _build(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _build(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=_DESCRIPTION,
        routes=app.routes,
        tags=_TAGS,
    )
    schemas = document["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    # FastAPI's own form of a 422, which is never sent.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return document
