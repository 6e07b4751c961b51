"""The span of a request, and its traceparent in logs and events."""

from __future__ import annotations

import pytest

from explanation_service.telemetry import request_context
from recorded_spans import recorded_spans, traceparent

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
DRAFT = {"title": "Не с глаголами", "body": "Пишется раздельно.", "topic": "orfografiya"}


@pytest.mark.parametrize("headers", [{}, {"traceparent": TRACE}, {"traceparent": "nonsense"}])
async def test_an_event_bears_the_traceparent_of_its_requests_span(world, client, headers):
    with recorded_spans() as spans:
        answer = await client.put("/v1/templates/ne", json=DRAFT, headers=headers)
    (span,) = spans
    assert answer.status_code == 201
    assert (span.name, span.kind.name) == ("PUT /v1/templates/{template_id}", "SERVER")
    assert dict(span.attributes) == {
        "url.path": "/v1/templates/ne",
        "http.request.method": "PUT",
        "http.route": "/v1/templates/{template_id}",
        "http.response.status_code": 201,
    }
    assert world.stream.events[0].traceparent == traceparent(span)
    if headers.get("traceparent") == TRACE:
        assert traceparent(span)[:36] == TRACE[:36]
        assert f"{span.parent.span_id:016x}" == "b" * 16
    else:
        assert span.parent is None


async def test_failures_of_ours_are_errors_and_those_of_callers_are_not(world, client, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("a secret")

    with recorded_spans() as spans:
        assert (await client.get("/v1/templates/nobody")).status_code == 404
        monkeypatch.setattr(world.repository, "get", fail)
        assert (await client.get("/v1/templates/ne")).status_code == 500
    missing, broken = spans
    assert missing.status.status_code.name == "UNSET"
    assert broken.status.status_code.name == "ERROR"
    assert broken.attributes["error.type"] == "500" and "secret" not in broken.to_json()


async def test_probes_and_scrapes_leave_no_spans(client):
    with recorded_spans() as spans:
        for path in ("/health", "/health/ready", "/metrics"):
            await client.get(path)
    assert spans == []


async def test_the_log_of_a_request_is_under_its_span(client, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "explanation_service.api.request_context_middleware.log.info",
        lambda *_, **__: seen.append(request_context.traceparent.get()),
        raising=False,
    )
    with recorded_spans() as spans:
        await client.get("/v1/templates")
    assert seen == [traceparent(spans[0])]
