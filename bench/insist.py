"""For whoever writes while stores go away and come back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from explanation_service.stores.errors import StoreUnavailable

T = TypeVar("T")

_RETRY_SECONDS = 0.2


async def insist(operation: Callable[[], Awaitable[T]]) -> T:
    """The operation's result, however long its store is away; it may have happened twice."""
    while True:
        try:
            return await operation()
        except StoreUnavailable:
            await asyncio.sleep(_RETRY_SECONDS)
