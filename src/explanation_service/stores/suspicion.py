"""How many entries may be delivered again together, when each may be what ended its last worker."""

from __future__ import annotations

from collections.abc import Iterable

# Entries beside which one may stand that was delivered once, twice, more often. The neighbours of a
# text that kills the process die with it; were they delivered with it each time, they would end in
# the dead letters with it (8 of 10,000 events in a chaos run). So the third delivery is in small
# company and all after it are alone: what is innocent is done then, long before its fifth.
_COMPANY = (64, 8, 1)


def together(deliveries: Iterable[int]) -> int:
    """How many of the first entries of a row, each so often delivered, to deliver at once.

    0 for an empty row, else at least 1.
    """
    count, limit = 0, _COMPANY[0]
    for times in deliveries:
        limit = min(limit, _COMPANY[min(max(times, 1), len(_COMPANY)) - 1])
        if count >= limit and count:
            break
        count += 1
    return count
