"""What FastAPI leaves out of the OpenAPI document."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from explanation_service.api.problems import problem_response
from explanation_service.api.schemas.health import NotReady
from explanation_service.api.schemas.problem import Problem

_DESCRIPTION = """\
Explains answers to exam tasks, in Russian, from the platform's own rule book.

Every error is a problem document (RFC 9457, `application/problem+json`) with the request id, which
is also the header `X-Request-ID` of every answer; a well-formed one of the caller's is kept.
Where keys are set, they are sent as `Authorization: Bearer KEY` or `X-API-Key: KEY`. Where a rate
limit is set, each key has its own; over it the answer is 429 with `Retry-After`. 503 with
`Retry-After` means that a store is away: the same request may be sent again.
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
    for model in (Problem, NotReady):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    _add_common_answers(document)
    _parameters_are_plain(document)
    # FastAPI's own form of a 422, which is never sent.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return document


# What the middlewares answer, and what happens to a body on its way to a route.
_ANYWHERE = (401, 422, 429, 500, 503)
_WITH_BODY = (400, 408, 413)
_HEADERS = {
    429: {"Retry-After": "Seconds until the next request is welcome"},
    503: {"Retry-After": "Seconds until another try makes sense"},
    401: {"WWW-Authenticate": "How to authenticate"},
}


def _add_common_answers(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        if not path.startswith("/v1/"):
            continue
        for operation in item.values():
            statuses = (*_ANYWHERE, *(_WITH_BODY if "requestBody" in operation else ()))
            for status in statuses:
                operation["responses"].setdefault(str(status), problem_response(status))
            operation["responses"] = dict(sorted(operation["responses"].items()))
            for status, names in _HEADERS.items():
                operation["responses"][str(status)]["headers"] = {
                    name: {"description": text, "schema": {"type": "string"}}
                    for name, text in names.items()
                }


def _parameters_are_plain(document: dict[str, Any]) -> None:
    """An optional parameter is left out: in a header or an address there is no null. A constant is
    a choice of one: generators of clients know no constants in headers."""
    for item in document["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                schema = parameter["schema"]
                kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
                if len(kinds) == 1:
                    del schema["anyOf"]
                    schema.update(kinds[0])
                if "const" in schema:
                    schema["enum"] = [schema.pop("const")]
