"""Ends asyncio tasks for certain."""

from __future__ import annotations

import asyncio
from typing import Any

# Seconds until a task that is still running is cancelled once more.
_REPEAT_AFTER = 0.2


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel the tasks and return when all have ended; their results and errors are dropped.

    One cancellation is not enough: a client can lose it where its own time-out or answer comes in
    the same turn of the loop (asyncio.wait_for before Python 3.12, cpython 86296).
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_REPEAT_AFTER)
    # Taken out, so that asyncio does not report them as never retrieved.
    await asyncio.gather(*tasks, return_exceptions=True)
