"""Cursors of lists: opaque to clients, so that what they hold may change."""

from __future__ import annotations

import base64

# What base64url without padding looks like: no single character is left at the end.
PATTERN = r"^([A-Za-z0-9_-]{4})*[A-Za-z0-9_-]{2,4}$"


def encode(last_id: str) -> str:
    """The cursor for what comes after `last_id`."""
    return base64.urlsafe_b64encode(last_id.encode()).decode().rstrip("=")


def decode(cursor: str) -> str:
    """The place that a cursor of this PATTERN stands for. One that was never given out is a place
    in the list as well."""
    padded = cursor + "=" * (-len(cursor) % 4)
    return base64.urlsafe_b64decode(padded).decode(errors="replace")
