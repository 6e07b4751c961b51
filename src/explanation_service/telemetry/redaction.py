"""Keeps secrets out of log lines, whoever wrote the line."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

_HIDDEN = "***"
_SECRET_NAME = re.compile(r"(^|[_-])(api_?keys?|authorization|password|passwd|secret|token)$", re.I)
# scheme://user:password@host; the user alone is no secret. The lengths are bounded so that a long
# line costs linear time.
_CREDENTIALS = re.compile(
    r"(?P<head>[a-zA-Z][a-zA-Z0-9+.-]{0,20}://[^/\s:@]{0,200}:)[^/\s@]{1,500}@"
)
_HEADER = re.compile(r"\b(?P<head>Api-Key|Bearer)\s+[^\s\"',;]+")


def redact(text: str) -> str:
    """The text with passwords in addresses and keys in authorization headers blotted out."""
    text = _CREDENTIALS.sub(rf"\g<head>{_HIDDEN}@", text)
    return _HEADER.sub(rf"\g<head> {_HIDDEN}", text)


def redact_event(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor: hides values by their name and secrets inside of texts."""
    for name, value in event.items():
        if _SECRET_NAME.search(name):
            event[name] = _HIDDEN
        elif isinstance(value, str):
            event[name] = redact(value)
    return event
