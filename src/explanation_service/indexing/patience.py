"""Waits for stores that are away, so that the work in hand goes on where it stopped."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from explanation_service.indexing.pulse import Pulse
from explanation_service.stores.errors import CollectionMissing, StoreUnavailable
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

T = TypeVar("T")

# Seconds. Short enough that a restarted store is used at once, long enough not to hammer it.
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0


class Patience:
    """Repeats an operation until its store serves again.

    `heal_collection` makes a collection that has gone (Qdrant came back with an empty disk).
    `pulse` beats with each attempt: whoever waits for a store is not stuck.
    """

    def __init__(
        self,
        heal_collection: Callable[[], Awaitable[None]] | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        self._heal_collection = heal_collection
        self._pulse = pulse
        self._waiting: dict[str, int] = {}
        self._all_there = asyncio.Event()
        self._all_there.set()

    @property
    def away(self) -> frozenset[str]:
        """Names of the stores that somebody is waiting for now."""
        return frozenset(self._waiting)

    async def until_all_there(self) -> None:
        """Returns when nobody waits for a store: who would bring in new work calls it first."""
        await self._all_there.wait()

    async def through(self, operation: Callable[[], Awaitable[T]]) -> T:
        """The operation's result, however long its store is away; other errors pass.

        The operation runs anew each time, so it must be safe to repeat.
        """
        pause = FIRST_PAUSE
        store = ""
        try:
            while True:
                try:
                    result = await operation()
                    self._beat()
                    return result
                except StoreUnavailable as error:
                    self._beat()
                    log.warning("store is away", store=error.name, why=error.detail, again_in=pause)
                    # It counts as away until the operation succeeds, while it is tried, too.
                    self._note(error.name, 1)
                    self._note(store, -1)
                    store = error.name
                    await asyncio.sleep(pause * random.uniform(0.8, 1.2))
                    if isinstance(error, CollectionMissing) and self._heal_collection is not None:
                        await self._try_to_heal(self._heal_collection)
                pause = min(LONGEST_PAUSE, pause * 2)
        finally:
            self._note(store, -1)

    def _beat(self) -> None:
        if self._pulse is not None:
            self._pulse.beat()

    async def _try_to_heal(self, heal: Callable[[], Awaitable[None]]) -> None:
        try:
            await heal()
        except StoreUnavailable as error:
            log.warning("collection could not be made", why=error.detail)

    def _note(self, name: str, change: int) -> None:
        if not name:
            return
        count = self._waiting.get(name, 0) + change
        if count:
            self._waiting[name] = count
        else:
            self._waiting.pop(name, None)
        if self._waiting:
            self._all_there.clear()
        else:
            self._all_there.set()
