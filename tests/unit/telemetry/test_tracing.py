"""Spans: off, without the extra, to a collector, and to one that is dead."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from explanation_service.telemetry import request_context
from explanation_service.telemetry.tracing import ENDPOINT, UNRECORDED, span, tracing
from recorded_spans import recorded_spans, traceparent
from recorded_spans.collector import Collector, running_collector

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
# Longer than a machine under load takes for anything here, shorter than the exporter's ten
# seconds of tries, which must not be waited for.
SOON = 8.0


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENDPOINT", "TRACES_ENDPOINT", "COMPRESSION", "TIMEOUT"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")


def test_off_nothing_is_imported_and_nothing_changes() -> None:
    program = """
import json, sys
from explanation_service.telemetry import request_context
from explanation_service.telemetry.tracing import span, tracing
with tracing("api"), request_context.bind("r", sys.argv[1]):
    with span("work", root=True) as record:
        record.note({"a": 1})
        seen = request_context.traceparent.get()
print(json.dumps([seen, [name for name in sys.modules if name.startswith("opentelemetry")]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, TRACE], capture_output=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == [TRACE, []]
    with tracing("api"):
        assert span("work", root=True) is UNRECORDED


def test_a_span_is_below_the_traceparent_in_hand_and_above_what_is_inside() -> None:
    with recorded_spans() as spans, request_context.bind("r", TRACE):
        with span("outer", "server", {"a": 1}):
            outside = request_context.traceparent.get()
            with span("inner") as inner:
                inner.note({"b": True})
                inner.rename("renamed")
                assert request_context.request_id.get() == "r"
        assert request_context.traceparent.get() == TRACE
    inner_span, outer_span = spans
    assert (inner_span.name, dict(inner_span.attributes)) == ("renamed", {"b": True})
    assert (outer_span.name, outer_span.kind.name) == ("outer", "SERVER")
    assert dict(outer_span.attributes) == {"a": 1}
    assert outside == traceparent(outer_span) and outside[:36] == TRACE[:36]
    assert f"{outer_span.parent.span_id:016x}" == "b" * 16
    assert inner_span.parent.span_id == outer_span.context.span_id


def test_a_root_starts_a_trace_and_nothing_is_recorded_without_one() -> None:
    with recorded_spans() as spans:
        for parent in (None, "not a traceparent"):
            with request_context.bind(None, parent), span("nobody asked"):
                assert request_context.traceparent.get() == parent
        with request_context.bind("r", TRACE), span("root", root=True):
            pass
    (root,) = spans
    assert root.parent is None and traceparent(root)[:36] != TRACE[:36]


def test_what_the_caller_does_not_sample_is_not_recorded_and_stays_so() -> None:
    unsampled = TRACE[:-1] + "0"
    with recorded_spans() as spans, request_context.bind("r", unsampled), span("work"):
        inside = request_context.traceparent.get()
    assert spans == []
    assert inside is not None and (inside[:36], inside[-2:]) == (unsampled[:36], "00")


def test_an_exception_marks_the_span_by_its_kind_alone_and_time_may_lie_behind() -> None:
    with recorded_spans() as spans, request_context.bind("r", TRACE):  # noqa: SIM117
        with pytest.raises(LookupError), span("work", seconds=2.0):
            raise LookupError("a secret")
    (failed,) = spans
    assert (failed.status.status_code.name, failed.attributes["error.type"]) == (
        "ERROR",
        "LookupError",
    )
    assert "secret" not in failed.to_json()
    assert failed.end_time - failed.start_time >= 2e9


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as collector:
        yield collector


def test_a_collector_gets_what_is_left_at_the_end(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENDPOINT, collector.url)
    with tracing("worker"), request_context.bind("r", TRACE), span("work", "consumer", {"a": "б"}):
        inside = request_context.traceparent.get()
    ((path, request),) = collector.requests
    (resource,) = request.resource_spans
    named = {one.key: one.value.string_value for one in resource.resource.attributes}
    (sent,) = resource.scope_spans[0].spans
    assert (path, named["service.name"]) == ("/v1/traces", "explanation-worker")
    assert (sent.name, sent.attributes[0].value.string_value) == ("work", "б")
    assert f"00-{sent.trace_id.hex()}-{sent.span_id.hex()}-01" == inside
    assert (sent.trace_id.hex(), sent.parent_span_id.hex()) == ("a" * 32, "b" * 16)
    assert span("after", root=True) is UNRECORDED


def test_the_operator_may_name_the_service(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENDPOINT, collector.url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "rules")
    with tracing("api"), span("work", root=True):
        pass
    resource = collector.requests[0][1].resource_spans[0].resource
    assert [one.value.string_value for one in resource.attributes if one.key == "service.name"] == [
        "rules"
    ]


@pytest.mark.parametrize("silent", [False, True])
def test_a_dead_collector_delays_neither_work_nor_stop(
    silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One refuses connections, the other takes them and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if silent:
            listener.listen()
        monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{listener.getsockname()[1]}")
        with tracing("api"):
            began = time.monotonic()
            # More than the queue holds: what is too much is dropped.
            for _ in range(3000):
                with span("work", root=True):
                    pass
            worked = time.monotonic() - began
            began = time.monotonic()
        assert time.monotonic() - began < SOON
        assert worked < SOON


@pytest.mark.parametrize(
    ("name", "value"), [(ENDPOINT, ""), ("OTEL_SDK_DISABLED", "true")], ids=["empty", "disabled"]
)
def test_the_operator_may_switch_it_off(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setenv(name, value)
    with capture_logs() as logs, tracing("api"):
        assert span("work", root=True) is UNRECORDED
    assert logs == []


def test_without_the_extra_there_is_a_sentence_and_no_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.delitem(sys.modules, "explanation_service.telemetry.span_export", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with capture_logs() as logs, tracing("api"):
        assert span("work", root=True) is UNRECORDED
    (line,) = logs
    assert line["log_level"] == "warning"
    assert line["why"] == (
        f"{ENDPOINT} is set, but the extra `otel` is not installed "
        "(opentelemetry.sdk.trace is missing)."
    )


def test_a_variable_that_cannot_be_used_is_said_and_no_reason_not_to_serve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "0")
    with capture_logs() as logs, tracing("api"):
        assert span("work", root=True) is UNRECORDED
    assert logs[0]["why"].startswith("A variable OTEL_* cannot be used: ")
