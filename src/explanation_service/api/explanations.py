"""POST /v1/explanations."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel

from explanation_service.api.event_stream_response import (
    event_stream_response,
    server_sent_event,
    wants_events,
)
from explanation_service.api.idempotency import REPLAYED_HEADER, IdempotencyKey, IdempotentRequest
from explanation_service.api.problems import internal_problem, problem_responses
from explanation_service.api.schemas.explanations import (
    ExplanationBody,
    ExplanationResponse,
    PassagesEvent,
)
from explanation_service.api.security import Reader
from explanation_service.api.services import ServicesDep
from explanation_service.explanations.records import Delta, Explanation, Findings, StreamPart
from explanation_service.explanations.sentences import split_pieces
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Seconds by which a request may have come in before its turn and still be counted from there: more
# is a client that sent it before the answer to another one.
_MOST_WAITED = 0.25

router = APIRouter(tags=["explanations"])

_STREAM_EXAMPLE = (
    'event: passages\ndata: {"passages":[…],"search":{"mode":"hybrid","degraded":false}}\n\n'
    'event: delta\ndata: {"text":"К этому вопросу ближе всего правило…"}\n\n'
    'event: done\ndata: {"explanation":"…","source":"rules",…}\n\n'
)
# OpenAPI before 3.2 has no words for a stream; by convention this describes each event of it.
_EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "enum": ["passages", "delta", "done", "error"]},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "description": "PassagesEvent, DeltaEvent, ExplanationResponse or Problem",
        },
    },
    "required": ["event", "data"],
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The explanation; as server-sent events passages, delta (several), done, "
        "with comments between them where one is long in coming",
        "content": {
            "text/event-stream": {"schema": _EVENT, "example": _STREAM_EXAMPLE},
        },
    },
    **problem_responses(401, 404, 409, 413, 422, 503),
}


class DeltaEvent(BaseModel):
    """The next piece of the text."""

    text: str


@router.post(
    "/v1/explanations",
    summary="Explain an answer",
    response_model=ExplanationResponse,
    responses=_RESPONSES,
)
async def explain(
    body: ExplanationBody,
    http: Request,
    services: ServicesDep,
    principal: Reader,
    idempotency_key: IdempotencyKey = None,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    streamed = body.stream or wants_events(accept)
    once = IdempotentRequest(services.idempotency)
    kept = await once.begin(principal, idempotency_key, body.model_dump_json(exclude={"stream"}))
    if kept is not None:
        return _replay(kept, streamed)
    request = body.to_request()
    since = _received(http)
    if not streamed:
        async with once:
            explanation = await services.explanations.explain(request, since)
            answer = ExplanationResponse.of_explanation(explanation).model_dump_json()
            await once.keep(answer)
        return _json(answer)
    parts = services.explanations.stream(request, since)
    try:
        # What goes wrong before the first event can still be answered with its own status.
        first = await anext(parts)
    except BaseException:
        await once.release()
        raise
    return event_stream_response(_events(first, parts, once))


def _received(http: Request) -> float:
    now = time.monotonic()
    return max(float(getattr(http.state, "received", now)), now - _MOST_WAITED)


async def _events(
    first: StreamPart, parts: AsyncGenerator[StreamPart], once: IdempotentRequest
) -> AsyncGenerator[str]:
    async with once, aclosing(parts):
        try:
            yield _event(first)
            async for part in parts:
                if isinstance(part, Explanation):
                    await once.keep(ExplanationResponse.of_explanation(part).model_dump_json())
                yield _event(part)
        except Exception:
            log.exception("a stream of an explanation broke off")
            yield server_sent_event("error", internal_problem())


def _event(part: StreamPart) -> str:
    if isinstance(part, Findings):
        return server_sent_event("passages", PassagesEvent.of(part))
    if isinstance(part, Delta):
        return server_sent_event("delta", DeltaEvent(text=part.text))
    return server_sent_event("done", ExplanationResponse.of_explanation(part))


def _replay(kept: str, streamed: bool) -> Response:
    headers = {REPLAYED_HEADER: "true"}
    if not streamed:
        return _json(kept, headers)
    return event_stream_response(_replayed_events(kept), headers)


async def _replayed_events(kept: str) -> AsyncGenerator[str]:
    answer = ExplanationResponse.model_validate_json(kept)
    yield server_sent_event("passages", PassagesEvent.model_validate(answer.model_dump()))
    for piece in split_pieces(answer.explanation):
        yield server_sent_event("delta", DeltaEvent(text=piece))
    yield server_sent_event("done", answer)


def _json(answer: str, headers: dict[str, str] | None = None) -> Response:
    return Response(answer, media_type="application/json", headers=headers)
