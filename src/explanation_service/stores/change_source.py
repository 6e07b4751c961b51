"""What the change relay asks of MongoDB: which templates did others change since then?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Changes:
    """Ids of documents that others changed, and where to go on once their events are written.

    What this service wrote is left out as far as that can be told: it brings its own event. The
    ids are texts, but need not be those of templates.
    """

    ids: tuple[str, ...]
    position: str


class ChangeSource(Protocol):
    """Every method raises StoreUnavailable; afterwards the source must be begun again."""

    name: str
    """"change_stream" or "polling": a position of one says nothing to the other."""

    async def now(self) -> str:
        """The position from which on everything is told that changes after this call."""

    async def begin(self, position: str) -> None:
        """Go on from a position; raises HistoryLost where that cannot be done any more."""

    async def next(self) -> Changes:
        """What came next, at most 500 ids; after about two seconds an answer without any.
        Raises HistoryLost."""

    async def close(self) -> None:
        """Leave nothing open; never fails."""
