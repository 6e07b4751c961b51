"""One JSON object a line on stderr, from our code and from the libraries alike."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from explanation_service.telemetry import request_context
from explanation_service.telemetry.redaction import redact_event

# They write a line for every request at INFO; our own access log and metrics say the same.
_CHATTY = ("httpx", "httpcore", "pymongo", "asyncio", "urllib3", "filelock")


def configure_logging(level: str, service: str) -> None:
    """Send every log line of this process to stderr; may be called again to change the level.

    Each line has ts (UTC, ISO 8601), level, event, service, logger, and inside of a request
    request_id and traceparent. `level` is the name of a standard level in any case.
    """

    def add_context(
        _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event["service"] = service
        for name, variable in (
            ("request_id", request_context.request_id),
            ("traceparent", request_context.traceparent),
        ):
            value = variable.get()
            if value is not None:
                event.setdefault(name, value)
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        add_context,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # Off, so that a module-level logger follows a later call of this function.
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.UnicodeDecoder(),
                redact_event,
                structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for keyword events: `log.info("template written", template_id=...)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
