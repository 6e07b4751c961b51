"""What must hold of a template for a write to happen, and how MongoDB is asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class WriteCondition:
    """By default nothing has to hold. `exists`: whether there must be a template; `versions`: it
    must have one of these (an empty set never holds)."""

    exists: bool | None = None
    versions: frozenset[int] | None = None

    def allows_creation(self) -> bool:
        """Whether the write may happen under an id that is free."""
        return not self.exists and self.versions is None

    def live_filters(self) -> list[tuple[Mapping[str, Any], bool]]:
        """Filters for a document that is alive, in the order in which they are tried, each with
        whether it is for documents without a version, which count as version 1."""
        if self.exists is False:
            return []
        if self.versions is None:
            return [({}, False)]
        filters: list[tuple[Mapping[str, Any], bool]] = [
            ({"version": {"$in": sorted(self.versions)}}, False)
        ]
        if 1 in self.versions:
            filters.append(({"version": {"$exists": False}}, True))
        return filters


ANY_STATE = WriteCondition()
