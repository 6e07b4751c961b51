"""The request id and the traceparent of the work in hand, carried by context variables.

Both cross from the API through the stream to the worker; ids from outside end up in log lines
and headers, so they are accepted only in a harmless form.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import uuid4

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
# For `bind`, whose parameters bear the same names.
_request_id, _traceparent = request_id, traceparent

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# W3C Trace Context: version-traceid-parentid-flags; later versions may append fields.
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


def new_request_id() -> str:
    """A fresh request id, 32 hexadecimal digits."""
    return uuid4().hex


def accept_request_id(raw: str | None) -> str:
    """The caller's request id when it is well formed, else a fresh one."""
    if raw is not None and _REQUEST_ID.fullmatch(raw):
        return raw
    return new_request_id()


def new_traceparent() -> str:
    """A traceparent that starts a trace, marked as sampled."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def valid_traceparent(raw: str | None) -> str | None:
    """The traceparent when it is a valid one of version 00."""
    match = _TRACEPARENT.fullmatch(raw) if raw is not None else None
    if match is None or match[1] != "00" or not match[2].strip("0") or not match[3].strip("0"):
        return None
    return match[0]


@contextmanager
def bind(request_id: str | None = None, traceparent: str | None = None) -> Iterator[None]:
    """Within the block, log lines and events written by this task carry these two."""
    request_token = _request_id.set(request_id)
    trace_token = _traceparent.set(traceparent)
    try:
        yield
    finally:
        _traceparent.reset(trace_token)
        _request_id.reset(request_token)
