"""Waits until the rule book is searchable, and shows how far it is."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from explanation_service.standalone import probes
from explanation_service.standalone.services import Addresses
from explanation_service.standalone.terminal import Terminal

_POLL_SECONDS = 0.25
# A worker that is being restarted holds this up, and a rule book that somebody keeps editing never
# comes to rest; the service is usable meanwhile.
_LONGEST_SECONDS = 600.0


async def until_embedded(
    addresses: Addresses, headers: dict[str, str], written: int, terminal: Terminal
) -> None:
    """Returns when no change waits any more. Without fresh rules (`written` 0), and after ten
    minutes, it only says how many still wait."""
    deadline = time.monotonic() + (_LONGEST_SECONDS if written else 0.0)
    with terminal.progress("embedding the rule book") as progress:
        while True:
            waiting = await asyncio.to_thread(_waiting, addresses, headers)
            if waiting == 0:
                return
            if waiting is not None:
                progress.waiting(waiting)
            if time.monotonic() >= deadline:
                break
            await asyncio.sleep(_POLL_SECONDS)
    if waiting:
        terminal.say(f"changes of the rule book still to be embedded: {waiting}")


def _waiting(addresses: Addresses, headers: dict[str, str]) -> int | None:
    """Events not embedded yet; None while that is not known."""
    code, status = probes.get_json(
        addresses.api_port, "/v1/rag/status", headers, addresses.api_local_host
    )
    if code != 200 or not isinstance(status, dict) or status.get("unavailable"):
        return None
    counts: list[Any] = [status.get("stream_lag"), status.get("pending")]
    return None if any(count is None for count in counts) else sum(counts)
