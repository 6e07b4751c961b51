"""Spans of the work in hand for an OpenTelemetry collector; off, they cost one comparison.

On where OTEL_EXPORTER_OTLP_ENDPOINT is in the environment and the extra `otel` is installed. The
context is the traceparent of telemetry/request_context.py, so that logs, events and spans join.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal, Protocol, TypeAlias

from explanation_service.telemetry import request_context
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"

Attributes: TypeAlias = Mapping[str, str | int | float | bool]
Kind: TypeAlias = Literal["internal", "server", "client", "consumer"]


class Span(Protocol):
    """What is noted about one piece of work."""

    def note(self, attributes: Attributes) -> None:
        """Add attributes; never texts of users."""

    def rename(self, name: str) -> None:
        """For a name that is known only at the end."""

    def failed(self, why: str) -> None:
        """Mark it as an error; `why` is a word, not a message, which might hold secrets."""


class OpenSpan(Span, Protocol):
    """A span that is recorded; its traceparent is that of the work inside."""

    @property
    def traceparent(self) -> str: ...

    def end(self) -> None: ...


class Tracer(Protocol):
    def start(
        self, name: str, kind: Kind, parent: str | None, attributes: Attributes, seconds: float
    ) -> OpenSpan: ...

    def close(self) -> None: ...


class _Unrecorded:
    def note(self, attributes: Attributes) -> None:
        return

    def rename(self, name: str) -> None:
        return

    def failed(self, why: str) -> None:
        return


UNRECORDED: AbstractContextManager[Span] = nullcontext(_Unrecorded())

# One per process, as the log is.
_tracer: Tracer | None = None


def span(
    name: str,
    kind: Kind = "internal",
    attributes: Attributes | None = None,
    *,
    root: bool = False,
    seconds: float = 0.0,
) -> AbstractContextManager[Span]:
    """A span around the block, which began `seconds` ago, below the traceparent in hand; an
    exception marks it as failed.

    Without a traceparent no request has asked for the work, and nothing is recorded; `root` starts
    a trace.
    """
    if _tracer is None:
        return UNRECORDED
    parent = None
    if not root:
        parent = request_context.valid_traceparent(request_context.traceparent.get())
        if parent is None:
            return UNRECORDED
    return _recorded(_tracer.start(name, kind, parent, attributes or {}, seconds))


@contextmanager
def _recorded(started: OpenSpan) -> Iterator[Span]:
    try:
        with request_context.bind(request_context.request_id.get(), started.traceparent):
            yield started
    except Exception as error:
        started.failed(type(error).__name__)
        raise
    finally:
        started.end()


@contextmanager
def tracing(service: str) -> Iterator[None]:
    """Spans are sent during the block, if the environment asks for it; what is left at its end
    has two seconds."""
    global _tracer
    _tracer = _tracer_of(service) if os.environ.get(ENDPOINT) else None
    try:
        yield
    finally:
        closing, _tracer = _tracer, None
        if closing is not None:
            closing.close()


def _tracer_of(service: str) -> Tracer | None:
    """None, with a sentence in the log, where there can be none: traces are no reason not to
    serve."""
    try:
        # Here, because most have neither the extra nor a collector.
        from explanation_service.telemetry.span_export import connect_collector

        return connect_collector(service)
    except ImportError as error:
        why = f"{ENDPOINT} is set, but the extra `otel` is not installed ({error.name} is missing)."
    except ValueError as error:
        why = f"A variable OTEL_* cannot be used: {error}"
    log.warning("no traces", why=why)
    return None
