"""What would go to a collector, kept in memory instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from explanation_service.telemetry import tracing
from explanation_service.telemetry.span_export import SpanTracer


@contextmanager
def recorded_spans() -> Iterator[list[Any]]:
    """Tracing is on in the block; afterwards the list holds the SDK's spans, as they ended."""
    exporter = InMemorySpanExporter()
    tracer = SpanTracer("test", exporter)
    spans: list[Any] = []
    tracing._tracer = tracer
    try:
        yield spans
    finally:
        tracing._tracer = None
        tracer.close()
        spans += exporter.get_finished_spans()


def traceparent(span: Any) -> str:
    """That of the work inside of the span."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
