"""Spans on their way to a collector, over OTLP. Only where the extra `otel` is installed.

The SDK reads its own variables OTEL_*: endpoint, headers, sampler, sizes of the queue.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from explanation_service import __version__
from explanation_service.telemetry.tracing import Attributes, Kind

# Seconds. A collector that is away must not hold up a stop.
FLUSH_WITHIN = 2.0

_KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
}


class RecordedSpan:
    """An OpenSpan of telemetry/tracing.py."""

    def __init__(self, span: Any) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = (
            f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        )

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def failed(self, why: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR))
        self._span.set_attribute("error.type", why)

    def end(self) -> None:
        self._span.end()


class SpanTracer:
    """A Tracer of telemetry/tracing.py. `exporter` gets the spans in batches, in a thread."""

    def __init__(self, service: str, exporter: Any) -> None:
        ours = Resource.create(
            {"service.name": f"explanation-{service}", "service.version": __version__}
        )
        self._exporter = exporter
        # `close` is bounded, the SDK's own handler at exit is not.
        self._provider = TracerProvider(
            resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("explanation_service", __version__)

    def start(
        self, name: str, kind: Kind, parent: str | None, attributes: Attributes, seconds: float
    ) -> RecordedSpan:
        """`parent` is a valid traceparent; None starts a trace."""
        return RecordedSpan(
            self._tracer.start_span(
                name,
                context=_context(parent),
                kind=_KINDS[kind],
                attributes=attributes,
                start_time=time.time_ns() - int(seconds * 1e9),
            )
        )

    def close(self) -> None:
        """Send what is left, for FLUSH_WITHIN seconds at most."""
        flush = threading.Thread(target=self._provider.shutdown, daemon=True)
        flush.start()
        flush.join(FLUSH_WITHIN)
        if flush.is_alive():
            # Ends its pause before the next try.
            self._exporter.shutdown()


def connect_collector(service: str) -> SpanTracer | None:
    """None where OTEL_SDK_DISABLED is true. Raises ValueError for variables that make no sense; a
    collector that is away is no error, spans are dropped then."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    return SpanTracer(service, OTLPSpanExporter())


def _context(parent: str | None) -> Context:
    if parent is None:
        return Context()
    _, trace_id, span_id, flags = parent.split("-")
    remote = SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
    return set_span_in_context(NonRecordingSpan(remote), Context())
