"""Bodies in and envelopes out: `{"result": ..., "status": "ok", "time": seconds}`."""

from __future__ import annotations

import time
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from explanation_service.standalone.qdrant_server.faults import BadBody, BadInput, Fault

Body = TypeVar("Body")

_JSON = "application/json"
_TRUTH = {"true": True, "false": False}


def started() -> float:
    """The moment from which the `time` of an envelope counts."""
    return time.perf_counter()


def success(result: Any, since: float) -> Response:
    """`result` may hold pydantic models; their empty fields are left out as Qdrant does."""
    envelope = {"result": result, "status": "ok", "time": time.perf_counter() - since}
    return Response(to_json(envelope, exclude_none=True), media_type=_JSON)


def failure(fault: Fault) -> Response:
    body = to_json({"status": {"error": fault.message}, "time": 0.0})
    return Response(body, status_code=fault.status, media_type=_JSON)


async def parse(request: Request, adapter: TypeAdapter[Body]) -> Body:
    """The body as `adapter` reads it; an empty one counts as `{}`. Raises BadBody."""
    raw = await request.body()
    try:
        return adapter.validate_json(raw or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadBody(f"{first['msg']} at {where}" if where else str(first["msg"])) from None


def flag(request: Request, name: str, default: bool = False) -> bool:
    """A boolean query parameter. Raises BadInput for another word than true or false."""
    raw = request.query_params.get(name)
    if raw is None:
        return default
    try:
        return _TRUTH[raw.lower()]
    except KeyError:
        raise BadInput(f"query parameter {name} must be true or false") from None
