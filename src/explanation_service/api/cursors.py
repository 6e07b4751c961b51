"""Cursors of lists: opaque to clients, so that what they hold may change."""

from __future__ import annotations

import base64
import binascii


def encode(last_id: str) -> str:
    """The cursor for what comes after `last_id`."""
    return base64.urlsafe_b64encode(last_id.encode()).decode().rstrip("=")


def decode(cursor: str) -> str:
    """The id in a cursor; raises ValueError for what is none."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ValueError("no cursor") from error
